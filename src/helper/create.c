// See create.h. The parent opens all that is the host's, clones init into its namespaces, and then only waits
// for one packet on a socket pair: a failure, or "ready" with the terminal's master. The same socket is
// init's gate afterwards.

#include "create.h"
#include "cgroup-join.h"
#include "namespaces.h"
#include "process.h"
#include "setup.h"
#include "userns.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// Init's one packet.
typedef struct {
    bool good;
    Failure failure;
    char warning[sizeof((Init *)0)->warning];
} Report;

// All that init needs of its parent, opened before the clone.
typedef struct {
    const Program *program;
    Stdio stdio;
    Namespaces namespaces;
    int unified; // cgroup2 that init is in from its first instruction, or -1
    int *cgroups;
    int *sources;
    Prepared prepared;
    int gate; // init's end
} Plan;

static void close_plan(Plan *plan)
{
    close_namespaces(&plan->namespaces);
    close_cgroups(plan->cgroups);
    close_bind_sources(plan->sources);
    if (plan->unified >= 0) close(plan->unified);
    if (plan->gate >= 0) close(plan->gate);
}

static bool send_report(int gate, const Report *report, int master)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec data = {.iov_base = (void *)(uintptr_t)report, .iov_len = sizeof *report};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (master >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof master);
        memcpy(CMSG_DATA(header), &master, sizeof master);
    }
    return TEMP_FAILURE_RETRY(sendmsg(gate, &message, MSG_NOSIGNAL)) == (ssize_t)sizeof *report;
}

static bool receive_report(int gate, Report *report, int *master)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {.iov_base = report, .iov_len = sizeof *report};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = control.room,
        .msg_controllen = sizeof control.room,
    };
    *master = -1;
    ssize_t size = TEMP_FAILURE_RETRY(recvmsg(gate, &message, MSG_CMSG_CLOEXEC));
    struct cmsghdr *header = size < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) memcpy(master, CMSG_DATA(header), sizeof *master);
    return size == (ssize_t)sizeof *report;
}

// Copies above 2 first: one of them may be where another has to go.
static bool place_stdio(const int wanted[3], Failure *failure)
{
    int copies[3];
    for (int i = 0; i < 3; i++) {
        int fd = wanted[i] >= 0 ? wanted[i] : open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (fd < 0) return fail(failure, errno, "open /dev/null");
        copies[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copies[i] < 0) return fail(failure, errno, "standard descriptors");
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(copies[i], i) < 0) return fail(failure, errno, "standard descriptors");
    }
    return true;
}

static bool take_terminal(int slave, Failure *failure)
{
    int all[3] = {slave, slave, slave};
    if (!place_stdio(all, failure)) return false;
    if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) return fail(failure, errno, "take the terminal");
    return true;
}

// So that the user may open /dev/stdout again. Only pipes: a file or device that was passed on keeps its
// owner.
static void give_stdio(const Program *program, const Stdio *stdio)
{
    uid_t owner = outer_user(program);
    const int fds[3] = {stdio->in, stdio->out, stdio->err};
    for (int i = 0; i < 3; i++) {
        struct stat status;
        if (fds[i] >= 0 && fstat(fds[i], &status) == 0 && S_ISFIFO(status.st_mode) &&
            fchown(fds[i], owner, (gid_t)-1) < 0)
            continue;
    }
}

static bool set_hostname(const Program *program, Failure *failure)
{
    const Op *op = program_find(program, OP_HOSTNAME);
    if (op == NULL) return true;
    const char *name = op->fields[0].text;
    return sethostname(name, strlen(name)) == 0 || fail_op(failure, op, errno, "%s", name);
}

static bool is_mapped(const Plan *plan)
{
    return plan->namespaces.user >= 0;
}

