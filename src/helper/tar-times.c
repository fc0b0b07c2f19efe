// See tar-times.h. A record: how much of the path before is shared, the length of the rest, the time, the
// rest.

#include "tar-times.h"
#include "tar-failure.h"
#include "tar-format.h"

#include <string.h>

enum { MAX_BYTES = 64 << 20 };

typedef struct {
    struct timespec mtime;
    unsigned short shared;
    unsigned short length;
} Record;

void times_add(DirTimes *times, const char *path, struct timespec mtime)
{
    if (times->last == NULL) times->last = xcalloc(TAR_MAX_NAME + 1, 1);
    Record record = {.mtime = mtime};
    while (path[record.shared] != '\0' && path[record.shared] == times->last[record.shared])
        record.shared++;
    record.length = (unsigned short)strlen(path + record.shared);
    size_t needed = times->used + sizeof record + record.length;
    if (needed > MAX_BYTES) tar_limit("the names of its directories take more than %d bytes", MAX_BYTES);
    if (needed > times->room) {
        times->room = needed * 2 < 4096 ? 4096 : needed * 2;
        times->bytes = xreallocarray(times->bytes, times->room, 1);
    }
    memcpy(times->bytes + times->used, &record, sizeof record);
    memcpy(times->bytes + times->used + sizeof record, path + record.shared, record.length);
    times->used = needed;
    strcpy(times->last, path);
}

void times_apply(DirTimes *times, void (*apply)(void *context, const char *path, struct timespec mtime),
                 void *context)
{
    char path[TAR_MAX_NAME + 1] = "";
    for (size_t at = 0; at < times->used;) {
        Record record;
        memcpy(&record, times->bytes + at, sizeof record);
        at += sizeof record;
        memcpy(path + record.shared, times->bytes + at, record.length);
        path[record.shared + record.length] = '\0';
        at += record.length;
        apply(context, path, record.mtime);
    }
    free(times->bytes);
    free(times->last);
    *times = (DirTimes){0};
}
