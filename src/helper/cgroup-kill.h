// Ends all that is in a container's cgroups, for one that shares its pid namespace with others: there the end
// of its init ends nobody else.

#ifndef NSLAB_CGROUP_KILL_H
#define NSLAB_CGROUP_KILL_H

#include "program.h"

/// SIGKILL to every process in the cgroups of the program's CGROUP ops. Does not wait until they have ended.
void kill_cgroups(const Program *program);

#endif
