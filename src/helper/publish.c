// See publish.h. The sockets are opened by the process that serves them, which says through a pipe whether it
// could, so that a port that somebody has is an error of the start.

#include "publish.h"
#include "container-state.h"
#include "relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { AGAIN_MS = 100, REPORT_MAX = 512, NOBODY = 65534 };
enum { UDP, ADDRESS, PORT, COUNT, TARGET, TARGET_PORT };

static const int one = 1;

static socklen_t make_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1) return 0;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    return sizeof *six;
}

static bool prepare_socket(int fd, bool udp, int family)
{
    // Each family has a socket of its own.
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) return false;
    // Connections that are only waiting to be forgotten do not keep the port from being listened at.
    if (!udp) return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0;
    // An answer comes from the address that was asked, of which the machine has several.
    if (family == AF_INET6) return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one) == 0;
    return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one) == 0;
}

// -1 and errno when the port cannot be had.
static int open_port(bool udp, const struct sockaddr_storage *address, socklen_t length)
{
    int type = (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int fd = socket(address->ss_family, type, 0);
    if (fd < 0) return -1;
    bool good = prepare_socket(fd, udp, address->ss_family) &&
                bind(fd, (const struct sockaddr *)address, length) == 0 &&
                (udp || listen(fd, SOMAXCONN) == 0);
    if (good) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

// A machine without IPv6 has no port of it to publish.
static bool is_missing_family(const char *address)
{
    return errno == EAFNOSUPPORT && strcmp(address, "::") == 0;
}

static bool open_ports(const Op *op, RelayPort *ports, size_t *count, Failure *failure)
{
    const char *address = op->fields[ADDRESS].text;
    bool udp = op->fields[UDP].number != 0;
    for (uint64_t i = 0; i < op->fields[COUNT].number; i++) {
        RelayPort *port = &ports[*count];
        struct sockaddr_storage outside;
        uint16_t number = (uint16_t)(op->fields[PORT].number + i);
        socklen_t length = make_address(address, number, &outside);
        port->udp = udp;
        port->target_length = make_address(op->fields[TARGET].text,
                                           (uint16_t)(op->fields[TARGET_PORT].number + i), &port->target);
        if (length == 0 || port->target_length == 0) return fail_op(failure, op, EINVAL, "its addresses");
        port->fd = open_port(udp, &outside, length);
        if (port->fd >= 0) {
            (*count)++;
            continue;
        }
        if (is_missing_family(address)) return true;
        bool six = strchr(address, ':') != NULL;
        return fail(failure, errno, "publish %s%s%s:%u/%s", six ? "[" : "", address, six ? "]" : "", number,
                    udp ? "udp" : "tcp");
    }
    return true;
}

static size_t port_count(const Program *program)
{
    size_t count = 0;
    for (const Op *op = NULL; (op = program_next(program, OP_PUBLISH, op)) != NULL;)
        count += op->fields[COUNT].number;
    return count;
}

// What it serves comes from anybody: it needs no right for that, but room for many descriptors.
static void give_up_rights(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        _exit(EXIT_HOST);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0);
}

_Noreturn static void serve(const Program *program, int report, pid_t monitor)
{
    sigset_t none;
    sigemptyset(&none);
    prctl(PR_SET_NAME, "nslab-publish");
    if (dup3(report, STDERR_FILENO + 1, O_CLOEXEC) < 0 && report != STDERR_FILENO + 1) _exit(EXIT_BUG);
    report = STDERR_FILENO + 1;
    close_range(STDERR_FILENO + 2, ~0U, 0);
    sigprocmask(SIG_SETMASK, &none, NULL);
    Failure failure = {0};
    RelayPort *ports = xcalloc(port_count(program), sizeof *ports);
    size_t count = 0;
    for (const Op *op = NULL; (op = program_next(program, OP_PUBLISH, op)) != NULL;) {
        if (open_ports(op, ports, &count, &failure)) continue;
        (void)!write(report, failure.text, strlen(failure.text));
        _exit(EXIT_HOST);
    }
    give_up_rights();
    // A change of credentials takes the wish away (prctl(2)); and the monitor may have died before it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != monitor) _exit(EXIT_HOST);
    (void)!write(report, "ok", 2);
    close(report);
    relay(ports, count);
}

// Should: send a transaction to nf_tables; 0 or the errno of the first refusal. The kernel handles it inside
// send(2), and answers only what it refuses.
static int send_rules(const Field *transaction)
{
    cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0 || TEMP_FAILURE_RETRY(send(fd, transaction->data, transaction->count, 0)) < 0) return errno;
    // A refusal repeats what was refused; its head is enough.
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } answer;
    while (TEMP_FAILURE_RETRY(recv(fd, &answer, sizeof answer, 0)) >= (ssize_t)sizeof answer) {
        if (answer.header.nlmsg_type == NLMSG_ERROR && answer.error.error != 0) return -answer.error.error;
    }
    return 0;
}

// A table that somebody has deleted leads nowhere, and what listens is there all the same.
static bool set_rules(const Program *program, bool fill, Failure *failure)
{
    const Op *op = program == NULL ? NULL : program_find(program, OP_PUBLISH_RULES);
    int error = op == NULL ? 0 : send_rules(&op->fields[fill ? 0 : 1]);
    return error == 0 || error == ENOENT || fail_op(failure, op, error, "rules of nf_tables");
}

bool publish_begin(Publish *publish, const Program *program, Failure *failure)
{
    int ends[2];
    publish->next = 0;
    if (publish->pid > 0 || port_count(program) == 0) return true;
    if (pipe2(ends, O_CLOEXEC) < 0) return fail(failure, errno, "make a pipe");
    pid_t monitor = getpid(), pid = fork();
    if (pid == 0) serve(program, ends[1], monitor);
    int error = errno;
    close(ends[1]);
    char text[REPORT_MAX] = "";
    ssize_t length = pid < 0 ? 0 : TEMP_FAILURE_RETRY(read(ends[0], text, sizeof text - 1));
    close(ends[0]);
    if (pid < 0) return fail(failure, error, "start the process that publishes ports");
    publish->pid = pid;
    bool listens = length == 2 && strcmp(text, "ok") == 0;
    if (listens && set_rules(program, true, failure)) return true;
    publish_end(publish, program);
    if (listens) return false;
    return fail(failure, 0, "%s", length <= 0 ? "the process that publishes ports died" : text);
}

void publish_ended(Publish *publish)
{
    publish->pid = 0;
    publish->next = now_ms() + AGAIN_MS;
}

void publish_end(Publish *publish, const Program *program)
{
    Failure failure;
    publish->next = 0;
    (void)set_rules(program, false, &failure);
    if (publish->pid <= 0) return;
    kill(publish->pid, SIGKILL);
    (void)TEMP_FAILURE_RETRY(waitpid(publish->pid, NULL, 0));
    publish->pid = 0;
}
