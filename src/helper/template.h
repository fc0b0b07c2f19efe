// The lab's template: a mount namespace that is the host's without the pins of labs, kept for all execs of a
// lab. See template.c for why, and for what lies on disk.

#ifndef NSLAB_TEMPLATE_H
#define NSLAB_TEMPLATE_H

#include "node.h"

/// Where the lab's folder of files for /etc is inside a template.
#define VIEWS_DIR RUN_DIR "/etc"

/// Enters a private copy of the lab's template, made now if need be, in the same working directory. False,
/// with nothing changed, when there can be none here: the caller then copies its own mounts. Must come before
/// setns(2) into the node, must be followed by finish_template().
bool enter_template(const Node *node);
/// Mounts the node's /sys. Must come after setns(2) into the node.
void finish_template(void);

#endif
