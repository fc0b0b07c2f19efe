// The options that `exec` and `shell` share, and what they add up to. Parsing stops at the first word that is
// no option, so the options of a command are never taken for ours; there are no abbreviations of long
// options.

#ifndef NSLAB_OPTIONS_H
#define NSLAB_OPTIONS_H

#include "common.h"

typedef struct {
    const char *lab;                           // NULL: look in all labs
    const char *workdir;                       // NULL: stay where the caller is
    const char *user;                          // NULL: stay who the caller is
    bool interactive, tty, detach, privileged; // of `exec`
    char **env;                                // K=V words in the order given, NULL at the end
    size_t env_count;
    const char *node;
    char **rest; // the words after NODE, NULL at the end
    int rest_count;
} Options;

/// What a verb says about itself: its usage line, and the letters of the options it takes
/// ("lweu", and i, t, d, p, which have no value).
typedef struct {
    const char *verb;
    const char *usage;
    const char *letters;
} Command;

/// Fills the options or exits with a usage error; `--help` prints the usage on stdout and exits 0.
void parse_options(const Command *command, int argc, char **argv, Options *out);
_Noreturn void die_usage(const Command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
