// nslab and nslab-helper are this program: bin/nslab is a link to it. It does itself what must happen in a
// single-threaded process, after a fork, or faster than Node starts, and becomes Node for everything else.
// One verb per file, chosen by the first argument; those that begin with _ are for nslab itself. It decides
// nothing: TypeScript plans, the helper does. Never install it setuid.

#include "common.h"
#include "launch.h"

#include <string.h>

static const struct {
    const char *name;
    verb_function *run;
} verbs[] = {
    // clang-format off
    {"exec", verb_exec},
    {"shell", verb_shell},
    {"_snapshot-key", verb_snapshot_key},
    {"_words", verb_words},
    {"_run-once", verb_run_once},
    {"_start", verb_start},
    {"_userns", verb_userns},
    {"_control", verb_control},
    {"_attach", verb_attach},
    {"_unpack", verb_unpack},
    {"_tar-in", verb_tar_in},
    {"_pack", verb_pack},
    {"_export", verb_export},
    {"_tar-out", verb_tar_out},
    {"_probe", verb_probe},
    {"_capture", verb_capture},
    {"_events", verb_events},
    // clang-format on
};

// Help is text about options, which Node has.
static bool asks_for_help(int argc, char **argv)
{
    return argc >= 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && !asks_for_help(argc, argv)) {
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
            if (strcmp(argv[1], verbs[i].name) == 0) return verbs[i].run(argc - 1, argv + 1);
        }
    }
    launch_node(argc, argv);
}
