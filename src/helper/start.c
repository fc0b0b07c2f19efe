// `nslab-helper _start [--created] [--when-told] DIR...`: starts the containers of the folders, all at once, and
// prints one line each in the order given: `DIR ok PID` or `DIR error TEXT`. Ends with 0 when all have started.
// With --when-told each waits for one byte on stdin, in the same order, which says that its folder is ready: so
// the caller prepares the next one meanwhile. The end of stdin means that the rest is not wanted. What stays is
// one monitor a container (monitor.c).

#include "common.h"
#include "monitor.h"
#include "sealed.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { REPORT_MAX = 1024 };

static int start_one(const char *path, bool held)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) die_errno("make a pipe");
    pid_t pid = fork();
    if (pid < 0) die_errno("start a monitor");
    if (pid > 0) {
        close(ends[1]);
        return ends[0];
    }
    // All others are of other containers, or of who called us; a terminal or a lock must not be held by a
    // monitor.
    if (dup3(ends[1], STDERR_FILENO + 1, O_CLOEXEC) < 0 && ends[1] != STDERR_FILENO + 1) _exit(EXIT_BUG);
    close_range(STDERR_FILENO + 2, ~0U, 0);
    run_monitor(path, held, STDERR_FILENO + 1);
}

static bool print_report(const char *path, int fd)
{
    char text[REPORT_MAX + 1];
    // One write(2), so one read: the end of the pipe would come later, since an init at its gate has it open
    // too.
    ssize_t length = TEMP_FAILURE_RETRY(read(fd, text, REPORT_MAX));
    close(fd);
    text[length < 0 ? 0 : length] = '\0';
    printf("%s %s\n", path, length <= 0 ? "error the monitor died" : text);
    return starts_with(text, "ok ");
}

static bool is_wanted(void)
{
    char ready;
    return TEMP_FAILURE_RETRY(read(STDIN_FILENO, &ready, 1)) == 1;
}

int verb_start(int argc, char **argv)
{
    char *environment[] = {NULL};
    seal_self(argv, environment);
    bool held = false, told = false;
    int count = argc - 1;
    char **paths = argv + 1;
    for (; count > 0 && paths[0][0] == '-'; count--, paths++) {
        if (strcmp(paths[0], "--created") == 0)
            held = true;
        else if (strcmp(paths[0], "--when-told") == 0)
            told = true;
        else
            die(EXIT_USAGE, "USAGE", NULL, "unknown option %s", quoted(paths[0]));
    }
    if (count < 1)
        die(EXIT_USAGE, "USAGE", "usage: nslab-helper _start [--created] [--when-told] DIR...",
            "the folder is missing");
    int *reports = xcalloc((size_t)count, sizeof *reports);
    signal(SIGCHLD, SIG_DFL);
    for (int i = 0; i < count; i++) {
        if (*paths[i] != '/') die(EXIT_USAGE, "USAGE", NULL, "%s is not absolute", quoted(paths[i]));
    }
    int started = 0;
    for (; started < count && (!told || is_wanted()); started++)
        reports[started] = start_one(paths[started], held);
    bool good = started == count;
    for (int i = 0; i < started; i++)
        good = print_report(paths[i], reports[i]) && good;
    free(reports);
    return fflush(stdout) == 0 && good ? 0 : EXIT_BUG;
}
