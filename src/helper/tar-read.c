// See tar-read.h. Where readers differ, it sides with Go's archive/tar, by which layers are made and read:
// links, devices and directories have no contents whatever their size says, and a type that it does not know
// is an error. It sides with POSIX where Go leaves global headers out.

#include "tar-read.h"
#include "tar-failure.h"
#include "tar-number.h"
#include "tar-sparse.h"

#include <string.h>

void tar_open(TarReader *reader, int fd)
{
    *reader = (TarReader){0};
    input_open(&reader->input, fd);
}

static void forget_entry(TarReader *reader)
{
    pax_clear(&reader->pax);
    char **texts[] = {&reader->long_name, &reader->long_link, &reader->name, &reader->link};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
    free(reader->xattrs);
    reader->xattrs = NULL;
    free(reader->segments);
    reader->segments = NULL;
}

void tar_close(TarReader *reader)
{
    forget_entry(reader);
    pax_clear(&reader->global);
    input_close(&reader->input);
}

static bool is_zero(const TarHeader *header)
{
    static const TarHeader zero;
    return memcmp(header, &zero, sizeof zero) == 0;
}

// At the zero block. A lone one at the very end is fine; what follows two of them is nobody's business.
static void check_end(TarReader *reader)
{
    input_skip(&reader->input, TAR_BLOCK);
    const unsigned char *next = input_peek(&reader->input, TAR_BLOCK);
    if (next != NULL && !is_zero((const TarHeader *)next))
        tar_broken("garbage in the archive: a block of zeros is not followed by a second one");
}

// Old writers took the bytes of the sum for signed ones.
static bool has_checksum(const TarHeader *header)
{
    int64_t said = TAR_NUMBER(header->checksum, "checksum");
    int64_t sum = tar_checksum(header);
    if (said == sum) return true;
    const unsigned char *bytes = (const unsigned char *)header;
    for (size_t i = 0; i < TAR_BLOCK; i++) {
        bool own =
            i >= offsetof(TarHeader, checksum) && i < offsetof(TarHeader, checksum) + sizeof header->checksum;
        if (!own && bytes[i] >= 0x80) sum -= 256;
    }
    return said == sum;
}

// False at the end.
static bool read_header(TarReader *reader, TarHeader *header)
{
    const unsigned char *block = input_peek(&reader->input, TAR_BLOCK);
    if (block == NULL) {
        // Some layers lack the zeros at their end; their digest says whether they are whole.
        if (input_at_end(&reader->input)) return false;
        tar_broken("the archive ends in the middle of a header");
    }
    memcpy(header, block, sizeof *header);
    if (is_zero(header)) {
        check_end(reader);
        return false;
    }
    if (!has_checksum(header)) tar_broken("garbage in the archive: the checksum of a header is wrong");
    input_skip(&reader->input, TAR_BLOCK);
    return true;
}

static void finish_contents(TarReader *reader)
{
    input_skip(&reader->input, reader->left);
    // Nor do some fill the last block (umoci insert): Go's reader takes them, so there are such layers.
    if (reader->padding > 0 && !input_at_end(&reader->input)) input_skip(&reader->input, reader->padding);
    reader->left = 0;
    reader->padding = 0;
}

static void begin_contents(TarReader *reader, uint64_t size)
{
    reader->left = size;
    reader->padding = (unsigned)(-size % TAR_BLOCK);
}

static void check_size(const char *what, uint64_t size, uint64_t max)
{
    if (size > max)
        tar_limit("a %s of %llu bytes, %llu are allowed", what, (unsigned long long)size,
                  (unsigned long long)max);
}

// What an extension header has: text of the size its header says, with a NUL added.
static char *read_text(TarReader *reader, const TarHeader *header, const char *what, uint64_t max,
                       size_t *size)
{
    uint64_t said = TAR_NATURAL(header->size, INT64_MAX, "size");
    check_size(what, said, max);
    char *text = xcalloc((size_t)said + 1, 1);
    begin_contents(reader, said);
    input_read(&reader->input, text, (size_t)said);
    reader->left = 0;
    finish_contents(reader);
    *size = (size_t)said;
    return text;
}

static void read_long(TarReader *reader, const TarHeader *header, char **into)
{
    free(*into);
    size_t size;
    *into = read_text(reader, header, "name", TAR_MAX_NAME + 1, &size);
}

static void read_pax(TarReader *reader, const TarHeader *header)
{
    size_t size;
    char *text = read_text(reader, header, "pax header", TAR_MAX_PAX, &size);
    if (header->type == TAR_PAX) {
        // A second one for the same entry: what Go does, which is to take it alone.
        pax_clear(&reader->pax);
        pax_parse(&reader->pax, text, size);
        return;
    }
    PaxSet set;
    pax_parse(&set, text, size);
    pax_merge(&reader->global, &set);
}

