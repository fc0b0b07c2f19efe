// See create.h. The parent opens all that is the host's, clones init into its namespaces, and then only waits
// for one packet on a socket pair: a failure, or "ready" with the terminal's master. The same socket is
// init's gate afterwards.

#include "create.h"
#include "cgroup-join.h"
#include "namespaces.h"
#include "process.h"
#include "setup.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
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
static void give_stdio(const Program *program)
{
    const Op *user = program_find(program, OP_USER);
    if (user == NULL) return;
    for (int fd = 0; fd < 3; fd++) {
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
            fchown(fd, (uid_t)user->fields[0].number, (gid_t)-1) < 0)
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

static bool set_up(Plan *plan, Terminal *terminal, Report *report)
{
    const Program *program = plan->program;
    Failure *failure = &report->failure;
    umask(0);
    if (setsid() < 0) return fail(failure, errno, "new session");
    // Before the root is another one: /dev/null must be the host's (CVE-2025-31133).
    const int stdio[3] = {plan->stdio.in, plan->stdio.out, plan->stdio.err};
    if (!place_stdio(stdio, failure)) return false;
    if (!set_oom_score(program, failure)) return false;
    if (!join_cgroups(program, plan->cgroups, plan->unified >= 0, failure)) return false;
    if (!enter_namespaces(program, &plan->namespaces, failure)) return false;
    if (!set_hostname(program, failure)) return false;
    if (!set_up_root(program, plan->sources, terminal, failure)) return false;
    if (terminal->slave >= 0 && !take_terminal(terminal->slave, failure)) return false;
    give_stdio(program);
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

static pid_t clone_init(Plan *plan, int *pidfd)
{
    struct clone_args args = {
        .flags = CLONE_PIDFD | clone_flags(&plan->namespaces),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (plan->unified >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)plan->unified;
    }
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static void end_init(const Init *init)
{
    kill(init->pid, SIGKILL);
    TEMP_FAILURE_RETRY(waitpid(init->pid, NULL, 0));
    close(init->pidfd);
    close(init->gate);
    if (init->master >= 0) close(init->master);
}

static bool start(Plan *plan, Init *out, Failure *failure)
{
    if (!enter_for_children(plan->program, &plan->namespaces, failure)) {
        Failure second;
        leave_for_children(&plan->namespaces, &second);
        return false;
    }
    int pidfd = -1;
    pid_t pid = clone_init(plan, &pidfd);
    if (pid == 0) {
        close(out->gate);
        run_init(plan);
    }
    int error = errno;
    bool left = leave_for_children(&plan->namespaces, failure);
    if (pid < 0) return fail(failure, error, "make the namespaces");
    out->pid = pid;
    out->pidfd = pidfd;
    // Its end here too would keep a dead init from being noticed.
    close(plan->gate);
    plan->gate = -1;
    Report report;
    bool told = receive_report(out->gate, &report, &out->master);
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
    // Where others share the pid namespace, the monitor has written cgroup.kill after an earlier run. Newer
    // kernels (6.18) compare the kill_seq of this cgroup with that of the caller's at CLONE_INTO_CGROUP, and
    // kill what is cloned into it.
    bool own_pids = (plan->namespaces.made & CLONE_NEWPID) != 0;
    if (own_pids && !open_unified(program, &plan->unified, failure)) return false;
    plan->cgroups = open_cgroups(program, plan->unified >= 0, failure);
    if (plan->cgroups == NULL) return false;
    plan->sources = open_bind_sources(program, failure);
    return plan->sources != NULL && set_device_policy(program, failure);
}

bool create_init(const Program *program, const Stdio *stdio, Init *out, Failure *failure)
{
    *out = (Init){.pid = -1, .pidfd = -1, .gate = -1, .master = -1};
    Plan plan = {.program = program, .stdio = *stdio, .unified = -1, .gate = -1};
    plan.namespaces = (Namespaces){.own_pid = -1, .own_time = -1};
    int pair[2] = {-1, -1};
    bool good = open_plan(program, &plan, failure);
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
