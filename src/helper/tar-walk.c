// See tar-walk.h.

#include "tar-walk.h"
#include "tar-failure.h"
#include "tar-name.h"
#include "tar-xattrs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

typedef struct {
    char *name;
    bool whiteout;
} Child;

typedef struct {
    Child *all;
    size_t count;
} Children;

static bool gone(void)
{
    return errno == ENOENT || errno == ESTALE;
}

static bool look(int parent, const char *name, struct statx *status)
{
    if (statx(parent, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_MNT_ID, status) == 0) return true;
    if (!gone()) tar_errno("stat");
    return false;
}

static uint64_t device_of(const struct statx *status)
{
    return (uint64_t)status->stx_dev_major << 32 | status->stx_dev_minor;
}

// Linux 5.8 tells the mount; before, two mounts of one file system look the same.
static uint64_t mount_of(const struct statx *status)
{
    return (status->stx_mask & STATX_MNT_ID) != 0 ? status->stx_mnt_id : device_of(status);
}

static bool is_mark(const struct statx *status)
{
    return S_ISCHR(status->stx_mode) && status->stx_rdev_major == 0 && status->stx_rdev_minor == 0;
}

static int compare_children(const void *a, const void *b)
{
    const Child *left = a, *right = b;
    if (left->whiteout != right->whiteout) return left->whiteout ? -1 : 1;
    return strcmp(left->name, right->name);
}

static void add_child(const Walk *walk, int fd, const struct dirent *entry, Children *children)
{
    struct statx status;
    bool device = entry->d_type == DT_CHR || entry->d_type == DT_UNKNOWN;
    bool whiteout =
        walk->kind == WALK_LAYER && device && look(fd, entry->d_name, &status) && is_mark(&status);
    size_t count = children->count;
    if ((count & (count - 1)) == 0)
        children->all = xreallocarray(children->all, count == 0 ? 1 : count * 2, sizeof *children->all);
    children->all[children->count++] = (Child){.name = xstrdup(entry->d_name), .whiteout = whiteout};
}

static Children read_children(const Walk *walk, int fd)
{
    Children children = {0};
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir == NULL && gone()) return children;
    if (dir == NULL) tar_errno("read the directory");
    errno = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_child(walk, fd, entry, &children);
        errno = 0;
    }
    if (errno != 0 && !gone()) tar_errno("read the directory");
    if (children.count > 1) qsort(children.all, children.count, sizeof *children.all, compare_children);
    return children;
}

static TarEntry entry_of(const Walk *walk, const struct statx *status)
{
    return (TarEntry){
        .name = walk->name,
        .link = "",
        .mode = status->stx_mode & 07777,
        .uid = status->stx_uid,
        .gid = status->stx_gid,
        .mtime = {.tv_sec = status->stx_mtime.tv_sec, .tv_nsec = status->stx_mtime.tv_nsec},
    };
}

// Restores the name when its scope ends.
typedef struct {
    Walk *walk;
    size_t length;
} NameScope;

static void end_name(const NameScope *scope)
{
    scope->walk->length = scope->length;
    scope->walk->name[scope->length] = '\0';
}

#define name_scope __attribute__((cleanup(end_name)))

static NameScope begin_name(Walk *walk, const char *prefix, const char *name)
{
    NameScope scope = {walk, walk->length};
    size_t room = sizeof walk->name - 1 - walk->length;
    int length =
        snprintf(walk->name + walk->length, room, "%s%s%s", walk->length > 0 ? "/" : "", prefix, name);
    if ((size_t)length >= room) tar_limit("below it is a name of more than %d bytes", TAR_MAX_NAME);
    walk->length += (size_t)length;
    return scope;
}

static void write_mark(Walk *walk, const char *prefix, const char *name, const struct timespec mtime)
{
    name_scope NameScope scope = begin_name(walk, prefix, name);
    (void)scope;
    const TarEntry entry = {.type = TAR_FILE, .name = walk->name, .link = "", .mode = 0600, .mtime = mtime};
    write_entry(&walk->output, &entry);
}

static void write_with_xattrs(Walk *walk, int fd, const char *name, TarEntry *entry)
{
    Xattrs xattrs;
    xattrs_read(&xattrs, fd, name);
    entry->xattrs = xattrs.list;
    entry->xattr_count = xattrs.count;
    write_entry(&walk->output, entry);
    xattrs_free(&xattrs);
}

// What cannot be opened: the attributes are asked of the name.
static void write_node(Walk *walk, int parent, const char *name, TarEntry *entry)
{
    if (walk->current != parent && fchdir(parent) < 0) tar_errno("enter its directory");
    walk->current = parent;
    write_with_xattrs(walk, -1, name, entry);
}

static void write_symlink(Walk *walk, int parent, const char *name, TarEntry *entry)
{
    char target[TAR_MAX_NAME + 1];
    ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
    if (length < 0 && gone()) return;
    if (length < 0) tar_errno("read the link");
    target[length] = '\0';
    entry->type = TAR_SYMLINK;
    entry->mode = 0777;
    entry->link = target;
    write_node(walk, parent, name, entry);
}

static void write_file(Walk *walk, int parent, const char *name, const struct statx *status, TarEntry *entry)
{
    // O_NONBLOCK: it may be a fifo by now.
    cleanup_fd int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct statx opened;
    if (fd < 0 && (gone() || errno == ELOOP || errno == ENXIO)) return;
    if (fd < 0) tar_errno("open");
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &opened) < 0) tar_errno("stat");
    // A container has put something else there meanwhile.
    if (!S_ISREG(opened.stx_mode) || opened.stx_ino != status->stx_ino) return;
    entry->type = TAR_FILE;
    entry->size = opened.stx_size;
    write_with_xattrs(walk, fd, name, entry);
    if (!write_contents(&walk->output, fd, entry->size))
        warn("%s became shorter while it was packed", quoted_short(walk->name));
}

