// A container's log: lines `TIME stdout|stderr F|P TEXT`, one write(2) each, bytes as they came. P marks a
// piece of a line that goes on in the next line of the same stream. Rotated by size with rename(2): LOG,
// LOG.1 and so on. It must not grow in memory, whatever is written, and must not stop the container when the
// disk is full: what does not fit is lost.

#ifndef NSLAB_LOG_H
#define NSLAB_LOG_H

#include "common.h"

#include <stdint.h>

enum { LOG_LINE_MAX = 16 * 1024, LOG_HEAD_MAX = 64 };

typedef struct {
    const char *path;   // NULL: nothing is kept
    uint64_t max_bytes; // of a file, 0: no limit
    uint32_t files;     // all of them, the one being written included
    int fd;
    uint64_t size;
    int error; // errno of the last line that was lost, 0 when none was
} Log;

typedef struct {
    const char *name;
    uint64_t since; // now_ms() of the first byte of the piece that waits for its end
    size_t length;
    char bytes[LOG_HEAD_MAX + LOG_LINE_MAX + 1]; // the piece, with room for its head and the newline
} LogStream;

/// Opens the file for appending; false and errno when it cannot.
bool log_open(Log *log);
void log_close(Log *log);
/// Takes bytes of a stream and writes all whole lines.
void log_take(Log *log, LogStream *stream, const char *bytes, size_t length);
/// Writes what waits for the end of its line, as P; nothing when there is nothing.
void log_flush(Log *log, LogStream *stream);

#endif
