// Signals by name or number, as the options of `stop` and `kill` write them.

#ifndef NSLAB_SIGNALS_H
#define NSLAB_SIGNALS_H

/// `15`, `TERM`, `SIGTERM`, `RTMIN+3`; -1 for anything else.
int parse_signal(const char *text);

#endif
