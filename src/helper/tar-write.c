// See tar-write.h.

#include "tar-write.h"
#include "tar-failure.h"
#include "tar-name.h"

#include <string.h>
#include <sys/sendfile.h>

enum { BUFFER = 256 << 10, SENT = 128 << 10 };

void output_open(TarOutput *out, int fd)
{
    *out = (TarOutput){.fd = fd, .buffer = xcalloc(BUFFER, 1)};
}

static void flush(TarOutput *out)
{
    for (size_t done = 0; done < out->used;) {
        ssize_t written = TEMP_FAILURE_RETRY(write(out->fd, out->buffer + done, out->used - done));
        if (written < 0) die_errno("write the archive");
        done += (size_t)written;
    }
    out->used = 0;
}

static void put(TarOutput *out, const void *bytes, size_t size)
{
    for (const unsigned char *at = bytes; size > 0;) {
        if (out->used == BUFFER) flush(out);
        size_t piece = size < BUFFER - out->used ? size : BUFFER - out->used;
        memcpy(out->buffer + out->used, at, piece);
        out->used += piece;
        at += piece;
        size -= piece;
    }
}

static void put_zeros(TarOutput *out, uint64_t size)
{
    while (size > 0) {
        if (out->used == BUFFER) flush(out);
        size_t piece = size < BUFFER - out->used ? (size_t)size : BUFFER - out->used;
        memset(out->buffer + out->used, 0, piece);
        out->used += piece;
        size -= piece;
    }
}

void output_finish(TarOutput *out)
{
    put_zeros(out, 2 * TAR_BLOCK);
    flush(out);
    free(out->buffer);
    out->buffer = NULL;
}

// As text, with a NUL or a blank at its end; false when it has no room.
static bool put_octal(char *field, size_t width, uint64_t number)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%0*llo", (int)width - 1, (unsigned long long)number);
    if ((size_t)length >= width) {
        put_octal(field, width, 0);
        return false;
    }
    memcpy(field, digits, width);
    return true;
}

// The name, or the beginning of a long one.
static bool put_text(char *field, size_t width, const char *text)
{
    size_t length = strlen(text);
    memcpy(field, text, length < width ? length : width);
    return length <= width;
}

typedef struct {
    char *text;
    size_t length;
    size_t room;
} PaxText;

static void add_record(PaxText *pax, const char *key, const void *value, size_t size)
{
    // The length counts itself.
    size_t rest = strlen(key) + size + 3;
    size_t length = rest + 1;
    for (size_t digits = 1, power = 10; length >= power; digits++, power *= 10)
        length = rest + digits + 1;
    if (pax->length + length + 24 > pax->room) {
        pax->room = (pax->length + length) * 2 + 256;
        pax->text = xreallocarray(pax->text, pax->room, 1);
    }
    char *at = pax->text + pax->length;
    at += sprintf(at, "%zu %s=", length, key);
    memcpy(at, value, size);
    at[size] = '\n';
    pax->length += length;
}

static void add_text(PaxText *pax, const char *key, const char *value)
{
    add_record(pax, key, value, strlen(value));
}

static void add_time(PaxText *pax, struct timespec time)
{
    char text[40];
    long long seconds = time.tv_sec;
    long nanoseconds = time.tv_nsec;
    bool negative = seconds < 0;
    if (negative) {
        seconds = -seconds - (nanoseconds > 0);
        nanoseconds = nanoseconds > 0 ? 1000L * 1000 * 1000 - nanoseconds : 0;
    }
    int length = snprintf(text, sizeof text, "%s%lld", negative ? "-" : "", seconds);
    if (nanoseconds > 0) {
        length += snprintf(text + length, sizeof text - (size_t)length, ".%09ld", nanoseconds);
        while (text[length - 1] == '0')
            text[--length] = '\0';
    }
    add_text(pax, "mtime", text);
}

