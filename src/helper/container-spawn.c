// See container-spawn.h. Three processes: the caller; one that joins the container, whose pid namespace is
// only for its children (setns(2)); and its child, which CLONE_PARENT makes a child of the caller. They tell
// the caller over a socket how far they came: the pid, a terminal, a failure; its end means that the command
// is about to run.

#include "container-spawn.h"
#include "join.h"
#include "process.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef DEVPTS_SUPER_MAGIC
#define DEVPTS_SUPER_MAGIC 0x1cd1
#endif

enum { EXIT_SETUP = 125, REPORT_FD = 3, PIDFD_FD = 4, FIRST_FREE_FD = 5, HIGH_FD = 64 };

typedef struct {
    enum { REPORT_PID, REPORT_PREPARED, REPORT_MASTER, REPORT_FAILURE } kind;
    pid_t pid;
    Failure failure;
} Report;

static void send_report(const Report *report, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = (void *)(uintptr_t)report, .iov_len = sizeof *report};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.head.cmsg_len = CMSG_LEN(sizeof fd);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    (void)TEMP_FAILURE_RETRY(sendmsg(REPORT_FD, &message, MSG_NOSIGNAL));
}

_Noreturn static void report_failure(const Failure *failure)
{
    send_report(&(Report){.kind = REPORT_FAILURE, .failure = *failure}, -1);
    _exit(EXIT_SETUP);
}

_Noreturn static void report_errno(const char *what)
{
    Failure failure;
    fail(&failure, errno, "%s", what);
    report_failure(&failure);
}

// Five descriptors at fixed places and no other: the container can look at this process until it execs. They
// are first moved out of the way, since one may stand where another has to go.
static void arrange_descriptors(const int stdio[3], int report, int pidfd)
{
    const int wanted[] = {stdio[0], stdio[1], stdio[2], report, pidfd};
    enum { COUNT = sizeof wanted / sizeof *wanted };
    int moved[COUNT];
    for (int i = 0; i < COUNT; i++) {
        moved[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, HIGH_FD);
        if (moved[i] < 0) _exit(EXIT_SETUP);
    }
    for (int i = 0; i < COUNT; i++) {
        if (dup3(moved[i], i, i <= STDERR_FILENO ? 0 : O_CLOEXEC) < 0) _exit(EXIT_SETUP);
    }
    close_range(FIRST_FREE_FD, ~0U, 0);
}

// From the container's own devpts, and the other end by descriptor: names below a hostile /dev mean nothing
// (CVE-2025-52565).
static void open_terminal(const struct winsize *size, uid_t owner)
{
    int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct statfs file_system;
    if (master < 0 || fstatfs(master, &file_system) < 0) report_errno("open /dev/pts/ptmx in the container");
    errno = ENOTTY;
    if ((long)file_system.f_type != DEVPTS_SUPER_MAGIC)
        report_errno("/dev/pts in the container is no devpts");
    int unlock = 0;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0) report_errno("unlock a terminal");
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) report_errno("open a terminal");
    if (ioctl(slave, TIOCSWINSZ, size) < 0) report_errno("set the size of a terminal");
    // Where it is refused the program can still use it, only not open it by name again.
    (void)!fchown(slave, owner, (gid_t)-1);
    if (ioctl(slave, TIOCSCTTY, 0) < 0) report_errno("take a terminal");
    send_report(&(Report){.kind = REPORT_MASTER}, master);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (dup2(slave, fd) < 0) report_errno("use a terminal");
    }
    close(slave);
    close(master);
}

_Noreturn static void run_inside(Program *ops, const SpawnOptions *options)
{
    close(PIDFD_FD);
    if (!options->outlives) prctl(PR_SET_PDEATHSIG, SIGKILL);
    // No terminal of the caller's is left to put characters into (CVE-2017-5226).
    if (setsid() < 0) report_errno("start a session");
    if (options->prepare != NULL) options->prepare(ops, options->argument);
    send_report(&(Report){.kind = REPORT_PREPARED}, -1);
    const Op *user = program_find(ops, OP_USER);
    if (options->size != NULL) open_terminal(options->size, user == NULL ? 0 : (uid_t)user->fields[0].number);
    become(ops);
}

_Noreturn static void join_and_split(Program *ops, const SpawnOptions *options)
{
    Failure failure;
    if (!join_container(PIDFD_FD, ops, &failure)) report_failure(&failure);
    long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid < 0) report_errno("start a process in the container");
    if (pid == 0) run_inside(ops, options);
    send_report(&(Report){.kind = REPORT_PID, .pid = (pid_t)pid}, -1);
    _exit(0);
}

// One report and the descriptor that came with it (-1: none); false at the end.
static bool receive_report(int fd, Report *report, int *passed)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec data = {.iov_base = report, .iov_len = sizeof *report};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *passed = -1;
    if (TEMP_FAILURE_RETRY(recvmsg(fd, &message, MSG_CMSG_CLOEXEC)) != (ssize_t)sizeof *report) return false;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS) memcpy(passed, CMSG_DATA(head), sizeof *passed);
    return true;
}

bool spawn_in_container(int pidfd, Program *ops, const SpawnOptions *options, Spawned *out, Failure *failure)
{
    *out = (Spawned){.master = -1};
    int ends[2];
    cleanup_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fail(failure, errno, "start a process in the container");
    pid_t joiner = fork();
    if (joiner == 0) {
        int stdio[3];
        for (int i = 0; i < 3; i++)
            stdio[i] = options->stdio[i] < 0 ? null : options->stdio[i];
        arrange_descriptors(stdio, ends[1], pidfd);
        join_and_split(ops, options);
    }
    int error = errno;
    close(ends[1]);
    bool failed = joiner < 0;
    if (failed) fail(failure, error, "fork");
    int passed;
    for (Report report; !failed && receive_report(ends[0], &report, &passed);) {
        if (report.kind == REPORT_PID) out->pid = report.pid;
        if (report.kind == REPORT_PREPARED) out->prepared = true;
        if (report.kind == REPORT_MASTER) out->master = passed;
        if (report.kind == REPORT_FAILURE) *failure = report.failure, failed = true;
    }
    close(ends[0]);
    if (joiner > 0) (void)TEMP_FAILURE_RETRY(waitpid(joiner, NULL, 0));
    if (!failed && out->pid == 0) failed = true, fail(failure, 0, "the container ended");
    if (!failed) return true;
    if (out->pid > 0) {
        kill(out->pid, SIGKILL);
        (void)TEMP_FAILURE_RETRY(waitpid(out->pid, NULL, 0));
    }
    if (out->master >= 0) close(out->master);
    return false;
}
