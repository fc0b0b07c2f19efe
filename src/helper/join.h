// Enters a running container, for exec and health checks: its cgroups and all of its namespaces. Must be done
// by a process of its own that has no descriptor it does not need, because a container with CAP_SYS_PTRACE
// can look into it until it execs.

#ifndef NSLAB_JOIN_H
#define NSLAB_JOIN_H

#include "program.h"

/// Enters the cgroups of the program's CGROUP ops and the namespaces of the process. The pid namespace is
/// entered by the next child alone: fork() afterwards and let the child become(). The pidfd must have been
/// checked against the start time.
bool join_container(int pidfd, const Program *ops, Failure *failure);

#endif
