// See signals.h. signal(7).

#include "signals.h"
#include "common.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

// The kernel's first and last real-time signals; glibc's SIGRTMIN keeps two for itself.
enum { FIRST_REAL_TIME = 34, LAST_SIGNAL = 64 };

static int parse_number(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    bool whole = *text >= '0' && *text <= '9' && *end == '\0';
    return whole && number >= 1 && number <= LAST_SIGNAL ? (int)number : -1;
}

int parse_signal(const char *text)
{
    if (*text >= '0' && *text <= '9') return parse_number(text);
    if (strncasecmp(text, "SIG", 3) == 0) text += 3;
    for (int number = 1; number < FIRST_REAL_TIME; number++) {
        const char *name = sigabbrev_np(number);
        if (name != NULL && strcasecmp(name, text) == 0) return number;
    }
    bool from_first = strncasecmp(text, "RTMIN", 5) == 0;
    if (!from_first && strncasecmp(text, "RTMAX", 5) != 0) return -1;
    int base = from_first ? FIRST_REAL_TIME : LAST_SIGNAL;
    if (text[5] == '\0') return base;
    int offset = text[5] == (from_first ? '+' : '-') ? parse_number(text + 6) : -1;
    int number = from_first ? base + offset : base - offset;
    return offset < 0 || number < FIRST_REAL_TIME || number > LAST_SIGNAL ? -1 : number;
}
