// See setup.h. Guards, by number of the project's security list: 3 to 5 (links in targets, masks, /dev), 6 (a
// writable /proc file behind a link), 7 (sysctls of the whole machine).

#include "setup.h"
#include "in-root.h"
#include "mount-api.h"
#include "procfs.h"
#include "rootfs.h"
#include "userns.h"

#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

typedef struct {
    const Program *program;
    Failure *failure;
    int root;
    int devpts; // the container's own, for its terminal
    int null;   // the host's /dev/null
    int empty;  // an empty read-only directory: the first one masked
    int sysfs;  // made already, or -1
} Setup;

static bool check_path(const Setup *setup, const Op *op, const char *path)
{
    if (is_plain_path(path)) return true;
    return fail_op(setup->failure, op, 0, "%s: \"..\" or too long a path", path);
}

static bool is_on(int fd, long magic)
{
    struct statfs status;
    return fstatfs(fd, &status) == 0 && (long)status.f_type == magic;
}

// The ATIME attributes are one field, not bits: mount_setattr(2).
static struct mount_attr attributes_of(uint64_t set)
{
    return (struct mount_attr){
        .attr_set = set,
        .attr_clr = (set & MOUNT_ATTR__ATIME) != 0 ? MOUNT_ATTR__ATIME : 0,
    };
}

// A link in the image must not turn a mount of ours into one on a file of /proc: what is written there later
// would reach the machine instead (CVE-2019-16884). Who asks for /proc by name gets it.
static bool check_target(const Setup *setup, const Op *op, const char *path, int target)
{
    bool asked = starts_with(path, "/proc") && (path[5] == '/' || path[5] == '\0');
    if (asked || !is_on(target, PROC_SUPER_MAGIC)) return true;
    return fail_op(setup->failure, op, 0, "%s: a symbolic link leads to /proc", path);
}

static bool attach(const Setup *setup, const Op *op, int mount, int target)
{
    const char *path = op->fields[op->code == OP_MOUNT ? 2 : op->code == OP_BIND ? 1 : 0].text;
    if (call_move_mount(mount, target, 0) == 0) return true;
    return fail_op(setup->failure, op, errno, "%s", path);
}

static bool configure(int fs, const char *option)
{
    const char *equals = strchr(option, '=');
    if (equals == NULL) return call_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL) == 0;
    cleanup_free char *key = xstrdup(option);
    key[equals - option] = '\0';
    return call_fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1) == 0;
}

// A new mount of what a MOUNT says, detached, or -1.
static int make_mount(const Op *op, Failure *failure)
{
    const char *type = op->fields[0].text, *source = op->fields[1].text, *path = op->fields[2].text;
    cleanup_fd int fs = call_fsopen(type);
    bool good = fs >= 0 || fail_op(failure, op, errno, "file system %s", type);
    if (good && *source != '\0' && call_fsconfig(fs, FSCONFIG_SET_STRING, "source", source) < 0)
        good = fail_fs(failure, op, fs, path);
    for (uint32_t i = 0; i < op->fields[4].count && good; i++) {
        if (configure(fs, op->fields[4].list[i])) continue;
        cleanup_free char *what = xasprintf("%s: option %s", path, op->fields[4].list[i]);
        good = fail_fs(failure, op, fs, what);
    }
    if (good && call_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0) good = fail_fs(failure, op, fs, path);
    int mount = good ? call_fsmount(fs, (unsigned)op->fields[3].number) : -1;
    if (good && mount < 0 && errno == EPERM && strcmp(type, "proc") == 0)
        // mount_too_revealing() in fs/namespace.c, for user namespaces alone.
        fail_op(failure, op, EPERM, "%s: something hides parts of the machine's own /proc", path);
    else if (good && mount < 0)
        fail_op(failure, op, errno, "%s", path);
    return mount;
}

