// See tar-xattrs.h.

#include "tar-xattrs.h"
#include "tar-failure.h"

#include <string.h>
#include <sys/xattr.h>

static ssize_t list_names(int fd, const char *name, char *list, size_t size)
{
    return fd >= 0 ? flistxattr(fd, list, size) : llistxattr(name, list, size);
}

static ssize_t get_value(int fd, const char *name, const char *key, void *value, size_t size)
{
    return fd >= 0 ? fgetxattr(fd, key, value, size) : lgetxattr(name, key, value, size);
}

bool is_opaque(int fd)
{
    static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char value;
        if (fgetxattr(fd, names[i], &value, 1) == 1 && value == 'y') return true;
    }
    return false;
}

// Labels and signatures that hold on this machine alone.
static bool is_of_host(const char *name)
{
    static const char *const names[] = {"security.selinux", "security.ima", "security.evm",
                                        "security.SMACK64"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

// True when it is one of overlayfs', which are for its upper directory and no archive.
static bool check_overlay(const char *name)
{
    const char *own = starts_with(name, "trusted.overlay.") ? name + sizeof "trusted.overlay." - 1
                      : starts_with(name, "user.overlay.")  ? name + sizeof "user.overlay." - 1
                                                            : NULL;
    if (own == NULL) return false;
    // The contents are somewhere else. nslab mounts with metacopy=off,redirect_dir=off.
    if (strcmp(own, "redirect") == 0 || strcmp(own, "metacopy") == 0 || strcmp(own, "whiteout") == 0)
        tar_refused("the attribute %s, with which it cannot be packed", quoted_short(name));
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const TarXattr *)a)->name, ((const TarXattr *)b)->name);
}

static void read_values(Xattrs *xattrs, int fd, const char *name, size_t length)
{
    size_t count = 0, room = 0;
    for (const char *at = xattrs->names, *end = at + length; at < end; at += strlen(at) + 1) {
        if (check_overlay(at) || is_of_host(at)) continue;
        xattrs->list = xreallocarray(xattrs->list, count + 1, sizeof *xattrs->list);
        xattrs->list[count] = (TarXattr){.name = at};
        ssize_t size = get_value(fd, name, at, NULL, 0);
        if (size < 0) {
            if (errno == ENODATA || errno == EPERM) continue;
            tar_errno("read the extended attribute %s", quoted_short(at));
        }
        xattrs->list[count++].size = (size_t)size;
        room += (size_t)size;
    }
    xattrs->values = xcalloc(room + 1, 1);
    char *value = xattrs->values;
    for (size_t i = 0; i < count; i++) {
        TarXattr *xattr = &xattrs->list[i];
        ssize_t size = get_value(fd, name, xattr->name, value, xattr->size);
        // It has been changed meanwhile, by a container that runs.
        xattr->size = size < 0 ? 0 : (size_t)size;
        xattr->value = value;
        value += xattr->size;
    }
    xattrs->count = count;
    if (count > 1) qsort(xattrs->list, count, sizeof *xattrs->list, compare_names);
}

void xattrs_read(Xattrs *xattrs, int fd, const char *name)
{
    *xattrs = (Xattrs){0};
    // Most files have none, and hardly any more than fit here.
    char few[1024];
    ssize_t length = list_names(fd, name, few, sizeof few);
    if (length == 0 || (length < 0 && (errno == ENOTSUP || errno == ENOENT))) return;
    size_t room = sizeof few;
    if (length < 0 && errno == ERANGE) {
        room = TAR_MAX_XATTR; // XATTR_LIST_MAX
        xattrs->names = xcalloc(room, 1);
        length = list_names(fd, name, xattrs->names, room);
    } else if (length > 0) {
        xattrs->names = xcalloc((size_t)length, 1);
        memcpy(xattrs->names, few, (size_t)length);
    }
    if (length < 0) tar_errno("list its extended attributes");
    read_values(xattrs, fd, name, (size_t)length);
}

void xattrs_free(Xattrs *xattrs)
{
    free(xattrs->names);
    free(xattrs->values);
    free(xattrs->list);
    *xattrs = (Xattrs){0};
}
