// What init does to its own surroundings, op by op, inside its new namespaces: mounts, devices, links, masks,
// terminal, host name, sysctls. All of it works by descriptor in a root that may be hostile (in-root.h),
// before pivot_root(2).

#ifndef NSLAB_SETUP_H
#define NSLAB_SETUP_H

#include "program.h"

/// The sources of all BIND ops, as detached mounts in the program's order. Opened in the host's mount
/// namespace, so that a mount that is to be shared with the host is its peer. -1 at the end; NULL and the
/// failure when one cannot be opened.
int *open_bind_sources(const Program *program, Failure *failure);
void close_bind_sources(int *sources);

/// The terminal of a container: both descriptors -1 when there is none.
typedef struct {
    int master;
    int slave;
} Terminal;

/// What root of the machine makes for a container in a user namespace, whose own root may not: detached mounts,
/// -1 where the container makes it itself.
typedef struct {
    int root;
    int sysfs;
} Prepared;

/// Makes them, for the user namespace of the descriptor, in the network namespace that the container will have,
/// and in a mount namespace that is thrown away afterwards.
bool prepare_mounts(const Program *program, int user, Prepared *out, Failure *failure);

/// Does everything from the root to its last mask, enters it, and leaves "/" as working directory. `sources`
/// are those of open_bind_sources().
bool set_up_root(const Program *program, const int *sources, const Prepared *prepared, Terminal *terminal,
                 Failure *failure);

/// Sets the sysctls of the program in the ipc and network namespaces that the caller is in.
bool set_sysctls(const Program *program, Failure *failure);

#endif