static bool do_mount(Setup *setup, const Op *op)
{
    const char *type = op->fields[0].text, *path = op->fields[2].text;
    if (!check_path(setup, op, path)) return false;
    bool is_made = setup->sysfs >= 0 && strcmp(type, "sysfs") == 0;
    cleanup_fd int mount = is_made ? setup->sysfs : make_mount(op, setup->failure);
    if (is_made) setup->sysfs = -1;
    if (mount < 0) return false;

    // /proc and /sys only where their names say: behind a link, later ops would not find them and masks would
    // miss.
    bool strict = strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
    cleanup_fd int made = make_dir_in_root(setup->root, path, 0755);
    cleanup_fd int direct =
        made >= 0 && strict ? open_in_root(setup->root, path, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS) : -1;
    int target = strict ? direct : made;
    if (target < 0) return fail_op(setup->failure, op, errno, "%s", path);
    if (!check_target(setup, op, path, target) || !attach(setup, op, mount, target)) return false;
    if (strcmp(type, "devpts") == 0 && setup->devpts < 0) {
        setup->devpts = mount;
        mount = -1;
    }
    return true;
}

int *open_bind_sources(const Program *program, Failure *failure)
{
    int *sources = xcalloc(program->count + 1, sizeof *sources);
    size_t count = 0;
    sources[0] = -1;
    for (const Op *op = NULL; (op = program_next(program, OP_BIND, op)) != NULL;) {
        const char *path = op->fields[0].text;
        unsigned recursive = (op->flags & BIND_FLAG_RECURSIVE) != 0 ? AT_RECURSIVE : 0;
        int mount = call_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | recursive);
        if (mount < 0) {
            fail_op(failure, op, errno, "%s", path);
            close_bind_sources(sources);
            return NULL;
        }
        sources[count++] = mount;
        sources[count] = -1;
    }
    return sources;
}

void close_bind_sources(int *sources)
{
    if (sources == NULL) return;
    for (int *source = sources; *source >= 0; source++)
        close(*source);
    free(sources);
}

static bool set_bind_attributes(Setup *setup, const Op *op, int mount)
{
    struct mount_attr own = attributes_of(op->fields[2].number);
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    uint64_t propagation = op->fields[3].number == 0 ? MS_REC | MS_PRIVATE : op->fields[3].number;
    struct mount_attr spread = {.propagation = propagation & ~(uint64_t)MS_REC};
    bool good = call_mount_setattr(mount, 0, &own) == 0;
    if (good && (op->flags & BIND_FLAG_READ_ONLY_RECURSIVE) != 0)
        good = call_mount_setattr(mount, AT_RECURSIVE, &read_only) == 0;
    if (good) good = call_mount_setattr(mount, (propagation & MS_REC) != 0 ? AT_RECURSIVE : 0, &spread) == 0;
    return good || fail_op(setup->failure, op, errno, "%s", op->fields[0].text);
}

static bool do_bind(Setup *setup, const Op *op, int mount)
{
    const char *path = op->fields[1].text;
    struct stat source;
    if (!check_path(setup, op, path)) return false;
    if (fstat(mount, &source) < 0) return fail_op(setup->failure, op, errno, "%s", op->fields[0].text);
    if (!set_bind_attributes(setup, op, mount)) return false;
    cleanup_fd int target = S_ISDIR(source.st_mode) ? make_dir_in_root(setup->root, path, 0755)
                                                    : make_file_in_root(setup->root, path, 0644);
    if (target < 0) return fail_op(setup->failure, op, errno, "%s", path);
    struct stat status;
    if (fstat(target, &status) < 0) return fail_op(setup->failure, op, errno, "%s", path);
    if (!S_ISDIR(source.st_mode) && S_ISDIR(status.st_mode))
        return fail_op(setup->failure, op, 0, "%s is a directory, %s is a file", path, op->fields[0].text);
    return check_target(setup, op, path, target) && attach(setup, op, mount, target);
}

