// Passes on what comes to sockets of this machine to addresses of containers: TCP by splice(2), which copies
// nothing through this process, UDP by one socket for each client. Single-threaded, one epoll(7).

#ifndef NSLAB_RELAY_H
#define NSLAB_RELAY_H

#include "common.h"

#include <sys/socket.h>

typedef struct {
    int fd; // bound, and listening where it is TCP
    bool udp;
    struct sockaddr_storage target;
    socklen_t target_length;
} RelayPort;

/// Serves the ports for ever.
_Noreturn void relay(const RelayPort *ports, size_t count);

#endif
