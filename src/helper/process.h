// The last steps of every process of a container, for init and exec alike: limits, credentials, capabilities,
// seccomp, execve. It runs inside the container, so it opens no path of the container's for writing, and lets
// no descriptor through. Order: RUNNER's security tail; capabilities(7), seccomp(2), prctl(2).

#ifndef NSLAB_PROCESS_H
#define NSLAB_PROCESS_H

#include "program.h"

/// True when the command can be found from the current root, with PATH of the program's ENV and from its CWD.
bool find_executable(const Program *ops, Failure *failure);

/// Sets oom_score_adj as the program says. Call it while /proc is still the host's: a container's may be
/// anything. Where the machine does not allow it the old value stays.
bool set_oom_score(const Program *ops, Failure *failure);

/// Raises the hard limits that the program wants higher, as far as this machine grants it. In a user namespace
/// nobody can, so it comes before that.
void raise_limits(const Program *ops);

/// What of the program this machine does not grant, as text; "" when it grants everything.
void describe_ungranted(const Program *ops, char *out, size_t size);

/// Does the process ops in this process and becomes the command. It ends with 126 or 127 and a line on stderr
/// when the command cannot be run, with 125 when a step before it failed. Descriptors above 2 are closed;
/// signals are as after a fresh start.
_Noreturn void become(const Program *ops);

#endif
