// From options to a process inside the node (see enter.h). Ends with the credentials given up, so nothing
// after it may need root.

#include "enter.h"
#include "view.h"

#include <string.h>

static void set_environment(const Node *node, const Options *options)
{
    if (setenv("NSLAB_NODE", node->name, 1) < 0) die_errno("set NSLAB_NODE");
    // `host` belongs to no lab: a name inherited from an outer exec would be a lie.
    if ((node->lab != NULL ? setenv("NSLAB_LAB", node->lab, 1) : unsetenv("NSLAB_LAB")) < 0)
        die_errno("set NSLAB_LAB");
    for (size_t i = 0; i < options->env_count; i++) {
        if (putenv(options->env[i]) != 0) die_errno("set %s", quoted(options->env[i]));
    }
}

void enter(const Command *command, const Options *options, User *user)
{
    if (geteuid() != 0) {
        die(EXIT_HOST, "HOST_NOT_ROOT", NULL, "nslab %s needs root: run the same command with sudo",
            command->verb);
    }
    Node node;
    find_node(command->verb, options->lab, options->node, &node);
    enter_node(&node);
    // After the node's files are over /etc, so that a node may have its own passwd; before chdir, so that a
    // directory the user may not enter is refused.
    if (options->user != NULL) {
        User found;
        find_user(options->user, &found);
        become_user(&found);
        if (user != NULL) *user = found;
    }
    if (options->workdir != NULL && chdir(options->workdir) < 0) {
        die(EXIT_USAGE, "USAGE", NULL, "cannot enter the directory %s: %s", quoted(options->workdir),
            strerror(errno));
    }
    set_environment(&node, options);
}
