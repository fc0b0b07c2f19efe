// See join.h. setns(2) with a pidfd enters all namespaces at once (Linux 5.8), so there is no moment in some
// of them, and no race with the pid.

#include "join.h"
#include "cgroup-join.h"
#include "process.h"
#include "userns.h"

#include <sched.h>
#include <sys/prctl.h>

bool join_container(int pidfd, const Program *ops, Failure *failure)
{
    // Who may trace processes inside still cannot look into this one before it execs, unless it may on the
    // whole machine.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return fail(failure, errno, "make this process undumpable");
    int *cgroups = open_cgroups(ops, false, failure);
    bool good = cgroups != NULL && set_oom_score(ops, failure) && join_cgroups(ops, cgroups, false, failure);
    close_cgroups(cgroups);
    if (!good) return false;
    bool has_user = program_find(ops, OP_ID_MAP) != NULL;
    if (has_user) raise_limits(ops);
    const int all = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET |
                    CLONE_NEWCGROUP | (has_user ? CLONE_NEWUSER : 0);
    // A kernel without time namespaces refuses the flag.
    if (setns(pidfd, all | CLONE_NEWTIME) < 0 && (errno != EINVAL || setns(pidfd, all) < 0))
        return fail(failure, errno, "enter the container");
    return !has_user || become_inner_root(failure);
}
