// See tar-place.h.

#include "tar-place.h"
#include "in-root.h"
#include "mount-api.h"
#include "tar-failure.h"
#include "tar-name.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

void place_enter(Place *place, const char *folder)
{
    *place = (Place){.root = open(folder, DIR_FLAGS), .parent = {.fd = -1}};
    if (place->root < 0) die_errno("open %s", quoted_short(folder));
    place->descriptors = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fchdir(place->root) < 0 || chroot(".") < 0) die_errno("chroot to %s", quoted_short(folder));
    umask(0);
}

int place_open_dir(const Place *place, const char *name, unsigned long resolve)
{
    return open_in_root(place->root, *name == '\0' ? "." : name, O_RDONLY | O_DIRECTORY, resolve);
}

void place_path(int fd, char *path)
{
    char whole[TAR_MAX_NAME + 2];
    if (fchdir(fd) < 0) tar_errno("enter its directory");
    if (getcwd(whole, sizeof whole) == NULL) {
        if (errno == ERANGE || errno == ENAMETOOLONG) tar_limit("a name of more than %d bytes", TAR_MAX_NAME);
        tar_errno("the path of its directory");
    }
    // "(unreachable)": getcwd(2).
    if (*whole != '/') tar_refused("its directory is not in the root any more");
    strcpy(path, whole + 1);
    check_name_length(path);
}

void make_opaque(int fd)
{
    if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) == 0) return;
    // In a user namespace the trusted ones are not to be had; overlayfs then wants the option userxattr.
    if (errno != EPERM || fsetxattr(fd, "user.overlay.opaque", "y", 1, 0) < 0)
        tar_errno("make its directory opaque");
}

bool is_whiteout(int parent, const char *name)
{
    struct stat status;
    return fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == makedev(0, 0);
}

static void remove_children(DIR *dir)
{
    // readdir(3) may skip names when others are removed meanwhile, so it is done until none is left. One
    // descriptor for each level: there may be TAR_MAX_DEPTH of them.
    for (bool found = true; found; rewinddir(dir)) {
        found = false;
        for (const struct dirent *child; (child = readdir(dir)) != NULL;) {
            if (strcmp(child->d_name, ".") == 0 || strcmp(child->d_name, "..") == 0) continue;
            remove_tree(dirfd(dir), child->d_name);
            found = true;
        }
    }
}

void remove_tree(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR) tar_errno("remove what it replaces");
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return;
    if (errno != ENOTEMPTY && errno != EEXIST) tar_errno("remove what it replaces");
    int fd = openat(parent, name, DIR_FLAGS | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) tar_errno("remove what it replaces");
    remove_children(dir);
    closedir(dir);
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0) tar_errno("remove what it replaces");
}

static void set_parent(Parent *parent, const char *asked, int fd, const char *path)
{
    if (parent->fd >= 0) close(parent->fd);
    struct stat status;
    if (fstat(fd, &status) < 0) tar_errno("stat its directory");
    parent->fd = fd;
    parent->setgid = (status.st_mode & S_ISGID) != 0;
    parent->whited_out = false;
    strcpy(parent->asked, asked);
    if (path == NULL) {
        place_path(fd, parent->path);
    } else {
        strcpy(parent->path, path);
    }
}

// The text ends before the name in it. Returns the directory that holds it.
static int make_missing(Place *place, int above, const char *path, bool keep_whiteouts)
{
    const char *name = base_name(path);
    bool hidden = place->layer && is_whiteout(above, name);
    if (hidden && keep_whiteouts) return -1;
    if (hidden && unlinkat(above, name, 0) < 0) tar_errno("remove a whiteout above it");
    if (mkdirat(above, name, 0755) < 0) {
        if (errno == EEXIST) tar_refused("above it is a link to nothing");
        tar_errno("make the directory above it");
    }
    int fd = openat(above, name, DIR_FLAGS | O_NOFOLLOW);
    if (fd < 0) tar_errno("open the directory above it");
    if (hidden) make_opaque(fd);
    return fd;
}

// Opens or makes one directory after the other. False when a whiteout is to stay.
static bool walk(Place *place, const char *asked, bool keep_whiteouts)
{
    char path[TAR_MAX_NAME + 1];
    int fd = place_open_dir(place, "", 0);
    if (fd < 0) tar_errno("open the root");
    for (size_t end = 0; asked[end] != '\0';) {
        end += end > 0;
        end += strcspn(asked + end, "/");
        memcpy(path, asked, end);
        path[end] = '\0';
        int next = place_open_dir(place, path, 0);
        if (next < 0) {
            if (errno != ENOENT && !(errno == ENOTDIR && place->layer && is_whiteout(fd, base_name(path)))) {
                if (errno == ENOTDIR) tar_refused("above it is something that is no directory");
                tar_errno("open the directory above it");
            }
            next = make_missing(place, fd, path, keep_whiteouts);
            if (next >= 0 && place->made != NULL) {
                char real[TAR_MAX_NAME + 1];
                place_path(next, real);
                place->made(place->context, real);
            }
        }
        close(fd);
        if (next < 0) return false;
        fd = next;
    }
    set_parent(&place->parent, asked, fd, NULL);
    return true;
}

const Parent *place_parent(Place *place, const char *name, bool keep_whiteouts)
{
    Parent *parent = &place->parent;
    size_t length = (size_t)(base_name(name) - name);
    if (length > 0) length--;
    parent->whited_out = false;
    if (parent->fd >= 0 && strncmp(parent->asked, name, length) == 0 && parent->asked[length] == '\0')
        return parent;
    char asked[TAR_MAX_NAME + 1];
    memcpy(asked, name, length);
    asked[length] = '\0';
    int fd = place_open_dir(place, asked, RESOLVE_NO_SYMLINKS);
    if (fd >= 0) {
        set_parent(parent, asked, fd, asked);
    } else if (errno == ELOOP && (fd = place_open_dir(place, asked, 0)) >= 0) {
        set_parent(parent, asked, fd, NULL);
    } else if (!walk(place, asked, keep_whiteouts)) {
        parent->whited_out = true;
    }
    return parent;
}
