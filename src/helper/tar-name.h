// The names in an archive: made relative to where it is unpacked, and what a name means in a layer. OCI
// image-spec, layer.md, "Whiteouts".

#ifndef NSLAB_TAR_NAME_H
#define NSLAB_TAR_NAME_H

#include "common.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

typedef enum {
    NAME_PLAIN,
    NAME_OPAQUE,   // hides what lower layers have in its directory
    NAME_WHITEOUT, // hides what a lower layer has under the name
    NAME_AUFS,     // aufs kept its own records in such files, also those below such directories
} NameKind;

/// A copy without leading slashes, "." and "..": "" is the place itself. It is made by the text alone, as
/// Go's filepath.Clean does, and dies when ".." leads out, when it is longer than a path or has too many
/// directories. Freed by the caller.
char *clean_name(const char *name);

/// What a clean name means in a layer. Dies for those that mean nothing: a whiteout of "", "." or "..", and
/// anything below a whiteout.
NameKind name_kind(const char *name);

/// The last component.
const char *base_name(const char *name);

/// Dies when the name has more than TAR_MAX_NAME bytes or TAR_MAX_DEPTH directories.
void check_name_length(const char *name);

#endif
