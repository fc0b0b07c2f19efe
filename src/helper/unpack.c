// `nslab-helper _unpack [--max-bytes N] [--max-entries N] [--no-devices] DIR`: unpacks the layer on stdin, an
// uncompressed tar, into the empty folder, in overlayfs' own form. `nslab-helper _tar-in [the same] ROOT
// PATH`: unpacks the files on stdin at a path inside a root. Both read stdin to its end, print `bytes=N
// entries=N`, and leave what they have made when they fail. What is where: tar-extract.h, tar-place.h.

#include "in-root.h"
#include "tar-extract.h"
#include "tar-failure.h"

#include <fcntl.h>
#include <string.h>

#define LIMIT_WORDS "[--max-bytes N] [--max-entries N] [--no-devices]"
#define UNPACK_USAGE "usage: nslab-helper _unpack " LIMIT_WORDS " DIR"
#define TAR_IN_USAGE "usage: nslab-helper _tar-in " LIMIT_WORDS " ROOT PATH"

static uint64_t number_of(const char *word, const char *usage)
{
    char *end;
    errno = 0;
    unsigned long long number = word == NULL ? 0 : strtoull(word, &end, 10);
    if (word == NULL || *word < '0' || *word > '9' || *end != '\0' || errno != 0)
        die(EXIT_USAGE, "USAGE", usage, "a number is wanted");
    return number;
}

// Returns where the words that are no options begin.
static char **parse_rules(char **words, const char *usage, ExtractRules *rules)
{
    *rules = (ExtractRules){.max_bytes = DEFAULT_MAX_BYTES, .max_entries = DEFAULT_MAX_ENTRIES};
    for (words++; *words != NULL && starts_with(*words, "--"); words++) {
        if (strcmp(*words, "--") == 0) return words + 1;
        if (strcmp(*words, "--no-devices") == 0) {
            rules->no_devices = true;
        } else if (strcmp(*words, "--max-bytes") == 0) {
            rules->max_bytes = number_of(*++words, usage);
        } else if (strcmp(*words, "--max-entries") == 0) {
            rules->max_entries = number_of(*++words, usage);
        } else {
            die(EXIT_USAGE, "USAGE", usage, "unknown option %s", quoted(*words));
        }
    }
    return words;
}

static int finish(Extract *extract)
{
    extract_all(extract, STDIN_FILENO);
    printf("bytes=%llu entries=%llu\n", (unsigned long long)extract->bytes,
           (unsigned long long)extract->entries);
    if (fflush(stdout) != 0) die_errno("write the result");
    return 0;
}

// In the folder.
static void check_empty(const char *folder)
{
    int copy = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (dir == NULL) die_errno("read %s", quoted_short(folder));
    for (const struct dirent *child; (child = readdir(dir)) != NULL;) {
        if (strcmp(child->d_name, ".") != 0 && strcmp(child->d_name, "..") != 0)
            die(EXIT_USAGE, "USAGE", NULL, "%s is not empty", quoted_short(folder));
    }
}

int verb_unpack(int argc, char **argv)
{
    (void)argc;
    Extract extract = {.prefix = ""};
    char **words = parse_rules(argv, UNPACK_USAGE, &extract.rules);
    if (words[0] == NULL || words[1] != NULL) die(EXIT_USAGE, "USAGE", UNPACK_USAGE, "one folder is wanted");
    extract.rules.layer = true;
    place_enter(&extract.place, words[0]);
    check_empty(words[0]);
    return finish(&extract);
}

int verb_tar_in(int argc, char **argv)
{
    (void)argc;
    Extract extract = {0};
    char **words = parse_rules(argv, TAR_IN_USAGE, &extract.rules);
    if (words[0] == NULL || words[1] == NULL || words[2] != NULL)
        die(EXIT_USAGE, "USAGE", TAR_IN_USAGE, "a root and a path in it are wanted");
    place_enter(&extract.place, words[0]);
    cleanup_fd int fd = place_open_dir(&extract.place, words[1], 0);
    if (fd < 0) die_errno("open %s", quoted_short(words[1]));
    char prefix[TAR_MAX_NAME + 1];
    place_path(fd, prefix);
    extract.prefix = prefix;
    return finish(&extract);
}
