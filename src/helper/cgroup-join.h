// Puts processes into the cgroups that TypeScript has made, and loads a cgroup2's device policy. Every
// directory is checked to be a cgroup before anything is written: a plain file in its place would take the
// pid and limit nothing.

#ifndef NSLAB_CGROUP_JOIN_H
#define NSLAB_CGROUP_JOIN_H

#include "program.h"

/// The cgroup2 directory of the program's CGROUP ops for CLONE_INTO_CGROUP, -1 when it has none; false on
/// failure.
bool open_unified(const Program *program, int *out, Failure *failure);
/// Opens cgroup.procs of all CGROUP ops (`skip_unified`: but the cgroup2's); -1 at the end, NULL on failure.
int *open_cgroups(const Program *program, bool skip_unified, Failure *failure);
void close_cgroups(int *cgroups);
/// Moves the calling process, in one burst: the first write waits for a grace period of RCU, the next ones do
/// not.
bool join_cgroups(const Program *program, const int *cgroups, bool skip_unified, Failure *failure);
/// Attaches the DEVICES op's program to its cgroup2 in the place of whatever was attached there before.
bool set_device_policy(const Program *program, Failure *failure);

#endif
