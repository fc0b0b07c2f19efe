// `nslab-helper _attach [--start] [--removes] [--no-stdin] [--detach-keys KEYS] DIR`: shows a running
// container's output and gives it what is typed, until it ends (its exit status is ours), the keys are typed
// (0), or the monitor drops us. The terminal is raw only when the container has one of its own; without one,
// signals are passed on as `kill` requests.

#include "common.h"
#include "control.h"
#include "raw-terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

enum { KEYS_ROOM = 16, GOES_ON = -1 };

typedef struct {
    int dir, socket, signals;
    bool has_terminal; // the container's own, and ours is shown on it
    bool has_stdin;
    DetachKeys detach;
    size_t waiting; // bytes of the packet that the monitor has not taken yet
    char packet[STREAM_MAX + 1];
} Attached;

static const char usage[] =
    "usage: nslab-helper _attach [--start] [--removes] [--no-stdin] [--detach-keys KEYS] DIR";

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = TEMP_FAILURE_RETRY(write(fd, bytes, length));
        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}

static void send_waiting(Attached *attached)
{
    if (attached->waiting == 0) return;
    ssize_t sent = TEMP_FAILURE_RETRY(
        send(attached->socket, attached->packet, attached->waiting, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (sent >= 0 || errno != EAGAIN) attached->waiting = 0;
}

// Does not wait for a container that does not read what is typed: its output has to be shown meanwhile.
static void send_typed(Attached *attached, const char *bytes, size_t length)
{
    attached->packet[0] = STREAM_IN;
    memcpy(attached->packet + 1, bytes, length);
    attached->waiting = length + 1;
    send_waiting(attached);
}

static void send_size(const Attached *attached)
{
    struct winsize size = terminal_size();
    char text[33] = {STREAM_RESIZE};
    int length = snprintf(text + 1, sizeof text - 1, "resize %u %u", size.ws_row, size.ws_col);
    if (attached->has_terminal)
        (void)TEMP_FAILURE_RETRY(send(attached->socket, text, (size_t)length + 1, MSG_NOSIGNAL));
}

static int take_output(const Attached *attached)
{
    char packet[STREAM_MAX + 2];
    ssize_t length = TEMP_FAILURE_RETRY(recv(attached->socket, packet, sizeof packet - 1, 0));
    // Told once when the monitor closed without having read all that was typed; what it sent is still to
    // come.
    if (length < 0 && errno == ECONNRESET) return GOES_ON;
    if (length <= 0) {
        restore_terminal();
        die(EXIT_HOST, "HOST_REFUSED", "the container runs on if its monitor does: see nslab ps",
            "the monitor has closed the connection");
    }
    packet[length] = '\0';
    if (packet[0] == STREAM_OUT) write_all(STDOUT_FILENO, packet + 1, (size_t)length - 1);
    if (packet[0] == STREAM_ERR) write_all(STDERR_FILENO, packet + 1, (size_t)length - 1);
    return starts_with(packet, "exit ") ? atoi(packet + 5) : GOES_ON;
}

static int take_typed(Attached *attached)
{
    char bytes[STREAM_MAX];
    // What waits is sent before more is read.
    if (attached->waiting > 0) return GOES_ON;
    ssize_t got = TEMP_FAILURE_RETRY(read(STDIN_FILENO, bytes, sizeof bytes - KEYS_ROOM));
    if (got < 0 && errno == EAGAIN) return GOES_ON;
    if (got <= 0) {
        attached->has_stdin = false;
        send_typed(attached, "", 0);
        return GOES_ON;
    }
    unsigned long length = (unsigned long)got;
    bool detached = attached->has_terminal && find_detach_keys(&attached->detach, bytes, &length);
    // An empty packet would mean the end of stdin.
    if (length > 0) send_typed(attached, bytes, length);
    return detached ? 0 : GOES_ON;
}

static void pass_signal(const Attached *attached, int number)
{
    cleanup_fd int fd = control_connect(attached->dir);
    char text[32];
    int length = snprintf(text, sizeof text, "kill %d", number);
    if (fd < 0 || send(fd, text, (size_t)length, MSG_NOSIGNAL) < 0) return;
    // Its answer is not needed, but the monitor must have read the request before the connection ends.
    (void)!recv(fd, text, sizeof text, 0);
}

static int take_signal(const Attached *attached)
{
    struct signalfd_siginfo info;
    if (TEMP_FAILURE_RETRY(read(attached->signals, &info, sizeof info)) != (ssize_t)sizeof info)
        return GOES_ON;
    int number = (int)info.ssi_signo;
    if (number == SIGWINCH) {
        send_size(attached);
    } else if (number == SIGHUP || attached->has_terminal) {
        // Our terminal has gone, or somebody wants this process away, not the container.
        return 128 + number;
    } else {
        pass_signal(attached, number);
    }
    return GOES_ON;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    static const int numbers[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGTTOU, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void connect_stream(Attached *attached, const char *request)
{
    attached->socket = control_connect(attached->dir);
    if (attached->socket < 0)
        die(EXIT_HOST, "HOST_REFUSED", NULL, "the container has no monitor: %s", strerror(errno));
    char answer[CONTROL_TEXT_MAX + 1];
    (void)TEMP_FAILURE_RETRY(send(attached->socket, request, strlen(request), MSG_NOSIGNAL));
    ssize_t length = TEMP_FAILURE_RETRY(recv(attached->socket, answer, CONTROL_TEXT_MAX, 0));
    if (length <= 0) die(EXIT_HOST, "HOST_REFUSED", NULL, "the monitor does not answer");
    answer[length] = '\0';
    if (!starts_with(answer, "ok")) die(EXIT_HOST, "HOST_REFUSED", NULL, "%s", answer);
    attached->has_terminal = strcmp(answer, "ok tty") == 0 && attached->has_stdin && isatty(STDIN_FILENO);
}

// The command of a container that waits at its gate begins only now, so that nothing it prints is missed.
static void start_container(const Attached *attached)
{
    cleanup_fd int fd = control_connect(attached->dir);
    char answer[CONTROL_TEXT_MAX + 1];
    ssize_t length = fd < 0 || send(fd, "start", strlen("start"), MSG_NOSIGNAL) < 0
                         ? -1
                         : TEMP_FAILURE_RETRY(recv(fd, answer, CONTROL_TEXT_MAX, 0));
    if (length <= 0) die(EXIT_HOST, "HOST_REFUSED", NULL, "the monitor does not answer");
    answer[length] = '\0';
    if (!starts_with(answer, "ok")) die(EXIT_HOST, "HOST_REFUSED", NULL, "%s", answer);
}

static int relay(Attached *attached)
{
    for (;;) {
        struct pollfd polled[] = {
            {.fd = attached->socket, .events = attached->waiting > 0 ? POLLIN | POLLOUT : POLLIN},
            {.fd = attached->signals, .events = POLLIN},
            {.fd = attached->has_stdin && attached->waiting == 0 ? STDIN_FILENO : -1, .events = POLLIN},
        };
        int status = GOES_ON;
        if (poll(polled, sizeof polled / sizeof *polled, -1) < 0) continue;
        if (polled[1].revents != 0) status = take_signal(attached);
        if ((polled[0].revents & POLLOUT) != 0) send_waiting(attached);
        if (status == GOES_ON && (polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            status = take_output(attached);
        if (status == GOES_ON && polled[2].revents != 0) status = take_typed(attached);
        if (status != GOES_ON) return status;
    }
}

int verb_attach(int argc, char **argv)
{
    Attached attached = {.has_stdin = true};
    const char *keys = "ctrl-p,ctrl-q";
    bool starts = false, removes = false;
    int i = 1;
    for (; i < argc && starts_with(argv[i], "--"); i++) {
        if (strcmp(argv[i], "--start") == 0) {
            starts = true;
        } else if (strcmp(argv[i], "--removes") == 0) {
            removes = true;
        } else if (strcmp(argv[i], "--no-stdin") == 0) {
            attached.has_stdin = false;
        } else if (strcmp(argv[i], "--detach-keys") == 0 && i + 1 < argc) {
            keys = argv[++i];
        } else {
            die(EXIT_USAGE, "USAGE", usage, "unknown option %s", quoted(argv[i]));
        }
    }
    if (i + 1 != argc) die(EXIT_USAGE, "USAGE", usage, "one folder is wanted");
    if (!parse_detach_keys(keys, &attached.detach))
        die(EXIT_USAGE, "USAGE", "for example ctrl-p,ctrl-q or ctrl-x", "%s are no keys", quoted(keys));
    attached.dir = open(argv[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (attached.dir < 0) die_errno("open %s", quoted(argv[i]));
    attached.signals = open_signals();
    // Who started us is what the user sees of the container; a SIGKILL of it leaves no one on its terminal.
    prctl(PR_SET_PDEATHSIG, SIGHUP, 0, 0, 0);
    cleanup_free char *request = xasprintf("attach%s%s", starts ? " next" : "", removes ? " removes" : "");
    connect_stream(&attached, request);
    if (attached.has_terminal && !make_terminal_raw()) attached.has_terminal = false;
    send_size(&attached);
    if (starts) start_container(&attached);
    int status = relay(&attached);
    restore_terminal();
    return status;
}