// What comes before a user namespace, in which nobody may do it any more.
static bool prepare(const Plan *plan, Failure *failure)
{
    const Program *program = plan->program;
    if (!set_oom_score(program, failure)) return false;
    if (!join_namespaces(program, &plan->namespaces, failure)) return false;
    give_stdio(program, &plan->stdio);
    return true;
}

static bool set_up(Plan *plan, Terminal *terminal, Report *report)
{
    const Program *program = plan->program;
    Failure *failure = &report->failure;
    umask(0);
    if (setsid() < 0) return fail(failure, errno, "new session");
    // Before the root is another one: /dev/null must be the host's (CVE-2025-31133).
    const int stdio[3] = {plan->stdio.in, plan->stdio.out, plan->stdio.err};
    if (!place_stdio(stdio, failure)) return false;
    bool mapped = is_mapped(plan);
    if (!mapped && !prepare(plan, failure)) return false;
    if (!join_cgroups(program, plan->cgroups, plan->unified >= 0, failure)) return false;
    if (!make_cgroup_namespace(&plan->namespaces, failure)) return false;
    if (!set_hostname(program, failure)) return false;
    if (!mapped && !set_sysctls(program, failure)) return false;
    if (!set_up_root(program, plan->sources, &plan->prepared, terminal, failure)) return false;
    if (terminal->slave >= 0 && !take_terminal(terminal->slave, failure)) return false;
    if (!find_executable(program, failure)) return false;
    describe_ungranted(program, report->warning, sizeof report->warning);
    return true;
}

static _Noreturn void run_init(Plan *plan)
{
    Report report;
    memset(&report, 0, sizeof report);
    Terminal terminal = {-1, -1};
    // The monitor's death is ours. Had it died before this line, its end of the gate would be closed.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    report.good = set_up(plan, &terminal, &report);
    bool sent = send_report(plan->gate, &report, terminal.master);
    char go;
    if (!sent || !report.good || TEMP_FAILURE_RETRY(read(plan->gate, &go, 1)) != 1) _exit(1);
    become(plan->program);
}

static pid_t clone_init(const Plan *plan, uint64_t more_flags, int *pidfd)
{
    struct clone_args args = {
        .flags = CLONE_PIDFD | clone_flags(&plan->namespaces) | more_flags,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        // A sibling has that of its parent (clone3(2)).
        .exit_signal = (more_flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD,
    };
    if (plan->unified >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)plan->unified;
    }
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

// The process behind a pidfd as /proc/self counts it: proc_pid_fdinfo(5).
static pid_t pid_of(int pidfd)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, text, sizeof text - 1));
    text[length < 0 ? 0 : length] = '\0';
    const char *line = strstr(text, "\nPid:");
    return line == NULL ? -1 : (pid_t)atoi(line + strlen("\nPid:"));
}

// Only a process of a pid namespace can make one in it, so a middle one does, which is there and gone at
// once. It shares our descriptors, so that the pidfd is ours, and its child is its sibling: a child of ours.
static pid_t clone_init_on_leash(Plan *plan, const Init *out, int *pidfd)
{
    typedef struct {
        int pidfd, error;
    } Made;
    Made *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return -1;
    *made = (Made){.pidfd = -1};
    pid_t middle = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
    if (middle == 0) {
        int fd = -1;
        pid_t pid = clone_init(plan, CLONE_PARENT, &fd);
        if (pid == 0) {
            close(out->gate);
            run_init(plan);
        }
        *made = (Made){.pidfd = pid < 0 ? -1 : fd, .error = errno};
        _exit(0);
    }
    if (middle < 0) made->error = errno;
    if (middle > 0) (void)TEMP_FAILURE_RETRY(waitpid(middle, NULL, 0));
    *pidfd = made->pidfd;
    errno = made->error;
    munmap(made, sizeof *made);
    return *pidfd < 0 ? -1 : pid_of(*pidfd);
}

