// Writes a tar archive in the pax format: ustar headers, and a pax header where they have no room (long
// names, large numbers, parts of a second, extended attributes). The same entries give the same bytes. Sparse
// files are written with their zeros.

#ifndef NSLAB_TAR_WRITE_H
#define NSLAB_TAR_WRITE_H

#include "tar-format.h"

typedef struct {
    int fd;
    unsigned char *buffer;
    size_t used;
    bool no_sendfile;
} TarOutput;

void output_open(TarOutput *out, int fd);
/// The end of the archive, and all that is still in the buffer.
void output_finish(TarOutput *out);
/// The headers of an entry. Its name and link are taken as they are, its sparse map is ignored. The
/// attributes must be in an order that depends on nothing but themselves.
void write_entry(TarOutput *out, const TarEntry *entry);
/// The contents of the entry just written: exactly that many bytes. False when the file had fewer; zeros fill
/// up.
bool write_contents(TarOutput *out, int file, uint64_t size);

#endif
