// See tar-extract.h.

#include "tar-extract.h"
#include "mount-api.h"
#include "tar-attributes.h"
#include "tar-failure.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static bool lookup(const Parent *parent, const char *name, struct stat *status)
{
    if (fstatat(parent->fd, name, status, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno != ENOENT) tar_errno("stat");
    return false;
}

// For an entry that is no directory.
static void make_room(const Extract *extract, const Parent *parent, const char *name)
{
    struct stat status;
    if (!lookup(parent, name, &status)) return;
    if (!extract->rules.layer && S_ISDIR(status.st_mode)) tar_refused("it would replace a directory");
    remove_tree(parent->fd, name);
}

// A file that something is mounted on cannot be removed, as /etc/hosts of a running container; it is written
// instead. -1 when it is none.
static int open_mounted(const Extract *extract, const Parent *parent, const char *name)
{
    if (extract->rules.layer || unlinkat(parent->fd, name, 0) == 0 || errno != EBUSY) return -1;
    struct stat status;
    int fd = openat(parent->fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ftruncate(fd, 0) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static void extract_file(Extract *extract, TarReader *reader, const Parent *parent, const char *name,
                         const TarEntry *entry)
{
    enum { FLAGS = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };
    bool fresh = true;
    int fd = openat(parent->fd, name, FLAGS, entry->mode & 0777);
    if (fd < 0 && errno == EEXIST) {
        fd = open_mounted(extract, parent, name);
        fresh = fd < 0;
        if (fresh) {
            make_room(extract, parent, name);
            fd = openat(parent->fd, name, FLAGS, entry->mode & 0777);
        }
    }
    if (fd < 0) tar_errno("create");
    tar_write_contents(reader, entry, fd);
    set_file_attributes(extract, parent, fd, entry, fresh);
    if (close(fd) < 0) tar_errno("close");
}

// True when it is new.
static bool make_dir(const Extract *extract, const Parent *parent, const char *name, mode_t mode,
                     bool *opaque)
{
    if (mkdirat(parent->fd, name, mode) == 0) return true;
    struct stat status;
    if (errno != EEXIST || !lookup(parent, name, &status)) tar_errno("make the directory");
    if (S_ISDIR(status.st_mode)) return false;
    if (!extract->rules.layer) tar_refused("the directory would replace something else");
    *opaque = is_whiteout(parent->fd, name);
    remove_tree(parent->fd, name);
    if (mkdirat(parent->fd, name, mode) < 0) tar_errno("make the directory");
    return true;
}

static void note_time(Extract *extract, const Parent *parent, const char *name, struct timespec mtime)
{
    char path[2 * TAR_MAX_NAME + 2];
    snprintf(path, sizeof path, "%s%s%s", parent->path, *parent->path == '\0' ? "" : "/", name);
    check_name_length(path);
    times_add(&extract->times, path, mtime);
}

static void extract_dir(Extract *extract, const Parent *parent, const char *name, const TarEntry *entry)
{
    bool opaque = false;
    bool fresh = make_dir(extract, parent, name, entry->mode & 0777, &opaque);
    cleanup_fd int fd = openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) tar_errno("open the directory");
    note_time(extract, parent, name, entry->mtime);
    if (opaque) make_opaque(fd);
    set_dir_attributes(extract, parent, fd, entry, fresh);
}

static void extract_root(Extract *extract, const TarEntry *entry)
{
    if (entry->type != TAR_DIRECTORY) tar_refused("it would replace the root");
    // The place where files are copied to is not theirs to change.
    if (!extract->rules.layer) return;
    const Parent *parent = place_parent(&extract->place, "", false);
    set_dir_attributes(extract, parent, parent->fd, entry, false);
    times_add(&extract->times, "", entry->mtime);
}

static void extract_symlink(Extract *extract, const Parent *parent, const char *name, const TarEntry *entry)
{
    if (*entry->link == '\0') tar_broken("a symbolic link to nothing");
    if (symlinkat(entry->link, parent->fd, name) < 0) {
        if (errno != EEXIST) tar_errno("make the symbolic link");
        make_room(extract, parent, name);
        if (symlinkat(entry->link, parent->fd, name) < 0) tar_errno("make the symbolic link");
    }
    set_node_attributes(extract, parent, name, entry);
}

// The name inside the root of a name in the archive.
static char *place_name(const Extract *extract, const char *name)
{
    char *clean = clean_name(name);
    if (*extract->prefix == '\0') return clean;
    char *whole = xasprintf("%s%s%s", extract->prefix, *clean == '\0' ? "" : "/", clean);
    free(clean);
    check_name_length(whole);
    return whole;
}

static void extract_hard_link(const Extract *extract, const Parent *parent, const char *name,
                              const TarEntry *entry)
{
    cleanup_free char *target = place_name(extract, entry->link);
    // Cut into the directory, which is resolved as all are, and the name, which is not followed.
    cleanup_free char *folder = xstrdup(target);
    folder[base_name(target) - target] = '\0';
    const char *last = base_name(target);
    cleanup_fd int fd = *last == '\0' ? -1 : place_open_dir(&extract->place, folder, 0);
    struct stat status, present;
    if (fd < 0 || fstatat(fd, last, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        (extract->rules.layer && is_whiteout(fd, last))) {
        tar_refused("a hard link to %s, which is not in the archive", quoted_short(entry->link));
    }
    if (S_ISDIR(status.st_mode)) tar_refused("a hard link to the directory %s", quoted_short(entry->link));
    if (lookup(parent, name, &present)) {
        // The same file already, perhaps the very same name.
        if (present.st_dev == status.st_dev && present.st_ino == status.st_ino) return;
        make_room(extract, parent, name);
    }
    // The target may have been below what was just removed: then linkat(2) says so.
    if (linkat(fd, last, parent->fd, name, 0) < 0) tar_errno("link to %s", quoted_short(entry->link));
}

static void extract_whiteout(const Parent *parent, const char *name)
{
    if (parent->whited_out) return;
    if (mknodat(parent->fd, name, S_IFCHR, makedev(0, 0)) == 0) return;
    struct stat status;
    if (errno != EEXIST || !lookup(parent, name, &status)) tar_errno("make the whiteout");
    if (!S_ISDIR(status.st_mode)) return;
    cleanup_fd int fd = openat(parent->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) tar_errno("open the directory");
    make_opaque(fd);
}

static void extract_node(Extract *extract, const Parent *parent, const char *name, const TarEntry *entry)
{
    static const struct {
        char type;
        mode_t mode;
    } kinds[] = {{TAR_FIFO, S_IFIFO}, {TAR_CHAR, S_IFCHR}, {TAR_BLOCK_DEVICE, S_IFBLK}};
    mode_t mode = entry->mode & 0777;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].type == entry->type) mode |= kinds[i].mode;
    }
    if (!S_ISFIFO(mode) && extract->rules.no_devices) tar_refused("a device, and none is allowed here");
    dev_t device = makedev(entry->major, entry->minor);
    if (mknodat(parent->fd, name, mode, device) < 0) {
        if (errno == EEXIST) {
            make_room(extract, parent, name);
            if (mknodat(parent->fd, name, mode, device) < 0) tar_errno("mknod");
        } else if (errno == EPERM && !S_ISFIFO(mode)) {
            // A user namespace: the container has its own /dev in any case.
            warn("entry %s: a device cannot be made here", quoted_short(entry->name));
            return;
        } else {
            tar_errno("mknod");
        }
    }
    set_node_attributes(extract, parent, name, entry);
}