// The process between the monitor and an init in a user namespace: root of the machine makes what inner root may
// not, becomes inner root, and clones init, which so owns its namespaces and yet is a child of the monitor.
static _Noreturn void run_middle(Plan *plan, int told)
{
    Report report;
    memset(&report, 0, sizeof report);
    Failure *failure = &report.failure;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    raise_limits(plan->program);
    bool good = prepare(plan, failure);
    if (good && unshare(CLONE_NEWNS) < 0) good = fail(failure, errno, "new mount namespace");
    good = good && prepare_mounts(plan->program, plan->namespaces.user, &plan->prepared, failure) &&
           enter_user_namespace(plan->namespaces.user, failure);
    pid_t pid = -1;
    int pidfd = -1;
    if (good) {
        pid = clone_init(plan, CLONE_PARENT, &pidfd);
        if (pid == 0) {
            close(told);
            run_init(plan);
        }
        if (pid < 0) fail(failure, errno, "make the namespaces");
    }
    if (pid < 0) send_report(plan->gate, &report, -1);
    report.good = pid > 0;
    _exit(pid > 0 && send_report(told, &report, pidfd) ? 0 : 1);
}

// As clone_init(): -1 with errno, or with a report at the gate (errno 0). The middle one may be in another pid
// namespace, so it tells the pidfd and not the number.
static pid_t clone_mapped_init(Plan *plan, const Init *out, int *pidfd)
{
    int told[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, told) < 0) return -1;
    pid_t middle = fork();
    if (middle == 0) {
        close(told[0]);
        close(out->gate);
        run_middle(plan, told[1]);
    }
    int error = middle < 0 ? errno : 0;
    close(told[1]);
    Report report;
    bool heard = receive_report(told[0], &report, pidfd) && report.good && *pidfd >= 0;
    close(told[0]);
    if (middle > 0) TEMP_FAILURE_RETRY(waitpid(middle, NULL, 0));
    errno = error;
    return heard ? pid_of(*pidfd) : -1;
}

static pid_t clone_init_here(Plan *plan, const Init *out, int *pidfd)
{
    pid_t pid = clone_init(plan, 0, pidfd);
    if (pid != 0) return pid;
    close(out->gate);
    run_init(plan);
}

static void end_init(const Init *init)
{
    kill(init->pid, SIGKILL);
    TEMP_FAILURE_RETRY(waitpid(init->pid, NULL, 0));
    close(init->pidfd);
    close(init->gate);
    if (init->master >= 0) close(init->master);
}

// What the process in between has said before it gave up.
static bool take_refusal(Plan *plan, int gate, Failure *failure)
{
    close(plan->gate);
    plan->gate = -1;
    Report report;
    int master;
    if (!receive_report(gate, &report, &master)) return fail(failure, ECHILD, "init was not made");
    *failure = report.failure;
    return false;
}

// Those of an ipc namespace are for root of the machine until Linux 6.9, whoever owns the namespace, and those of a
// network that the container is only put into always are; so a process goes in for them that is that root still.
static bool set_sysctls_of(const Program *program, int pidfd, Failure *failure)
{
    if (program_find(program, OP_SYSCTL) == NULL) return true;
    int told[2];
    if (pipe2(told, O_CLOEXEC) < 0) return fail(failure, errno, "set sysctls");
    pid_t pid = fork();
    if (pid == 0) {
        Failure why = {0};
        bool good = setns(pidfd, CLONE_NEWIPC | CLONE_NEWNET) == 0 || fail(&why, errno, "set sysctls");
        good = good && set_sysctls(program, &why);
        _exit(good || write(told[1], &why, sizeof why) == (ssize_t)sizeof why ? 0 : 1);
    }
    close(told[1]);
    Failure why;
    int status = 1;
    bool told_why = pid > 0 && TEMP_FAILURE_RETRY(read(told[0], &why, sizeof why)) == (ssize_t)sizeof why;
    close(told[0]);
    if (pid > 0) TEMP_FAILURE_RETRY(waitpid(pid, &status, 0));
    if (told_why) {
        *failure = why;
        return false;
    }
    return status == 0 || fail(failure, ECHILD, "set sysctls");
}

