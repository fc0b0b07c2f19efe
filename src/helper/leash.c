// See leash.h.

#include "leash.h"
#include "memory.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// It keeps nothing of the monitor's: a descriptor held here would keep a pipe or a socket open after the
// monitor's end.
_Noreturn static void be_leash(int ready)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_NAME, "nslab-leash", 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    // Had the monitor died before the line above, nobody would read this, and SIGPIPE is ignored there.
    if (TEMP_FAILURE_RETRY(write(ready, "", 1)) != 1) _exit(1);
    close_range(0, ~0U, 0);
    forget_code();
    for (;;)
        pause();
}

static pid_t clone_leash(void)
{
    struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

static int open_namespace(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

bool leash_hold(Leash *leash, Failure *failure)
{
    if (leash->pid > 0) return true;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return fail(failure, errno, "make a pipe");
    pid_t pid = clone_leash();
    if (pid == 0) {
        close(ends[0]);
        be_leash(ends[1]);
    }
    int error = errno;
    close(ends[1]);
    char byte;
    bool good = pid > 0 && TEMP_FAILURE_RETRY(read(ends[0], &byte, 1)) == 1;
    close(ends[0]);
    if (pid < 0) return fail(failure, error, "make a pid namespace");
    *leash = (Leash){.pid = pid, .namespace = good ? open_namespace(pid) : -1};
    if (leash->namespace >= 0) return true;
    error = errno;
    leash_release(leash);
    return fail(failure, good ? error : ECHILD, "hold the container on a leash");
}

void leash_lost(Leash *leash)
{
    if (leash->namespace >= 0) close(leash->namespace);
    *leash = (Leash){.pid = 0, .namespace = -1};
}

void leash_release(Leash *leash)
{
    if (leash->pid > 0) {
        kill(leash->pid, SIGKILL);
        (void)TEMP_FAILURE_RETRY(waitpid(leash->pid, NULL, 0));
    }
    leash_lost(leash);
}