// See decode_name() of tar-read.c.
static void add_xattr(PaxText *pax, const TarXattr *xattr)
{
    char key[sizeof PAX_XATTR + 3 * (TAR_MAX_XATTR_NAME + 1)] = PAX_XATTR;
    char *out = key + sizeof PAX_XATTR - 1;
    for (const char *at = xattr->name; *at != '\0'; at++) {
        if (*at == '%' || *at == '=') {
            out += sprintf(out, "%%%s", *at == '%' ? "25" : "3D");
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
    add_record(pax, key, xattr->value, xattr->size);
}

static void put_header(TarOutput *out, TarHeader *header)
{
    memcpy(header->magic, "ustar", sizeof header->magic);
    memcpy(header->version, "00", sizeof header->version);
    snprintf(header->checksum, sizeof header->checksum, "%06o", tar_checksum(header));
    header->checksum[7] = ' ';
    put(out, header, sizeof *header);
}

static void put_pax(TarOutput *out, const char *name, const PaxText *pax)
{
    TarHeader header = {.type = TAR_PAX};
    // The name that Go and pax(1) give it, for readers that know of no pax headers.
    int folder = (int)(base_name(name) - name);
    cleanup_free char *own =
        xasprintf("%.*sPaxHeaders.0/%.50s", folder > 30 ? 0 : folder, name, base_name(name));
    put_text(header.name, sizeof header.name - 1, own);
    put_octal(header.mode, sizeof header.mode, 0644);
    put_octal(header.uid, sizeof header.uid, 0);
    put_octal(header.gid, sizeof header.gid, 0);
    put_octal(header.size, sizeof header.size, pax->length);
    put_octal(header.mtime, sizeof header.mtime, 0);
    put_header(out, &header);
    put(out, pax->text, pax->length);
    put_zeros(out, -pax->length % TAR_BLOCK);
}

static void set_number(PaxText *pax, char *field, size_t width, const char *key, uint64_t number)
{
    char text[24];
    if (put_octal(field, width, number)) return;
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    add_text(pax, key, text);
}

void write_entry(TarOutput *out, const TarEntry *entry)
{
    TarHeader header = {.type = entry->type};
    PaxText pax = {0};
    if (!put_text(header.name, sizeof header.name, entry->name)) add_text(&pax, "path", entry->name);
    if (!put_text(header.link, sizeof header.link, entry->link)) add_text(&pax, "linkpath", entry->link);
    put_octal(header.mode, sizeof header.mode, entry->mode);
    set_number(&pax, header.uid, sizeof header.uid, "uid", entry->uid);
    set_number(&pax, header.gid, sizeof header.gid, "gid", entry->gid);
    set_number(&pax, header.size, sizeof header.size, "size", entry->size);
    const struct timespec mtime = entry->mtime;
    bool whole = mtime.tv_nsec == 0 && mtime.tv_sec >= 0;
    if (!put_octal(header.mtime, sizeof header.mtime, mtime.tv_sec < 0 ? 0 : (uint64_t)mtime.tv_sec) ||
        !whole)
        add_time(&pax, mtime);
    put_octal(header.major, sizeof header.major, entry->major);
    put_octal(header.minor, sizeof header.minor, entry->minor);
    for (size_t i = 0; i < entry->xattr_count; i++)
        add_xattr(&pax, &entry->xattrs[i]);
    if (pax.length > TAR_MAX_PAX) tar_limit("its extended attributes have more than %d bytes", TAR_MAX_PAX);
    if (pax.length > 0) put_pax(out, entry->name, &pax);
    free(pax.text);
    put_header(out, &header);
}

// From the page cache to a pipe or a file. Returns what is left to do.
static uint64_t send(TarOutput *out, int file, uint64_t size)
{
    flush(out);
    while (size > 0 && !out->no_sendfile) {
        ssize_t sent = TEMP_FAILURE_RETRY(sendfile(out->fd, file, NULL, size));
        if (sent == 0) break;
        if (sent > 0) {
            size -= (uint64_t)sent;
        } else if (errno == EINVAL || errno == ENOSYS) {
            out->no_sendfile = true;
        } else {
            tar_errno("write the archive");
        }
    }
    return size;
}

bool write_contents(TarOutput *out, int file, uint64_t size)
{
    uint64_t left = size;
    if (size >= SENT && !out->no_sendfile) left = send(out, file, size);
    while (left > 0) {
        if (out->used == BUFFER) flush(out);
        size_t room = BUFFER - out->used;
        ssize_t got =
            TEMP_FAILURE_RETRY(read(file, out->buffer + out->used, left < room ? (size_t)left : room));
        if (got < 0) tar_errno("read");
        if (got == 0) break;
        out->used += (size_t)got;
        left -= (uint64_t)got;
    }
    put_zeros(out, left + -size % TAR_BLOCK);
    return left == 0;
}
