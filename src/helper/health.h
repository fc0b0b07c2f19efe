// The health check of a container: when the next probe is due, the probe as a process inside the container,
// and what its result means. Words and rules are Docker's: interval, timeout, retries, start period, start
// interval.

#ifndef NSLAB_HEALTH_H
#define NSLAB_HEALTH_H

#include "container-state.h"
#include "program.h"

#include <sys/types.h>

typedef struct {
    const Op *op;     // OP_HEALTH, NULL when there is none
    uint64_t started; // now_ms() when the container began to run
    uint64_t next;    // when the next probe is due, 0: none is
    pid_t probe;      // the running one, 0: none
    uint64_t probe_started;
    int output;        // of the running probe, -1: none
    uint32_t failures; // one after the other
    char log[HEALTH_LOG_MAX];
    size_t log_length;
} Health;

/// Begins anew with a container that has just started; sets the state's health.
void health_begin(Health *health, const Op *op, ContainerState *state);
/// Starts the probe that is due. `path` is the container's folder, whose `exec` says what rights it has.
void health_probe(Health *health, const char *path, const ContainerState *state);
/// Reads what the probe has written; all but the first bytes are lost.
void health_read(Health *health);
/// The probe has ended with that wait status. True when the state has changed.
bool health_ended(Health *health, int wait_status, ContainerState *state);
/// No more probes; a running one is killed and still has to be reaped.
void health_end(Health *health);
/// Kills a probe that does not end by itself; the time when to ask again, 0: never.
uint64_t health_deadline(Health *health);

#endif
