// The reaper behind op INIT (see init.h). It is a process of the container with the command's own rights, so
// it must need none: fork, wait4, kill, and nothing of the file system. Without it an orphan stays a zombie
// and a command without handlers does not end at SIGTERM, because the kernel keeps unhandled signals from PID
// 1 (pid_namespaces(7)).

#include "init.h"
#include "common.h"

#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// The kernel's set: glibc's keeps two real-time signals for itself, which a program may be sent all the same.
typedef uint64_t KernelSet;
static const KernelSet all_signals = ~(KernelSet)0;

static void set_mask(const KernelSet *mask, KernelSet *old)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, old, sizeof *mask);
}

// Its own foreground process group on the container's terminal, so that ^C reaches the command and not us.
// SIGTTOU is blocked here. Without a terminal there is nothing to do.
static void take_terminal(void)
{
    setpgid(0, 0);
    pid_t group = getpid();
    ioctl(STDIN_FILENO, TIOCSPGRP, &group);
}

// The exit status of the command once it has ended, -1 before.
static int reap(pid_t command)
{
    int status, result = -1;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid != command) continue;
        result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return result;
}

_Noreturn static void watch(pid_t command)
{
    prctl(PR_SET_NAME, "nslab-init");
    // The command alone decides when a pipe or a terminal is closed.
    close_range(0, ~0U, 0);
    for (;;) {
        siginfo_t info;
        long number = syscall(SYS_rt_sigtimedwait, &all_signals, &info, NULL, sizeof all_signals);
        if (number == SIGCHLD) {
            int status = reap(command);
            if (status >= 0) _exit(status);
        } else if (number > 0) {
            kill(command, (int)number);
        }
    }
}

void become_init(void)
{
    KernelSet old;
    set_mask(&all_signals, &old);
    // SIGCHLD ignored would make the kernel reap in our place and lose the status.
    signal(SIGCHLD, SIG_DFL);
    pid_t command = fork();
    if (command < 0) die_errno("start the command under init");
    if (command > 0) watch(command);
    take_terminal();
    set_mask(&old, NULL);
}
