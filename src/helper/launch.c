// What `nslab` does for every command that is not exec or shell: it becomes Node, on dist/nslab.js beside
// this program. Node starts in half the time from a startup snapshot (dist/nslab.blob: the program loaded,
// its code compiled), but refuses one that another Node, other V8 flags or another kind of processor made,
// and then does not start at all. So the build leaves beside the snapshot what it was made with
// (dist/nslab.blob.for), and any other Node or processor means the slower way, without it.

#include "launch.h"

#include <limits.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

// Of dist/nslab.blob.for.
#define MAX_OPTIONS 4

static const char node_missing[] = "install Node.js 20.19 or newer, or let sudo keep your PATH";

// The folder of this program, symbolic links followed.
static char *own_folder(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) die_errno("cannot read /proc/self/exe");
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL) *slash = '\0';
    return xstrdup(path);
}

// What execvp(3) would run. NULL where there is none.
static char *find_in_path(const char *program)
{
    const char *path = getenv("PATH");
    if (path == NULL) path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    while (true) {
        size_t length = strcspn(path, ":");
        // An empty entry is the working directory.
        char *file =
            length == 0 ? xasprintf("./%s", program) : xasprintf("%.*s/%s", (int)length, path, program);
        struct stat stat_;
        if (stat(file, &stat_) == 0 && S_ISREG(stat_.st_mode) && access(file, X_OK) == 0) return file;
        free(file);
        if (path[length] == '\0') return NULL;
        path += length + 1;
    }
}

// The processor's features, which are part of what V8 compares.
static char *processor(void)
{
#ifdef __x86_64__
    unsigned int a = 0, b = 0, c = 0, d = 0, b7 = 0, c7 = 0, d7 = 0, unused = 0;
    __get_cpuid(1, &a, &b, &c, &d);
    __get_cpuid_count(7, 0, &unused, &b7, &c7, &d7);
    // Not ebx of leaf 1: it has the number of the processor that this runs on.
    return xasprintf("%x.%x.%x.%x.%x.%x", a, c, d, b7, c7, d7);
#else
    return xasprintf("%lx.%lx", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#endif
}

// One line that changes when Node's file or the processor is another one.
static char *snapshot_key(const char *node)
{
    struct stat file;
    if (stat(node, &file) != 0) die_errno("cannot look at %s", quoted(node));
    cleanup_free char *cpu = processor();
    return xasprintf("%ju %jd.%09ld %jd %s\n", (uintmax_t)file.st_ino, (intmax_t)file.st_mtim.tv_sec,
                     file.st_mtim.tv_nsec, (intmax_t)file.st_size, cpu);
}

// Adds to `arguments` what starts Node from the snapshot, and nothing when it does not fit.
static size_t add_snapshot(char **arguments, size_t count, const char *node, const char *blob)
{
    const char *options = getenv("NODE_OPTIONS");
    if (options != NULL && options[0] != '\0') return count;
    cleanup_free char *path = xasprintf("%s.for", blob);
    cleanup_file FILE *file = fopen(path, "re");
    if (file == NULL) return count;
    char line[256];
    if (fgets(line, sizeof line, file) == NULL) return count;
    cleanup_free char *key = snapshot_key(node);
    if (strcmp(key, line) != 0 || access(blob, R_OK) != 0) return count;
    // What else is in the file are the options that it was made with, one a line: V8 compares them.
    for (int i = 0; i < MAX_OPTIONS && fgets(line, sizeof line, file) != NULL; i++) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0') arguments[count++] = xstrdup(line);
    }
    arguments[count++] = xstrdup("--snapshot-blob");
    arguments[count++] = xstrdup(blob);
    return count;
}

// Sets a variable for Node's own start only. src/cli/environment.ts takes what was there before from
// NSLAB_KEPT_NAME, empty when there was nothing, and puts it back before any other program is started.
static void set_for_start(const char *name, const char *value)
{
    const char *before = getenv(name);
    cleanup_free char *kept = xasprintf("NSLAB_KEPT_%s", name);
    if (setenv(kept, before == NULL ? "" : before, 1) != 0) die_errno("setenv");
    if ((value == NULL ? unsetenv(name) : setenv(name, value, 1)) != 0) die_errno("setenv");
}

// A start from the snapshot is mostly page faults, on memory that malloc(3) takes and gives back for copies
// of the file. Out of one heap with huge pages (mallopt(3), glibc.malloc.hugetlb since glibc 2.35; another
// libc ignores the variable) it is a fifth to a quarter less work.
static const char malloc_tunables[] =
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=67108864:glibc.malloc.top_pad=16777216";

static void prepare_environment(void)
{
    if (getenv("GLIBC_TUNABLES") == NULL) set_for_start("GLIBC_TUNABLES", malloc_tunables);
    // Node parses every certificate of this file when it starts, 15 to 40 ms; only what speaks TLS needs it.
    if (getenv("NODE_EXTRA_CA_CERTS") != NULL) set_for_start("NODE_EXTRA_CA_CERTS", NULL);
}

_Noreturn void launch_node(int argc, char **argv)
{
    char *folder = own_folder();
    char *script = xasprintf("%s/nslab.js", folder);
    if (access(script, R_OK) != 0)
        die(EXIT_HOST, "HOST_NOT_BUILT", "build it first: npm run build", "%s is not there", script);
    char *node = find_in_path("node");
    if (node == NULL) die(EXIT_HOST, "HOST_NOT_BUILT", node_missing, "node is not in PATH");
    char *blob = xasprintf("%s/nslab.blob", folder);
    // node --v8-pool-size=1 OPTION... --snapshot-blob BLOB SCRIPT ARGUMENT... NULL
    char **arguments = xcalloc((size_t)argc + 5 + MAX_OPTIONS, sizeof *arguments);
    size_t count = 0;
    arguments[count++] = node;
    // One thread for V8's work in the background instead of four: most commands end before they have any.
    arguments[count++] = xstrdup("--v8-pool-size=1");
    count = add_snapshot(arguments, count, node, blob);
    arguments[count++] = script;
    prepare_environment();
    for (int i = 1; i < argc; i++)
        arguments[count++] = argv[i];
    execv(node, arguments);
    die_errno("cannot run %s", quoted(node));
}

int verb_snapshot_key(int argc, char **argv)
{
    if (argc != 2) die(EXIT_USAGE, "USAGE", NULL, "usage: nslab-helper _snapshot-key NODE");
    cleanup_free char *key = snapshot_key(argv[1]);
    return fputs(key, stdout) < 0 || fflush(stdout) != 0;
}
