// The lab's template (see template.h).
//
// Why: unshare(CLONE_NEWNS) copies the whole mount table, and every network namespace of a lab is a mount:
// `ip netns exec` takes three times as long in a lab of 500 as in one of 2. So the first exec of a lab makes
// one mount namespace in which the pins of all labs are unmounted, and every exec enters that one and copies
// it, which stays flat. Each command still has a mount namespace of its own, and nothing it mounts is seen by
// the host or by another command.
//
// On disk, inside the tmpfs of the lab's pins, so that `umount2(/run/nslab/labs/LAB/netns, MNT_DETACH)` frees
// all of it:
//   .exec/         a private tmpfs: a mount namespace cannot be pinned on a shared mount (see unshare(1),
//                  --mount=FILE)
//   .exec/follow   the template (a bind mount of a mount namespace), where every mount of the host is shared:
//                  as a slave it then gets all that the host mounts and unmounts later
//   .exec/checked  the same on a host where some mount is not shared, and
//   .exec/stamp    the mounts it was made from: compared on every exec, and when they differ it is made anew
// A template holds no pin, so it keeps no namespace of a node alive. The kernel copies no pin of a mount
// namespace into other mount namespaces (copy_tree() in fs/namespace.c), so whoever finds a template is in
// the very namespace it was made from.
//
// Inside the template /run/nslab is a small tmpfs:
//   labs      symlink to /proc/1/root/run/nslab/labs, so that `nslab` and `ip netns` work inside
//             of a node too
//   sys/N     what was mounted on /sys/PATH, to be moved onto the node's own sysfs
//   sys.list  symlink whose text is the list of PATHs, one a line
//   etc       the lab's own folder of files for /etc (LABS/LAB/etc), bound here: what `labs` leads to is in
//             another mount namespace, and the kernel binds no file of another one (check_mnt() in
//             fs/namespace.c)
//
// Mustn't: change the host's mount table outside of the lab's tmpfs, or wait for anything but another exec's
// template.

#include "template.h"
#include "stamp.h"
#include "sysfs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define FOLDER ".exec"
#define OUTSIDE_LABS "/proc/1/root" LABS_DIR
#define SYS_STASH RUN_DIR "/sys"
#define SYS_LIST RUN_DIR "/sys.list"

enum { LIST_MAX = 4000 };

// Where the caller is: what setns(2) into a mount namespace loses.
typedef struct {
    int mounts;
    int root;
    int cwd;
    char *cwd_path;
} Place;

static void close_place(Place *place)
{
    if (place->mounts >= 0) close(place->mounts);
    if (place->root >= 0) close(place->root);
    if (place->cwd >= 0) close(place->cwd);
    free(place->cwd_path);
}
#define cleanup_place __attribute__((cleanup(close_place)))

static bool open_place(Place *place)
{
    *place = (Place){
        .mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC),
        .root = open("/", O_PATH | O_CLOEXEC),
        .cwd = open(".", O_PATH | O_CLOEXEC),
        .cwd_path = getcwd(NULL, 0),
    };
    // A deleted directory, or one outside of our root ("(unreachable)..."), cannot be found again by path.
    return place->mounts >= 0 && place->root >= 0 && place->cwd >= 0 && place->cwd_path != NULL &&
           *place->cwd_path == '/';
}

static void go_back(const Place *place)
{
    if (setns(place->mounts, CLONE_NEWNS) < 0) die_errno("return to the caller's mount namespace");
    if (fchdir(place->root) < 0 || chroot(".") < 0 || fchdir(place->cwd) < 0)
        die_errno("return to the caller's directory");
}

static bool mount_id_of(int fd, const char *path, uint64_t *out)
{
    struct statx status;
    if (statx(fd, path, AT_EMPTY_PATH, STATX_MNT_ID, &status) < 0 || (status.stx_mask & STATX_MNT_ID) == 0)
        return false;
    *out = status.stx_mnt_id;
    return true;
}

// False in a chroot, also in one that is another mount of the same directory: setns(2) into our own mount
// namespace takes us to its root, which a template would show instead of what the caller sees.
static bool is_at_namespace_root(const Place *place)
{
    uint64_t ours, theirs;
    if (setns(place->mounts, CLONE_NEWNS) < 0) return false;
    bool same = mount_id_of(place->root, "", &ours) && mount_id_of(AT_FDCWD, "/", &theirs) && ours == theirs;
    go_back(place);
    return same;
}

