// See raw-terminal.h. termios(3), tty_ioctl(4).

#include "raw-terminal.h"
#include "common.h"

#include <string.h>
#include <strings.h>
#include <termios.h>

static struct termios before;
static bool is_raw;

void restore_terminal(void)
{
    if (!is_raw) return;
    is_raw = false;
    // SIGTTOU is blocked or ignored by whoever relays; TCSADRAIN would wait for a terminal that is stopped by
    // ^S.
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

bool make_terminal_raw(void)
{
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &before) < 0) return false;
    raw = before;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0) return false;
    if (!is_raw) atexit(restore_terminal);
    is_raw = true;
    return true;
}

struct winsize terminal_size(void)
{
    struct winsize size = {0};
    (void)ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
    if (size.ws_row == 0 || size.ws_col == 0) size = (struct winsize){.ws_row = 24, .ws_col = 80};
    return size;
}

// -1 for what is no key.
static int parse_key(const char *text, size_t length)
{
    if (length == 1) return (unsigned char)*text;
    if (length != 6 || strncasecmp(text, "ctrl-", 5) != 0) return -1;
    char key = text[5];
    if (key >= 'a' && key <= 'z') return key - 'a' + 1;
    return strchr("@[\\]^_", key) != NULL ? key - '@' : -1;
}

bool parse_detach_keys(const char *text, DetachKeys *out)
{
    *out = (DetachKeys){0};
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        int key = parse_key(text, length);
        if (key < 0 || out->count == sizeof out->keys) return false;
        out->keys[out->count++] = (unsigned char)key;
        text += length;
        if (*text == ',' && *++text == '\0') return false;
    }
    return true;
}

bool find_detach_keys(DetachKeys *detach, char *bytes, unsigned long *length)
{
    if (detach->count == 0) return false;
    char *typed = xcalloc(*length + 1, 1);
    memcpy(typed, bytes, *length);
    unsigned long kept = 0;
    bool found = false;
    for (unsigned long i = 0; i < *length && !found; i++) {
        unsigned char key = (unsigned char)typed[i];
        if (key != detach->keys[detach->matched] && detach->matched > 0) {
            memcpy(bytes + kept, detach->keys, detach->matched);
            kept += detach->matched;
            detach->matched = 0;
        }
        if (key == detach->keys[detach->matched]) {
            found = ++detach->matched == detach->count;
        } else {
            bytes[kept++] = typed[i];
        }
    }
    free(typed);
    *length = kept;
    return found;
}
