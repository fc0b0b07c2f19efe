// See tar-name.h.

#include "tar-name.h"
#include "tar-failure.h"
#include "tar-format.h"

#include <string.h>

void check_name_length(const char *name)
{
    if (strlen(name) > TAR_MAX_NAME) tar_limit("a name of more than %d bytes", TAR_MAX_NAME);
    int depth = 0;
    for (const char *c = name; *c != '\0'; c++)
        depth += *c == '/';
    if (depth > TAR_MAX_DEPTH) tar_limit("more than %d directories above one another", TAR_MAX_DEPTH);
}

char *clean_name(const char *name)
{
    char *clean = xcalloc(strlen(name) + 1, 1);
    size_t used = 0;
    for (const char *at = name; *at != '\0';) {
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            if (used == 0) tar_refused("it leads out of the archive's place");
            while (used > 0 && clean[--used] != '/') {
            }
        } else if (length > 0 && !(length == 1 && at[0] == '.')) {
            if (used > 0) clean[used++] = '/';
            memcpy(clean + used, at, length);
            used += length;
        }
        at += length;
        at += strspn(at, "/");
    }
    clean[used] = '\0';
    check_name_length(clean);
    return clean;
}

const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

static bool is_aufs(const char *component, size_t length)
{
    return starts_with(component, WHITEOUT_META) &&
           !(length == strlen(WHITEOUT_OPAQUE) && starts_with(component, WHITEOUT_OPAQUE));
}

NameKind name_kind(const char *name)
{
    const char *last = base_name(name);
    for (const char *at = name; at < last; at += strcspn(at, "/") + 1) {
        if (is_aufs(at, strcspn(at, "/"))) return NAME_AUFS;
        if (starts_with(at, WHITEOUT_PREFIX)) tar_refused("it lies below a whiteout");
    }
    if (!starts_with(last, WHITEOUT_PREFIX)) return NAME_PLAIN;
    if (is_aufs(last, strlen(last))) return NAME_AUFS;
    if (strcmp(last, WHITEOUT_OPAQUE) == 0) return NAME_OPAQUE;
    const char *hidden = last + strlen(WHITEOUT_PREFIX);
    if (*hidden == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
        tar_refused("a whiteout of no name");
    return NAME_WHITEOUT;
}
