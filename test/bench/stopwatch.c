// Runs a command COUNT times, one after another, and prints how long each took and what the largest needed:
// wall-clock time from spawn to exit, peak resident memory (getrusage(2) ru_maxrss as wait4(2) gives it),
// exit status, and with -f the most descriptors that were open at once. A small C program does it because a
// spawn from Node costs more than the command.
//
//   stopwatch [-f] COUNT COMMAND [ARG]...
//
// Stdin and stdout of the command are /dev/null, its stderr is ours. Ctrl-C reaches the command alone; we
// report how it ended.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int open_descriptors(pid_t pid)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *folder = opendir(path);
    if (folder == NULL) return 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (entry->d_name[0] != '.') count++;
    closedir(folder);
    return count;
}

// A sample every half millisecond: it disturbs the run, so such a run is not one to take the time of.
static int watch_descriptors(pid_t pid)
{
    int most = 0;
    siginfo_t info = {0};
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0) {
        int count = open_descriptors(pid);
        if (count > most) most = count;
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    return most;
}

int main(int argc, char **argv)
{
    bool watch = argc > 1 && strcmp(argv[1], "-f") == 0;
    char **words = argv + (watch ? 2 : 1);
    if (argc - (watch ? 1 : 0) < 3 || atoi(words[0]) < 1) {
        fputs("usage: stopwatch [-f] COUNT COMMAND [ARG]...\n", stderr);
        return 2;
    }
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGINT);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    signal(SIGINT, SIG_IGN);

    int count = atoi(words[0]);
    int status = 0;
    int descriptors = 0;
    long rss = 0;
    printf("{\"ms\":[");
    for (int i = 0; i < count && status == 0; i++) {
        pid_t pid;
        struct rusage usage;
        double start = now();
        int error = posix_spawnp(&pid, words[1], &files, &attributes, words + 1, environ);
        if (error != 0) {
            fprintf(stderr, "stopwatch: %s: %s\n", words[1], strerror(error));
            return 127;
        }
        if (watch) descriptors = watch_descriptors(pid);
        while (wait4(pid, &status, 0, &usage) < 0)
            if (errno != EINTR) return 1;
        printf("%s%.3f", i == 0 ? "" : ",", now() - start);
        if (usage.ru_maxrss > rss) rss = usage.ru_maxrss;
    }
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    printf("],\"status\":%d,\"rssKib\":%ld,\"descriptors\":%d}\n", code, rss, descriptors);
    return 0;
}
