// See failure.h.

#include "failure.h"

#include <stdarg.h>
#include <string.h>

static void hide_controls(char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && byte < 0xa0)) *text = '?';
    }
}

bool fail(Failure *out, int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->text, sizeof out->text, format, arguments);
    va_end(arguments);
    size_t end = length < 0 ? 0 : strlen(out->text);
    if (error != 0) snprintf(out->text + end, sizeof out->text - end, ": %s", strerror(error));
    hide_controls(out->text);
    out->error = error == 0 ? EINVAL : error;
    out->status = 0;
    return false;
}