// The name without the prefix of a whiteout, in place.
static void cut_prefix(char *name)
{
    char *last = name + (base_name(name) - name);
    memmove(last, last + strlen(WHITEOUT_PREFIX), strlen(last + strlen(WHITEOUT_PREFIX)) + 1);
}

static void extract_mark(Extract *extract, NameKind kind, char *name)
{
    if (kind == NAME_WHITEOUT) cut_prefix(name);
    const Parent *parent = place_parent(&extract->place, name, true);
    if (kind == NAME_WHITEOUT) {
        extract_whiteout(parent, base_name(name));
    } else if (!parent->whited_out) {
        make_opaque(parent->fd);
    }
}

static void extract_entry(Extract *extract, TarReader *reader, const TarEntry *entry)
{
    cleanup_free char *name = place_name(extract, entry->name);
    if (strcmp(name, extract->prefix) == 0) {
        extract_root(extract, entry);
        return;
    }
    NameKind kind = extract->rules.layer ? name_kind(name) : NAME_PLAIN;
    bool device = entry->type == TAR_CHAR || entry->type == TAR_BLOCK_DEVICE;
    if (kind == NAME_AUFS) return;
    if (kind != NAME_PLAIN) {
        extract_mark(extract, kind, name);
        return;
    }
    const Parent *parent = place_parent(&extract->place, name, false);
    const char *last = base_name(name);
    if (extract->rules.layer && entry->type == TAR_CHAR && entry->major == 0 && entry->minor == 0) {
        extract_whiteout(parent, last);
    } else if (entry->type == TAR_FILE) {
        extract_file(extract, reader, parent, last, entry);
    } else if (entry->type == TAR_DIRECTORY) {
        extract_dir(extract, parent, last, entry);
    } else if (entry->type == TAR_SYMLINK) {
        extract_symlink(extract, parent, last, entry);
    } else if (entry->type == TAR_HARD_LINK) {
        extract_hard_link(extract, parent, last, entry);
    } else if (device || entry->type == TAR_FIFO) {
        extract_node(extract, parent, last, entry);
    }
}

static void count_entry(Extract *extract, const TarEntry *entry)
{
    const ExtractRules *rules = &extract->rules;
    if (++extract->entries > rules->max_entries)
        tar_limit("more than %llu entries", (unsigned long long)rules->max_entries);
    if (entry->size > rules->max_bytes - extract->bytes)
        tar_limit("more than %llu bytes of files", (unsigned long long)rules->max_bytes);
    extract->bytes += entry->size;
}

// A directory that no entry told of. An entry that comes later tells its time then.
static void note_made(void *context, const char *path)
{
    Extract *extract = context;
    if (extract->rules.layer) times_add(&extract->times, path, (struct timespec){0});
}

static void apply_time(void *context, const char *path, struct timespec mtime)
{
    const Extract *extract = context;
    // What has been replaced by something else since has its own time.
    cleanup_fd int fd = place_open_dir(&extract->place, path, RESOLVE_NO_SYMLINKS);
    const struct timespec times[2] = {mtime, mtime};
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP) tar_errno("open the directory");
    if (fd >= 0 && futimens(fd, times) < 0) tar_errno("set its time");
}

void extract_all(Extract *extract, int fd)
{
    TarReader reader;
    TarEntry entry;
    extract->place.layer = extract->rules.layer;
    extract->place.made = note_made;
    extract->place.context = extract;
    // The root's, for when no entry tells it.
    note_made(extract, "");
    tar_open(&reader, fd);
    while (tar_next(&reader, &entry)) {
        count_entry(extract, &entry);
        extract_entry(extract, &reader, &entry);
    }
    tar_drain(&reader, extract->rules.max_bytes);
    tar_close(&reader);
    times_apply(&extract->times, apply_time, extract);
}
