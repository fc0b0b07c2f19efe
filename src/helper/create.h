// Makes a container's init from its program: namespaces, cgroups, root file system, terminal, all but the
// command itself. The caller (the monitor) is init's parent; init is a clone of it that never returns. A
// program is trusted (root wrote it); the root file system, the image's files and everything inside the
// container are not. Algorithms: RUNNER's order of work.

#ifndef NSLAB_CREATE_H
#define NSLAB_CREATE_H

#include "leash.h"
#include "program.h"

#include <sys/types.h>

/// What init gets as 0, 1 and 2. -1 means /dev/null. Not used when the program has a TERMINAL.
typedef struct {
    int in;
    int out;
    int err;
} Stdio;

typedef struct {
    pid_t pid;
    int pidfd;
    int gate;          // write one byte: go; close it: init dies without having run anything
    int master;        // of the terminal, or -1
    char warning[256]; // what the machine does not grant (a limit, a capability); "" when there is nothing
} Init;

/// Makes init and returns when it waits at its gate: everything that can fail has been done, and the
/// executable has been found. False and the failure otherwise, with nothing left behind. All descriptors in
/// `out` are close-on-exec. The caller must be single-threaded. It should have sealed itself (sealed.h). A pid
/// namespace of the container's own is made on the leash, where there is one (NULL: there is none).
bool create_init(const Program *program, const Stdio *stdio, const Leash *leash, Init *out, Failure *failure);
/// True when the program makes a pid namespace, with whose init all processes of the container end.
bool makes_pid_namespace(const Program *program);

#endif
