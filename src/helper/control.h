// The control socket of a container's monitor: RUN/control, SOCK_SEQPACKET, one text packet a request and one
// an answer. The folder is root's alone (0700) and the peer's uid is checked as well. What can be asked is in
// monitor.c.

#ifndef NSLAB_CONTROL_H
#define NSLAB_CONTROL_H

#include "common.h"

enum { CONTROL_TEXT_MAX = 1024, STREAM_MAX = 8 * 1024 };

/// First byte of a packet of an attached client; an `exit N` text ends the stream.
enum { STREAM_IN = 0, STREAM_OUT = 1, STREAM_ERR = 2, STREAM_RESIZE = 3 };

/// Listens at `control` in the directory; -1 when it cannot, with EADDRINUSE when a monitor is alive there.
int control_listen(int dir);
/// Accepts one client; -1 when there is none or it is not root.
int control_accept(int listener);
/// Connects to the monitor; -1 and ECONNREFUSED or ENOENT when there is none.
int control_connect(int dir);

#endif
