// The bytes of an archive on a descriptor, read in large pieces, and copied to files with as few system calls
// as can be. It knows nothing of headers.

#ifndef NSLAB_TAR_INPUT_H
#define NSLAB_TAR_INPUT_H

#include "common.h"

#include <stdint.h>

typedef struct {
    int fd;
    unsigned char *buffer;
    size_t start; // of what is read and not used yet
    size_t end;
    bool ended;
    bool no_splice;
} TarInput;

void input_open(TarInput *in, int fd);
void input_close(TarInput *in);
/// The next bytes without using them up, at most 512; NULL when there are not so many left.
const unsigned char *input_peek(TarInput *in, size_t size);
/// True when nothing is left.
bool input_at_end(TarInput *in);
/// The following die when the archive ends before.
void input_read(TarInput *in, void *to, size_t size);
void input_skip(TarInput *in, uint64_t size);
/// To where the file's offset is.
void input_copy(TarInput *in, int file, uint64_t size);
/// Reads to the end; dies when that is further away than the limit.
void input_drain(TarInput *in, uint64_t limit);

#endif
