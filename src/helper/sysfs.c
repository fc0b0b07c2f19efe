// The steps that change /sys in the caller's own mount namespace (see sysfs.h). They must never run in the
// host's.

#include "sysfs.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

Submounts clone_sys_submounts(const MountTable *table)
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
        found.items[found.count++] = (Submount){.fd = fd, .path = xstrdup(mount->point + strlen("/sys/"))};
    }
    return found;
}

bool drop_sys(void)
{
    return umount2("/sys", MNT_DETACH) == 0;
}

bool is_sys_readonly(void)
{
    struct statvfs status;
    return statvfs("/sys", &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
}

void mount_sys(unsigned long flags)
{
    flags |= MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount("nslab", "/sys", "sysfs", flags, NULL) < 0) die_errno("mount a sysfs of the node on /sys");
}

void attach_sys_submounts(Submounts *submounts)
{
    for (size_t i = 0; i < submounts->count; i++) {
        cleanup_free char *target = xasprintf("/sys/%s", submounts->items[i].path);
        // Not there in this sysfs, or refused: the command lacks it, as under ip-netns(8).
        (void)attach_mount(submounts->items[i].fd, target);
        close(submounts->items[i].fd);
        free(submounts->items[i].path);
    }
    free(submounts->items);
    *submounts = (Submounts){0};
}
