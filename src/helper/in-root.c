// See in-root.h.

#include "in-root.h"
#include "mount-api.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_LINKS = 8, MAX_RACES = 128 };

int open_in_root(int root, const char *path, uint64_t flags, uint64_t resolve)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
    };
    // EAGAIN: something was renamed while the kernel walked over "..", so it cannot vouch for the result.
    // openat2(2)
    int fd = -1;
    for (int i = 0; i < MAX_RACES; i++) {
        fd = call_openat2(root, path, &how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
    }
    return fd;
}

bool is_plain_path(const char *path)
{
    if (strlen(path) >= PATH_MAX) return false;
    for (const char *at = path; *at != '\0';) {
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') return false;
        at += length;
        at += strspn(at, "/");
    }
    return true;
}

// Cuts the copy before its last component and returns that, or NULL when there is none.
static char *cut_name(char *copy)
{
    size_t length = strlen(copy);
    while (length > 0 && copy[length - 1] == '/')
        copy[--length] = '\0';
    if (length == 0) return NULL;
    char *slash = strrchr(copy, '/');
    if (slash == NULL) return copy;
    *slash = '\0';
    return slash + 1;
}

// Where a link in that folder leads, by its text alone. It may be wrong (the folder may be a link itself),
// which is why its user asks the kernel afterwards whether the original path is there now.
static char *join_link(const char *folder, const char *link)
{
    char *all = *link == '/' ? xstrdup(link) : xasprintf("%s/%s", folder, link);
    char *out = all;
    for (const char *at = all; *at != '\0';) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            while (out > all && *--out != '/') {
            }
        } else if (length > 0 && !(length == 1 && at[0] == '.')) {
            // A text without a slash before its first name moves by one: out never passes `at`, but for that
            // case.
            if (out > all || *all == '/') *out++ = '/';
            memmove(out, at, length);
            out += length;
        }
        at += length;
    }
    *out = '\0';
    return all;
}

static int make(int root, const char *path, mode_t type, int links)
{
    uint64_t flags = O_PATH | (S_ISDIR(type) ? O_DIRECTORY : 0);
    int fd = open_in_root(root, path, flags, 0);
    if (fd >= 0 || errno != ENOENT) return fd;
    if (links > MAX_LINKS) {
        errno = ELOOP;
        return -1;
    }
    cleanup_free char *folder = xstrdup(path);
    cleanup_free char *name = NULL;
    const char *last = cut_name(folder);
    if (last == NULL) {
        errno = ENOENT;
        return -1;
    }
    // When the name was cut from the very start, the folder is the root.
    name = xstrdup(last);
    if (last == folder) *folder = '\0';
    cleanup_fd int parent = make(root, *folder == '\0' ? "/" : folder, S_IFDIR | 0755, links);
    if (parent < 0) return -1;
    // Neither call follows a link at the end.
    int made = S_ISDIR(type) ? mkdirat(parent, name, type & 07777) : mknodat(parent, name, type, 0);
    if (made < 0 && errno != EEXIST) return -1;
    if (made < 0) {
        char link[PATH_MAX];
        ssize_t length = readlinkat(parent, name, link, sizeof link - 1);
        if (length > 0) {
            link[length] = '\0';
            cleanup_free char *target = join_link(folder, link);
            cleanup_fd int there = make(root, target, type, links + 1);
            return there < 0 ? -1 : open_in_root(root, path, flags, 0);
        }
    }
    return openat(parent, name, (int)flags | O_NOFOLLOW | O_CLOEXEC);
}

int make_dir_in_root(int root, const char *path, mode_t mode)
{
    return make(root, path, S_IFDIR | (mode & 07777), 0);
}

int make_file_in_root(int root, const char *path, mode_t mode)
{
    return make(root, path, S_IFREG | (mode & 07777), 0);
}

int make_parent_in_root(int root, const char *path, char **name)
{
    cleanup_free char *folder = xstrdup(path);
    const char *last = cut_name(folder);
    if (last == NULL) {
        errno = EINVAL;
        return -1;
    }
    *name = xstrdup(last);
    if (last == folder) *folder = '\0';
    int parent = make_dir_in_root(root, *folder == '\0' ? "/" : folder, 0755);
    if (parent < 0) {
        int error = errno;
        free(*name);
        *name = NULL;
        errno = error;
    }
    return parent;
}
