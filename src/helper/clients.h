// The clients of a monitor: who is connected, who waits for an answer, who is attached. An attached client
// that takes nothing for a moment is dropped: while its packet waits no output is read, so memory does not
// grow, and no client can stop the container for longer than that moment.

#ifndef NSLAB_CLIENTS_H
#define NSLAB_CLIENTS_H

#include "control.h"

#include <stdint.h>

enum { MAX_CLIENTS = 32, STALL_MS = 500 };

typedef enum {
    FREE,
    ASKING,      // may send a request
    WAITS_START, // for `ok` once it runs
    WAITS_STOP,  // for `ok` once it has ended
    WAITS_PAUSE, // for `ok` once it is frozen
    WAITS_EXIT,  // for `exit N` at the end that is for good
    WAITS_NEXT,  // for `exit N` at the next end
    ATTACHED,
    ENDING, // for `ok` when the monitor ends
} ClientMode;

typedef struct {
    ClientMode mode;
    int fd;
    bool removes;              // removes the container when it has ended
    uint64_t stalled;          // now_ms() when it first took nothing, 0: it keeps up
    size_t out_length;         // a packet that it has not taken yet
    size_t in_length, in_done; // what it typed and the container has not taken yet
    char *out;                 // STREAM_MAX + 1 bytes each, only for attached ones
    char *in;
} Client;

typedef struct {
    Client all[MAX_CLIENTS];
} Clients;

/// Takes a new connection; closes it when there are too many.
void clients_accept(Clients *clients, int listener);
void client_close(Client *client);
/// Sends a text; the client may ask again.
void client_answer(Client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
void client_attach(Client *client);
/// Answers all clients of that mode.
void clients_answer(Clients *clients, ClientMode mode, const char *text);
/// True while somebody is attached who removes the container when it has ended.
bool clients_remove(const Clients *clients);
/// Gives a piece of output to everyone who is attached.
void clients_send(Clients *clients, char kind, const char *bytes, size_t length);
/// Tells everyone who is attached how it ended, behind all output, and closes.
void clients_end_streams(Clients *clients, const char *text);
/// Tries again with what waits; drops who has stalled.
void client_resume(Client *client);
/// True while somebody has not taken the last piece.
bool clients_stalled(const Clients *clients);
/// When the first stalled one is to be dropped; 0: none is.
uint64_t clients_deadline(const Clients *clients);
/// Waits for stalled ones, at most STALL_MS; afterwards none is.
void clients_settle(Clients *clients);

#endif
