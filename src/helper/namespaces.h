// The namespaces of init: which are new, which are joined, and what the parent has to do around the clone.
// namespaces(7), pid_namespaces(7), time_namespaces(7), user_namespaces(7).

#ifndef NSLAB_NAMESPACES_H
#define NSLAB_NAMESPACES_H

#include "program.h"

/// What the parent opened before the clone.
typedef struct {
    uint64_t made;   // CLONE_NEW* for new ones
    uint64_t joined; // CLONE_NEW* of the JOIN ops
    int *fds;        // of the JOIN ops in their order, -1 at the end
    int user;        // the user namespace, new or joined; -1: there is none
    int own_pid;     // where the parent goes back to, -1 when it has not moved
    int own_time;
    int outer_pid; // in which a new pid namespace is made, -1: in the parent's own; not ours to close
} Namespaces;

/// Checks the program's wishes, opens what it joins, and makes the user namespace if it is to be a new one.
bool open_namespaces(const Program *program, Namespaces *out, Failure *failure);
void close_namespaces(Namespaces *namespaces);

/// In the parent: what only takes effect on children (pid and time). Undo it with leave_for_children() after
/// the clone. Where a pid namespace is to be made inside of another, only a child can make it (clone(2),
/// EINVAL).
bool enter_for_children(const Program *program, Namespaces *namespaces, Failure *failure);
bool leave_for_children(Namespaces *namespaces, Failure *failure);

/// The flags for clone3(2): all new ones but those that come before or after it.
uint64_t clone_flags(const Namespaces *namespaces);

/// Joins all but the pid and the user namespace. They belong to user namespaces outside of the container's, so
/// it comes before the container's own is entered.
bool join_namespaces(const Program *program, const Namespaces *namespaces, Failure *failure);
/// In init, once it is in its cgroups: the new cgroup namespace, whose root is the cgroup at that moment.
bool make_cgroup_namespace(const Namespaces *namespaces, Failure *failure);

#endif
