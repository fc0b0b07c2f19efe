// See tar-links.h.

#include "tar-links.h"

#include <string.h>

static SeenFile *slot_of(SeenFile *files, size_t room, uint64_t device, uint64_t inode)
{
    // Fibonacci hashing; the upper bits are the mixed ones.
    size_t at = (size_t)(((inode ^ device << 40) * 0x9e3779b97f4a7c15ULL) >> 20);
    for (;; at++) {
        SeenFile *file = &files[at & (room - 1)];
        if (file->name == NULL || (file->device == device && file->inode == inode)) return file;
    }
}

static void grow(SeenFiles *seen)
{
    size_t room = seen->room == 0 ? 256 : seen->room * 2;
    SeenFile *files = xcalloc(room, sizeof *files);
    for (size_t i = 0; i < seen->room; i++) {
        const SeenFile *old = &seen->files[i];
        if (old->name != NULL) *slot_of(files, room, old->device, old->inode) = *old;
    }
    free(seen->files);
    seen->files = files;
    seen->room = room;
}

const char *seen_or_add(SeenFiles *seen, uint64_t device, uint64_t inode, const char *name)
{
    if (seen->count * 2 >= seen->room) grow(seen);
    SeenFile *file = slot_of(seen->files, seen->room, device, inode);
    if (file->name != NULL) return file->name;
    *file = (SeenFile){.device = device, .inode = inode, .name = xstrdup(name)};
    seen->count++;
    return NULL;
}

void seen_free(SeenFiles *seen)
{
    for (size_t i = 0; i < seen->room; i++)
        free(seen->files[i].name);
    free(seen->files);
    *seen = (SeenFiles){0};
}
