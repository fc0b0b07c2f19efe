// Published ports of a container where no nft rule can serve: connections to a loopback address of the
// machine, which cannot be sent out again (route_localnet stays off), and those of a family that the container
// does not have. One process per container listens at all of its ports and passes on what comes (relay.c). It
// ends with its monitor, however that ends.
//
// The rules for all other connections are in chains of the lab's nft table, empty while nobody listens: a port
// of a container that has ended is free for others, as with Docker. The transactions that fill and empty them
// come with the program; of nf_tables nothing is known here.

#ifndef NSLAB_PUBLISH_H
#define NSLAB_PUBLISH_H

#include "program.h"

#include <sys/types.h>

typedef struct {
    pid_t pid;     // of the process that listens, 0: none
    uint64_t next; // now_ms() when it is started again after it died, 0: not at all
} Publish;

/// Listens at the ports of the program and fills their chains, unless that is done already. False and the
/// failure when one of them cannot be had; nothing listens then.
bool publish_begin(Publish *publish, const Program *program, Failure *failure);
/// The process has ended though nobody asked for it: it is due again in a moment.
void publish_ended(Publish *publish);
/// Nobody listens any more when this returns, and the chains are empty. The program may be NULL.
void publish_end(Publish *publish, const Program *program);

#endif
