// What a tar archive is made of, for its reader and its writer: the header of 512 bytes, and an entry with
// all that several headers say about it. tar(5) of libarchive, pax of POSIX.1-2008, "GNU tar internals" for
// sparse files. The limits keep a hostile archive from costing memory or paths that nobody could remove
// again.

#ifndef NSLAB_TAR_FORMAT_H
#define NSLAB_TAR_FORMAT_H

#include "common.h"

#include <stdint.h>
#include <time.h>

enum {
    TAR_BLOCK = 512,
    TAR_MAX_NAME = 4095,         // PATH_MAX without the NUL
    TAR_MAX_DEPTH = 512,         // directories above one another
    TAR_MAX_PAX = 1 << 20,       // bytes of one pax header
    TAR_MAX_GLOBALS = 512,       // records of global pax headers
    TAR_MAX_XATTR = 64 << 10,    // XATTR_SIZE_MAX
    TAR_MAX_XATTR_NAME = 255,    // XATTR_NAME_MAX
    TAR_MAX_SEGMENTS = 1 << 20,  // of one sparse file
    TAR_MAX_EXTENSIONS = 16,     // headers that only say something about the next entry
    TAR_MAX_OCTAL_ID = 07777777, // what a uid field holds
};

typedef struct {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char spare[12];
} TarHeader;

_Static_assert(sizeof(TarHeader) == TAR_BLOCK, "a tar header is one block");

enum {
    TAR_FILE = '0',
    TAR_HARD_LINK = '1',
    TAR_SYMLINK = '2',
    TAR_CHAR = '3',
    TAR_BLOCK_DEVICE = '4',
    TAR_DIRECTORY = '5',
    TAR_FIFO = '6',
    TAR_CONTIGUOUS = '7',
    TAR_PAX_GLOBAL = 'g',
    TAR_PAX = 'x',
    TAR_GNU_LONG_LINK = 'K',
    TAR_GNU_LONG_NAME = 'L',
    TAR_GNU_SPARSE = 'S',
    TAR_GNU_VOLUME = 'V',
};

#define PAX_XATTR "SCHILY.xattr."

typedef struct {
    const char *name;
    const char *value;
    size_t size;
} TarXattr;

/// Bytes of a sparse file that are in the archive; what is between them are zeros.
typedef struct {
    uint64_t offset;
    uint64_t size;
} TarSegment;

typedef struct {
    char type; // one of the first seven above
    const char *name;
    const char *link; // of links, else ""
    uint32_t mode;    // the 12 bits
    uint32_t uid;
    uint32_t gid;
    uint32_t major;
    uint32_t minor;
    struct timespec mtime;
    uint64_t size; // of the file once it is unpacked
    bool sparse;
    TarXattr *xattrs;
    size_t xattr_count;
    TarSegment *segments;
    size_t segment_count;
} TarEntry;

/// The sum of the bytes of a header, its own field taken for blanks.
unsigned tar_checksum(const TarHeader *header);

#endif
