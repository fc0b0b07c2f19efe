// What the layers below a directory have at its place (see tar-walk.h). Overlayfs knows, but the upper
// directory alone does not tell.

#include "in-root.h"
#include "mount-api.h"
#include "tar-name.h"
#include "tar-place.h"
#include "tar-walk.h"
#include "tar-xattrs.h"

#include <string.h>
#include <sys/stat.h>

typedef enum {
    LOWER_NOTHING, // ask the next one
    LOWER_DIRECTORY,
    LOWER_HIDES, // and whatever is below
} LowerAnswer;

static LowerAnswer ask(int layer, const char *path)
{
    char prefix[TAR_MAX_NAME + 1];
    bool opaque = false;
    for (size_t end = 0; path[end] != '\0';) {
        end += end > 0;
        end += strcspn(path + end, "/");
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        cleanup_fd int fd = open_in_root(layer, prefix, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
        // A whiteout or a file hides what is below it; a link is a file here.
        if (fd < 0) return errno == ENOENT && !opaque ? LOWER_NOTHING : LOWER_HIDES;
        opaque = opaque || is_opaque(fd);
    }
    return LOWER_DIRECTORY;
}

bool lowers_have_dir(const int *lowers, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        LowerAnswer answer = ask(lowers[i], path);
        if (answer != LOWER_NOTHING) return answer == LOWER_DIRECTORY;
    }
    return false;
}