// False when the header is an entry's.
static bool read_extension(TarReader *reader, const TarHeader *header)
{
    switch (header->type) {
    case TAR_PAX:
    case TAR_PAX_GLOBAL:
        read_pax(reader, header);
        return true;
    case TAR_GNU_LONG_NAME:
        read_long(reader, header, &reader->long_name);
        return true;
    case TAR_GNU_LONG_LINK:
        read_long(reader, header, &reader->long_link);
        return true;
    case TAR_GNU_VOLUME:
        begin_contents(reader, TAR_NATURAL(header->size, INT64_MAX, "size"));
        finish_contents(reader);
        return true;
    default:
        return false;
    }
}

// A record of the entry, or else of a global header. An empty value takes the global one back.
static const PaxRecord *find(const TarReader *reader, const char *key)
{
    const PaxRecord *record = pax_find(&reader->pax, key);
    if (record == NULL) record = pax_find(&reader->global, key);
    return record == NULL || record->size == 0 ? NULL : record;
}

static char *header_text(const char *field, size_t width)
{
    char *text = strndup(field, width);
    if (text == NULL) die(EXIT_HOST, "HOST_REFUSED", NULL, "out of memory");
    return text;
}

static size_t prefix_width(const TarHeader *header)
{
    if (memcmp(header->magic, "ustar", sizeof header->magic) != 0) return 0;
    // star keeps times where the prefix ends.
    bool star = memcmp(header->spare + sizeof header->spare - 4, "tar", 4) == 0;
    return star ? 131 : sizeof header->prefix;
}

static char *header_name(const TarHeader *header)
{
    size_t width = prefix_width(header);
    char *name = header_text(header->name, sizeof header->name);
    if (width == 0 || header->prefix[0] == '\0') return name;
    char *whole = xasprintf("%.*s/%s", (int)width, header->prefix, name);
    free(name);
    return whole;
}

static void set_names(TarReader *reader, const TarHeader *header, TarEntry *entry)
{
    const PaxRecord *path = find(reader, "path");
    const PaxRecord *sparse = pax_find(&reader->pax, "GNU.sparse.name");
    const PaxRecord *link = find(reader, "linkpath");
    if (sparse != NULL) path = sparse;
    char **name = &reader->name, **target = &reader->link;
    if (path != NULL) {
        *name = pax_text(path);
    } else if (reader->long_name != NULL) {
        *name = xstrdup(reader->long_name);
    } else {
        *name = header_name(header);
    }
    if (link != NULL) {
        *target = pax_text(link);
    } else if (reader->long_link != NULL) {
        *target = xstrdup(reader->long_link);
    } else {
        *target = header_text(header->link, sizeof header->link);
    }
    entry->name = *name;
    entry->link = *target;
}

static uint32_t id_of(const TarReader *reader, const char *key, const char *field, size_t width)
{
    // The highest number means "leave it" to chown(2).
    const PaxRecord *record = find(reader, key);
    if (record != NULL) return (uint32_t)pax_number(record, UINT32_MAX - 1);
    return (uint32_t)tar_natural(field, width, UINT32_MAX - 1, key);
}

static bool is_overlays_own(const char *name)
{
    return starts_with(name, "trusted.overlay.") || starts_with(name, "user.overlay.");
}

