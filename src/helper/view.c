// The mount namespace of a command inside a node (see view.h). It must leave nothing in the host's mount
// table.

#include "view.h"
#include "mounts.h"

#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum { SYS_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC };

typedef struct {
    int fd;
    char *path;
} Submount;

typedef struct {
    Submount *items;
    size_t count;
} Submounts;

// Should: copy what is mounted directly on /sys (cgroup, bpf, tracing, ...), each with all below it, so that
// a command in a node still has them; ip-netns(8) loses them. Mustn't: fail, a missing one is only missing.
static Submounts clone_sys_submounts(const MountTable *table)
{
    Submounts found = {0};
    int sys = -1;
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->items[i].point, "/sys") == 0) sys = table->items[i].id;
    }
    for (size_t i = 0; i < table->count; i++) {
        const Mount *mount = &table->items[i];
        if (mount->parent != sys || !starts_with(mount->point, "/sys/")) continue;
        int fd = clone_mount(mount->point);
        if (fd < 0) continue;
        found.items = xreallocarray(found.items, found.count + 1, sizeof *found.items);
        found.items[found.count++] = (Submount){.fd = fd, .path = xstrdup(mount->point)};
    }
    return found;
}

// Should: replace /sys by one of the network namespace we are in (a sysfs belongs to the namespace of its
// mounter). Mustn't: come before setns(2).
static void mount_sys(void)
{
    unsigned long flags = SYS_FLAGS;
    if (umount2("/sys", MNT_DETACH) < 0) {
        // Not a mount point, or locked by an outer user namespace: cover it, and no more writable than it is.
        struct statvfs status;
        if (statvfs("/sys", &status) == 0 && (status.f_flag & ST_RDONLY) != 0) flags |= MS_RDONLY;
    }
    if (mount("nslab", "/sys", "sysfs", flags, NULL) < 0) die_errno("mount a sysfs of the node on /sys");
}

static void attach_submounts(Submounts *submounts)
{
    for (size_t i = 0; i < submounts->count; i++) {
        // Not there in this sysfs, or refused: the command lacks it, as under ip-netns(8).
        (void)attach_mount(submounts->items[i].fd, submounts->items[i].path);
        close(submounts->items[i].fd);
        free(submounts->items[i].path);
    }
    free(submounts->items);
}

static void leave_mounts_of_caller(void)
{
    MountTable table;
    read_mounts(&table);
    if (unshare(CLONE_NEWNS) < 0) die_errno("make a mount namespace");
    // Slave, not private: an umount on the host (of the lab's pins by `down`) reaches us, ours do not reach
    // the host.
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        die_errno("make the mounts of the command its own");
    Submounts submounts = clone_sys_submounts(&table);
    mount_sys();
    attach_submounts(&submounts);
    free_mounts(&table);
}

// Should: show each file of /etc/netns/NETNS in the place of the one in /etc, as ip-netns(8) does.
static void bind_etc(const char *netns)
{
    cleanup_free char *folder = xasprintf("/etc/netns/%s", netns);
    cleanup_dir DIR *dir = opendir(folder);
    if (dir == NULL) return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        cleanup_free char *source = xasprintf("%s/%s", folder, entry->d_name);
        cleanup_free char *target = xasprintf("/etc/%s", entry->d_name);
        if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0) {
            warn("the node's %s is not shown as %s: %s", source, target, strerror(errno));
        }
    }
}

static bool is_own_netns(int fd)
{
    struct stat ours, theirs;
    return stat("/proc/self/ns/net", &ours) == 0 && fstat(fd, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

void enter_node(const Node *node)
{
    if (node->netns == NULL && is_own_netns(node->fd)) return;
    join_netns(node);
    leave_mounts_of_caller();
    if (node->netns != NULL) bind_etc(node->netns);
}
