// Option parsing of `exec` and `shell` (see options.h). Not getopt_long(3): it accepts abbreviations, which
// would turn every new option into a change of meaning, and prints in its own form.

#include "options.h"

#include <stdarg.h>
#include <string.h>

typedef struct {
    char letter;
    const char *name;
} OptionName;

// `letter` is what Command.letters lists; `-l` itself is not offered, `--lab` is.
static const OptionName option_names[] = {
    {'l', "lab"}, {'w', "workdir"}, {'e', "env"}, {'u', "user"}, {'h', "help"},
};

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

static void add_env(const Command *command, Options *out, char *word)
{
    if (*word == '=' || strchr(word, '=') == NULL) {
        die_usage(command, "--env wants NAME=VALUE, not %s", quoted(word));
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

// Splits `-wDIR`, `-w`, `--workdir=DIR`, `--workdir` into letter and value; value is NULL when it is the next
// word.
static char option_letter(const Command *command, char *word, char **value)
{
    if (word[1] != '-') {
        *value = word[2] == '\0' ? NULL : word + 2;
        if (word[1] != 'l' && takes(command, word[1])) return word[1];
        die_usage(command, "unknown option %s", quoted(word));
    }
    for (size_t i = 0; i < sizeof option_names / sizeof *option_names; i++) {
        size_t length = strlen(option_names[i].name);
        if (strncmp(word + 2, option_names[i].name, length) != 0 || !takes(command, option_names[i].letter))
            continue;
        if (word[2 + length] != '\0' && word[2 + length] != '=') continue;
        *value = word[2 + length] == '=' ? word + 3 + length : NULL;
        return option_names[i].letter;
    }
    die_usage(command, "unknown option %s", quoted(word));
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
        char letter = option_letter(command, argv[i], &value);
        if (letter == 'h') {
            if (value != NULL) die_usage(command, "unknown option %s", quoted(argv[i]));
            print_help(command);
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
