// See relay.h. epoll(7) reports levels; a side is asked only for what could be done with it now, so that
// nobody who is slow keeps the loop busy, and every event moves one portion, so that nobody who is fast keeps
// it from the others. RFC 9293 3.6 (half-closed connections).

#include "relay.h"
#include "container-state.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>

enum {
    PORTION = 1 << 16,
    EVENTS = 64,
    DATAGRAM_MAX = 1 << 16,
    SESSIONS_MAX = 1024, // of UDP, over all ports
    BUCKETS = 256,
    SESSION_MS = 90000, // as long as Docker remembers a client of UDP
    SWEEP_MS = 10000,
};

typedef enum { TCP_PORT, UDP_PORT, TCP_SIDE, UDP_SESSION } Kind;

typedef struct {
    Kind kind;
} Source; // the first member of whatever epoll reports

typedef struct {
    Source source;
    const RelayPort *port;
    bool is_asked;
} Port;

typedef struct Connection Connection;

typedef struct {
    Source source;
    Connection *connection;
    int fd;
    int pipe[2]; // what was read here and not written to the other side yet
    size_t piped;
    bool ended;     // all was read
    bool shut;      // the other side was told so
    bool unwatched; // nothing is left to do with the descriptor
    uint32_t asked; // of epoll
} Side;

struct Connection {
    Side sides[2]; // the client and the container
    bool connected, closed;
    Connection *next_closed;
};

typedef struct Session Session;
struct Session {
    Source source;
    Port *port;
    int fd; // connected to the container
    struct sockaddr_storage client;
    socklen_t client_length;
    union {
        struct in_pktinfo four;
        struct in6_pktinfo six;
    } asked; // the address of the machine that the client knows
    uint64_t used;
    Session *next; // in its bucket, or of the closed ones
};

typedef struct {
    int epoll;
    Port *ports;
    size_t count;
    bool full; // no descriptor was left for another connection
    Connection *closed;
    Session *buckets[BUCKETS], *closed_sessions;
    size_t sessions;
    uint64_t swept;
} Relay;

static void ask_port(Relay *relay, Port *port, bool asked)
{
    struct epoll_event event = {.events = asked ? EPOLLIN : 0, .data.ptr = port};
    if (port->is_asked == asked) return;
    port->is_asked = asked;
    epoll_ctl(relay->epoll, EPOLL_CTL_MOD, port->port->fd, &event);
}

// TCP

static void close_side(Side *side)
{
    if (side->fd >= 0) close(side->fd);
    if (side->pipe[0] >= 0) close(side->pipe[0]);
    if (side->pipe[1] >= 0) close(side->pipe[1]);
    side->fd = side->pipe[0] = side->pipe[1] = -1;
}

// Memory is freed after the events of this turn, which may still name it.
static void close_connection(Relay *relay, Connection *connection)
{
    if (connection->closed) return;
    connection->closed = true;
    close_side(&connection->sides[0]);
    close_side(&connection->sides[1]);
    connection->next_closed = relay->closed;
    relay->closed = connection;
    if (!relay->full) return;
    relay->full = false;
    for (size_t i = 0; i < relay->count; i++)
        ask_port(relay, &relay->ports[i], true);
}

// So that the client sees a reset, and not the end of a complete answer.
static void abort_connection(Relay *relay, Connection *connection)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    for (size_t i = 0; i < 2; i++) {
        int fd = connection->sides[i].fd;
        if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close_connection(relay, connection);
}

static void free_closed(Relay *relay)
{
    while (relay->closed != NULL) {
        Connection *connection = relay->closed;
        relay->closed = connection->next_closed;
        free(connection);
    }
    while (relay->closed_sessions != NULL) {
        Session *session = relay->closed_sessions;
        relay->closed_sessions = session->next;
        free(session);
    }
}

static bool is_done(const Side *side, const Side *other)
{
    return side->ended && other->shut;
}

static void ask(Relay *relay, Connection *connection)
{
    for (size_t i = 0; i < 2; i++) {
        Side *side = &connection->sides[i];
        const Side *other = &connection->sides[1 - i];
        uint32_t events = 0;
        if (!connection->connected) {
            events = i == 1 ? EPOLLOUT : 0;
        } else {
            if (!side->ended && side->piped == 0) events |= EPOLLIN;
            if (other->piped > 0) events |= EPOLLOUT;
        }
        bool done = is_done(side, other);
        if (side->unwatched || (events == side->asked && !done)) continue;
        side->asked = events;
        // A side that is done would report its hangup without end.
        side->unwatched = done;
        struct epoll_event event = {.events = events, .data.ptr = side};
        epoll_ctl(relay->epoll, done ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, side->fd, &event);
    }
}

