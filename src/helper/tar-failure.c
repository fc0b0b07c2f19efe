// See tar-failure.h.

#include "tar-failure.h"

#include <stdarg.h>
#include <string.h>

enum { SHOWN = 200 };

static const char *current;

void tar_at(const char *name)
{
    current = name;
}

const char *quoted_short(const char *text)
{
    if (strlen(text) <= SHOWN) return quoted(text);
    cleanup_free char *shorter = xasprintf("%.*s...", SHOWN, text);
    return quoted(shorter);
}

// "entry NAME: message", or the message alone.
static char *about_entry(const char *format, va_list arguments)
{
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0) abort();
    if (current == NULL) return message;
    char *text = xasprintf("entry %s: %s", quoted_short(current), message);
    free(message);
    return text;
}

#define GIVE_UP(code, format)                                                                                \
    do {                                                                                                     \
        va_list arguments_;                                                                                  \
        va_start(arguments_, format);                                                                        \
        char *text_ = about_entry(format, arguments_);                                                       \
        va_end(arguments_);                                                                                  \
        die(EXIT_LAB, code, NULL, "%s", text_);                                                              \
    } while (0)

void tar_broken(const char *format, ...)
{
    GIVE_UP("ARCHIVE_BROKEN", format);
}

void tar_refused(const char *format, ...)
{
    GIVE_UP("ARCHIVE_REFUSED", format);
}

void tar_limit(const char *format, ...)
{
    GIVE_UP("ARCHIVE_LIMIT", format);
}

void tar_errno(const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    char *text = about_entry(format, arguments);
    va_end(arguments);
    errno = error;
    die_errno("%s", text);
}
