// Files with several names: the name under which each was written first.

#ifndef NSLAB_TAR_LINKS_H
#define NSLAB_TAR_LINKS_H

#include "common.h"

#include <stdint.h>

typedef struct {
    uint64_t device;
    uint64_t inode;
    char *name;
} SeenFile;

typedef struct {
    SeenFile *files; // hashed
    size_t count;
    size_t room; // a power of two
} SeenFiles;

/// The name that the file was added with, or NULL after adding it.
const char *seen_or_add(SeenFiles *seen, uint64_t device, uint64_t inode, const char *name);
void seen_free(SeenFiles *seen);

#endif
