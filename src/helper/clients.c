// See clients.h.

#include "clients.h"
#include "container-state.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

void clients_accept(Clients *clients, int listener)
{
    int fd = control_accept(listener);
    if (fd < 0) return;
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        if (clients->all[i].mode != FREE) continue;
        clients->all[i] = (Client){.mode = ASKING, .fd = fd};
        return;
    }
    static const char full[] = "error too many clients";
    (void)!send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

void client_close(Client *client)
{
    if (client->mode == FREE) return;
    close(client->fd);
    free(client->out);
    free(client->in);
    *client = (Client){.mode = FREE, .fd = -1};
}

void client_answer(Client *client, const char *format, ...)
{
    char text[CONTROL_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof text) length = sizeof text - 1;
    client->mode = ASKING;
    // An answer is one small packet a request: who lets so many gather that it does not fit is not listening.
    if (send(client->fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) client_close(client);
}

void client_attach(Client *client)
{
    client->out = xcalloc(STREAM_MAX + 1, 1);
    client->in = xcalloc(STREAM_MAX + 1, 1);
    client->mode = ATTACHED;
}

void clients_answer(Clients *clients, ClientMode mode, const char *text)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        if (clients->all[i].mode == mode) client_answer(&clients->all[i], "%s", text);
    }
}

bool clients_remove(const Clients *clients)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        if (clients->all[i].mode == ATTACHED && clients->all[i].removes) return true;
    }
    return false;
}

void client_resume(Client *client)
{
    if (client->out_length == 0) return;
    ssize_t sent =
        TEMP_FAILURE_RETRY(send(client->fd, client->out, client->out_length, MSG_NOSIGNAL | MSG_DONTWAIT));
    if (sent >= 0) {
        client->out_length = 0;
        client->stalled = 0;
    } else if (errno != EAGAIN && errno != ENOBUFS) {
        client_close(client);
    } else if (client->stalled == 0) {
        client->stalled = now_ms();
    } else if (now_ms() - client->stalled >= STALL_MS) {
        client_close(client);
    }
}

void clients_send(Clients *clients, char kind, const char *bytes, size_t length)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        Client *client = &clients->all[i];
        if (client->mode != ATTACHED) continue;
        client->out[0] = kind;
        memcpy(client->out + 1, bytes, length);
        client->out_length = length + 1;
        client_resume(client);
    }
}

bool clients_stalled(const Clients *clients)
{
    return clients_deadline(clients) != 0;
}

uint64_t clients_deadline(const Clients *clients)
{
    uint64_t first = 0;
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        const Client *client = &clients->all[i];
        if (client->mode != ATTACHED || client->stalled == 0) continue;
        if (first == 0 || client->stalled + STALL_MS < first) first = client->stalled + STALL_MS;
    }
    return first;
}

void clients_settle(Clients *clients)
{
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        Client *client = &clients->all[i];
        while (client->mode == ATTACHED && client->stalled != 0) {
            uint64_t now = now_ms(), end = client->stalled + STALL_MS;
            struct pollfd room = {.fd = client->fd, .events = POLLOUT};
            poll(&room, 1, end > now ? (int)(end - now) : 0);
            client_resume(client);
        }
    }
}

void clients_end_streams(Clients *clients, const char *text)
{
    // A packet of output has its kind in front, and so has this: its first letter.
    clients_send(clients, *text, text + 1, strlen(text + 1));
    clients_settle(clients);
    for (size_t i = 0; i < MAX_CLIENTS; i++) {
        if (clients->all[i].mode == ATTACHED) client_close(&clients->all[i]);
    }
}
