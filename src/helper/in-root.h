// Paths inside a root file system that may be hostile: every one is resolved by the kernel as if the root
// were "/" (RESOLVE_IN_ROOT) and through no magic link of /proc, and what comes back is a descriptor. Nothing
// here may ever take a path of the container's apart by itself and use the pieces without such a check:
// CVE-2021-30465, CVE-2026-41579.

#ifndef NSLAB_IN_ROOT_H
#define NSLAB_IN_ROOT_H

#include "common.h"

#include <stdint.h>
#include <sys/types.h>

/// openat2(2) in the root; `resolve` adds RESOLVE_* flags. -1 and errno on failure.
int open_in_root(int root, const char *path, uint64_t flags, uint64_t resolve);

/// An O_PATH descriptor of the directory or file; it and all directories above are made when missing. A
/// dangling symbolic link is followed, inside the root. `mode` is for what the path names; directories above
/// get 0755.
int make_dir_in_root(int root, const char *path, mode_t mode);
int make_file_in_root(int root, const char *path, mode_t mode);

/// The directory that holds the last component, made when missing, and a copy of that component, to be freed.
/// For *at() calls that do not follow links. -1 with EINVAL when the path names the root itself.
int make_parent_in_root(int root, const char *path, char **name);

/// True for a path whose every component is a name: no "..", and not longer than PATH_MAX.
bool is_plain_path(const char *path);

#endif
