// Where an archive is unpacked: a root that this process has entered with chroot(2), and directories in it.
//
// Two guards, each of which would do alone. The process is chrooted: nothing it resolves, by mistake or not,
// is outside. And every directory is opened by the kernel under the same rules (openat2(2) with
// RESOLVE_IN_ROOT and without magic links, so that /proc/PID/root of a container's own proc is none of the
// ways out of a chroot); what is made in it is made relative to that descriptor by calls that do not follow a
// link. No mount namespace is needed on top: the process mounts nothing, holds no descriptor of a directory
// outside and never calls chroot(2) again, which are the ways out (`_pack` alone holds descriptors of lower
// layers, which it only asks, and in the same way); and the root of a running container is in another mount
// namespace.
//
// A symbolic link in the middle of a path is followed, inside the root: that is what Docker and
// containers/storage do, and archives made by hand have "lib/x" after "lib -> usr/lib". One that leads to
// nothing is an error. The path of such a directory is asked of the kernel and used from then on, so that
// links cannot make a tree deeper than TAR_MAX_DEPTH or paths longer than PATH_MAX, which nobody could
// remove.

#ifndef NSLAB_TAR_PLACE_H
#define NSLAB_TAR_PLACE_H

#include "common.h"
#include "tar-format.h"

typedef struct {
    int fd; // O_RDONLY
    bool setgid;
    bool whited_out; // it does not exist, and a whiteout of this layer says that it never will
    char asked[TAR_MAX_NAME + 1];
    char path[TAR_MAX_NAME + 1]; // without links
} Parent;

typedef struct {
    int root;
    int descriptors; // /proc/self/fd from before the chroot, or -1
    bool layer;
    Parent parent; // the last one used: entries of one directory follow one another
    void (*made)(void *context, const char *path); // a directory that no entry told of
    void *context;
} Place;

/// Enters the folder: "/" is it from then on. Dies when it cannot.
void place_enter(Place *place, const char *folder);
/// The directory that holds the name, made with mode 0755 where missing. It is the place's and good until the
/// next call. In a layer, a whiteout of the same layer on the way becomes an opaque directory, or with
/// `keep_whiteouts` sets Parent.whited_out.
const Parent *place_parent(Place *place, const char *name, bool keep_whiteouts);
/// A directory of the name itself; -1 and errno on failure. Follows links unless `resolve` forbids it.
int place_open_dir(const Place *place, const char *name, unsigned long resolve);
/// The path of an open directory, in `path` of TAR_MAX_NAME + 1. Dies when it is too long or too deep.
void place_path(int fd, char *path);

/// Makes overlayfs take the directory for the whole of it.
void make_opaque(int fd);
/// A character device 0:0, overlayfs' whiteout.
bool is_whiteout(int parent, const char *name);
/// Removes what is under the name, and all below. Never follows a link.
void remove_tree(int parent, const char *name);

#endif
