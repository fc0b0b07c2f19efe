// Looks a node up under /run/nslab/labs (see node.h). It must not write anything there.

#include "node.h"
#include "outside.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

enum { LISTED_NAMES = 8, SHOWN_COMMANDS = 3, PREFIX_MAX = 255 };

static void add_name(Names *names, const char *name)
{
    names->items = xreallocarray(names->items, names->count + 1, sizeof *names->items);
    names->items[names->count++] = xstrdup(name);
}

static int compare_names(const void *a, const void *b)
{
    // pc2 before pc10.
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(Names *names)
{
    if (names->count > 1) qsort(names->items, names->count, sizeof *names->items, compare_names);
}

// The same letters as parseNodeName() in src/base/names.ts: a name can then be put into a path as it is.
static bool is_plain_name(const char *name)
{
    if (!isalnum((unsigned char)*name) && *name != '_') return false;
    for (; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name) && strchr("_.-", *name) == NULL) return false;
    }
    return true;
}

static void check_name(const char *what, const char *name)
{
    if (is_plain_name(name)) return;
    die(EXIT_USAGE, "USAGE",
        "names have letters, digits, \"_\", \"-\" and \".\", and start with one of the first three",
        "%s is not the name of a %s", quoted(name), what);
}

static char *read_prefix(int labs_fd, const char *lab)
{
    cleanup_free char *path = xasprintf("%s/prefix", lab);
    cleanup_fd int fd = openat(labs_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) return xstrdup("");
    char text[PREFIX_MAX + 1];
    ssize_t length = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, text, sizeof text));
    if (length < 0 || length > PREFIX_MAX) {
        die(EXIT_LAB, "STATE_BROKEN", "take the lab down and up again", "cannot read " LABS_DIR "/%s", path);
    }
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (*text != '\0' && !is_plain_name(text)) {
        die(EXIT_LAB, "STATE_BROKEN", "take the lab down and up again",
            LABS_DIR "/%s has %s, which is no prefix", path, quoted(text));
    }
    return xstrdup(text);
}

static Names list_names(int dir_fd, const char *path)
{
    Names names = {0};
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) close(fd);
        return names;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (is_plain_name(entry->d_name)) add_name(&names, entry->d_name);
    }
    return names;
}

