// A procfs of the helper's own.

#ifndef NSLAB_PROCFS_H
#define NSLAB_PROCFS_H

/// A detached mount of a new procfs, of the caller's pid namespace, or -1: the host's /proc may be read-only (in
/// a container), a container's may be covered by anything.
int mount_proc(void);

#endif
