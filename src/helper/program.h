// A container's program: the flat list of ops that src/container/lower.ts writes and the helper runs. The
// format is little endian: "NSLP", u16 version, u16 0, u32 count of ops; each op is u16 code, u16 flags, u32
// length, payload. The decoder must survive any bytes: whatever program_read() accepts has only known ops,
// whole fields, and no NUL inside a text. The same codes are in src/container/program-ops.ts; a unit test
// compares the two files.

#ifndef NSLAB_PROGRAM_H
#define NSLAB_PROGRAM_H

#include "failure.h"

#include <stdint.h>

enum { PROGRAM_VERSION = 1, PROGRAM_MAX_BYTES = 1 << 20 };

enum {
    // the monitor's
    OP_ID = 1,       // text lab, text node
    OP_LOG = 2,      // text path, u64 bytes a file, u32 files
    OP_RESTART = 3,  // u32 policy (enum RESTART_...), u32 at most so often (0: no limit)
    OP_STOP = 4,     // u32 signal, u32 grace in ms
    OP_HEALTH = 5,   // list argv, u32 interval, timeout, retries, start period, start interval (ms)
    OP_OOM = 6,      // text file with a line `oom_kill N`
    OP_FREEZER = 7,  // text directory, u32 version
    OP_CGROUP = 8,   // text directory; flag CGROUP_FLAG_V2
    OP_DEVICES = 9,  // text cgroup2 directory, bytes of eBPF instructions
    OP_REMOVER = 14, // list argv, list env: run when the container has ended for good
    OP_PUBLISH = 15, // u32 udp, text address, u32 port, u32 count of ports, text target, u32 its first port
    OP_PUBLISH_RULES = 16, // bytes and bytes: transactions of nf_tables that fill and empty the ports' chains
    // init's namespaces
    OP_NAMESPACES = 10,   // u32 CLONE_NEW*
    OP_JOIN = 11,         // u32 CLONE_NEW*, text path
    OP_ID_MAP = 12,       // text uid map, text gid map
    OP_TIME_OFFSETS = 13, // text for /proc/PID/timens_offsets
    // root and mounts
    OP_ROOT_OVERLAY = 20, // list lowers (top first), text upper, text work; flag ROOT_FLAG_NO_UPPER
    OP_ROOT_BIND = 21,    // text directory
    OP_MOUNT = 22,        // text type, text source, text target, u64 MOUNT_ATTR_*, list options
    OP_BIND = 23,      // text source, text target, u64 MOUNT_ATTR_*, u32 MS_* propagation; flags BIND_FLAG_*
    OP_DEVICE = 24,    // text path, u32 S_IFCHR or S_IFBLK, major, minor, mode, uid, gid
    OP_SYMLINK = 25,   // text target, text path
    OP_MASK = 26,      // text path
    OP_READ_ONLY = 27, // text path
    OP_ROOT_READ_ONLY = 28, // nothing
    OP_PROPAGATION = 29,    // u32 MS_*
    OP_MKDIR = 30,          // text path, u32 mode, uid, gid
    // the rest of init's surroundings
    OP_HOSTNAME = 40, // text
    OP_SYSCTL = 41,   // text key, text value
    OP_TERMINAL = 42, // u32 rows, u32 columns
    OP_STDIN = 43,    // nothing
    // the process, for init and exec alike
    OP_ARGV = 50,          // list
    OP_ENV = 51,           // list
    OP_CWD = 52,           // text
    OP_USER = 53,          // u32 uid, u32 gid, u32 count and as many u32 groups
    OP_UMASK = 54,         // u32
    OP_RLIMIT = 55,        // u32 resource, u64 soft, u64 hard
    OP_OOM_SCORE_ADJ = 56, // i32
    OP_CAPS = 57,          // u64 bounding, effective, permitted, inheritable, ambient
    OP_NO_NEW_PRIVS = 58,  // nothing
    OP_SECCOMP = 59,       // u32 flags, bytes of struct sock_filter[]
    OP_INIT = 60,          // nothing
};

enum { CGROUP_FLAG_V2 = 1 };
enum { ROOT_FLAG_NO_UPPER = 1 };
enum { BIND_FLAG_RECURSIVE = 1, BIND_FLAG_READ_ONLY_RECURSIVE = 2 };
enum { RESTART_NO = 0, RESTART_ON_FAILURE = 1, RESTART_ALWAYS = 2, RESTART_UNLESS_STOPPED = 3 };

enum { OP_MAX_FIELDS = 7 };

/// One field of a payload; which members are set follows from the kind of field in the lists above.
typedef struct {
    uint64_t number;     // u32, u64, i32 (sign-extended)
    const char *text;    // text
    char **list;         // list, NULL at the end
    const uint8_t *data; // bytes, or u32[] in the machine's order for groups
    uint32_t count;      // of list, bytes or groups
} Field;

typedef struct {
    uint16_t code;
    uint16_t flags;
    uint32_t index; // the place in the program, for messages
    const char *name;
    Field fields[OP_MAX_FIELDS];
} Op;

typedef struct {
    Op *ops;
    uint32_t count;
    void *memory; // all texts and lists
} Program;

/// Reads and checks the file; NULL and the failure when it is not a whole program. Free it with
/// program_free().
Program *program_read(const char *path, Failure *out);
/// The same from bytes.
Program *program_decode(const uint8_t *bytes, size_t size, Failure *out);
void program_free(Program *program);
static inline void cleanup_programp(Program **program)
{
    program_free(*program);
}
#define cleanup_program __attribute__((cleanup(cleanup_programp)))

/// The only or first op of that code, or NULL.
const Op *program_find(const Program *program, uint16_t code);
/// The next op of that code after the given one (NULL: from the start), or NULL.
const Op *program_next(const Program *program, uint16_t code, const Op *after);

static inline int32_t field_i32(const Field *field)
{
    return (int32_t)(int64_t)field->number;
}

/// `op N NAME: ` before the rest; as fail().
bool fail_op(Failure *out, const Op *op, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
