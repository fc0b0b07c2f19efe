// Reaching the machine from inside a node: /proc/PID/root and /proc/PID/ns of a process that is outside
// (proc(5)).

#ifndef NSLAB_OUTSIDE_H
#define NSLAB_OUTSIDE_H

/// Opens a file of /proc/PID of the init process or, where that may not be looked at (a container, a
/// sandbox), of the outermost ancestor that may. `what` is for example "ns/net". Returns -1 with errno when
/// nobody can be asked.
int open_outside(const char *what, int flags);

#endif
