// Packs a tree: sorted by bytes, a directory before what is in it, each file once and as a hard link after
// that. Sockets are left out. As a layer, overlayfs' marks become those of the archive: a character device
// 0:0 is
// `.wh.NAME`, an opaque directory that a lower layer has as well gets `.wh..wh..opq` behind it, and whiteouts
// come before the other names of a directory.
//
// The process is chrooted to the tree and opens what it packs relative to descriptors, without following
// links, so a container that runs meanwhile can change what is packed but not where it is from. What it
// removes meanwhile is left out.

#ifndef NSLAB_TAR_WALK_H
#define NSLAB_TAR_WALK_H

#include "tar-links.h"
#include "tar-write.h"

typedef enum {
    WALK_LAYER,
    WALK_ONE_MOUNT, // what is mounted on the tree is an empty file or directory
    WALK_FILES,     // what is mounted is packed too, but for /proc, /sys and the like
} WalkKind;

typedef struct {
    WalkKind kind;
    TarOutput output;
    const int *lowers; // open layers, the topmost first
    size_t lower_count;
    SeenFiles seen;
    int current; // the directory that is the current one, or -1
    uint64_t mount;
    char name[TAR_MAX_NAME + 2]; // of the entry at hand in the archive; "" is the tree itself
    size_t length;
    int depth;
} Walk;

/// Packs what is under the name, and all below, as `name`; `entry` "." is the directory itself.
void walk_tree(Walk *walk, int parent, const char *entry, const char *name);

/// True when the layers, the first on top, together have a directory at the path.
bool lowers_have_dir(const int *lowers, size_t count, const char *path);

#endif
