// The mount table of the calling process, /proc/self/mountinfo (proc_pid_mountinfo(5)), and the mount API of
// Linux 5.2.

#ifndef NSLAB_MOUNTS_H
#define NSLAB_MOUNTS_H

#include "common.h"

typedef struct {
    int id;
    int parent;
    char *point;
    char *type;
    bool shared;
} Mount;

typedef struct {
    Mount *items;
    size_t count;
} MountTable;

/// Reads the table; false when /proc cannot be read.
bool read_mounts(MountTable *out);
void free_mounts(MountTable *table);

/// A detached copy of the mount at the path and of all mounts below it, or -1 (open_tree(2)).
int clone_mount(const char *path);
/// Attaches what clone_mount() returned (move_mount(2)).
int attach_mount(int fd, const char *path);

#endif
