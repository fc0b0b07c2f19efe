// See tar-input.h.

#include "tar-input.h"
#include "tar-failure.h"

#include <fcntl.h>
#include <string.h>

// Larger ones were not faster: the data should still be in the processor's cache when it is written.
enum { BUFFER = 256 << 10, PIPE = 1 << 20, SPLICED = 128 << 10 };

void input_open(TarInput *in, int fd)
{
    *in = (TarInput){.fd = fd, .buffer = xcalloc(BUFFER, 1)};
    // Fewer turns between the writer and us. It may be no pipe, or the user's pipes may be at their limit.
    (void)fcntl(fd, F_SETPIPE_SZ, PIPE);
}

void input_close(TarInput *in)
{
    free(in->buffer);
    in->buffer = NULL;
}

static bool fill(TarInput *in)
{
    if (in->ended) return false;
    if (in->start > 0) {
        memmove(in->buffer, in->buffer + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    ssize_t got = TEMP_FAILURE_RETRY(read(in->fd, in->buffer + in->end, BUFFER - in->end));
    if (got < 0) die_errno("read the archive");
    in->ended = got == 0;
    in->end += (size_t)got;
    return got > 0;
}

const unsigned char *input_peek(TarInput *in, size_t size)
{
    while (in->end - in->start < size) {
        if (!fill(in)) return NULL;
    }
    return in->buffer + in->start;
}

bool input_at_end(TarInput *in)
{
    return input_peek(in, 1) == NULL;
}

// How much of the size can be used at once.
static size_t next_piece(TarInput *in, uint64_t size)
{
    if (in->start == in->end && !fill(in)) tar_broken("the archive ends in the middle of it");
    size_t there = in->end - in->start;
    return size < there ? (size_t)size : there;
}

void input_read(TarInput *in, void *to, size_t size)
{
    for (unsigned char *at = to; size > 0;) {
        size_t piece = next_piece(in, size);
        memcpy(at, in->buffer + in->start, piece);
        in->start += piece;
        at += piece;
        size -= piece;
    }
}

void input_skip(TarInput *in, uint64_t size)
{
    while (size > 0) {
        size_t piece = next_piece(in, size);
        in->start += piece;
        size -= piece;
    }
}

static void write_piece(int file, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = TEMP_FAILURE_RETRY(write(file, bytes, size));
        if (written < 0) tar_errno("write");
        bytes += written;
        size -= (size_t)written;
    }
}

// From pipe to file within the kernel. Returns what is left to do when that is not possible.
static uint64_t copy_spliced(TarInput *in, int file, uint64_t size)
{
    while (size > 0 && !in->no_splice) {
        ssize_t moved = TEMP_FAILURE_RETRY(splice(in->fd, NULL, file, NULL, size, SPLICE_F_MOVE));
        if (moved < 0) {
            if (errno != EINVAL) tar_errno("write");
            in->no_splice = true;
        } else if (moved == 0) {
            in->ended = true;
            break;
        } else {
            size -= (uint64_t)moved;
        }
    }
    return size;
}

void input_copy(TarInput *in, int file, uint64_t size)
{
    while (size > 0) {
        if (in->start == in->end && size >= SPLICED && !in->no_splice) {
            size = copy_spliced(in, file, size);
            if (size == 0) return;
        }
        size_t piece = next_piece(in, size);
        write_piece(file, in->buffer + in->start, piece);
        in->start += piece;
        size -= piece;
    }
}

void input_drain(TarInput *in, uint64_t limit)
{
    do {
        uint64_t there = in->end - in->start;
        if (there > limit) tar_limit("more follows the end of the archive than is allowed");
        limit -= there;
        in->start = in->end;
    } while (fill(in));
}
