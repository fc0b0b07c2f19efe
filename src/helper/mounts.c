// Reads the mount table and wraps open_tree(2), move_mount(2), which Debian 12's glibc lacks (see mounts.h).

#include "mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>

// Blank, tab, newline and backslash are written as three octal digits: mangle() in fs/proc_namespace.c.
static void unescape(char *text)
{
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        bool octal = in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
                     in[3] >= '0' && in[3] <= '7';
        if (octal) {
            *out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
            in += 3;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
}

// ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG[:VALUE]...] - TYPE SOURCE SUPER_OPTIONS
static bool parse_line(char *line, Mount *out)
{
    char *rest = line;
    char *fields[6];
    for (size_t i = 0; i < 6; i++) {
        fields[i] = strsep(&rest, " ");
        if (rest == NULL) return false;
    }
    bool shared = false;
    for (char *tag; (tag = strsep(&rest, " ")) != NULL && strcmp(tag, "-") != 0;) {
        if (starts_with(tag, "shared:")) shared = true;
    }
    if (rest == NULL) return false;
    unescape(fields[4]);
    *out = (Mount){
        .id = atoi(fields[0]),
        .parent = atoi(fields[1]),
        .point = xstrdup(fields[4]),
        .type = xstrdup(strsep(&rest, " ")),
        .shared = shared,
    };
    return true;
}

bool read_mounts(MountTable *out)
{
    *out = (MountTable){0};
    cleanup_file FILE *file = fopen("/proc/self/mountinfo", "re");
    if (file == NULL) return false;
    cleanup_free char *line = NULL;
    size_t size = 0, room = 0;
    while (getline(&line, &size, file) >= 0) {
        if (out->count == room) {
            room = room == 0 ? 64 : room * 2;
            out->items = xreallocarray(out->items, room, sizeof *out->items);
        }
        if (parse_line(line, &out->items[out->count])) out->count++;
    }
    return true;
}

void free_mounts(MountTable *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->items[i].point);
        free(table->items[i].type);
    }
    free(table->items);
    *table = (MountTable){0};
}

int clone_mount(const char *path)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

int attach_mount(int fd, const char *path)
{
    return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}
