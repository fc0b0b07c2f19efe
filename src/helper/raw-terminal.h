// The caller's terminal while another one is shown on it: raw, and as it was before on every way out.

#ifndef NSLAB_RAW_TERMINAL_H
#define NSLAB_RAW_TERMINAL_H

#include <stdbool.h>
#include <sys/ioctl.h>

/// Puts stdin's terminal into raw mode; restore_terminal() undoes it, and so does exit(3). The signals that
/// would end this process must be handled by the caller from then on.
bool make_terminal_raw(void);
void restore_terminal(void);
/// The size of stdin's terminal, 24 x 80 when it does not say.
struct winsize terminal_size(void);

/// Recognises the keys that detach, as they are typed.
typedef struct {
    unsigned char keys[16];
    unsigned count;
    unsigned matched;
} DetachKeys;

/// `ctrl-p,ctrl-q`, `ctrl-@`, `a,b`; an empty text means that nothing detaches. False when it is none.
bool parse_detach_keys(const char *text, DetachKeys *out);
/// Looks at what was typed. True when the keys are complete. `length` becomes what is to be passed on: keys
/// that may begin the sequence are held back, and given again (in front) when it was not it; `bytes` must
/// have room for 16 more.
bool find_detach_keys(DetachKeys *detach, char *bytes, unsigned long *length);

#endif
