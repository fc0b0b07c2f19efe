// The extended attributes of a file that is packed: sorted, without those that are the host's or overlayfs'
// own; what overlayfs says with its own is told apart.

#ifndef NSLAB_TAR_XATTRS_H
#define NSLAB_TAR_XATTRS_H

#include "tar-format.h"

typedef struct {
    char *names; // as the kernel gives them
    char *values;
    TarXattr *list;
    size_t count;
} Xattrs;

/// Of an open file, or, with fd -1, of the name in the current directory, which is not followed.
void xattrs_read(Xattrs *xattrs, int fd, const char *name);
void xattrs_free(Xattrs *xattrs);

/// True when overlayfs takes the open directory for the whole of it.
bool is_opaque(int fd);

#endif
