// See process.h.

#include "process.h"
#include "init.h"
#include "mount-api.h"

#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>

enum { EXIT_SETUP = 125 };

static _Noreturn void stop(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static _Noreturn void stop(int status, const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    char text[400];
    if (vsnprintf(text, sizeof text, format, arguments) < 0) *text = '\0';
    va_end(arguments);
    dprintf(STDERR_FILENO, "nslab: %s: %s\n", text, strerror(error));
    _exit(status);
}

static char **environment_of(const Program *ops)
{
    static char *none[] = {NULL};
    const Op *op = program_find(ops, OP_ENV);
    return op == NULL ? none : op->fields[0].list;
}

// The last PATH counts, as in a shell's environment; execvp(3)'s own default where there is none.
static const char *path_of(const Program *ops)
{
    const char *path = "/bin:/usr/bin";
    for (char **word = environment_of(ops); *word != NULL; word++) {
        if (starts_with(*word, "PATH=")) path = *word + 5;
    }
    return path;
}

static int check_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0) return errno;
    if (!S_ISREG(status.st_mode)) return EACCES;
    return access(path, X_OK) < 0 ? errno : 0;
}

// Calls `use` with each place where the command may be until it returns 0; the error of the most telling
// failure.
static int for_each_candidate(const Program *ops, const char *name,
                              int (*use)(const char *path, const Program *ops))
{
    if (*name == '\0') return ENOENT;
    if (strchr(name, '/') != NULL) return use(name, ops);
    int worst = ENOENT;
    for (const char *at = path_of(ops);; at++) {
        size_t length = strcspn(at, ":");
        char candidate[PATH_MAX];
        int size = snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, at,
                            length == 0 ? "./" : "/", name);
        int error = size >= (int)sizeof candidate ? ENAMETOOLONG : use(candidate, ops);
        if (error == 0) return 0;
        if (error != ENOENT && error != ENOTDIR) worst = error;
        at += length;
        if (*at == '\0') return worst;
    }
}

static int try_file(const char *path, const Program *ops)
{
    (void)ops;
    return check_file(path);
}

// openat2(2) refuses a directory that is only reachable through /proc/PID/fd, getcwd(2) one outside of the
// root.
static int enter_directory(const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_NO_MAGICLINKS,
    };
    cleanup_fd int directory = call_openat2(AT_FDCWD, path, &how);
    if (directory < 0 || fchdir(directory) < 0) return errno;
    char now[PATH_MAX];
    if (syscall(SYS_getcwd, now, sizeof now) < 0) return errno;
    return *now == '/' ? 0 : ENOENT;
}

static const char *cwd_of(const Program *ops)
{
    const Op *op = program_find(ops, OP_CWD);
    return op == NULL ? "/" : op->fields[0].text;
}

bool find_executable(const Program *ops, Failure *failure)
{
    const Op *op = program_find(ops, OP_ARGV);
    if (op == NULL || op->fields[0].count == 0) return fail(failure, 0, "the program has no command");
    const char *name = op->fields[0].list[0];
    int error = enter_directory(cwd_of(ops));
    if (error != 0) return fail_op(failure, op, error, "working directory %s", cwd_of(ops));
    error = for_each_candidate(ops, name, try_file);
    if (chdir("/") < 0) return fail_op(failure, op, errno, "/");
    if (error == 0) return true;
    if (error == ENOENT && strchr(name, '/') == NULL) {
        fail_op(failure, op, 0, "%s: executable file not found in $PATH", name);
        failure->error = ENOENT;
    } else {
        fail_op(failure, op, error, "%s", name);
    }
    failure->status = error == ENOENT || error == ENOTDIR ? EXIT_NO_COMMAND : EXIT_CANNOT_EXEC;
    return false;
}

bool set_oom_score(const Program *ops, Failure *failure)
{
    const Op *op = program_find(ops, OP_OOM_SCORE_ADJ);
    if (op == NULL) return true;
    cleanup_fd int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    struct statfs status;
    if (file < 0 || fstatfs(file, &status) < 0)
        return fail_op(failure, op, errno, "/proc/self/oom_score_adj");
    if ((long)status.f_type != PROC_SUPER_MAGIC) return fail_op(failure, op, 0, "/proc is not procfs");
    char text[16];
    int length = snprintf(text, sizeof text, "%d", field_i32(&op->fields[0]));
    if (write(file, text, (size_t)length) >= 0) return true;
    // Below what it is now only with CAP_SYS_RESOURCE, which containers of build machines lack:
    // proc_pid_oom_score_adj(5).
    if (errno == EACCES || errno == EPERM) return true;
    return fail_op(failure, op, errno, "%s", text);
}