static bool is_same_file(int fd, const char *path)
{
    struct stat here, there;
    return fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

// True when the namespace we have just entered shows the caller's root and working directory under the same
// paths. It does not when the caller is in a chroot, in /sys, or on a mount the template lacks.
static bool find_place(const Place *place)
{
    if (!is_same_file(place->root, "/")) return false;
    return strcmp(place->cwd_path, "/") == 0 ||
           (chdir(place->cwd_path) == 0 && is_same_file(place->cwd, "."));
}

static bool is_pins_tree(const char *point)
{
    const char *rest = point + strlen(LABS_DIR "/");
    const char *slash = starts_with(point, LABS_DIR "/") ? strchr(rest, '/') : NULL;
    return slash != NULL && strcmp(slash, "/netns") == 0;
}

// Where all mounts are shared, a slave of them follows the host. Namespace files have nothing below them.
static bool propagates(const MountTable *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const Mount *mount = &table->items[i];
        if (!mount->shared && strcmp(mount->type, "nsfs") != 0 && !starts_with(mount->point, LABS_DIR "/"))
            return false;
    }
    return table->count > 0;
}

static bool stash_submounts(Submounts *submounts)
{
    char list[LIST_MAX] = "";
    size_t used = 0;
    if (mkdir(SYS_STASH, 0700) < 0) return false;
    size_t kept = 0;
    for (size_t i = 0; i < submounts->count; i++) {
        const char *path = submounts->items[i].path;
        char place[sizeof SYS_STASH + 24];
        snprintf(place, sizeof place, SYS_STASH "/%zu", kept);
        if (strchr(path, '\n') != NULL || used + strlen(path) + 2 > sizeof list || mkdir(place, 0700) < 0)
            continue;
        if (attach_mount(submounts->items[i].fd, place) < 0) {
            if (rmdir(place) < 0) return false;
            continue;
        }
        used += (size_t)sprintf(list + used, "%s\n", path);
        kept++;
    }
    // An empty symlink is not allowed.
    return used == 0 || symlink(list, SYS_LIST) == 0;
}

static void close_submounts(Submounts *submounts)
{
    for (size_t i = 0; i < submounts->count; i++) {
        close(submounts->items[i].fd);
        free(submounts->items[i].path);
    }
    free(submounts->items);
}
#define cleanup_submounts __attribute__((cleanup(close_submounts)))

// Should: turn the mount namespace we have just unshared into a template. Any failure means that there is
// none.
static bool furnish_template(const MountTable *table, const char *lab)
{
    // Slave: what the host mounts and unmounts reaches us, what a command mounts does not reach the host.
    if (mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) return false;
    for (size_t i = table->count; i-- > 0;) {
        if (is_pins_tree(table->items[i].point) && umount2(table->items[i].point, MNT_DETACH) < 0)
            return false;
    }
    cleanup_free char *views = xasprintf(LABS_DIR "/%s/etc", lab);
    cleanup_fd int etc = clone_mount(views);
    if (etc < 0 && errno != ENOENT) return false;
    cleanup_submounts Submounts submounts = clone_sys_submounts(table);
    if (is_sys_readonly() || !drop_sys()) return false;
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount("nslab", RUN_DIR, "tmpfs", flags, "mode=0700,size=64k") < 0) return false;
    if (etc >= 0 && (mkdir(VIEWS_DIR, 0700) < 0 || attach_mount(etc, VIEWS_DIR) < 0)) return false;
    return symlink(OUTSIDE_LABS, LABS_DIR) == 0 && stash_submounts(&submounts);
}

// Should: return a descriptor of a new template, with the caller where it was before.
static int make_template(const MountTable *table, const Place *place, const char *lab)
{
    if (unshare(CLONE_NEWNS) < 0) return -1;
    int made = furnish_template(table, lab) ? open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) : -1;
    go_back(place);
    return made;
}

