// Writes and rotates a container's log (see log.h).

#include "log.h"
#include "container-state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool log_open(Log *log)
{
    log->fd = -1;
    if (log->path == NULL) return true;
    // O_NONBLOCK for a FIFO somebody put there, which would otherwise wait for a reader.
    log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (log->fd < 0) return false;
    struct stat status;
    log->size = fstat(log->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    return true;
}

void log_close(Log *log)
{
    if (log->fd >= 0) close(log->fd);
    log->fd = -1;
}

static char *rotated_name(const Log *log, uint32_t number)
{
    return number == 0 ? xstrdup(log->path) : xasprintf("%s.%u", log->path, number);
}

static void rotate(Log *log)
{
    log_close(log);
    if (log->files <= 1) unlink(log->path);
    for (uint32_t number = log->files <= 1 ? 0 : log->files - 1; number > 0; number--) {
        cleanup_free char *from = rotated_name(log, number - 1);
        cleanup_free char *to = rotated_name(log, number);
        rename(from, to);
    }
    if (!log_open(log)) log->error = errno;
}

// All or nothing: what a full disk cut off is taken back, so that the next line begins a line.
static void write_whole(Log *log, const char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t written = TEMP_FAILURE_RETRY(write(log->fd, bytes + done, length - done));
        if (written <= 0) {
            log->error = written < 0 ? errno : EIO;
            if (done > 0 && ftruncate(log->fd, (off_t)log->size) < 0) log->error = errno;
            return;
        }
        done += (size_t)written;
    }
    log->size += length;
}

static void write_line(Log *log, LogStream *stream, char kind)
{
    char time[TIME_TEXT], head[LOG_HEAD_MAX + 1];
    write_time(time);
    int head_length = snprintf(head, sizeof head, "%s %s %c ", time, stream->name, kind);
    char *line = stream->bytes + LOG_HEAD_MAX - head_length;
    memcpy(line, head, (size_t)head_length);
    size_t length = (size_t)head_length + stream->length;
    line[length++] = '\n';
    stream->length = 0;
    if (log->fd < 0 && (log->path == NULL || !log_open(log))) return;
    if (log->max_bytes > 0 && log->size > 0 && log->size + length > log->max_bytes) rotate(log);
    if (log->fd >= 0) write_whole(log, line, length);
}

void log_take(Log *log, LogStream *stream, const char *bytes, size_t length)
{
    while (length > 0) {
        if (stream->length == 0) stream->since = now_ms();
        size_t room = LOG_LINE_MAX - stream->length;
        size_t part = length < room ? length : room;
        const char *end = memchr(bytes, '\n', part);
        if (end != NULL) part = (size_t)(end - bytes);
        memcpy(stream->bytes + LOG_HEAD_MAX + stream->length, bytes, part);
        stream->length += part;
        if (end != NULL) {
            write_line(log, stream, 'F');
            part++;
        } else if (stream->length == LOG_LINE_MAX) {
            write_line(log, stream, 'P');
        }
        bytes += part;
        length -= part;
    }
}

void log_flush(Log *log, LogStream *stream)
{
    if (stream->length > 0) write_line(log, stream, 'P');
}
