// PID 1 of a container with `init: true` (op INIT): a reaper that starts the command and gives it all
// signals.

#ifndef NSLAB_INIT_H
#define NSLAB_INIT_H

/// Splits the process: the child returns and goes on to execve(), PID 1 stays behind as its reaper and ends
/// as the command ends, with 128+n after a signal. Call it with the credentials, limits and filter of the
/// command, last before execve().
void become_init(void);

#endif
