// /sys inside a node: a sysfs of the node's network namespace, with what the host has mounted below /sys kept
// on top of it. ip-netns(8) loses the latter, and with it cgroups, bpf and tracing.

#ifndef NSLAB_SYSFS_H
#define NSLAB_SYSFS_H

#include "mounts.h"

typedef struct {
    int fd;     // a detached copy, from clone_mount()
    char *path; // below /sys/, for example "fs/cgroup"
} Submount;

typedef struct {
    Submount *items;
    size_t count;
} Submounts;

/// Copies what is mounted directly on /sys, each with all that is below it. A missing one is only missing:
/// never fails.
Submounts clone_sys_submounts(const MountTable *table);
/// True when /sys is read-only, as in a container.
bool is_sys_readonly(void);
/// Takes the old sysfs away; false when it was no mount point, or is locked by an outer user namespace.
bool drop_sys(void);
/// Mounts a sysfs of the network namespace we are in; so it must come after setns(2). `flags` is 0 or
/// MS_RDONLY.
void mount_sys(unsigned long flags);
/// Puts the copies on the new /sys.
void attach_sys_submounts(Submounts *submounts);

#endif
