// What a command sees of the file system inside a node: the caller's own files, a /sys that shows the node's
// links, and the node's files over /etc, as ip-netns(8) does it. See view.c for how, and for what is left on
// disk.

#ifndef NSLAB_VIEW_H
#define NSLAB_VIEW_H

#include "node.h"

/// Enters the node's network namespace and a private mount namespace; the working directory stays the same.
void enter_node(const Node *node);

#endif
