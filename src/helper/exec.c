// `nslab exec [OPTIONS] NODE [--] CMD [ARG...]`: becomes the command inside the node. There is no fork: the
// command has the caller's pid, terminal, descriptors and signals, and its exit status is its own, as with
// `ip netns exec`. A container is another matter: container-exec.c.

#include "container-exec.h"
#include "enter.h"

#include <string.h>

static const Command command = {
    .verb = "exec",
    .usage = "nslab exec [--lab LAB] [-itd] [-w DIR] [-e NAME=VALUE]... [-u USER[:GROUP]] [--privileged] "
             "NODE [--] COMMAND [ARGUMENT...]",
    .letters = "lweuitdp",
};

// execvp(3) looks in PATH, and runs a script without #! with sh, as every shell does.
_Noreturn static void run_command(char **argv)
{
    execvp(argv[0], argv);
    int error = errno;
    bool missing = error == ENOENT || error == ENOTDIR;
    if (missing && strchr(argv[0], '/') != NULL && access(argv[0], F_OK) == 0) {
        die(EXIT_NO_COMMAND, "EXEC_FAILED",
            "the file is there, so it is its interpreter or its dynamic loader that is not",
            "cannot run %s: %s", quoted(argv[0]), strerror(error));
    }
    if (missing)
        die(EXIT_NO_COMMAND, "EXEC_FAILED", NULL, "cannot run %s: command not found", quoted(argv[0]));
    die(EXIT_CANNOT_EXEC, "EXEC_FAILED", NULL, "cannot run %s: %s", quoted(argv[0]), strerror(error));
}

int verb_exec(int argc, char **argv)
{
    Options options;
    parse_options(&command, argc, argv, &options);
    if (options.rest_count == 0) die_usage(&command, "the command is missing");
    exec_in_container(&command, &options, argv, false);
    // -i and -t are what it has in any case: the caller's own input and terminal.
    if (options.detach || options.privileged) {
        die_usage(&command, "%s is for containers, and %s is a bare namespace",
                  options.detach ? "--detach" : "--privileged", quoted(options.node));
    }
    enter(&command, &options, NULL);
    run_command(options.rest);
}