// GNU tar writes a = of the name as %3D, since a key ends at the first one, and the % that it took for that
// as %25. The text is the header's and gets shorter.
static void decode_name(char *name)
{
    char *out = name;
    for (const char *at = name; *at != '\0';) {
        if (starts_with(at, "%25") || starts_with(at, "%3D")) {
            *out++ = at[1] == '2' ? '%' : '=';
            at += 3;
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
}

static void add_xattrs(TarReader *reader, const PaxSet *set, TarEntry *entry)
{
    for (size_t i = 0; i < set->count; i++) {
        const PaxRecord *record = &set->records[i];
        if (!starts_with(record->key, PAX_XATTR)) continue;
        char *name = set->text + (record->key - set->text) + sizeof PAX_XATTR - 1;
        decode_name(name);
        if (is_overlays_own(name)) continue;
        if (*name == '\0') tar_broken("an extended attribute without a name");
        check_size("extended attribute", record->size, TAR_MAX_XATTR);
        check_size("name of an extended attribute", strlen(name), TAR_MAX_XATTR_NAME);
        reader->xattrs[entry->xattr_count++] =
            (TarXattr){.name = name, .value = record->value, .size = record->size};
    }
}

static void set_xattrs(TarReader *reader, TarEntry *entry)
{
    size_t most = reader->global.count + reader->pax.count;
    if (most == 0) return;
    reader->xattrs = xcalloc(most, sizeof *reader->xattrs);
    // In this order: one of the entry is set over a global one.
    add_xattrs(reader, &reader->global, entry);
    add_xattrs(reader, &reader->pax, entry);
    entry->xattrs = reader->xattrs;
}

static bool ends_with_slash(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && name[length - 1] == '/';
}

static void set_type(const TarHeader *header, TarEntry *entry)
{
    entry->type = header->type;
    switch (header->type) {
    case '\0':
    case TAR_FILE:
    case TAR_CONTIGUOUS:
        // v7 has no type for directories.
        entry->type = ends_with_slash(entry->name) ? TAR_DIRECTORY : TAR_FILE;
        break;
    case TAR_GNU_SPARSE:
        entry->type = TAR_FILE;
        break;
    case TAR_HARD_LINK:
    case TAR_SYMLINK:
    case TAR_CHAR:
    case TAR_BLOCK_DEVICE:
    case TAR_DIRECTORY:
    case TAR_FIFO:
        break;
    default:
        tar_broken("an entry of the type %d, which nslab does not know", (unsigned char)header->type);
    }
}

static void set_contents(TarReader *reader, const TarHeader *header, TarEntry *entry)
{
    const PaxRecord *record = find(reader, "size");
    uint64_t size =
        record != NULL ? pax_number(record, INT64_MAX) : TAR_NATURAL(header->size, INT64_MAX, "size");
    // A directory that is one by its name alone may come with contents.
    bool file = entry->type == TAR_FILE || (entry->type == TAR_DIRECTORY && header->type != TAR_DIRECTORY);
    begin_contents(reader, file ? size : 0);
    if (entry->type != TAR_FILE) return;
    entry->size = size;
    if (header->type == TAR_GNU_SPARSE) {
        sparse_read_old(reader, header, entry);
    } else {
        sparse_read_pax(reader, entry);
    }
}

bool tar_next(TarReader *reader, TarEntry *entry)
{
    finish_contents(reader);
    tar_at(NULL);
    forget_entry(reader);
    TarHeader header;
    for (int extensions = 0;; extensions++) {
        if (!read_header(reader, &header)) {
            if (reader->pax.text != NULL || reader->long_name != NULL || reader->long_link != NULL)
                tar_broken("the archive ends after a header that belongs to a next entry");
            return false;
        }
        if (extensions > TAR_MAX_EXTENSIONS)
            tar_limit("more than %d headers for one entry", TAR_MAX_EXTENSIONS);
        if (!read_extension(reader, &header)) break;
    }
    *entry = (TarEntry){0};
    set_names(reader, &header, entry);
    tar_at(entry->name);
    set_type(&header, entry);
    const PaxRecord *mtime = find(reader, "mtime");
    entry->mode = TAR_NATURAL(header.mode, INT64_MAX, "mode") & 07777;
    entry->uid = id_of(reader, "uid", header.uid, sizeof header.uid);
    entry->gid = id_of(reader, "gid", header.gid, sizeof header.gid);
    entry->mtime = mtime != NULL ? pax_time(mtime)
                                 : (struct timespec){.tv_sec = (time_t)TAR_NUMBER(header.mtime, "mtime")};
    if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK_DEVICE) {
        // The kernel's dev_t has 12 and 20 bits: linux/kdev_t.h.
        entry->major = (uint32_t)TAR_NATURAL(header.major, 0xfff, "device number");
        entry->minor = (uint32_t)TAR_NATURAL(header.minor, 0xfffff, "device number");
    }
    set_xattrs(reader, entry);
    set_contents(reader, &header, entry);
    return true;
}

void tar_write_contents(TarReader *reader, const TarEntry *entry, int file)
{
    if (!entry->sparse) {
        input_copy(&reader->input, file, reader->left);
        reader->left = 0;
        return;
    }
    for (size_t i = 0; i < entry->segment_count; i++) {
        const TarSegment *segment = &entry->segments[i];
        if (segment->size == 0) continue;
        if (lseek(file, (off_t)segment->offset, SEEK_SET) < 0) tar_errno("lseek");
        input_copy(&reader->input, file, segment->size);
        reader->left -= segment->size;
    }
    // It may end with a hole.
    if (ftruncate(file, (off_t)entry->size) < 0)
        tar_errno("make it %llu bytes", (unsigned long long)entry->size);
}

void tar_drain(TarReader *reader, uint64_t limit)
{
    tar_at(NULL);
    input_drain(&reader->input, limit);
}
