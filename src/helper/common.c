// Errors, memory and text for all verbs (see common.h). It must not know what a lab is.
// A message is written with one write(2), so that messages of several processes on one terminal do not mix.

#include "common.h"

#include <stdarg.h>
#include <string.h>

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) die(EXIT_HOST, "HOST_REFUSED", NULL, "out of memory");
    return memory;
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count, size);
    if (memory == NULL) die(EXIT_HOST, "HOST_REFUSED", NULL, "out of memory");
    return memory;
}

char *xstrdup(const char *text)
{
    char *copy = strdup(text);
    if (copy == NULL) die(EXIT_HOST, "HOST_REFUSED", NULL, "out of memory");
    return copy;
}

static char *format_text(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) abort();
    return text;
}

char *xasprintf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = format_text(format, arguments);
    va_end(arguments);
    return text;
}

static void write_all(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = TEMP_FAILURE_RETRY(write(fd, text, left));
        if (written <= 0) return;
        text += written;
        left -= (size_t)written;
    }
}

static void print_error(const char *code, const char *message, const char *hint)
{
    cleanup_free char *text = hint == NULL ? xasprintf("error[%s] %s\n", code, message)
                                           : xasprintf("error[%s] %s\n  hint: %s\n", code, message, hint);
    write_all(STDERR_FILENO, text);
}

void die(int status, const char *code, const char *hint, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    cleanup_free char *message = format_text(format, arguments);
    va_end(arguments);
    print_error(code, message, hint);
    exit(status);
}

void die_errno(const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    cleanup_free char *what = format_text(format, arguments);
    va_end(arguments);
    cleanup_free char *message = xasprintf("%s: %s", what, strerror(error));
    print_error("HOST_REFUSED", message, NULL);
    exit(EXIT_HOST);
}

void warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    cleanup_free char *message = format_text(format, arguments);
    va_end(arguments);
    cleanup_free char *line = xasprintf("warning: %s\n", message);
    write_all(STDERR_FILENO, line);
}

const char *quoted(const char *text)
{
    // Four characters for each byte at the worst, the quotes and the NUL.
    char *out = xcalloc(strlen(text) * 4 + 3, 1);
    char *end = out;
    *end++ = '"';
    for (const char *c = text; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            *end++ = '\\';
            *end++ = *c;
        } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && byte < 0xa0)) {
            end += sprintf(end, "\\x%02x", byte);
        } else {
            *end++ = *c;
        }
    }
    *end = '"';
    return out;
}

bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}
