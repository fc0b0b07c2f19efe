// The mount namespace of a command inside a node (see view.h). It must leave nothing in the host's mount
// table.

#include "view.h"
#include "sysfs.h"
#include "template.h"

#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

// Should: do what ip-netns(8) does, at the price of copying the whole mount table. For callers that no
// template fits.
static void copy_mounts_of_caller(void)
{
    MountTable table;
    if (!read_mounts(&table)) die_errno("read /proc/self/mountinfo");
    if (unshare(CLONE_NEWNS) < 0) die_errno("make a mount namespace");
    // Slave, not private: an umount on the host (of the lab's pins by `down`) reaches us, ours do not reach
    // the host.
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        die_errno("make the mounts of the command its own");
    Submounts submounts = clone_sys_submounts(&table);
    // What is read-only stays so: a container's /sys, over which the kernel refuses a writable one.
    unsigned long flags = is_sys_readonly() ? MS_RDONLY : 0;
    (void)drop_sys();
    mount_sys(flags);
    attach_sys_submounts(&submounts);
    free_mounts(&table);
}

// Where the files of /etc/netns/NETNS are. `nslab up` makes it a symlink into /run/nslab, which leads out of
// a template and into another mount namespace, where mount(2) takes nothing from; the template has them as
// well.
static char *etc_folder(const Node *node)
{
    char *folder = xasprintf("/etc/netns/%s", node->netns);
    cleanup_free char *views = xasprintf(LABS_DIR "/%s/etc/", node->lab);
    char target[PATH_MAX];
    ssize_t length = readlink(folder, target, sizeof target - 1);
    if (length < 0) return folder;
    target[length] = '\0';
    if (!starts_with(target, views)) return folder;
    char *own = xasprintf(VIEWS_DIR "/%s", target + strlen(views));
    bool is_there = access(own, F_OK) == 0;
    free(is_there ? folder : own);
    return is_there ? own : folder;
}

// Should: show each file of /etc/netns/NETNS in the place of the one in /etc, as ip-netns(8) does.
static void bind_etc(const Node *node)
{
    cleanup_free char *folder = etc_folder(node);
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
    // `host`, and a caller who is inside a node already, keep the mounts they have.
    bool lean = node->netns != NULL && !node->is_nested && enter_template(node);
    join_netns(node);
    if (lean) {
        finish_template();
    } else {
        copy_mounts_of_caller();
    }
    if (node->netns != NULL) bind_etc(node);
}
