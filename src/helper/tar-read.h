// Reads the entries of an uncompressed tar archive: v7, ustar, pax, GNU (long names, base-256 numbers, all
// four forms of sparse files). It tells what the archive says and believes nothing of it: names may be
// absolute or have "..", and it is for the caller to make them harmless.

#ifndef NSLAB_TAR_READ_H
#define NSLAB_TAR_READ_H

#include "tar-format.h"
#include "tar-input.h"
#include "tar-pax.h"

typedef struct {
    TarInput input;
    PaxSet global;
    PaxSet pax;      // for the entry at hand
    char *long_name; // GNU's
    char *long_link;
    char *name; // what the entry points to
    char *link;
    TarXattr *xattrs;
    TarSegment *segments;
    uint64_t left; // bytes of the entry at hand that are still to be read
    unsigned padding;
} TarReader;

void tar_open(TarReader *reader, int fd);
void tar_close(TarReader *reader);
/// The next entry, or false at the end. Its texts live until the next call. Dies when the archive is
/// malformed.
bool tar_next(TarReader *reader, TarEntry *entry);
/// Writes the contents of the entry at hand, a file, to where the empty file's offset is, with its holes.
void tar_write_contents(TarReader *reader, const TarEntry *entry, int file);
/// After the end: what follows belongs to the digest of a layer, so it is read, but not more than the limit.
void tar_drain(TarReader *reader, uint64_t limit);

#endif
