// Starts a process inside a running container, as a child of the caller: for `nslab exec`, `nslab shell` and
// health checks.

#ifndef NSLAB_CONTAINER_SPAWN_H
#define NSLAB_CONTAINER_SPAWN_H

#include "program.h"

#include <sys/ioctl.h>
#include <sys/types.h>

typedef struct {
    int stdio[3]; // for 0, 1 and 2, -1: /dev/null. A terminal takes their place before the command runs.
    const struct winsize *size; // a terminal of its own, from the container's devpts; NULL: none
    /// Called inside the container, before the process gives up its rights. It may change the ops; what it
    /// cannot do it says on stderr, and exits.
    void (*prepare)(Program *ops, void *argument);
    void *argument;
    bool outlives; // it goes on when the caller has ended
} SpawnOptions;

typedef struct {
    pid_t pid;     // a child of the caller, to be waited for
    int master;    // of the terminal, or -1
    bool prepared; // prepare() has returned; otherwise its exit status follows
} Spawned;

/// The pidfd is that of the container's init, checked against its start time. The process dies with the
/// caller, unless it outlives it.
bool spawn_in_container(int pidfd, Program *ops, const SpawnOptions *options, Spawned *out, Failure *failure);

#endif
