// Decodes a program (see program.h). Every length is checked against what is left of the bytes before it is
// used, and all memory is taken at once, sized by the file, so that no program can make the decoder take more
// than a few times its size.

#include "program.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

enum { HEADER_SIZE = 12, OP_HEADER_SIZE = 8 };

// Kinds of fields: s text, l list, u u32, i i32, q u64, b bytes, g u32 count and u32[].
typedef struct {
    uint16_t code;
    uint16_t flags; // the bits that mean something
    const char *name;
    const char *fields;
    bool repeats; // may be there more than once
} Shape;

static const Shape shapes[] = {
    {OP_ID, 0, "ID", "ss", false},
    {OP_LOG, 0, "LOG", "squ", false},
    {OP_RESTART, 0, "RESTART", "uu", false},
    {OP_STOP, 0, "STOP", "uu", false},
    {OP_HEALTH, 0, "HEALTH", "luuuuu", false},
    {OP_OOM, 0, "OOM", "s", false},
    {OP_FREEZER, 0, "FREEZER", "su", false},
    {OP_CGROUP, CGROUP_FLAG_V2, "CGROUP", "s", true},
    {OP_DEVICES, 0, "DEVICES", "sb", false},
    {OP_REMOVER, 0, "REMOVER", "ll", false},
    {OP_PUBLISH, 0, "PUBLISH", "usuusu", true},
    {OP_PUBLISH_RULES, 0, "PUBLISH_RULES", "bb", false},
    {OP_NAMESPACES, 0, "NAMESPACES", "u", false},
    {OP_JOIN, 0, "JOIN", "us", true},
    {OP_ID_MAP, 0, "ID_MAP", "ss", false},
    {OP_TIME_OFFSETS, 0, "TIME_OFFSETS", "s", false},
    {OP_ROOT_OVERLAY, ROOT_FLAG_NO_UPPER, "ROOT_OVERLAY", "lss", false},
    {OP_ROOT_BIND, 0, "ROOT_BIND", "s", false},
    {OP_MOUNT, 0, "MOUNT", "sssql", true},
    {OP_BIND, BIND_FLAG_RECURSIVE | BIND_FLAG_READ_ONLY_RECURSIVE, "BIND", "ssqu", true},
    {OP_DEVICE, 0, "DEVICE", "suuuuuu", true},
    {OP_SYMLINK, 0, "SYMLINK", "ss", true},
    {OP_MASK, 0, "MASK", "s", true},
    {OP_READ_ONLY, 0, "READ_ONLY", "s", true},
    {OP_ROOT_READ_ONLY, 0, "ROOT_READ_ONLY", "", false},
    {OP_PROPAGATION, 0, "PROPAGATION", "u", false},
    {OP_MKDIR, 0, "MKDIR", "suuu", true},
    {OP_HOSTNAME, 0, "HOSTNAME", "s", false},
    {OP_SYSCTL, 0, "SYSCTL", "ss", true},
    {OP_TERMINAL, 0, "TERMINAL", "uu", false},
    {OP_STDIN, 0, "STDIN", "", false},
    {OP_ARGV, 0, "ARGV", "l", false},
    {OP_ENV, 0, "ENV", "l", false},
    {OP_CWD, 0, "CWD", "s", false},
    {OP_USER, 0, "USER", "uug", false},
    {OP_UMASK, 0, "UMASK", "u", false},
    {OP_RLIMIT, 0, "RLIMIT", "uqq", true},
    {OP_OOM_SCORE_ADJ, 0, "OOM_SCORE_ADJ", "i", false},
    {OP_CAPS, 0, "CAPS", "qqqqq", false},
    {OP_NO_NEW_PRIVS, 0, "NO_NEW_PRIVS", "", false},
    {OP_SECCOMP, 0, "SECCOMP", "ub", false},
    {OP_INIT, 0, "INIT", "", false},
};

typedef struct {
    const uint8_t *at;
    size_t left;
} Bytes;

// Texts need their length less 3 bytes (4 of length become one NUL), lists one pointer for each 4 bytes of
// count or length: the memory below is enough for any program of that size, and checked all the same.
typedef struct {
    uint8_t *at;
    size_t left;
} Memory;