// One portion from one side to the other. False when the connection is broken.
static bool move(Side *from, Side *to)
{
    if (from->piped == 0 && !from->ended) {
        ssize_t got = splice(from->fd, NULL, from->pipe[1], NULL, PORTION, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (got > 0) from->piped = (size_t)got;
        if (got == 0) from->ended = true;
        if (got < 0 && errno != EAGAIN && errno != EINTR) return false;
    }
    if (from->piped > 0) {
        ssize_t put =
            splice(from->pipe[0], NULL, to->fd, NULL, from->piped, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (put > 0) from->piped -= (size_t)put;
        if (put < 0 && errno != EAGAIN && errno != EINTR) return false;
    }
    if (from->ended && from->piped == 0 && !from->shut) {
        from->shut = true;
        shutdown(to->fd, SHUT_WR);
    }
    return true;
}

static bool has_connected(const Side *container)
{
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(container->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

static void serve_side(Relay *relay, Side *side, uint32_t events)
{
    Connection *connection = side->connection;
    Side *client = &connection->sides[0], *container = &connection->sides[1];
    if (connection->closed) return;
    if ((events & EPOLLERR) != 0) return abort_connection(relay, connection);
    if (!connection->connected) {
        if (side == client) return abort_connection(relay, connection);
        if (!has_connected(container)) return abort_connection(relay, connection);
        connection->connected = true;
    }
    if (!move(client, container) || !move(container, client)) return abort_connection(relay, connection);
    if (client->shut && container->shut) return close_connection(relay, connection);
    ask(relay, connection);
}

static bool watch_side(const Relay *relay, Side *side)
{
    struct epoll_event event = {.events = side->asked, .data.ptr = side};
    return epoll_ctl(relay->epoll, EPOLL_CTL_ADD, side->fd, &event) == 0;
}

// Both sides with their pipes, the second one on its way to the container. False when there is no room.
static bool open_sides(const Relay *relay, Connection *connection, const RelayPort *port)
{
    static const int one = 1;
    Side *client = &connection->sides[0], *container = &connection->sides[1];
    container->fd = socket(port->target.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (container->fd < 0) return false;
    for (size_t i = 0; i < 2; i++) {
        Side *side = &connection->sides[i];
        if (pipe2(side->pipe, O_CLOEXEC | O_NONBLOCK) < 0) return false;
        setsockopt(side->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(side->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    container->asked = EPOLLOUT;
    int result = connect(container->fd, (const struct sockaddr *)&port->target, port->target_length);
    if (result < 0 && errno != EINPROGRESS) return false;
    return watch_side(relay, client) && watch_side(relay, container);
}

static void accept_client(Relay *relay, Port *port)
{
    int fd = accept4(port->port->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) return;
        // Whoever waits is accepted when somebody has gone.
        relay->full = true;
        for (size_t i = 0; i < relay->count; i++) {
            if (!relay->ports[i].port->udp) ask_port(relay, &relay->ports[i], false);
        }
        return;
    }
    Connection *connection = xcalloc(1, sizeof *connection);
    for (size_t i = 0; i < 2; i++) {
        connection->sides[i] =
            (Side){.source = {TCP_SIDE}, .connection = connection, .fd = -1, .pipe = {-1, -1}};
    }
    connection->sides[0].fd = fd;
    if (!open_sides(relay, connection, port->port)) abort_connection(relay, connection);
}

// UDP

static size_t bucket_of(const struct sockaddr_storage *client, socklen_t length, const Port *port)
{
    const unsigned char *bytes = (const unsigned char *)client;
    uint32_t hash = 2166136261u ^ (uint32_t)port->port->fd;
    for (socklen_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash % BUCKETS;
}

static void close_session(Relay *relay, Session *session)
{
    Session **at = &relay->buckets[bucket_of(&session->client, session->client_length, session->port)];
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    close(session->fd);
    session->fd = -1;
    session->next = relay->closed_sessions;
    relay->closed_sessions = session;
    relay->sessions--;
}

// Those that nobody has used for long, and where that makes no room the one that was used longest ago.
static void sweep_sessions(Relay *relay)
{
    uint64_t now = now_ms();
    Session *oldest = NULL;
    relay->swept = now;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (Session *session = relay->buckets[i], *next; session != NULL; session = next) {
            next = session->next;
            if (now - session->used > SESSION_MS) {
                close_session(relay, session);
            } else if (oldest == NULL || session->used < oldest->used) {
                oldest = session;
            }
        }
    }
    if (relay->sessions >= SESSIONS_MAX && oldest != NULL) close_session(relay, oldest);
}

static Session *find_session(Relay *relay, Port *port, const struct msghdr *message)
{
    const struct sockaddr_storage *client = message->msg_name;
    size_t bucket = bucket_of(client, message->msg_namelen, port);
    for (Session *session = relay->buckets[bucket]; session != NULL; session = session->next) {
        if (session->port == port && session->client_length == message->msg_namelen &&
            memcmp(&session->client, client, message->msg_namelen) == 0)
            return session;
    }
    if (relay->sessions >= SESSIONS_MAX) sweep_sessions(relay);
    const RelayPort *target = port->port;
    int fd = socket(target->target.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return NULL;
    Session *session = xcalloc(1, sizeof *session);
    *session = (Session){.source = {UDP_SESSION}, .port = port, .fd = fd};
    session->client = *client;
    session->client_length = message->msg_namelen;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    if (connect(fd, (const struct sockaddr *)&target->target, target->target_length) < 0 ||
        epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        close(fd);
        free(session);
        return NULL;
    }
    session->next = relay->buckets[bucket];
    relay->buckets[bucket] = session;
    relay->sessions++;
    return session;
}

// Which address of the machine was asked.
static void note_asked(Session *session, struct msghdr *message)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL; at = CMSG_NXTHDR(message, at)) {
        if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) {
            memcpy(&session->asked.four, CMSG_DATA(at), sizeof session->asked.four);
            // ip(7): what comes in is ipi_addr, what goes out ipi_spec_dst.
            session->asked.four.ipi_spec_dst = session->asked.four.ipi_addr;
            session->asked.four.ipi_ifindex = 0;
        }
        if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO)
            memcpy(&session->asked.six, CMSG_DATA(at), sizeof session->asked.six);
    }
}

static char datagram[DATAGRAM_MAX];

static void take_datagram(Relay *relay, Port *port)
{
    struct sockaddr_storage client;
    memset(&client, 0, sizeof client);
    _Alignas(struct cmsghdr) char control[256];
    struct iovec bytes = {.iov_base = datagram, .iov_len = sizeof datagram};
    struct msghdr message = {
        .msg_name = &client,
        .msg_namelen = sizeof client,
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    ssize_t length = recvmsg(port->port->fd, &message, 0);
    if (length < 0) return;
    Session *session = find_session(relay, port, &message);
    if (session == NULL) return;
    note_asked(session, &message);
    session->used = now_ms();
    (void)!send(session->fd, datagram, (size_t)length, 0);
}

static void answer_client(Relay *relay, Session *session)
{
    if (session->fd < 0) return;
    ssize_t length = recv(session->fd, datagram, sizeof datagram, 0);
    if (length < 0) {
        // Nobody listens there (ECONNREFUSED): the client is told as little as by any server that is silent.
        if (errno != EAGAIN && errno != EINTR) close_session(relay, session);
        return;
    }
    bool six = session->client.ss_family == AF_INET6;
    size_t size = six ? sizeof session->asked.six : sizeof session->asked.four;
    _Alignas(struct cmsghdr) char control[256] = "";
    struct iovec bytes = {.iov_base = datagram, .iov_len = (size_t)length};
    struct msghdr message = {
        .msg_name = &session->client,
        .msg_namelen = session->client_length,
        .msg_iov = &bytes,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = CMSG_SPACE(size),
    };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = six ? IPPROTO_IPV6 : IPPROTO_IP;
    head->cmsg_type = six ? IPV6_PKTINFO : IP_PKTINFO;
    head->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(head), &session->asked, size);
    session->used = now_ms();
    (void)!sendmsg(session->port->port->fd, &message, 0);
}

static void serve_event(Relay *relay, const struct epoll_event *event)
{
    switch (((Source *)event->data.ptr)->kind) {
    case TCP_PORT:
        return accept_client(relay, event->data.ptr);
    case UDP_PORT:
        return take_datagram(relay, event->data.ptr);
    case TCP_SIDE:
        return serve_side(relay, event->data.ptr, event->events);
    case UDP_SESSION:
        return answer_client(relay, event->data.ptr);
    }
}

static void open_relay(Relay *relay, const RelayPort *ports, size_t count)
{
    relay->epoll = epoll_create1(EPOLL_CLOEXEC);
    relay->ports = xcalloc(count == 0 ? 1 : count, sizeof *relay->ports);
    relay->count = count;
    for (size_t i = 0; i < count; i++) {
        Port *port = &relay->ports[i];
        *port = (Port){.source = {ports[i].udp ? UDP_PORT : TCP_PORT}, .port = &ports[i], .is_asked = true};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = port};
        if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, ports[i].fd, &event) < 0) _exit(EXIT_BUG);
    }
}

void relay(const RelayPort *ports, size_t count)
{
    static Relay all;
    struct epoll_event events[EVENTS];
    open_relay(&all, ports, count);
    for (;;) {
        int found = epoll_wait(all.epoll, events, EVENTS, all.sessions > 0 ? SWEEP_MS : -1);
        for (int i = 0; i < found; i++)
            serve_event(&all, &events[i]);
        free_closed(&all);
        if (all.sessions > 0 && now_ms() - all.swept > SWEEP_MS) sweep_sessions(&all);
    }
}
