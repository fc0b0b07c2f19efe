// Becoming Node for the commands that the helper does not do itself.

#ifndef NSLAB_LAUNCH_H
#define NSLAB_LAUNCH_H

#include "common.h"

#include <stdint.h>

/// Replaces this process by Node on dist/nslab.js with the same arguments.
_Noreturn void launch_node(int argc, char **argv);

/// `_snapshot-key NODE`: prints what a startup snapshot made by that Node on this machine depends on.
int verb_snapshot_key(int argc, char **argv);

#endif