static bool do_device(const Setup *setup, const Op *op)
{
    const char *path = op->fields[0].text;
    mode_t type = (mode_t)op->fields[1].number, mode = (mode_t)op->fields[4].number & 07777;
    dev_t device = makedev((unsigned)op->fields[2].number, (unsigned)op->fields[3].number);
    uid_t uid = (uid_t)op->fields[5].number;
    gid_t gid = (gid_t)op->fields[6].number;
    if (type != S_IFCHR && type != S_IFBLK && type != S_IFIFO)
        return fail_op(setup->failure, op, 0, "%s: type %#o", path, type);
    if (!check_path(setup, op, path)) return false;
    cleanup_free char *name = NULL;
    cleanup_fd int parent = make_parent_in_root(setup->root, path, &name);
    if (parent < 0) return fail_op(setup->failure, op, errno, "%s", path);
    if (mknodat(parent, name, type | mode, device) < 0) {
        struct stat status;
        bool same = errno == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                    (status.st_mode & S_IFMT) == type && (type == S_IFIFO || status.st_rdev == device);
        if (!same) return fail_op(setup->failure, op, errno, "%s", path);
    }
    if ((uid != 0 || gid != 0) && fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
        return fail_op(setup->failure, op, errno, "%s", path);
    return true;
}

static bool do_symlink(const Setup *setup, const Op *op)
{
    const char *target = op->fields[0].text, *path = op->fields[1].text;
    if (!check_path(setup, op, path)) return false;
    cleanup_free char *name = NULL;
    cleanup_fd int parent = make_parent_in_root(setup->root, path, &name);
    if (parent < 0) return fail_op(setup->failure, op, errno, "%s", path);
    if (symlinkat(target, parent, name) == 0) return true;
    int error = errno;
    char there[4096];
    ssize_t length = error == EEXIST ? readlinkat(parent, name, there, sizeof there) : -1;
    bool same = length >= 0 && (size_t)length == strlen(target) && memcmp(there, target, (size_t)length) == 0;
    return same || fail_op(setup->failure, op, error, "%s", path);
}

static bool do_mkdir(const Setup *setup, const Op *op)
{
    const char *path = op->fields[0].text;
    if (!check_path(setup, op, path)) return false;
    cleanup_fd int there = open_in_root(setup->root, path, O_PATH | O_DIRECTORY, 0);
    if (there >= 0) return true;
    mode_t mode = (mode_t)op->fields[1].number & 07777;
    cleanup_fd int made = make_dir_in_root(setup->root, path, mode);
    if (made < 0 ||
        fchownat(made, "", (uid_t)op->fields[2].number, (gid_t)op->fields[3].number, AT_EMPTY_PATH) < 0)
        return fail_op(setup->failure, op, errno, "%s", path);
    return true;
}

// The path in the root, or -1 with a good reason to skip it: it is not there.
static bool open_or_skip(const Setup *setup, const Op *op, int *out)
{
    const char *path = op->fields[0].text;
    if (!check_path(setup, op, path)) return false;
    *out = open_in_root(setup->root, path, O_PATH, 0);
    if (*out >= 0 || errno == ENOENT || errno == ENOTDIR) return true;
    return fail_op(setup->failure, op, errno, "%s", path);
}

// No byte and no file fits into it, so even a container that may remount it finds nothing but an empty
// directory.
static int mount_empty(void)
{
    cleanup_fd int fs = call_fsopen("tmpfs");
    if (fs < 0 || call_fsconfig(fs, FSCONFIG_SET_STRING, "source", "nslab") < 0 ||
        call_fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555") < 0 ||
        call_fsconfig(fs, FSCONFIG_SET_STRING, "nr_blocks", "1") < 0 ||
        call_fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "1") < 0 ||
        call_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
        return -1;
    return call_fsmount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static bool do_mask(Setup *setup, const Op *op)
{
    int target;
    if (!open_or_skip(setup, op, &target)) return false;
    if (target < 0) return true;
    cleanup_fd int held = target;
    struct stat status;
    if (fstat(target, &status) < 0) return fail_op(setup->failure, op, errno, "%s", op->fields[0].text);
    bool directory = S_ISDIR(status.st_mode);
    bool first = directory && setup->empty < 0;
    int mount = first       ? mount_empty()
                : directory ? call_open_tree(setup->empty, "", AT_EMPTY_PATH | OPEN_TREE_CLONE)
                            : call_open_tree(setup->null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    if (mount < 0) return fail_op(setup->failure, op, errno, "%s", op->fields[0].text);
    // A clone of the host's /dev/null keeps the host's attributes; nobody executes a device.
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY};
    bool good = (directory || call_mount_setattr(mount, 0, &attributes) == 0 ||
                 fail_op(setup->failure, op, errno, "%s", op->fields[0].text)) &&
                attach(setup, op, mount, target);
    if (good && first)
        setup->empty = mount;
    else
        close(mount);
    return good;
}

static bool do_read_only(const Setup *setup, const Op *op)
{
    int target;
    if (!open_or_skip(setup, op, &target)) return false;
    if (target < 0) return true;
    cleanup_fd int held = target;
    cleanup_fd int mount = call_open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount < 0 || call_mount_setattr(mount, AT_RECURSIVE, &read_only) < 0)
        return fail_op(setup->failure, op, errno, "%s", op->fields[0].text);
    return attach(setup, op, mount, target);
}

static bool do_root_op(Setup *setup, const Op *op, const int **source)
{
    switch (op->code) {
    case OP_MOUNT:
        return do_mount(setup, op);
    case OP_BIND:
        return do_bind(setup, op, *(*source)++);
    case OP_DEVICE:
        return do_device(setup, op);
    case OP_SYMLINK:
        return do_symlink(setup, op);
    case OP_MASK:
        return do_mask(setup, op);
    case OP_READ_ONLY:
        return do_read_only(setup, op);
    case OP_MKDIR:
        return do_mkdir(setup, op);
    default:
        return true;
    }
}

// By descriptor from TIOCGPTPEER, never by the path in /dev/pts: CVE-2025-52565.
static bool open_terminal(const Setup *setup, const Op *op, Terminal *out)
{
    if (setup->devpts < 0 || !is_on(setup->devpts, DEVPTS_SUPER_MAGIC))
        return fail_op(setup->failure, op, 0, "the program mounts no devpts");
    int unlock = 0;
    struct winsize size = {
        .ws_row = (unsigned short)op->fields[0].number,
        .ws_col = (unsigned short)op->fields[1].number,
    };
    out->master = openat(setup->devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
    if (out->master < 0 || ioctl(out->master, TIOCSPTLCK, &unlock) < 0 ||
        ioctl(out->master, TIOCSWINSZ, &size) < 0)
        return fail_op(setup->failure, op, errno, "open /dev/pts/ptmx");
    out->slave = ioctl(out->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (out->slave < 0) return fail_op(setup->failure, op, errno, "open the terminal");
    const Op *user = program_find(setup->program, OP_USER);
    if (user != NULL && fchown(out->slave, (uid_t)user->fields[0].number, (gid_t)-1) < 0)
        return fail_op(setup->failure, op, errno, "give the terminal to the user");
    cleanup_fd int console = make_file_in_root(setup->root, "/dev/console", 0600);
    if (console < 0) return fail_op(setup->failure, op, errno, "/dev/console");
    if (!check_target(setup, op, "/dev/console", console)) return false;
    cleanup_fd int mount = call_open_tree(out->slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    if (mount < 0 || call_move_mount(mount, console, 0) < 0)
        return fail_op(setup->failure, op, errno, "/dev/console");
    return true;
}

// What belongs to a namespace, and to which one: ipc_namespaces(7), network_namespaces(7). Everything else is
// the machine's.
static bool is_own_sysctl(const char *key, uint64_t namespaces)
{
    static const char *const of_ipc[] = {
        "kernel.msgmax",      "kernel.msgmnb",      "kernel.msgmni",      "kernel.sem",
        "kernel.shmall",      "kernel.shmmax",      "kernel.shmmni",      "kernel.shm_rmid_forced",
        "kernel.shm_next_id", "kernel.msg_next_id", "kernel.sem_next_id",
    };
    if (starts_with(key, "net.")) return (namespaces & CLONE_NEWNET) != 0;
    if ((namespaces & CLONE_NEWIPC) == 0) return false;
    if (starts_with(key, "fs.mqueue.")) return true;
    for (size_t i = 0; i < sizeof of_ipc / sizeof *of_ipc; i++) {
        if (strcmp(key, of_ipc[i]) == 0) return true;
    }
    return false;
}

static bool write_sysctl(int proc, const char *path, const char *value)
{
    struct open_how how = {
        .flags = O_WRONLY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    cleanup_fd int file = call_openat2(proc, path, &how);
    return file >= 0 && TEMP_FAILURE_RETRY(write(file, value, strlen(value))) >= 0;
}

// kernel.shmmax is /proc/sys/kernel/shmmax. As sysctl(8) has it, a "/" in a key stands for a dot of a file's
// name (net.ipv4.conf.eth0/100.forwarding).
static bool set_sysctl(const Op *op, const Op *map, int proc, uint64_t namespaces, Failure *failure)
{
    const char *key = op->fields[0].text, *value = op->fields[1].text;
    if (!is_own_sysctl(key, namespaces))
        return fail_op(failure, op, EPERM, "%s belongs to no namespace of the container's", key);
    if (strpbrk(value, "\n\r") != NULL) return fail_op(failure, op, 0, "%s: more than one line", key);
    cleanup_free char *path = xasprintf("sys/%s", key);
    for (char *c = path + 4; *c != '\0'; c++)
        *c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
    if (!is_plain_path(path)) return fail_op(failure, op, 0, "%s: not a key", key);
    if (write_sysctl(proc, path, value)) return true;
    uint32_t inner;
    if (errno == EACCES && map != NULL && map_id(map->fields[0].text, 0, &inner)) {
        // Since Linux 6.9 those of an ipc namespace are for the root of its user namespace alone.
        bool good = seteuid(inner) == 0 && write_sysctl(proc, path, value);
        int error = errno;
        if (seteuid(0) < 0) return fail_op(failure, op, errno, "%s", key);
        if (good) return true;
        errno = error;
    }
    return fail_op(failure, op, errno, "%s=%s", key, value);
}

static bool has_joined(const Program *program, uint64_t type)
{
    for (const Op *op = NULL; (op = program_next(program, OP_JOIN, op)) != NULL;) {
        if (op->fields[0].number == type) return true;
    }
    return false;
}

static uint64_t namespaces_of(const Program *program)
{
    const Op *made = program_find(program, OP_NAMESPACES);
    uint64_t all = made == NULL ? 0 : made->fields[0].number;
    for (const Op *op = NULL; (op = program_next(program, OP_JOIN, op)) != NULL;)
        all |= op->fields[0].number;
    return all;
}

bool set_sysctls(const Program *program, Failure *failure)
{
    const Op *op = program_find(program, OP_SYSCTL);
    if (op == NULL) return true;
    cleanup_fd int proc = mount_proc();
    if (proc < 0 || !is_on(proc, PROC_SUPER_MAGIC)) return fail_op(failure, op, errno, "mount proc");
    uint64_t namespaces = namespaces_of(program);
    for (; op != NULL; op = program_next(program, OP_SYSCTL, op)) {
        if (!set_sysctl(op, program_find(program, OP_ID_MAP), proc, namespaces, failure)) return false;
    }
    return true;
}

// CVE-2024-21626: a working directory behind /proc/self/fd is outside; RESOLVE_NO_MAGICLINKS refuses it.
static bool make_cwd(const Setup *setup)
{
    const Op *op = program_find(setup->program, OP_CWD);
    if (op == NULL) return true;
    const char *path = op->fields[0].text;
    if (*path != '/') return fail_op(setup->failure, op, 0, "%s is not absolute", path);
    cleanup_fd int made = make_dir_in_root(setup->root, path, 0755);
    return made >= 0 || fail_op(setup->failure, op, errno, "%s", path);
}

static bool finish_root(const Setup *setup)
{
    const Op *op = program_find(setup->program, OP_ROOT_READ_ONLY);
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (op != NULL && call_mount_setattr(setup->root, 0, &read_only) < 0)
        return fail_op(setup->failure, op, errno, "make the root read-only");
    if (!enter_root(setup->root, setup->failure)) return false;
    op = program_find(setup->program, OP_PROPAGATION);
    if (op != NULL && mount(NULL, "/", NULL, op->fields[0].number, NULL) < 0)
        return fail_op(setup->failure, op, errno, "set the propagation of the root");
    return true;
}

static bool open_null(Setup *setup)
{
    struct stat status;
    setup->null = open("/dev/null", O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (setup->null < 0 || fstat(setup->null, &status) < 0)
        return fail(setup->failure, errno, "open the host's /dev/null");
    if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3))
        return fail(setup->failure, 0, "the host's /dev/null is something else");
    return true;
}

static const Op *sysfs_of(const Program *program)
{
    const Op *op = program_next(program, OP_MOUNT, NULL);
    while (op != NULL && strcmp(op->fields[0].text, "sysfs") != 0)
        op = program_next(program, OP_MOUNT, op);
    return op;
}

bool prepare_mounts(const Program *program, int user, Prepared *out, Failure *failure)
{
    // A sysfs is of a network namespace, and only who has rights over that may mount it. The container has them
    // over its own, and over no other that it is put into.
    const Op *sysfs = (namespaces_of(program) & CLONE_NEWNET) == 0 || has_joined(program, CLONE_NEWNET)
                          ? sysfs_of(program)
                          : NULL;
    *out = (Prepared){.root = -1, .sysfs = -1};
    if (sysfs != NULL) out->sysfs = make_mount(sysfs, failure);
    if (sysfs != NULL && out->sysfs < 0) return false;
    out->root = prepare_root(program, user, failure);
    return out->root >= 0;
}

static bool get_root(Setup *setup, int prepared)
{
    if (prepared < 0) {
        setup->root = mount_root(setup->program, setup->failure);
        return setup->root >= 0;
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return fail(setup->failure, errno, "make the mounts private");
    if (!attach_root(prepared, setup->failure)) return false;
    setup->root = prepared;
    return true;
}

static bool build_root(Setup *setup, const int *sources, int root, Terminal *terminal)
{
    if (!get_root(setup, root) || !open_null(setup)) return false;
    for (uint32_t i = 0; i < setup->program->count; i++) {
        if (!do_root_op(setup, &setup->program->ops[i], &sources)) return false;
    }
    const Op *wants_terminal = program_find(setup->program, OP_TERMINAL);
    if (wants_terminal != NULL && !open_terminal(setup, wants_terminal, terminal)) return false;
    return make_cwd(setup) && finish_root(setup);
}

bool set_up_root(const Program *program, const int *sources, const Prepared *prepared, Terminal *terminal,
                 Failure *failure)
{
    Setup setup = {.program = program,
                   .failure = failure,
                   .root = -1,
                   .devpts = -1,
                   .null = -1,
                   .empty = -1,
                   .sysfs = prepared->sysfs};
    bool good = build_root(&setup, sources, prepared->root, terminal);
    int opened[] = {setup.root, setup.devpts, setup.null, setup.empty, setup.sysfs};
    for (size_t i = 0; i < sizeof opened / sizeof *opened; i++) {
        if (opened[i] >= 0) close(opened[i]);
    }
    return good;
}