static void *take_memory(Memory *memory, size_t size, size_t align)
{
    size_t skip = (align - (uintptr_t)memory->at % align) % align;
    if (memory->left < skip || memory->left - skip < size) return NULL;
    void *start = memory->at + skip;
    memory->at += skip + size;
    memory->left -= skip + size;
    return start;
}

static bool take_number(Bytes *bytes, size_t size, uint64_t *out)
{
    if (bytes->left < size) return false;
    *out = 0;
    for (size_t i = 0; i < size; i++)
        *out |= (uint64_t)bytes->at[i] << (8 * i);
    bytes->at += size;
    bytes->left -= size;
    return true;
}

static bool take_bytes(Bytes *bytes, const uint8_t **out, uint32_t *size)
{
    uint64_t length;
    if (!take_number(bytes, 4, &length) || bytes->left < length) return false;
    *out = bytes->at;
    *size = (uint32_t)length;
    bytes->at += length;
    bytes->left -= length;
    return true;
}

static char *take_text(Bytes *bytes, Memory *memory)
{
    const uint8_t *text;
    uint32_t length;
    if (!take_bytes(bytes, &text, &length)) return NULL;
    if (length > 0 && memchr(text, '\0', length) != NULL) return NULL;
    char *copy = take_memory(memory, (size_t)length + 1, 1);
    if (copy == NULL) return NULL;
    if (length > 0) memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

static bool take_list(Bytes *bytes, Memory *memory, Field *out)
{
    uint64_t count;
    // Each text takes 4 bytes at least: a larger count is a lie, refused before memory is taken for it.
    if (!take_number(bytes, 4, &count) || count > bytes->left / 4) return false;
    out->list = take_memory(memory, (count + 1) * sizeof *out->list, sizeof *out->list);
    if (out->list == NULL) return false;
    for (uint64_t i = 0; i < count; i++) {
        out->list[i] = take_text(bytes, memory);
        if (out->list[i] == NULL) return false;
    }
    out->list[count] = NULL;
    out->count = (uint32_t)count;
    return true;
}

static bool take_groups(Bytes *bytes, Memory *memory, Field *out)
{
    uint64_t count;
    if (!take_number(bytes, 4, &count) || count > bytes->left / 4) return false;
    uint32_t *groups = take_memory(memory, count * sizeof *groups, sizeof *groups);
    if (groups == NULL) return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t group;
        if (!take_number(bytes, 4, &group)) return false;
        groups[i] = (uint32_t)group;
    }
    out->data = (const uint8_t *)groups;
    out->count = (uint32_t)count;
    return true;
}

// Instructions are read by the kernel as structures: aligned, and not bytes of a file that is about to be
// freed.
static bool take_data(Bytes *bytes, Memory *memory, Field *out)
{
    const uint8_t *data;
    if (!take_bytes(bytes, &data, &out->count)) return false;
    uint8_t *copy = take_memory(memory, out->count, 8);
    if (copy == NULL) return false;
    if (out->count > 0) memcpy(copy, data, out->count);
    out->data = copy;
    return true;
}

static bool take_field(char kind, Bytes *bytes, Memory *memory, Field *out)
{
    switch (kind) {
    case 's':
        out->text = take_text(bytes, memory);
        return out->text != NULL;
    case 'l':
        return take_list(bytes, memory, out);
    case 'u':
        return take_number(bytes, 4, &out->number);
    case 'i':
        if (!take_number(bytes, 4, &out->number)) return false;
        out->number = (uint64_t)(int64_t)(int32_t)(uint32_t)out->number;
        return true;
    case 'q':
        return take_number(bytes, 8, &out->number);
    case 'b':
        return take_data(bytes, memory, out);
    case 'g':
        return take_groups(bytes, memory, out);
    default:
        return false;
    }
}

static const Shape *find_shape(uint64_t code)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].code == code) return &shapes[i];
    }
    return NULL;
}

