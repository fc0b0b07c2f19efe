// Why making or entering a container failed, as one line that names the op and the path. It is plain data
// without pointers, so that init, which fails in another process, sends it to its parent as it is.

#ifndef NSLAB_FAILURE_H
#define NSLAB_FAILURE_H

#include "common.h"

typedef struct {
    int error;  // errno, or EINVAL where the program itself is wrong
    int status; // of a shell that cannot run a command, 126 or 127; 0 where it is not the command
    char text[512];
} Failure;

/// Fills the failure and returns false, so that a caller can write `return fail(...)`. With an error other
/// than 0 its text follows after a colon. Control characters are made visible: paths may come from a hostile
/// root file system.
bool fail(Failure *out, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
