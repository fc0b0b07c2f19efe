// `nslab exec` and `nslab shell` where the node is a container: a process with a container's rights inside of
// it.

#ifndef NSLAB_CONTAINER_EXEC_H
#define NSLAB_CONTAINER_EXEC_H

#include "options.h"

/// Returns when the node is no container; otherwise runs the command (options->rest, or with `shell` the
/// user's shell) in it and exits as it does. `words` are those of the verb.
void exec_in_container(const Command *command, const Options *options, char **words, bool shell);

#endif
