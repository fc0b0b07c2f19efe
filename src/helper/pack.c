// Three verbs that write a tar to stdout (see tar-walk.h).
// `nslab-helper _pack UPPER [--lower DIR]...`: the layer that an upper directory of overlayfs is, lower
// layers in the order of the mount, the topmost first. Without any it cannot know which opaque directories
// hide something, and writes the mark for all of them. `nslab-helper _export ROOT`: all files of a root,
// without what is mounted on it. `nslab-helper _tar-out ROOT PATH`: what is at a path inside a root, under
// its last name, as `docker cp` does: a link there is a link, and the directory it leads to with a slash at
// the end. `PATH/.` names what is in the directory relative to it.

#include "in-root.h"
#include "mount-api.h"
#include "tar-failure.h"
#include "tar-name.h"
#include "tar-place.h"
#include "tar-walk.h"

#include <fcntl.h>
#include <string.h>

#define PACK_USAGE "usage: nslab-helper _pack UPPER [--lower DIR]..."

static int write_archive(Walk *walk, int parent, const char *entry, const char *name)
{
    output_open(&walk->output, STDOUT_FILENO);
    walk_tree(walk, parent, entry, name);
    output_finish(&walk->output);
    return 0;
}

int verb_pack(int argc, char **argv)
{
    const char *upper = NULL;
    int *lowers = xcalloc((size_t)argc, sizeof *lowers);
    Walk walk = {.kind = WALK_LAYER, .lowers = lowers};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--lower") == 0 && i + 1 < argc) {
            int fd = open(argv[++i], O_PATH | O_DIRECTORY | O_CLOEXEC);
            if (fd < 0) die_errno("open %s", quoted_short(argv[i]));
            lowers[walk.lower_count++] = fd;
        } else if (upper == NULL && *argv[i] != '-') {
            upper = argv[i];
        } else {
            die(EXIT_USAGE, "USAGE", PACK_USAGE, "unknown option %s", quoted(argv[i]));
        }
    }
    if (upper == NULL) die(EXIT_USAGE, "USAGE", PACK_USAGE, "one folder is wanted");
    Place place;
    place_enter(&place, upper);
    write_archive(&walk, place.root, ".", "");
    free(lowers);
    return 0;
}

int verb_export(int argc, char **argv)
{
    if (argc != 2) die(EXIT_USAGE, "USAGE", "usage: nslab-helper _export ROOT", "one folder is wanted");
    Walk walk = {.kind = WALK_ONE_MOUNT};
    Place place;
    place_enter(&place, argv[1]);
    return write_archive(&walk, place.root, ".", "");
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && strcmp(text + length - size, end) == 0;
}

int verb_tar_out(int argc, char **argv)
{
    if (argc != 3)
        die(EXIT_USAGE, "USAGE", "usage: nslab-helper _tar-out ROOT PATH",
            "a root and a path in it are wanted");
    Walk walk = {.kind = WALK_FILES};
    Place place;
    place_enter(&place, argv[1]);
    const char *path = argv[2];
    cleanup_free char *clean = clean_name(path);
    const char *name = base_name(clean);
    bool inside = *name == '\0' || ends_with(path, "/.");
    if (inside || ends_with(path, "/")) {
        cleanup_fd int fd = place_open_dir(&place, clean, 0);
        if (fd < 0) die_errno("open %s", quoted_short(path));
        return write_archive(&walk, fd, ".", inside ? "" : name);
    }
    cleanup_free char *folder = xstrdup(clean);
    folder[name - clean] = '\0';
    cleanup_fd int parent = place_open_dir(&place, folder, 0);
    if (parent < 0) die_errno("open %s", quoted_short(path));
    return write_archive(&walk, parent, name, name);
}
