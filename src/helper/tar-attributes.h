// Owner, mode, extended attributes and time of what has just been made. In this order: chown(2) takes
// set-user-ID bits and file capabilities away.

#ifndef NSLAB_TAR_ATTRIBUTES_H
#define NSLAB_TAR_ATTRIBUTES_H

#include "tar-extract.h"

/// Of an open file or directory. `fresh`: it was made with the lower nine bits of the mode. The time of a
/// directory is set at the end, not here.
void set_file_attributes(Extract *extract, const Parent *parent, int fd, const TarEntry *entry, bool fresh);
void set_dir_attributes(Extract *extract, const Parent *parent, int fd, const TarEntry *entry, bool fresh);
/// Of what cannot be opened; mknodat(2) has set the mode.
void set_node_attributes(Extract *extract, const Parent *parent, const char *name, const TarEntry *entry);

#endif