static bool decode_op(Bytes *bytes, Memory *memory, Op *out, Failure *failure)
{
    uint64_t code, flags, length;
    if (!take_number(bytes, 2, &code) || !take_number(bytes, 2, &flags) || !take_number(bytes, 4, &length))
        return fail(failure, 0, "op %u: the program ends in the middle", out->index);
    const Shape *shape = find_shape(code);
    if (shape == NULL) return fail(failure, 0, "op %u: no op has the code %u", out->index, (unsigned)code);
    out->code = (uint16_t)code;
    out->flags = (uint16_t)flags;
    out->name = shape->name;
    if ((flags & ~(uint64_t)shape->flags) != 0)
        return fail_op(failure, out, 0, "unknown flags %#x", out->flags);
    if (length > bytes->left) return fail_op(failure, out, 0, "the program ends in the middle");
    Bytes payload = {bytes->at, length};
    for (size_t i = 0; shape->fields[i] != '\0'; i++) {
        if (!take_field(shape->fields[i], &payload, memory, &out->fields[i]))
            return fail_op(failure, out, 0, "field %zu is damaged", i + 1);
    }
    if (payload.left > 0) return fail_op(failure, out, 0, "%zu bytes too many", payload.left);
    bytes->at += length;
    bytes->left -= length;
    return true;
}

static bool decode_ops(Program *program, Bytes *bytes, Memory *memory, Failure *failure)
{
    for (uint32_t i = 0; i < program->count; i++) {
        Op *op = &program->ops[i];
        op->index = i;
        if (!decode_op(bytes, memory, op, failure)) return false;
        const Shape *shape = find_shape(op->code);
        if (!shape->repeats && program_find(program, op->code) != op)
            return fail_op(failure, op, 0, "is there twice");
    }
    if (bytes->left > 0) return fail(failure, 0, "%zu bytes after the last op", bytes->left);
    return true;
}

Program *program_decode(const uint8_t *data, size_t size, Failure *out)
{
    Bytes bytes = {data, size};
    uint64_t version, zero, count;
    if (size > PROGRAM_MAX_BYTES) {
        fail(out, 0, "the program is larger than 1 MiB");
        return NULL;
    }
    if (size < HEADER_SIZE || memcmp(data, "NSLP", 4) != 0) {
        fail(out, 0, "this is no program of a container");
        return NULL;
    }
    bytes.at += 4;
    bytes.left -= 4;
    take_number(&bytes, 2, &version);
    take_number(&bytes, 2, &zero);
    take_number(&bytes, 4, &count);
    if (version != PROGRAM_VERSION || zero != 0) {
        fail(out, 0, "the program has version %u, this helper runs %u", (unsigned)version, PROGRAM_VERSION);
        return NULL;
    }
    if (count > bytes.left / OP_HEADER_SIZE) {
        fail(out, 0, "the program ends before its %u ops do", (unsigned)count);
        return NULL;
    }
    Memory memory = {.left = 4 * size + 256};
    Program *program = xcalloc(1, sizeof *program);
    memory.at = program->memory = xcalloc(1, memory.left);
    program->ops = xcalloc(count + 1, sizeof *program->ops);
    program->count = (uint32_t)count;
    if (decode_ops(program, &bytes, &memory, out)) return program;
    program_free(program);
    return NULL;
}

Program *program_read(const char *path, Failure *out)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0) {
        fail(out, errno, "open the program %s", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || status.st_size > PROGRAM_MAX_BYTES) {
        fail(out, 0, "%s is no file of at most 1 MiB", path);
        return NULL;
    }
    // One byte more than the file has: a file that grows meanwhile is damaged, not cut.
    size_t room = (size_t)status.st_size + 1, size = 0;
    cleanup_free uint8_t *bytes = xcalloc(room, 1);
    ssize_t got;
    while (size < room && (got = TEMP_FAILURE_RETRY(read(fd, bytes + size, room - size))) > 0)
        size += (size_t)got;
    return program_decode(bytes, size, out);
}

void program_free(Program *program)
{
    if (program == NULL) return;
    free(program->ops);
    free(program->memory);
    free(program);
}

const Op *program_next(const Program *program, uint16_t code, const Op *after)
{
    for (const Op *op = after == NULL ? program->ops : after + 1; op < program->ops + program->count; op++) {
        if (op->code == code) return op;
    }
    return NULL;
}

const Op *program_find(const Program *program, uint16_t code)
{
    return program_next(program, code, NULL);
}

bool fail_op(Failure *out, const Op *op, int error, const char *format, ...)
{
    char text[sizeof out->text];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(text, sizeof text, format, arguments) < 0) *text = '\0';
    va_end(arguments);
    return fail(out, error, "op %u %s: %s", op->index, op->name, text);
}
