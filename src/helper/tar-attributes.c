// See tar-attributes.h. Calls that would change nothing are left out: a layer has many small files.

#include "tar-attributes.h"
#include "tar-failure.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 // Linux 6.6, the same on all architectures
#endif

static bool owner_is_given(const Parent *parent, const TarEntry *entry)
{
    // A new file in a set-group-ID directory gets the group of that.
    return !parent->setgid && entry->uid == geteuid() && entry->gid == getegid();
}

// The file system or the user namespace may not have them: Docker goes on as well.
static void check_xattr(Extract *extract, const TarXattr *xattr, int result)
{
    if (result == 0) return;
    if (errno != ENOTSUP && errno != EPERM)
        tar_errno("set the extended attribute %s", quoted_short(xattr->name));
    if (extract->refused_xattrs++ == 0) {
        warn("the extended attribute %s cannot be set here: %s; others are not told of",
             quoted_short(xattr->name), strerror(errno));
    }
}

static void set_xattrs(Extract *extract, int fd, const TarEntry *entry)
{
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const TarXattr *xattr = &entry->xattrs[i];
        check_xattr(extract, xattr, fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0));
        if (strcmp(xattr->name, ACL_DEFAULT) == 0) extract->default_acls = true;
    }
}

// What the directory above handed down is not the entry's. Only once a layer has had such a directory.
static void drop_inherited_acl(const Extract *extract, int fd, const TarEntry *entry)
{
    if (!extract->default_acls || !extract->rules.layer) return;
    fremovexattr(fd, ACL_ACCESS);
    if (entry->type == TAR_DIRECTORY) fremovexattr(fd, ACL_DEFAULT);
    if (fchmod(fd, entry->mode) < 0) tar_errno("chmod");
}

void set_dir_attributes(Extract *extract, const Parent *parent, int fd, const TarEntry *entry, bool fresh)
{
    bool given = fresh && owner_is_given(parent, entry);
    if (!given && fchown(fd, entry->uid, entry->gid) < 0) tar_errno("chown to %u:%u", entry->uid, entry->gid);
    // mkdir(2) in a set-group-ID directory sets that bit.
    bool inherited = entry->type == TAR_DIRECTORY && parent->setgid;
    if ((!fresh || inherited || (entry->mode & 07000) != 0) && fchmod(fd, entry->mode) < 0)
        tar_errno("chmod");
    drop_inherited_acl(extract, fd, entry);
    set_xattrs(extract, fd, entry);
}

void set_file_attributes(Extract *extract, const Parent *parent, int fd, const TarEntry *entry, bool fresh)
{
    set_dir_attributes(extract, parent, fd, entry, fresh);
    const struct timespec times[2] = {entry->mtime, entry->mtime};
    if (futimens(fd, times) < 0) tar_errno("set its time");
}

// Before Linux 6.6 by the name of a descriptor, because the older call would follow a link that somebody puts there meanwhile.
// What is opened by O_PATH is not opened itself: a FIFO would wait.
static void chmod_by_descriptor(int descriptors, int parent, const char *name, mode_t mode)
{
    cleanup_fd int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) tar_errno("chmod");
    // Not what was made here.
    if (S_ISLNK(status.st_mode)) tar_refused("a link has come in its place");
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    if (fchmodat(descriptors, number, mode, 0) < 0) tar_errno("chmod");
}

static void chmod_node(const Place *place, int parent, const char *name, mode_t mode)
{
    if (syscall(SYS_fchmodat2, parent, name, mode, AT_SYMLINK_NOFOLLOW) == 0) return;
    if (errno != ENOSYS) tar_errno("chmod");
    chmod_by_descriptor(place->descriptors, parent, name, mode);
}

void set_node_attributes(Extract *extract, const Parent *parent, const char *name, const TarEntry *entry)
{
    if (!owner_is_given(parent, entry) &&
        fchownat(parent->fd, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
        tar_errno("chown to %u:%u", entry->uid, entry->gid);
    if (entry->type != TAR_SYMLINK && (entry->mode & 07000) != 0)
        chmod_node(&extract->place, parent->fd, name, entry->mode);
    if (entry->xattr_count > 0) {
        // There is no lsetxattr(2) below a descriptor before Linux 6.13.
        if (fchdir(parent->fd) < 0) tar_errno("enter its directory");
        for (size_t i = 0; i < entry->xattr_count; i++) {
            const TarXattr *xattr = &entry->xattrs[i];
            check_xattr(extract, xattr, lsetxattr(name, xattr->name, xattr->value, xattr->size, 0));
        }
    }
    const struct timespec times[2] = {entry->mtime, entry->mtime};
    if (utimensat(parent->fd, name, times, AT_SYMLINK_NOFOLLOW) < 0) tar_errno("set its time");
}
