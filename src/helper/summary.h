// What is in a packet, in one line for people, as `nslab capture` shows it. Anybody may have made the packet:
// every byte is looked at through a view that knows where it ends (wire.h), and only printable ASCII comes
// out. No socket, no allocation, no state.

#ifndef NSLAB_SUMMARY_H
#define NSLAB_SUMMARY_H

#include "packet.h"

/// Writes the line, without its end, and a NUL; what has no room is left out. `size` is at least 1.
void summarize(const Packet *packet, char *out, size_t size);

#endif
