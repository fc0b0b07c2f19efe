// See cgroup-kill.h. Documentation/admin-guide/cgroup-v2.rst "cgroup.kill", cgroups(7).

#include "cgroup-kill.h"

#include <fcntl.h>
#include <signal.h>

// So often the lists of cgroup v1 are read, where processes may fork between the reading and the killing.
enum { PASSES = 100 };

// Reaches every process at one moment, those that are being forked and the groups below included; Linux 5.14.
static bool kill_at_once(const char *directory)
{
    cleanup_free char *path = xasprintf("%s/cgroup.kill", directory);
    cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && TEMP_FAILURE_RETRY(write(fd, "1", 1)) == 1;
}

// False when nobody is in it any more.
static bool kill_each(const char *directory)
{
    cleanup_free char *path = xasprintf("%s/cgroup.procs", directory);
    cleanup_file FILE *procs = fopen(path, "re");
    bool any = false;
    // A process of a foreign pid namespace reads as 0, and kill(2) would take that for our own group.
    for (int pid; procs != NULL && fscanf(procs, "%d", &pid) == 1;) {
        if (pid > 0 && kill(pid, SIGKILL) == 0) any = true;
    }
    return any;
}

void kill_cgroups(const Program *program)
{
    for (const Op *op = NULL; (op = program_next(program, OP_CGROUP, op)) != NULL;) {
        if ((op->flags & CGROUP_FLAG_V2) != 0 && kill_at_once(op->fields[0].text)) return;
    }
    for (int pass = 0; pass < PASSES; pass++) {
        bool any = false;
        for (const Op *op = NULL; (op = program_next(program, OP_CGROUP, op)) != NULL;)
            any = kill_each(op->fields[0].text) || any;
        if (!any) return;
    }
}
