// The times of directories, kept until all that changes them is done. Paths are stored by what they do not
// share with the one before, so a million directories take some dozen megabytes; there is a limit on top.

#ifndef NSLAB_TAR_TIMES_H
#define NSLAB_TAR_TIMES_H

#include "common.h"

#include <time.h>

typedef struct {
    unsigned char *bytes;
    size_t used;
    size_t room;
    char *last;
} DirTimes;

/// A later one for the same path counts.
void times_add(DirTimes *times, const char *path, struct timespec mtime);
/// Calls `apply` for each in order, and empties the list.
void times_apply(DirTimes *times, void (*apply)(void *context, const char *path, struct timespec mtime),
                 void *context);

#endif