static bool start(Plan *plan, Init *out, Failure *failure)
{
    if (!enter_for_children(plan->program, &plan->namespaces, failure)) {
        Failure second;
        leave_for_children(&plan->namespaces, &second);
        return false;
    }
    int pidfd = -1;
    pid_t pid = is_mapped(plan)                   ? clone_mapped_init(plan, out, &pidfd)
                : plan->namespaces.outer_pid >= 0 ? clone_init_on_leash(plan, out, &pidfd)
                                                  : clone_init_here(plan, out, &pidfd);
    int error = errno;
    bool left = leave_for_children(&plan->namespaces, failure);
    if (pid < 0 && error != 0) return fail(failure, error, "make the namespaces");
    if (pid < 0) return left && take_refusal(plan, out->gate, failure);
    out->pid = pid;
    out->pidfd = pidfd;
    // Its end here too would keep a dead init from being noticed.
    close(plan->gate);
    plan->gate = -1;
    Report report;
    bool told = receive_report(out->gate, &report, &out->master);
    if (left && told && report.good && is_mapped(plan))
        report.good = set_sysctls_of(plan->program, pidfd, &report.failure);
    if (left && told && report.good) {
        memcpy(out->warning, report.warning, sizeof out->warning);
        return true;
    }
    if (left && told) *failure = report.failure;
    if (left && !told) fail(failure, ECHILD, "init died while it was set up");
    end_init(out);
    out->gate = -1;
    return false;
}

static bool open_plan(const Program *program, Plan *plan, Failure *failure)
{
    if (!open_namespaces(program, &plan->namespaces, failure)) return false;
    // Inner root may put nothing into a cgroup by clone3(2), but write to a file that root has opened. And where
    // others share the pid namespace, the monitor has written cgroup.kill after an earlier run: newer kernels
    // (6.18) compare the kill_seq of this cgroup with that of the caller's at CLONE_INTO_CGROUP, and kill what is
    // cloned into it.
    bool by_clone = !is_mapped(plan) && (plan->namespaces.made & CLONE_NEWPID) != 0;
    if (by_clone && !open_unified(program, &plan->unified, failure)) return false;
    plan->cgroups = open_cgroups(program, plan->unified >= 0, failure);
    if (plan->cgroups == NULL) return false;
    plan->sources = open_bind_sources(program, failure);
    return plan->sources != NULL && set_device_policy(program, failure);
}

bool makes_pid_namespace(const Program *program)
{
    const Op *made = program_find(program, OP_NAMESPACES);
    return made != NULL && (made->fields[0].number & CLONE_NEWPID) != 0;
}

bool create_init(const Program *program, const Stdio *stdio, const Leash *leash, Init *out, Failure *failure)
{
    *out = (Init){.pid = -1, .pidfd = -1, .gate = -1, .master = -1};
    Plan plan = {.program = program, .stdio = *stdio, .unified = -1, .gate = -1};
    plan.namespaces = (Namespaces){.user = -1, .own_pid = -1, .own_time = -1, .outer_pid = -1};
    plan.prepared = (Prepared){-1, -1};
    int pair[2] = {-1, -1};
    bool good = open_plan(program, &plan, failure);
    if (good && leash != NULL && makes_pid_namespace(program)) plan.namespaces.outer_pid = leash->namespace;
    if (good && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        good = fail(failure, errno, "socketpair");
    if (good) {
        out->gate = pair[0];
        plan.gate = pair[1];
        good = start(&plan, out, failure);
        if (!good && out->gate >= 0) close(out->gate);
    }
    close_plan(&plan);
    if (!good) *out = (Init){.pid = -1, .pidfd = -1, .gate = -1, .master = -1};
    return good;
}
