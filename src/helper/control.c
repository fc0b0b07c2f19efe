// Both ends of the control socket (see control.h), and `_control DIR REQUEST...`. Found dead, a monitor is
// reported, and the container with it: the kernel kills init when its parent dies (PR_SET_PDEATHSIG), and who
// asks makes sure of it.

#include "control.h"
#include "container-state.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

enum { BACKLOG = 32, DEATH_MS = 10000 };

// Through /proc/self/fd: a path to the folder of a lab with a long name does not fit into sun_path.
static struct sockaddr_un address_in(int dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", dir);
    return address;
}

int control_connect(int dir)
{
    struct sockaddr_un address = address_in(dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (TEMP_FAILURE_RETRY(connect(fd, (struct sockaddr *)&address, sizeof address)) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int control_listen(int dir)
{
    int other = control_connect(dir);
    if (other >= 0) {
        close(other);
        errno = EADDRINUSE;
        return -1;
    }
    if (unlinkat(dir, "control", 0) < 0 && errno != ENOENT) return -1;
    struct sockaddr_un address = address_in(dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int control_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (fd < 0) return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == 0) return fd;
    close(fd);
    return -1;
}

// True when the process is gone for sure.
static bool kill_process(pid_t pid, uint64_t start)
{
    cleanup_fd int fd = open_process(pid, start);
    if (fd < 0) return errno == ESRCH;
    syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    struct pollfd gone = {.fd = fd, .events = POLLIN};
    return TEMP_FAILURE_RETRY(poll(&gone, 1, DEATH_MS)) == 1;
}

static int answer_for_dead(int dir, const char *request)
{
    ContainerState state;
    if (!state_read(dir, &state)) {
        printf("error no container has been started here\n");
        return EXIT_BUG;
    }
    // A socket that refuses while its monitor lives: it is ending, or its file was removed.
    cleanup_fd int monitor = open_process(state.monitor, state.monitor_start);
    if (monitor >= 0) {
        printf("error the monitor (process %d) does not listen\n", (int)state.monitor);
        return EXIT_BUG;
    }
    if (!kill_process(state.pid, state.start)) {
        printf("error the monitor has died, and process %d of the container does not end\n", (int)state.pid);
        return EXIT_BUG;
    }
    if (state.status != EXITED) state_mark_dead(dir, "the monitor has died, and the container with it");
    if (strcmp(request, "end") == 0 || starts_with(request, "stop")) {
        printf("ok\n");
        return 0;
    }
    if (starts_with(request, "wait")) {
        int status = state.exit >= 0 ? state.exit : 128 + SIGKILL;
        printf("exit %d\n", status);
        return status;
    }
    printf("error the monitor has died, and the container with it\n");
    return EXIT_BUG;
}

static char *join_words(char **words)
{
    char *text = xstrdup(*words);
    for (char **word = words + 1; *word != NULL; word++) {
        char *longer = xasprintf("%s %s", text, *word);
        free(text);
        text = longer;
    }
    return text;
}

// Sends the request and reads the answer; its length, or -1 when the monitor is or has gone.
static ssize_t ask(int dir, const char *request, char *answer)
{
    cleanup_fd int fd = control_connect(dir);
    if (fd < 0) return -1;
    if (TEMP_FAILURE_RETRY(send(fd, request, strlen(request), MSG_NOSIGNAL)) < 0) return -1;
    ssize_t length = TEMP_FAILURE_RETRY(recv(fd, answer, CONTROL_TEXT_MAX, 0));
    if (length <= 0) return -1;
    answer[length] = '\0';
    return length;
}

int verb_control(int argc, char **argv)
{
    if (argc < 3)
        die(EXIT_USAGE, "USAGE", "usage: nslab-helper _control DIR REQUEST...", "the request is missing");
    cleanup_fd int dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) die_errno("open %s", quoted(argv[1]));
    cleanup_free char *request = join_words(argv + 2);
    char answer[CONTROL_TEXT_MAX + 1];
    int status;
    if (ask(dir, request, answer) < 0) {
        status = answer_for_dead(dir, request);
    } else {
        printf("%s\n", answer);
        status = starts_with(answer, "error")   ? EXIT_BUG
                 : starts_with(answer, "exit ") ? atoi(answer + 5)
                                                : 0;
    }
    return fflush(stdout) == 0 ? status : EXIT_BUG;
}
