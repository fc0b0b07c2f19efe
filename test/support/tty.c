// Runs a command on a terminal of its own, for tests: bytes from stdin are typed, what the terminal shows goes to stdout,
// and the exit status is the command's (128+n on a signal). `tty ROWS COLUMNS COMMAND [ARGUMENT...]`. pty(7), forkpty(3).
// The end of stdin types nothing: a test says ^D when it means it.

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 125;
}

static int write_all(int fd, const char *bytes, ssize_t left)
{
    while (left > 0) {
        ssize_t written = write(fd, bytes, (size_t)left);
        if (written < 0 && errno != EINTR) return -1;
        if (written > 0) bytes += written, left -= written;
    }
    return 0;
}

// Copies both ways until the terminal is closed, which Linux reports as EIO.
static void relay(int terminal)
{
    struct pollfd ends[2] = {{.fd = terminal, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    char bytes[65536];
    for (;;) {
        if (poll(ends, 2, -1) < 0 && errno != EINTR) return;
        if ((ends[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            ssize_t length = read(terminal, bytes, sizeof bytes);
            if (length <= 0 || write_all(STDOUT_FILENO, bytes, length) < 0) return;
        }
        if ((ends[1].revents & (POLLIN | POLLHUP)) != 0) {
            ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
            if (length <= 0) ends[1].fd = -1;
            else if (write_all(terminal, bytes, length) < 0) return;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) return fprintf(stderr, "usage: tty ROWS COLUMNS COMMAND [ARGUMENT...]\n"), 125;
    struct winsize size = {.ws_row = (unsigned short)atoi(argv[1]), .ws_col = (unsigned short)atoi(argv[2])};
    int terminal;
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    if (child < 0) return fail("forkpty");
    if (child == 0) {
        execvp(argv[3], argv + 3);
        _exit(fail(argv[3]));
    }
    relay(terminal);
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) return fail("waitpid");
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
