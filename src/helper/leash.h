// What ends a container when its monitor dies, however it dies. PR_SET_PDEATHSIG on init alone does not: a
// change of credentials clears it, and any command may change its own (su, gosu, a set-user-ID program). So
// the container's pid namespace is made inside of another, whose only process is the leash: a child of the
// monitor that never execs and never changes its credentials. The monitor's death kills the leash, and the
// kernel kills all of a pid namespace, those below it included, when its init dies (pid_namespaces(7)).

#ifndef NSLAB_LEASH_H
#define NSLAB_LEASH_H

#include "failure.h"

#include <sys/types.h>

typedef struct {
    pid_t pid;     // 0: there is none
    int namespace; // its pid namespace, -1: there is none
} Leash;

/// Makes the leash, unless there is one. The caller must be single-threaded.
bool leash_hold(Leash *leash, Failure *failure);
/// Ends it and waits for that. No process of the container may be left but zombies of others.
void leash_release(Leash *leash);
/// Somebody else has ended it, and it has been reaped.
void leash_lost(Leash *leash);

#endif