typedef struct {
    uint64_t effective, permitted, inheritable;
} Caps;

static bool get_caps(Caps *out)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) < 0) return false;
    out->effective = data[0].effective | (uint64_t)data[1].effective << 32;
    out->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    out->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return true;
}

static bool set_caps(const Caps *caps)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
        {(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32),
         (uint32_t)(caps->inheritable >> 32)},
    };
    return syscall(SYS_capset, &header, data) == 0;
}

static uint64_t bounding_set(void)
{
    uint64_t set = 0;
    for (unsigned cap = 0; cap < 64; cap++) {
        int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (has < 0) break;
        if (has == 1) set |= (uint64_t)1 << cap;
    }
    return set;
}

static bool may_raise(void)
{
    Caps caps;
    return get_caps(&caps) && (caps.effective & (uint64_t)1 << CAP_SYS_RESOURCE) != 0;
}

void describe_ungranted(const Program *ops, char *out, size_t size)
{
    size_t used = 0;
    *out = '\0';
    const Op *caps = program_find(ops, OP_CAPS);
    uint64_t missing = caps == NULL ? 0 : caps->fields[0].number & ~bounding_set();
    if (missing != 0)
        used += (size_t)snprintf(out, size, "capabilities %#llx are not granted here; ",
                                 (unsigned long long)missing);
    for (const Op *op = NULL; (op = program_next(ops, OP_RLIMIT, op)) != NULL;) {
        struct rlimit now;
        if (getrlimit((__rlimit_resource_t)op->fields[0].number, &now) < 0 || may_raise()) continue;
        if (op->fields[2].number > now.rlim_max && used < size)
            used += (size_t)snprintf(out + used, size - used, "limit %u stays at %llu; ",
                                     (unsigned)op->fields[0].number, (unsigned long long)now.rlim_max);
    }
}

void raise_limits(const Program *ops)
{
    for (const Op *op = NULL; (op = program_next(ops, OP_RLIMIT, op)) != NULL;) {
        __rlimit_resource_t resource = (__rlimit_resource_t)op->fields[0].number;
        struct rlimit limit;
        if (getrlimit(resource, &limit) < 0 || op->fields[2].number <= limit.rlim_max) continue;
        // The soft one stays, which the rest of the preparations lives under.
        limit.rlim_max = op->fields[2].number;
        (void)!setrlimit(resource, &limit);
    }
}

static void set_limits(const Program *ops)
{
    for (const Op *op = NULL; (op = program_next(ops, OP_RLIMIT, op)) != NULL;) {
        __rlimit_resource_t resource = (__rlimit_resource_t)op->fields[0].number;
        struct rlimit now, wanted = {.rlim_cur = op->fields[1].number, .rlim_max = op->fields[2].number};
        if (setrlimit(resource, &wanted) == 0) continue;
        if (errno != EPERM || getrlimit(resource, &now) < 0) stop(EXIT_SETUP, "limit %d", (int)resource);
        // What cannot be granted is not a reason to fail (runtime-spec on capabilities, and the same for
        // limits).
        if (wanted.rlim_max > now.rlim_max) wanted.rlim_max = now.rlim_max;
        if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
        if (setrlimit(resource, &wanted) < 0) stop(EXIT_SETUP, "limit %d", (int)resource);
    }
}

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void drop_bounding(uint64_t keep)
{
    for (unsigned cap = 0; cap < 64; cap++) {
        if ((keep & (uint64_t)1 << cap) != 0) continue;
        int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
        if (has < 0) return;
        if (has == 1 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) stop(EXIT_SETUP, "drop capability %u", cap);
    }
}