// True when `labs` of the template would lead to this lab, or when only open_outside() can tell: then our own
// verbs work inside of nodes, ip-netns(8) does not.
static bool leads_outside(const Node *node, int pins)
{
    cleanup_free char *path = xasprintf(OUTSIDE_LABS "/%s/netns", node->lab);
    struct stat status;
    return is_same_file(pins, path) || (stat(path, &status) < 0 && errno == EACCES);
}

// The tmpfs of the pins itself: when `down` has unmounted it in the meantime, the folder under it must stay
// empty.
static bool is_pins_mount(int pins, const Node *node)
{
    struct statfs status;
    struct stat below, above;
    return fstatfs(pins, &status) == 0 && status.f_type == TMPFS_MAGIC && fstat(pins, &below) == 0 &&
           fstatat(node->labs_fd, node->lab, &above, 0) == 0 && below.st_dev != above.st_dev;
}

static bool mount_at(int fd, const char *source, const char *type, unsigned long flags)
{
    // By descriptor, not by path: on a tmpfs that has been unmounted this fails, where a path would lead
    // under it.
    cleanup_free char *target = xasprintf("/proc/self/fd/%d", fd);
    return mount(source, target, type, flags, type == NULL ? NULL : "mode=0700,size=64k") == 0;
}

static int open_folder(int pins)
{
    if (mkdirat(pins, FOLDER, 0700) < 0 && errno != EEXIST) return -1;
    int fd = openat(pins, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat above, folder;
    if (fd < 0 || fstat(pins, &above) < 0 || fstat(fd, &folder) < 0) return fd;
    if (above.st_dev == folder.st_dev) {
        bool mounted = mount_at(fd, "nslab", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC);
        close(fd);
        fd = mounted ? openat(pins, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    }
    // A mount below a shared one is born shared; every time, since a process may have died between the two
    // calls.
    if (fd >= 0 && !mount_at(fd, NULL, NULL, MS_PRIVATE)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void remove_pin(int folder, const char *name)
{
    cleanup_free char *path = xasprintf("/proc/self/fd/%d/%s", folder, name);
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        continue;
    (void)unlinkat(folder, name, 0);
}

static bool write_stamp(int folder, const Stamp *stamp)
{
    cleanup_fd int fd = openat(folder, "stamp.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = offsetof(Stamp, ids) + stamp->count * sizeof *stamp->ids;
    return fd >= 0 && TEMP_FAILURE_RETRY(write(fd, stamp, size)) == (ssize_t)size &&
           renameat(folder, "stamp.new", folder, "stamp") == 0;
}

static bool read_stamp(int folder, Stamp *out)
{
    cleanup_fd int fd = openat(folder, "stamp", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, out, sizeof *out));
    return size >= (ssize_t)offsetof(Stamp, ids) && out->count <= STAMP_MOUNTS &&
           (size_t)size == offsetof(Stamp, ids) + out->count * sizeof *out->ids;
}

// Should: pin the template for the execs to come, or tell the errno of what is in the way. A failure costs
// them time and nothing else.
static int keep_template(int folder, int made, const char *name, const Stamp *stamp)
{
    remove_pin(folder, "follow");
    remove_pin(folder, "checked");
    // The stamp first: an exec that reads it finds no template yet, or the one that belongs to it.
    if (stamp != NULL && !write_stamp(folder, stamp)) return EIO;
    cleanup_fd int pin = openat(folder, name, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
    cleanup_free char *source = xasprintf("/proc/self/fd/%d", made);
    if (pin >= 0 && mount_at(pin, source, NULL, MS_BIND)) return 0;
    int error = errno;
    remove_pin(folder, name);
    return error;
}

// A namespace entered by setns(2) checks what it is given: a file on which nothing is mounted (yet) is
// refused.
static int open_current(const Node *node, int folder)
{
    int fd = openat(folder, "follow", O_RDONLY | O_CLOEXEC);
    struct stat labs, own;
    if (fd >= 0) {
        // A lab that came up after the template was made has its pins in it, as a slave: make a new one
        // without them.
        bool older =
            fstat(node->labs_fd, &labs) == 0 && fstat(folder, &own) == 0 &&
            (labs.st_mtim.tv_sec > own.st_mtim.tv_sec ||
             (labs.st_mtim.tv_sec == own.st_mtim.tv_sec && labs.st_mtim.tv_nsec > own.st_mtim.tv_nsec));
        if (!older) return fd;
        close(fd);
        return -1;
    }
    // The stamp is read before the template is opened, and written before it is pinned: it is never newer
    // than what is used.
    Stamp stamp;
    if (!read_stamp(folder, &stamp) || !stamp_is_current(&stamp)) return -1;
    return openat(folder, "checked", O_RDONLY | O_CLOEXEC);
}

static bool move_to(int cpu)
{
    cpu_set_t one;
    if (cpu >= CPU_SETSIZE) return false;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0;
}

// Should: return a new template, pinned if that is possible.
//
// Linux 6.18 numbers namespaces from a stock of each processor (gen_cookie_next()), and binds no mount
// namespace whose number is below that of the one it is bound in (mnt_ns_loop() in fs/namespace.c). The
// host's has the lowest, but a caller in a younger one meets that on every processor whose stock is older
// than its own number. The processor that made it, if no other, gives higher ones.
static int make_and_keep(const MountTable *table, const Place *place, const char *lab, int folder)
{
    bool follows = propagates(table);
    const char *name = follows ? "follow" : "checked";
    Stamp stamp;
    if (!follows && !take_stamp(&stamp)) return -1;
    cpu_set_t before;
    bool movable = sched_getaffinity(0, sizeof before, &before) == 0;
    int processors = movable ? (int)sysconf(_SC_NPROCESSORS_CONF) : 0;
    int made = -1, error = EINVAL;
    // First where this happens to run.
    for (int cpu = -1; cpu < processors && error == EINVAL; cpu++) {
        if (cpu >= 0 && !move_to(cpu)) continue;
        if (made >= 0) close(made);
        made = make_template(table, place, lab);
        error = made < 0 ? 0 : keep_template(folder, made, name, follows ? NULL : &stamp);
    }
    if (movable) (void)sched_setaffinity(0, sizeof before, &before);
    return made;
}

static int open_template(const Node *node)
{
    cleanup_free char *path = xasprintf("%s/netns/" FOLDER, node->lab);
    cleanup_fd int folder = openat(node->labs_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : open_current(node, folder);
}

// Should: make the template of the lab unless another exec has just done so. Runs once per lab, or after a
// change of the host's mounts.
static int renew_template(const Node *node, const Place *place)
{
    cleanup_free char *path = xasprintf("%s/netns", node->lab);
    cleanup_fd int pins = openat(node->labs_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pins < 0 || !is_pins_mount(pins, node) || !leads_outside(node, pins)) return -1;
    if (!is_at_namespace_root(place)) return -1;
    if (TEMP_FAILURE_RETRY(flock(pins, LOCK_EX)) < 0) return -1;
    cleanup_fd int folder = open_folder(pins);
    if (folder < 0) return -1;
    int made = open_current(node, folder);
    if (made >= 0) return made;
    MountTable table;
    if (!read_mounts(&table)) return -1;
    made = make_and_keep(&table, place, node->lab, folder);
    free_mounts(&table);
    return made;
}

bool enter_template(const Node *node)
{
    cleanup_place Place place;
    if (!open_place(&place)) return false;
    int found = open_template(node);
    if (found < 0) found = renew_template(node, &place);
    if (found < 0) return false;
    bool entered = setns(found, CLONE_NEWNS) == 0;
    close(found);
    if (!entered) return false;
    if (find_place(&place) && unshare(CLONE_NEWNS) == 0) return true;
    go_back(&place);
    return false;
}

void finish_template(void)
{
    mount_sys(0);
    char list[LIST_MAX + 1];
    ssize_t length = readlink(SYS_LIST, list, sizeof list - 1);
    if (length < 0) return;
    list[length] = '\0';
    char *rest = list;
    for (size_t i = 0; *rest != '\0'; i++) {
        const char *path = strsep(&rest, "\n");
        char source[sizeof SYS_STASH + 24];
        snprintf(source, sizeof source, SYS_STASH "/%zu", i);
        cleanup_free char *target = xasprintf("/sys/%s", path);
        // Not there in this sysfs: the command lacks it, as under ip-netns(8).
        (void)mount(source, target, NULL, MS_MOVE, NULL);
    }
}