// File systems whose files are the kernel's answers: reading all of them may hang or never end.
static bool is_pseudo(int fd)
{
    static const unsigned long types[] = {PROC_SUPER_MAGIC,    SYSFS_MAGIC,        CGROUP_SUPER_MAGIC,
                                          CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC, DEBUGFS_MAGIC,
                                          TRACEFS_MAGIC,       SECURITYFS_MAGIC,   BPF_FS_MAGIC,
                                          BINFMTFS_MAGIC,      0x19800202 /* mqueue */};
    struct statfs status;
    if (fstatfs(fd, &status) < 0) return true;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if ((unsigned long)status.f_type == types[i]) return true;
    }
    return false;
}

static void write_any(Walk *walk, int parent, const char *name);

static void write_children(Walk *walk, int fd)
{
    Children children = read_children(walk, fd);
    if (++walk->depth > TAR_MAX_DEPTH) tar_limit("more than %d directories above one another", TAR_MAX_DEPTH);
    for (size_t i = 0; i < children.count; i++) {
        const Child *child = &children.all[i];
        if (child->whiteout) {
            write_mark(walk, WHITEOUT_PREFIX, child->name, (struct timespec){0});
        } else {
            name_scope NameScope scope = begin_name(walk, "", child->name);
            (void)scope;
            write_any(walk, fd, child->name);
        }
        free(child->name);
    }
    free(children.all);
    walk->depth--;
}

static bool hides_lower(const Walk *walk, int fd)
{
    if (walk->kind != WALK_LAYER || !is_opaque(fd)) return false;
    // Without being told of lower layers it cannot know.
    return walk->lower_count == 0 || lowers_have_dir(walk->lowers, walk->lower_count, walk->name);
}

static void write_dir(Walk *walk, int parent, const char *name, bool mounted, TarEntry *entry)
{
    cleanup_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (gone() || errno == ENOTDIR || errno == ELOOP)) return;
    if (fd < 0) tar_errno("open the directory");
    cleanup_free char *slashed = xasprintf("%s/", walk->length == 0 ? "." : walk->name);
    entry->type = TAR_DIRECTORY;
    entry->name = slashed;
    write_with_xattrs(walk, fd, name, entry);
    if (mounted && (walk->kind != WALK_FILES || is_pseudo(fd))) return;
    if (hides_lower(walk, fd)) write_mark(walk, "", WHITEOUT_OPAQUE, (struct timespec){0});
    write_children(walk, fd);
    // The descriptor may be another directory's soon.
    walk->current = -1;
}

static bool is_second_name(Walk *walk, const struct statx *status, TarEntry *entry)
{
    if (S_ISDIR(status->stx_mode) || status->stx_nlink < 2) return false;
    const char *first = seen_or_add(&walk->seen, device_of(status), status->stx_ino, walk->name);
    if (first == NULL) return false;
    entry->type = TAR_HARD_LINK;
    entry->link = first;
    write_entry(&walk->output, entry);
    return true;
}

static void write_status(Walk *walk, int parent, const char *name, const struct statx *status)
{
    TarEntry entry = entry_of(walk, status);
    bool mounted = mount_of(status) != walk->mount;
    bool own_name = starts_with(name, WHITEOUT_PREFIX) && walk->kind == WALK_LAYER;
    if (own_name) {
        warn("%s is left out: in a layer the name means something else", quoted_short(walk->name));
    } else if (S_ISDIR(status->stx_mode)) {
        write_dir(walk, parent, name, mounted, &entry);
    } else if (mounted && walk->kind != WALK_FILES) {
        // What is below a file that is mounted cannot be seen; it was made to be mounted on.
        entry.type = TAR_FILE;
        write_entry(&walk->output, &entry);
    } else if (S_ISSOCK(status->stx_mode) || is_second_name(walk, status, &entry)) {
        return;
    } else if (S_ISLNK(status->stx_mode)) {
        write_symlink(walk, parent, name, &entry);
    } else if (S_ISREG(status->stx_mode)) {
        write_file(walk, parent, name, status, &entry);
    } else {
        entry.type = S_ISFIFO(status->stx_mode)  ? TAR_FIFO
                     : S_ISCHR(status->stx_mode) ? TAR_CHAR
                                                 : TAR_BLOCK_DEVICE;
        entry.major = S_ISFIFO(status->stx_mode) ? 0 : status->stx_rdev_major;
        entry.minor = S_ISFIFO(status->stx_mode) ? 0 : status->stx_rdev_minor;
        write_node(walk, parent, name, &entry);
    }
}

static void write_any(Walk *walk, int parent, const char *name)
{
    tar_at(walk->name);
    struct statx status;
    if (look(parent, name, &status)) write_status(walk, parent, name, &status);
}

void walk_tree(Walk *walk, int parent, const char *entry, const char *name)
{
    struct statx status;
    walk->current = -1;
    walk->length = (size_t)snprintf(walk->name, sizeof walk->name, "%s", name);
    tar_at(walk->name);
    if (!look(parent, entry, &status)) tar_errno("stat");
    walk->mount = mount_of(&status);
    write_status(walk, parent, entry, &status);
    tar_at(NULL);
    seen_free(&walk->seen);
}