static void limit_caps(const Op *op)
{
    Caps held;
    if (!get_caps(&held)) stop(EXIT_SETUP, "read the capabilities");
    Caps caps = {
        .effective = op->fields[1].number & op->fields[2].number & held.permitted,
        .permitted = op->fields[2].number & held.permitted,
        // Not in the bounding set means not to be had again by a file's inheritable set either:
        // capabilities(7).
        .inheritable = op->fields[3].number & held.permitted & op->fields[0].number,
    };
    if (!set_caps(&caps)) stop(EXIT_SETUP, "set the capabilities");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        stop(EXIT_SETUP, "clear the ambient set");
    uint64_t ambient = op->fields[4].number & caps.permitted & caps.inheritable;
    for (unsigned cap = 0; cap < 64; cap++) {
        if ((ambient & (uint64_t)1 << cap) != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            stop(EXIT_SETUP, "raise capability %u", cap);
    }
}

static void set_user(const Program *ops)
{
    const Op *user = program_find(ops, OP_USER), *caps = program_find(ops, OP_CAPS);
    if (caps != NULL) drop_bounding(caps->fields[0].number);
    if (prctl(PR_SET_KEEPCAPS, caps != NULL, 0, 0, 0) < 0) stop(EXIT_SETUP, "keep the capabilities");
    uid_t uid = user == NULL ? 0 : (uid_t)user->fields[0].number;
    gid_t gid = user == NULL ? 0 : (gid_t)user->fields[1].number;
    const Field *groups = user == NULL ? NULL : &user->fields[2];
    const gid_t *list = groups == NULL ? NULL : (const gid_t *)(const void *)groups->data;
    // Always, also to none: what the caller of nslab belongs to is not the container's.
    if (setgroups(groups == NULL ? 0 : groups->count, list) < 0) stop(EXIT_SETUP, "set the groups");
    if (setresgid(gid, gid, gid) < 0) stop(EXIT_SETUP, "become group %u", gid);
    if (setresuid(uid, uid, uid) < 0) stop(EXIT_SETUP, "become user %u", uid);
    if (caps != NULL) limit_caps(caps);
}

static void load_seccomp(const Op *op)
{
    const Field *code = &op->fields[1];
    struct sock_fprog filter = {
        .len = (unsigned short)(code->count / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)(uintptr_t)code->data,
    };
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)op->fields[0].number, &filter) < 0)
        stop(EXIT_SETUP, "load the seccomp filter");
}

static const Op *filter_of(const Program *ops)
{
    const Op *op = program_find(ops, OP_SECCOMP);
    if (op == NULL) return NULL;
    // A listener would need somebody who listens.
    bool right = (op->fields[0].number & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0 && op->fields[1].count > 0 &&
                 op->fields[1].count % sizeof(struct sock_filter) == 0 &&
                 op->fields[1].count / sizeof(struct sock_filter) <= BPF_MAXINSNS;
    errno = EINVAL;
    if (!right) stop(EXIT_SETUP, "seccomp filter");
    return op;
}

static int run_file(const char *path, const Program *ops)
{
    execve(path, program_find(ops, OP_ARGV)->fields[0].list, environment_of(ops));
    return errno;
}

static _Noreturn void run_command(const Program *ops)
{
    const char *name = program_find(ops, OP_ARGV)->fields[0].list[0];
    errno = for_each_candidate(ops, name, run_file);
    bool missing = errno == ENOENT || errno == ENOTDIR;
    stop(missing ? EXIT_NO_COMMAND : EXIT_CANNOT_EXEC, "cannot run %s", name);
}

void become(const Program *ops)
{
    const Op *argv = program_find(ops, OP_ARGV);
    errno = EINVAL;
    if (argv == NULL || argv->fields[0].count == 0) stop(EXIT_SETUP, "the program has no command");
    int death_signal = 0;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    if (close_range(3, ~0U, 0) < 0) stop(EXIT_SETUP, "close all descriptors");
    reset_signals();
    // Keys of the caller's session are not the container's: session-keyring(7). A kernel may have no keys at
    // all.
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
    const Op *mask = program_find(ops, OP_UMASK);
    umask(mask == NULL ? 022 : (mode_t)mask->fields[0].number & 0777);
    const Op *filter = filter_of(ops);
    bool no_new_privs = program_find(ops, OP_NO_NEW_PRIVS) != NULL;
    int entered = enter_directory(cwd_of(ops)); // before a limit of descriptors may forbid to open it
    set_limits(ops);
    // Without no_new_privs loading takes CAP_SYS_ADMIN, so it has to come before it is dropped: seccomp(2).
    if (filter != NULL && !no_new_privs) load_seccomp(filter);
    set_user(ops);
    // Cleared by a change of credentials: PR_SET_PDEATHSIG(2const).
    if (death_signal != 0 && prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) < 0)
        stop(EXIT_SETUP, "pdeathsig");
    // A directory that root may not enter and the user may (root_squash).
    if (entered != 0) entered = enter_directory(cwd_of(ops));
    errno = entered;
    if (entered != 0) stop(EXIT_SETUP, "working directory %s", cwd_of(ops));
    if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) stop(EXIT_SETUP, "no_new_privs");
    if (filter != NULL && no_new_privs) load_seccomp(filter);
    if (program_find(ops, OP_INIT) != NULL) become_init();
    run_command(ops);
}
