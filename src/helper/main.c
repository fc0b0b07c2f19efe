// nslab-helper: what must happen in a single-threaded process, or after a fork, and therefore not in Node.
// One verb per file, chosen by the first argument. It decides nothing: TypeScript plans, the helper does.
// Never install it setuid.

#include "common.h"

#include <string.h>

static const struct {
    const char *name;
    verb_function *run;
} verbs[] = {
    {"exec", verb_exec},
    {"shell", verb_shell},
};

int main(int argc, char **argv)
{
    if (argc >= 2) {
        for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
            if (strcmp(argv[1], verbs[i].name) == 0) return verbs[i].run(argc - 1, argv + 1);
        }
    }
    die(EXIT_USAGE, "USAGE", "this program is run by nslab; call nslab instead",
        "nslab-helper has no verb %s", quoted(argc >= 2 ? argv[1] : ""));
}
