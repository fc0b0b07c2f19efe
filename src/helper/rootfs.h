// The container's root: an overlay or a bind mount, mounted in the caller's mount namespace (which must be a
// private one of its own), and pivot_root(2) into it, after which nothing of the old root is reachable.

#ifndef NSLAB_ROOTFS_H
#define NSLAB_ROOTFS_H

#include "program.h"

/// Mounts what the program's ROOT_OVERLAY or ROOT_BIND says over everything; an O_PATH descriptor of it, or
/// -1.
int mount_root(const Program *program, Failure *failure);

/// The same root, detached, for a container in the user namespace of the descriptor: layers below the upper one
/// are mounted with its ids. By root of the machine, which mount_setattr(2) wants for that, in a mount
/// namespace that is thrown away afterwards.
int prepare_root(const Program *program, int user, Failure *failure);
/// Puts it over everything, in the container's mount namespace; false and it is closed otherwise.
bool attach_root(int root, Failure *failure);

/// Makes it the root of this process and of its mount namespace, and lets go of the old one.
bool enter_root(int root, Failure *failure);

/// Finishes fsconfig(2) and fails with the file system's own words.
bool fail_fs(Failure *failure, const Op *op, int fs, const char *what);

#endif
