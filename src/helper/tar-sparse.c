// See tar-sparse.h. A map must be in order, without overlaps, within the file, and add up to what the archive
// has: all readers would make something else of one that is not.

#include "tar-sparse.h"
#include "tar-failure.h"
#include "tar-number.h"

#include <string.h>

enum {
    OLD_MAP = 386, // of the header: four segments
    OLD_COUNT = 4,
    OLD_MORE = 482,
    OLD_SIZE = 483,
    NEXT_COUNT = 21, // of a block that follows
    NEXT_MORE = 504,
    FIELD = 12,
};

static void add(TarReader *reader, TarEntry *entry, uint64_t offset, uint64_t size)
{
    size_t count = entry->segment_count;
    if (count == TAR_MAX_SEGMENTS) tar_limit("a sparse map of more than %d segments", TAR_MAX_SEGMENTS);
    // Doubled when it is a power of two.
    if (count >= 16 ? (count & (count - 1)) == 0 : count == 0)
        reader->segments = xreallocarray(reader->segments, count == 0 ? 16 : count * 2, sizeof(TarSegment));
    reader->segments[entry->segment_count++] = (TarSegment){offset, size};
    entry->segments = reader->segments;
}

static void check(const TarReader *reader, const TarEntry *entry)
{
    uint64_t end = 0, sum = 0;
    for (size_t i = 0; i < entry->segment_count; i++) {
        const TarSegment *segment = &entry->segments[i];
        if (segment->offset < end || segment->offset > entry->size ||
            segment->size > entry->size - segment->offset) {
            tar_broken("its sparse map is out of order, overlaps or is longer than the file");
        }
        end = segment->offset + segment->size;
        sum += segment->size;
    }
    if (sum != reader->left) tar_broken("its sparse map does not add up to its contents");
}

static bool add_old(TarReader *reader, TarEntry *entry, const char *at, size_t count)
{
    for (size_t i = 0; i < count; i++, at += 2 * FIELD) {
        if (at[0] == '\0' && at[FIELD] == '\0') return false;
        uint64_t offset = tar_natural(at, FIELD, INT64_MAX, "sparse map");
        add(reader, entry, offset, tar_natural(at + FIELD, FIELD, INT64_MAX, "sparse map"));
    }
    return true;
}

void sparse_read_old(TarReader *reader, const TarHeader *header, TarEntry *entry)
{
    const char *raw = (const char *)header;
    entry->sparse = true;
    entry->size = tar_natural(raw + OLD_SIZE, FIELD, INT64_MAX, "size");
    add_old(reader, entry, raw + OLD_MAP, OLD_COUNT);
    for (bool more = raw[OLD_MORE] != '\0'; more;) {
        char block[TAR_BLOCK];
        input_read(&reader->input, block, sizeof block);
        more = block[NEXT_MORE] != '\0';
        if (!add_old(reader, entry, block, NEXT_COUNT) && more)
            tar_broken("its sparse map goes on after its end");
    }
    check(reader, entry);
}

// 0.0: a record for each number, in turns.
static void add_records(TarReader *reader, TarEntry *entry)
{
    const PaxRecord *offset = NULL;
    for (size_t i = 0; i < reader->pax.count; i++) {
        const PaxRecord *record = &reader->pax.records[i];
        if (strcmp(record->key, "GNU.sparse.offset") == 0) {
            if (offset != NULL) tar_broken("its sparse map has an offset without a size");
            offset = record;
        } else if (strcmp(record->key, "GNU.sparse.numbytes") == 0) {
            if (offset == NULL) tar_broken("its sparse map has a size without an offset");
            add(reader, entry, pax_number(offset, INT64_MAX), pax_number(record, INT64_MAX));
            offset = NULL;
        }
    }
    if (offset != NULL) tar_broken("its sparse map has an offset without a size");
}

// 0.1: one record with all numbers, separated by commas.
static void add_list(TarReader *reader, TarEntry *entry, const PaxRecord *map)
{
    const char *at = map->value, *end = at + map->size;
    uint64_t offset = 0;
    for (bool second = false; at < end; second = !second) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        PaxRecord number = {.key = map->key, .value = at};
        number.size = (size_t)((comma == NULL ? end : comma) - at);
        uint64_t value = pax_number(&number, INT64_MAX);
        if (second) {
            add(reader, entry, offset, value);
        } else {
            offset = value;
        }
        at = comma == NULL ? end : comma + 1;
        if (at >= end && !second) tar_broken("its sparse map has an offset without a size");
    }
}

// 1.0: lines of decimal numbers before the contents, the first of which is how many segments follow, and then
// zeros to the end of the block.
typedef struct {
    TarReader *reader;
    char block[TAR_BLOCK];
    size_t at;
} MapText;

static uint64_t next_line(MapText *text)
{
    char digits[24];
    size_t length = 0;
    for (;;) {
        if (text->at == sizeof text->block) {
            if (text->reader->left < TAR_BLOCK) tar_broken("its sparse map is cut off");
            input_read(&text->reader->input, text->block, sizeof text->block);
            text->reader->left -= TAR_BLOCK;
            text->at = 0;
        }
        char c = text->block[text->at++];
        if (c == '\n') break;
        if (length == sizeof digits) tar_broken("its sparse map has no number where one should be");
        digits[length++] = c;
    }
    PaxRecord number = {.key = "the sparse map", .value = digits, .size = length};
    return pax_number(&number, INT64_MAX);
}

static void read_text(TarReader *reader, TarEntry *entry)
{
    MapText text = {.reader = reader, .at = TAR_BLOCK};
    uint64_t count = next_line(&text);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = next_line(&text);
        add(reader, entry, offset, next_line(&text));
    }
}

bool sparse_read_pax(TarReader *reader, TarEntry *entry)
{
    const PaxSet *pax = &reader->pax;
    const PaxRecord *map = pax_find(pax, "GNU.sparse.map");
    const PaxRecord *major = pax_find(pax, "GNU.sparse.major");
    const PaxRecord *minor = pax_find(pax, "GNU.sparse.minor");
    bool text = false;
    if (major != NULL || minor != NULL) {
        if (major == NULL || minor == NULL || pax_number(major, 9) > 1 || pax_number(minor, 9) > 1)
            tar_refused("a sparse file of a version that nslab does not know");
        text = pax_number(major, 9) == 1;
        if (text && pax_number(minor, 9) != 0)
            tar_refused("a sparse file of a version that nslab does not know");
    }
    if (!text && map == NULL && pax_find(pax, "GNU.sparse.numblocks") == NULL) return false;
    const PaxRecord *size = pax_find(pax, "GNU.sparse.realsize");
    if (size == NULL) size = pax_find(pax, "GNU.sparse.size");
    if (size == NULL) tar_broken("a sparse file without its size");
    entry->sparse = true;
    entry->size = pax_number(size, INT64_MAX);
    if (text) {
        read_text(reader, entry);
    } else if (map != NULL) {
        add_list(reader, entry, map);
    } else {
        add_records(reader, entry);
    }
    check(reader, entry);
    return true;
}
