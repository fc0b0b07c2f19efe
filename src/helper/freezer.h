// Freezes and thaws the processes of a container through its cgroup: freezer.state of cgroup v1,
// cgroup.freeze of v2.

#ifndef NSLAB_FREEZER_H
#define NSLAB_FREEZER_H

#include "program.h"

/// Asks for all processes to be frozen, and again while it is not so: v1 needs that when a process was forked
/// meanwhile.
bool freezer_freeze(const Op *freezer);
bool freezer_thaw(const Op *freezer);
/// True when all of them are.
bool freezer_is_frozen(const Op *freezer);

#endif
