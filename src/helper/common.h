// What every verb of nslab-helper needs: errors in the project's form, memory and descriptors that free
// themselves, a retry of EINTR. It must not know what a lab is. nslab-helper is never setuid: it trusts its
// caller's privileges. Form of errors: ARCHITECTURE.md; codes: src/base/error-catalogue.ts.

#ifndef NSLAB_COMMON_H
#define NSLAB_COMMON_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Exit statuses, the same numbers as src/base/catalogue/entry.ts.
enum {
    EXIT_BUG = 1,
    EXIT_USAGE = 2,
    EXIT_HOST = 4,
    EXIT_LAB = 7,
    EXIT_CANNOT_EXEC = 126,
    EXIT_NO_COMMAND = 127,
};

#define RUN_DIR "/run/nslab"
#define LABS_DIR RUN_DIR "/labs"

#ifndef TEMP_FAILURE_RETRY
#define TEMP_FAILURE_RETRY(call)                                                                             \
    (__extension__({                                                                                         \
        long result_;                                                                                        \
        do                                                                                                   \
            result_ = (long)(call);                                                                          \
        while (result_ == -1 && errno == EINTR);                                                             \
        result_;                                                                                             \
    }))
#endif

static inline void cleanup_fdp(const int *fd)
{
    if (*fd >= 0) close(*fd);
}
static inline void cleanup_freep(void *pointer)
{
    free(*(void **)pointer);
}
static inline void cleanup_dirp(DIR **dir)
{
    if (*dir != NULL) closedir(*dir);
}
static inline void cleanup_filep(FILE **file)
{
    if (*file != NULL) fclose(*file);
}

#define cleanup_fd __attribute__((cleanup(cleanup_fdp)))
#define cleanup_free __attribute__((cleanup(cleanup_freep)))
#define cleanup_dir __attribute__((cleanup(cleanup_dirp)))
#define cleanup_file __attribute__((cleanup(cleanup_filep)))

/// Prints `error[CODE] message`, the hint on a second line unless it is NULL, and exits.
_Noreturn void die(int status, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/// die() with HOST_REFUSED and the text of errno after the message: a system call that should have worked did
/// not.
_Noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// Prints `warning: message`.
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// malloc-family calls that do not return NULL.
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *old, size_t count, size_t size);
char *xstrdup(const char *text);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// The text in double quotes, control characters and bytes of escape sequences made visible. Never freed: for
/// messages.
const char *quoted(const char *text);

/// True when the text begins with the prefix.
bool starts_with(const char *text, const char *prefix);

/// One verb: argv[0] is its name. Returns the exit status.
typedef int verb_function(int argc, char **argv);
verb_function verb_exec;
verb_function verb_shell;
verb_function verb_words;
verb_function verb_run_once;
verb_function verb_start;
verb_function verb_userns;
verb_function verb_control;
verb_function verb_attach;
verb_function verb_unpack;
verb_function verb_tar_in;
verb_function verb_pack;
verb_function verb_export;
verb_function verb_tar_out;
verb_function verb_probe;
verb_function verb_capture;
verb_function verb_events;

#endif
