// The maps of sparse files, as GNU tar writes them: in a header of its own (type S), and in pax records in
// the versions 0.0, 0.1 and 1.0, the last of which has its map before the contents. "GNU tar", Storing Sparse
// Files; archive/tar of Go reads the same.

#ifndef NSLAB_TAR_SPARSE_H
#define NSLAB_TAR_SPARSE_H

#include "tar-read.h"

/// Fills the map and the size of a type S entry; reads the blocks that follow its header.
void sparse_read_old(TarReader *reader, const TarHeader *header, TarEntry *entry);
/// The same when the pax records of a regular file say that it is sparse. True when they do.
bool sparse_read_pax(TarReader *reader, TarEntry *entry);

#endif