static int open_pin(int labs_fd, const char *lab, const char *netns)
{
    char path[3 * (NAME_MAX + 1)];
    if ((size_t)snprintf(path, sizeof path, "%s/netns/%s", lab, netns) >= sizeof path) return -1;
    return openat(labs_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

// A container in the network of another node has no pin, only its folder.
static int open_container_folder(int labs_fd, const char *lab, const char *node)
{
    char path[3 * (NAME_MAX + 1)];
    if ((size_t)snprintf(path, sizeof path, "%s/containers/%s", lab, node) >= sizeof path) return -1;
    return openat(labs_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// Looks for the node in one lab: PREFIX + typed, then typed as the netns' own name.
static bool find_in_lab(int labs_fd, const char *lab, const char *typed, Node *out)
{
    cleanup_free char *prefix = read_prefix(labs_fd, lab);
    cleanup_free char *prefixed = xasprintf("%s%s", prefix, typed);
    const char *candidates[] = {prefixed, *prefix != '\0' && starts_with(typed, prefix) ? typed : NULL};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (candidates[i] == NULL) continue;
        int fd = open_pin(labs_fd, lab, candidates[i]);
        if (fd < 0) fd = open_container_folder(labs_fd, lab, candidates[i] + strlen(prefix));
        if (fd < 0) continue;
        *out = (Node){
            .name = xstrdup(candidates[i] + strlen(prefix)),
            .netns = xstrdup(candidates[i]),
            .lab = xstrdup(lab),
            .labs_fd = labs_fd,
            .fd = fd,
        };
        return true;
    }
    return false;
}

// The nodes of the labs as the user may type them.
static Names list_nodes(int labs_fd, const Names *labs)
{
    Names nodes = {0};
    for (size_t i = 0; i < labs->count; i++) {
        cleanup_free char *prefix = read_prefix(labs_fd, labs->items[i]);
        cleanup_free char *path = xasprintf("%s/netns", labs->items[i]);
        Names pins = list_names(labs_fd, path);
        for (size_t p = 0; p < pins.count; p++) {
            const char *pin = pins.items[p];
            add_name(&nodes, starts_with(pin, prefix) ? pin + strlen(prefix) : pin);
        }
        cleanup_free char *folders = xasprintf("%s/containers", labs->items[i]);
        Names containers = list_names(labs_fd, folders);
        for (size_t c = 0; c < containers.count; c++) {
            cleanup_free char *netns = xasprintf("%s%s", prefix, containers.items[c]);
            cleanup_fd int pin = open_pin(labs_fd, labs->items[i], netns);
            if (pin < 0) add_name(&nodes, containers.items[c]);
        }
    }
    sort_names(&nodes);
    return nodes;
}

// Optimal string alignment distance: an insertion, a deletion, a change or a swap of neighbours costs one.
static size_t edit_distance(const char *a, const char *b)
{
    size_t width = strlen(b) + 1;
    cleanup_free size_t *rows = xcalloc(width * 3, sizeof *rows);
    size_t *before = rows, *above = rows + width, *row = rows + 2 * width;
    for (size_t j = 0; j < width; j++)
        row[j] = j;
    for (size_t i = 1; i <= strlen(a); i++) {
        size_t *free_row = before;
        before = above, above = row, row = free_row;
        row[0] = i;
        for (size_t j = 1; j < width; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return row[width - 1];
}

static const char *closest_name(const Names *names, const char *typed)
{
    size_t length = strlen(typed);
    size_t best = length <= 3 ? 2 : 3; // one mistake in a short name, two in a longer one
    const char *closest = NULL;
    if (length > NAME_MAX) return NULL;
    for (size_t i = 0; i < names->count; i++) {
        size_t distance = edit_distance(typed, names->items[i]);
        if (distance < best && distance < length) best = distance, closest = names->items[i];
    }
    return closest;
}

static char *list_hint(const char *title, const Names *names)
{
    char *text = xstrdup(title);
    for (size_t i = 0; i < names->count && i < LISTED_NAMES; i++) {
        char *longer = xasprintf("%s%s%s", text, i == 0 ? "" : ", ", names->items[i]);
        free(text);
        text = longer;
    }
    if (names->count > LISTED_NAMES) {
        char *longer = xasprintf("%s and %zu more", text, names->count - LISTED_NAMES);
        free(text);
        text = longer;
    }
    return text;
}

static char *unknown_hint(const char *title, const Names *names, const char *typed)
{
    cleanup_free char *list = list_hint(title, names);
    const char *closest = closest_name(names, typed);
    return closest == NULL ? xstrdup(list) : xasprintf("did you mean %s? %s", quoted(closest), list);
}

_Noreturn static void die_lab_unknown(const Names *labs, const char *lab)
{
    if (labs->count == 0) die(EXIT_LAB, "LAB_UNKNOWN", "bring it up first: nslab up FILE", "no lab is up");
    die(EXIT_LAB, "LAB_UNKNOWN", unknown_hint("labs that are up: ", labs, lab), "no lab %s is up",
        quoted(lab));
}

_Noreturn static void die_node_unknown(int labs_fd, const Names *labs, const char *typed)
{
    if (labs->count == 0) {
        die(EXIT_LAB, "NODE_UNKNOWN", "bring one up first: nslab up FILE", "no node %s: no lab is up",
            quoted(typed));
    }
    Names nodes = list_nodes(labs_fd, labs);
    cleanup_free char *where = labs->count == 1 ? xasprintf("lab %s has ", labs->items[0])
                                                : xasprintf("%zu labs have ", labs->count);
    if (nodes.count == 0) {
        die(EXIT_LAB, "NODE_UNKNOWN", NULL, "no node %s: %sno nodes", quoted(typed), where);
    }
    die(EXIT_LAB, "NODE_UNKNOWN", unknown_hint(where, &nodes, typed), "no node %s is up", quoted(typed));
}

_Noreturn static void die_ambiguous(const char *verb, const Names *found, const char *typed)
{
    char *words = xstrdup("say which: ");
    for (size_t i = 0; i < found->count && i < SHOWN_COMMANDS; i++) {
        char *longer =
            xasprintf("%s%snslab %s --lab %s %s", words, i == 0 ? "" : " | ", verb, found->items[i], typed);
        free(words);
        words = longer;
    }
    if (found->count > SHOWN_COMMANDS) words = xasprintf("%s | ...", words);
    cleanup_free char *list = list_hint("", found);
    die(EXIT_LAB, "LAB_AMBIGUOUS", words, "%zu labs have a node %s: %s", found->count, quoted(typed), list);
}

static void find_host(int labs_fd, const char *lab, Node *out)
{
    // Not our own namespace: inside `nslab exec` or `ip netns exec` that is a node's.
    int fd = open_outside("ns/net", O_RDONLY);
    if (fd < 0) die_errno("open /proc/1/ns/net, the machine's network namespace");
    if (labs_fd >= 0) close(labs_fd);
    *out =
        (Node){.name = xstrdup(HOST_NODE), .lab = lab == NULL ? NULL : xstrdup(lab), .labs_fd = -1, .fd = fd};
}

static Names labs_to_search(int labs_fd, const char *lab)
{
    Names labs = list_names(labs_fd, ".");
    sort_names(&labs);
    if (lab == NULL) return labs;
    struct stat status;
    if (fstatat(labs_fd, lab, &status, 0) < 0 || !S_ISDIR(status.st_mode)) die_lab_unknown(&labs, lab);
    Names one = {0};
    add_name(&one, lab);
    return one;
}

// The folder of the labs; from inside a node, where it is a symlink, that of the machine.
static int open_labs(bool *is_nested)
{
    int fd = open(LABS_DIR, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    *is_nested = fd < 0 && (errno == ENOTDIR || errno == ELOOP);
    if (!*is_nested) return fd;
    cleanup_fd int root = open_outside("root", O_PATH | O_DIRECTORY);
    return root < 0 ? -1 : openat(root, LABS_DIR + 1, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void find_node(const char *verb, const char *lab, const char *typed, Node *out)
{
    check_name("node", typed);
    if (lab != NULL) check_name("lab", lab);
    bool host = strcmp(typed, HOST_NODE) == 0;
    bool is_nested;
    int labs_fd = open_labs(&is_nested);
    if (host && lab == NULL) return find_host(labs_fd, lab, out);
    Names none = {0};
    if (labs_fd < 0 && lab != NULL) die_lab_unknown(&none, lab);
    if (labs_fd < 0) die_node_unknown(labs_fd, &none, typed);
    Names labs = labs_to_search(labs_fd, lab);
    if (host) return find_host(labs_fd, lab, out);
    Names found = {0};
    for (size_t i = 0; i < labs.count; i++) {
        Node node;
        if (!find_in_lab(labs_fd, labs.items[i], typed, &node)) continue;
        if (found.count == 0) *out = node;
        add_name(&found, labs.items[i]);
    }
    if (found.count == 0) die_node_unknown(labs_fd, &labs, typed);
    if (found.count > 1) die_ambiguous(verb, &found, typed);
    out->is_nested = is_nested;
}

Names known_labs(void)
{
    bool is_nested;
    cleanup_fd int labs_fd = open_labs(&is_nested);
    Names labs = labs_fd < 0 ? (Names){0} : list_names(labs_fd, ".");
    sort_names(&labs);
    return labs;
}

// The labs, or the one of that name if there is one.
static Names labs_to_list(int labs_fd, const char *lab)
{
    Names labs = list_names(labs_fd, ".");
    if (lab == NULL) return labs;
    Names one = {0};
    for (size_t i = 0; i < labs.count; i++) {
        if (strcmp(labs.items[i], lab) == 0) add_name(&one, lab);
    }
    return one;
}

Names known_nodes(const char *lab)
{
    bool is_nested;
    cleanup_fd int labs_fd = open_labs(&is_nested);
    if (labs_fd < 0) return (Names){0};
    Names labs = labs_to_list(labs_fd, lab);
    Names nodes = list_nodes(labs_fd, &labs);
    for (size_t i = 0; labs.count > 1 && i < labs.count; i++) {
        cleanup_free char *path = xasprintf("%s/netns", labs.items[i]);
        Names pins = list_names(labs_fd, path);
        for (size_t p = 0; p < pins.count; p++)
            add_name(&nodes, pins.items[p]);
    }
    if (labs.count > 0) add_name(&nodes, HOST_NODE);
    sort_names(&nodes);
    return nodes;
}

Names known_containers(const char *lab)
{
    bool is_nested;
    cleanup_fd int labs_fd = open_labs(&is_nested);
    if (labs_fd < 0) return (Names){0};
    Names labs = labs_to_list(labs_fd, lab);
    Names all = {0};
    for (size_t i = 0; i < labs.count; i++) {
        cleanup_free char *path = xasprintf("%s/containers", labs.items[i]);
        Names found = list_names(labs_fd, path);
        for (size_t c = 0; c < found.count; c++)
            add_name(&all, found.items[c]);
    }
    sort_names(&all);
    return all;
}

void join_netns(const Node *node)
{
    if (setns(node->fd, CLONE_NEWNET) == 0) return;
    // The pin is a plain file: what `ip netns del` or umount(8) leaves behind.
    if (errno == EINVAL && node->lab != NULL) {
        char *hint =
            xasprintf("it was deleted by hand; nslab down %s && nslab up FILE makes it again", node->lab);
        die(EXIT_LAB, "NODE_UNKNOWN", hint, "the network namespace of node %s is gone", quoted(node->name));
    }
    die_errno("enter the network namespace of node %s", node->name);
}
