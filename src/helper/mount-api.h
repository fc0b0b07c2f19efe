// The mount calls of Linux 5.2 to 5.12 that take descriptors, as raw system calls: not every glibc we build
// with has them. Manual pages: fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2),
// mount_setattr(2), openat2(2).

#ifndef NSLAB_MOUNT_API_H
#define NSLAB_MOUNT_API_H

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int call_fsopen(const char *type)
{
    return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}
static inline int call_fsconfig(int fs, unsigned command, const char *key, const void *value)
{
    return (int)syscall(SYS_fsconfig, fs, command, key, value, 0);
}
static inline int call_fsmount(int fs, unsigned attributes)
{
    return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
}
static inline int call_open_tree(int fd, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, fd, path, flags | OPEN_TREE_CLOEXEC);
}
static inline int call_move_mount(int from, int to, unsigned flags)
{
    return (int)syscall(SYS_move_mount, from, "", to, "",
                        flags | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
static inline int call_mount_setattr(int fd, unsigned flags, const struct mount_attr *attributes)
{
    return (int)syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, attributes, sizeof *attributes);
}
static inline int call_openat2(int fd, const char *path, const struct open_how *how)
{
    return (int)syscall(SYS_openat2, fd, path, how, sizeof *how);
}

#endif
