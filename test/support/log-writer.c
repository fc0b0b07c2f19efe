// The monitor's log writer (src/helper/log.c) alone, for tests: takes what is on stdin and writes logs as
// monitors would, with the sanitizers. stdin: records of a byte (0 stdout, 1 stderr, 2 the pause after which
// a piece of a line is logged, 3 a new log), four bytes of length, little end first, and as many bytes; of a
// new log they are `MAX_BYTES FILES PATH`.

#include "log.h"

#include <string.h>

static LogStream streams[2] = {{.name = "stdout"}, {.name = "stderr"}};
static Log writing = {.fd = -1};

static bool read_whole(void *out, size_t length)
{
    return fread(out, 1, length, stdin) == length;
}

static void flush(void)
{
    for (int i = 0; i < 2; i++)
        log_flush(&writing, &streams[i]);
}

static bool begin(const char *text)
{
    flush();
    log_close(&writing);
    char *rest;
    bool good = writing.error == 0;
    writing = (Log){.fd = -1};
    writing.max_bytes = strtoull(text, &rest, 10);
    writing.files = (uint32_t)strtoul(rest, &rest, 10);
    writing.path = xstrdup(rest + 1);
    return good && log_open(&writing);
}

int main(void)
{
    unsigned char kind;
    uint32_t length;
    while (read_whole(&kind, 1) && read_whole(&length, sizeof length)) {
        // Exactly as large, so that a byte too far is one that the sanitizer sees.
        char *bytes = xcalloc(length + (kind == 3 || length == 0), 1);
        if (!read_whole(bytes, length)) return 3;
        if (kind == 3 && !begin(bytes)) return 4;
        if (kind == 2) flush();
        if (kind < 2) log_take(&writing, &streams[kind], bytes, length);
        free(bytes);
    }
    flush();
    log_close(&writing);
    return writing.error == 0 ? 0 : 4;
}
