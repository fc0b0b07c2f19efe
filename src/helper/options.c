// Option parsing of `exec` and `shell` (see options.h). Not getopt_long(3): it accepts abbreviations, which
// would turn every new option into a change of meaning, and prints in its own form.

#include "options.h"

#include <stdarg.h>
#include <string.h>

typedef struct {
    char letter;
    const char *name;
} OptionName;

// `letter` is what Command.letters lists; of those in `long_only` the letter itself is not offered.
static const OptionName option_names[] = {
    {'l', "lab"},         {'w', "workdir"}, {'e', "env"},    {'u', "user"},       {'h', "help"},
    {'i', "interactive"}, {'t', "tty"},     {'d', "detach"}, {'p', "privileged"},
};
static const char long_only[] = "lp", without_value[] = "hitdp";

void die_usage(const Command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0) abort();
    va_end(arguments);
    cleanup_free char *hint = xasprintf("usage: %s", command->usage);
    die(EXIT_USAGE, "USAGE", hint, "%s", message);
}

static bool takes(const Command *command, char letter)
{
    return letter == 'h' || strchr(command->letters, letter) != NULL;
}

// NAME alone is the caller's own, and nothing where that is not set, as with Docker.
static void add_env(const Command *command, Options *out, char *word)
{
    if (*word == '=') die_usage(command, "--env wants NAME=VALUE or NAME, not %s", quoted(word));
    if (strchr(word, '=') == NULL) {
        const char *value = getenv(word);
        if (value == NULL) return;
        word = xasprintf("%s=%s", word, value);
    }
    out->env = xreallocarray(out->env, out->env_count + 2, sizeof *out->env);
    out->env[out->env_count++] = word;
    out->env[out->env_count] = NULL;
}

static void set_option(const Command *command, Options *out, char letter, char *value)
{
    const char *name = "";
    for (size_t i = 0; i < sizeof option_names / sizeof *option_names; i++) {
        if (option_names[i].letter == letter) name = option_names[i].name;
    }
    if (*value == '\0') die_usage(command, "--%s is empty", name);
    if (letter == 'l') out->lab = value;
    if (letter == 'w') out->workdir = value;
    if (letter == 'u') out->user = value;
    if (letter == 'e') add_env(command, out, value);
}

_Noreturn static void print_help(const Command *command)
{
    printf("usage: %s\n", command->usage);
    exit(fflush(stdout) == 0 ? 0 : EXIT_BUG);
}

static void set_flag(const Command *command, Options *out, char letter)
{
    if (letter == 'h') print_help(command);
    if (letter == 'i') out->interactive = true;
    if (letter == 't') out->tty = true;
    if (letter == 'd') out->detach = true;
    if (letter == 'p') out->privileged = true;
}

static bool has_value(char letter)
{
    return strchr(without_value, letter) == NULL;
}

// `--workdir=DIR`, `--workdir`, `--tty`. Returns the letter; the value is NULL when there is none in the
// word.
static char long_letter(const Command *command, char *word, char **value)
{
    for (size_t i = 0; i < sizeof option_names / sizeof *option_names; i++) {
        size_t length = strlen(option_names[i].name);
        if (strncmp(word + 2, option_names[i].name, length) != 0 || !takes(command, option_names[i].letter))
            continue;
        if (word[2 + length] != '\0' && word[2 + length] != '=') continue;
        *value = word[2 + length] == '=' ? word + 3 + length : NULL;
        if (*value == NULL || has_value(option_names[i].letter)) return option_names[i].letter;
    }
    die_usage(command, "unknown option %s", quoted(word));
}

// `-wDIR`, `-w`, `-it`, `-itw DIR`: sets those without a value. Returns the letter of the one that has one,
// or 0.
static char short_letters(const Command *command, Options *out, char *word, char **value)
{
    *value = NULL;
    for (char *letter = word + 1; *letter != '\0'; letter++) {
        if (strchr(long_only, *letter) != NULL || !takes(command, *letter))
            die_usage(command, "unknown option %s", quoted(word));
        if (has_value(*letter)) {
            if (letter[1] != '\0') *value = letter + 1;
            return *letter;
        }
        set_flag(command, out, *letter);
    }
    return 0;
}

void parse_options(const Command *command, int argc, char **argv, Options *out)
{
    *out = (Options){.env = xcalloc(1, sizeof(char *))};
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        char *value;
        char letter = argv[i][1] == '-' ? long_letter(command, argv[i], &value)
                                        : short_letters(command, out, argv[i], &value);
        if (letter == 0) continue;
        if (!has_value(letter)) {
            set_flag(command, out, letter);
            continue;
        }
        if (value == NULL) {
            if (i + 1 >= argc) die_usage(command, "%s wants a value", quoted(argv[i]));
            value = argv[++i];
        }
        set_option(command, out, letter, value);
    }
    if (i >= argc) die_usage(command, "the node is missing");
    out->node = argv[i++];
    if (i < argc && strcmp(argv[i], "--") == 0) i++;
    out->rest = argv + i;
    out->rest_count = argc - i;
}
