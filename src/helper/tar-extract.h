// Makes the files of an archive, in two ways: as a layer, into an empty folder and in the form that overlayfs
// reads; and as files, into a root that has some already, as `docker cp` does.
//
// A layer: a whiteout becomes a character device 0:0, an opaque directory gets trusted.overlay.opaque (in a
// user namespace user.overlay.opaque). The order of entries does not matter: whiteouts touch lower layers
// alone, so a name that the layer has as well stays, and is made opaque when it is a directory. A device 0:0
// in the archive is a whiteout too, since overlayfs will take it for one. Directories that no entry tells of
// get mode 0755 and the time 0, so that two unpackings are equal. An opaque root means nothing to overlayfs
// and stays without effect. Files: names that begin with .wh. are names; what is there is replaced, but never
// a directory by something else or the other way round.

#ifndef NSLAB_TAR_EXTRACT_H
#define NSLAB_TAR_EXTRACT_H

#include "tar-name.h"
#include "tar-place.h"
#include "tar-read.h"
#include "tar-times.h"

typedef struct {
    uint64_t max_bytes;
    uint64_t max_entries;
    bool no_devices;
    bool layer;
} ExtractRules;

typedef struct {
    Place place;
    ExtractRules rules;
    const char *prefix; // clean name of where files go, "" for the root
    DirTimes times;
    uint64_t bytes; // of files as they are unpacked, holes included
    uint64_t entries;
    unsigned refused_xattrs;
    bool default_acls;
} Extract;

enum { DEFAULT_MAX_ENTRIES = 1000 * 1000 };
#define DEFAULT_MAX_BYTES (1ULL << 40)

/// Unpacks what comes on the descriptor, to its end. The place has been entered. Dies at the first thing that
/// is not right, and leaves what it has made.
void extract_all(Extract *extract, int fd);

#endif
