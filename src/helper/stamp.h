// Has the mount table of the host changed since a copy of it was made? Needed only where mounts do not
// propagate (a machine without systemd, a container). listmount(2), statmount(2): Linux 6.8.

#ifndef NSLAB_STAMP_H
#define NSLAB_STAMP_H

#include "common.h"

#include <stdint.h>

enum { STAMP_MOUNTS = 1000 };

/// The mounts that matter to a command, by their unique ids, ascending. Labs' pins and other namespaces'
/// files do not.
typedef struct {
    uint64_t newest; // the newest id seen, of any mount
    uint64_t count;
    uint64_t ids[STAMP_MOUNTS];
} Stamp;

/// False when the kernel is too old or there are too many mounts.
bool take_stamp(Stamp *out);
/// True when every mount of the stamp is still there and no other one that matters has come.
bool stamp_is_current(const Stamp *stamp);

#endif
