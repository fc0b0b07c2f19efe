// `nslab _words KIND`: names for completion, one a line, in a millisecond and without Node. What is not there is
// no error: a shell asks before anything is up, and shows nothing then. It must not write anything.
//   labs | nodes [LAB] | containers [LAB] | interfaces NODE [LAB] | images

#include "node.h"

#include <fcntl.h>
#include <net/if.h>
#include <string.h>

// As src/image/store.ts has it.
#define REFS_DIR "/var/lib/nslab/images/refs"
#define REF_START "{\"reference\":\""

static int print_names(const Names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        // Thirty copies of a lab have thirty nodes of one name.
        if (i > 0 && strcmp(names->items[i], names->items[i - 1]) == 0) continue;
        if (puts(names->items[i]) < 0) return EXIT_BUG;
    }
    return 0;
}

static int print_interfaces(const char *node_name, const char *lab)
{
    Node node;
    find_node("exec", lab, node_name, &node);
    join_netns(&node);
    struct if_nameindex *all = if_nameindex();
    if (all == NULL) return 0;
    for (const struct if_nameindex *one = all; one->if_name != NULL; one++) {
        if (puts(one->if_name) < 0) return EXIT_BUG;
    }
    if_freenameindex(all);
    return 0;
}

// `docker.io/library/base:latest` is typed as `base`.
static void print_reference(char *name)
{
    static const char *const hosts[] = {"docker.io/library/", "docker.io/"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        if (!starts_with(name, hosts[i])) continue;
        name += strlen(hosts[i]);
        break;
    }
    char *tag = strrchr(name, ':');
    if (tag != NULL && strcmp(tag, ":latest") == 0) *tag = '\0';
    // A name of an image has none of those that mean something to a shell or to a terminal.
    if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@[]-") ==
        strlen(name))
        puts(name);
}

static int print_images(void)
{
    int fd = open(REFS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) close(fd);
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        cleanup_fd int file = openat(fd, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        char text[1024];
        ssize_t length = file < 0 ? -1 : TEMP_FAILURE_RETRY(read(file, text, sizeof text - 1));
        if (length <= 0) continue;
        text[length] = '\0';
        char *name = text + strlen(REF_START);
        char *end = starts_with(text, REF_START) ? strchr(name, '"') : NULL;
        if (end == NULL) continue;
        *end = '\0';
        print_reference(name);
    }
    return 0;
}

int verb_words(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "";
    const char *lab = argc > 2 ? argv[2] : NULL;
    Names names = {0};
    if (strcmp(kind, "interfaces") == 0 && argc > 2)
        return print_interfaces(argv[2], argc > 3 ? argv[3] : NULL);
    if (strcmp(kind, "images") == 0) return print_images();
    if (strcmp(kind, "labs") == 0)
        names = known_labs();
    else if (strcmp(kind, "nodes") == 0)
        names = known_nodes(lab);
    else if (strcmp(kind, "containers") == 0)
        names = known_containers(lab);
    else
        die(EXIT_USAGE, "USAGE", NULL, "usage: nslab _words labs|nodes|containers|images [LAB]");
    return print_names(&names);
}
