// RUN/state, the one file that tells others how a container is: `key value` lines, replaced as a whole by a
// rename. Written by the monitor alone while it lives; whoever finds the monitor dead may write that it is.
// Also the identity of a process (pid and start time), because a pid alone may have been given to another
// process: proc_pid_stat(5), pidfd_open(2).

#ifndef NSLAB_CONTAINER_STATE_H
#define NSLAB_CONTAINER_STATE_H

#include "common.h"

#include <stdint.h>
#include <sys/types.h>

enum { TIME_TEXT = 40, HEALTH_LOG_MAX = 4096, STATE_ERROR_MAX = 512 };

typedef enum { CREATED, RUNNING, PAUSED, RESTARTING, EXITED } Status;

typedef struct {
    Status status;
    pid_t pid; // of init as the host sees it, 0 when there is none
    uint64_t start;
    pid_t monitor;
    uint64_t monitor_start;
    char created[TIME_TEXT];
    char started[TIME_TEXT];
    char finished[TIME_TEXT];
    int exit; // -1: has not ended yet
    int signal;
    bool oom;
    uint32_t restarts;
    const char *health; // NULL: there is no health check
    char health_log[HEALTH_LOG_MAX];
    size_t health_log_length;
    char error[STATE_ERROR_MAX];
} ContainerState;

/// Milliseconds of CLOCK_MONOTONIC.
uint64_t now_ms(void);
/// Now as RFC 3339 in UTC with nanoseconds.
void write_time(char out[TIME_TEXT]);

/// Field 22 of /proc/PID/stat, 0 when there is no such process.
uint64_t process_start(pid_t pid);
/// A pidfd of the process that has this pid and began then; -1 when it has ended.
int open_process(pid_t pid, uint64_t start);

/// Replaces `state` in the directory; false and errno when it cannot.
bool state_write(int dir, const ContainerState *state);
/// Reads what others need: status, pids with start times, exit. False when there is no (whole) state.
bool state_read(int dir, ContainerState *out);
/// Says in `state` that the container is gone with its monitor, keeping all else.
void state_mark_dead(int dir, const char *why);

#endif
