// `nslab-helper _events <LIST`: what rtnetlink tells of links, addresses, routes and neighbours in each
// namespace of the list (netns-list.h), as frames on stdout: three numbers of 32 bits, little end first (the
// length of what follows, the place of the namespace in the list, the kind), and then, of kind MESSAGES, a
// datagram of netlink as it came. It decides nothing and decodes nothing. Before anything else of a namespace
// comes a dump of its links, on the same socket, so that nothing falls between. rtnetlink(7), netlink(7).

#include "netns-list.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

// src/kernel/netlink-events.ts has the same.
enum { FRAME_MESSAGES, FRAME_LOST, FRAME_GONE, FRAME_READY };

enum {
    DATAGRAM_MOST = 64 << 10,
    ROOM = 1 << 20, // of each socket, as far as it is used
    EVENTS = 256,
    MOUNTS = -1,
};

static void write_frame(uint32_t netns, uint32_t kind, const void *bytes, size_t length)
{
    uint32_t head[] = {htole32((uint32_t)length), htole32(netns), htole32(kind)};
    uint8_t frame[sizeof head + DATAGRAM_MOST];
    memcpy(frame, head, sizeof head);
    if (length > 0) memcpy(frame + sizeof head, bytes, length);
    for (size_t done = 0; done < sizeof head + length;) {
        ssize_t written = TEMP_FAILURE_RETRY(write(STDOUT_FILENO, frame + done, sizeof head + length - done));
        // Nobody reads any more.
        if (written <= 0) exit(0);
        done += (size_t)written;
    }
}

static void ask_for_links(int fd)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
        struct rtattr attribute;
        uint32_t mask;
    } request = {
        .head = {.nlmsg_len = sizeof request,
                 .nlmsg_type = RTM_GETLINK,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = 1},
        .attribute = {.rta_len = sizeof(struct rtattr) + sizeof(uint32_t), .rta_type = IFLA_EXT_MASK},
        .mask = RTEXT_FILTER_SKIP_STATS,
    };
    if (send(fd, &request, sizeof request, 0) < 0) die_errno("ask for the links of a namespace");
}

static int open_socket(const Netns *netns)
{
    const int room = ROOM;
    struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        die_errno("listen in the network namespace of node %s", quoted(netns->node));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    ask_for_links(fd);
    return fd;
}

// Everything that waits on the socket. Where some of it was lost, how the links are now is asked once all
// that was not lost is through: until then the kernel adds nothing (NETLINK_S_CONGESTED).
static void pass_on(int fd, uint32_t netns)
{
    char datagram[DATAGRAM_MOST];
    bool has_lost = false;
    for (;;) {
        ssize_t length = TEMP_FAILURE_RETRY(recv(fd, datagram, sizeof datagram, MSG_TRUNC));
        if (length < 0 && errno == EAGAIN) break;
        if (length < 0 && errno != ENOBUFS) die_errno("read from a namespace");
        if (length < 0 || length > DATAGRAM_MOST) {
            has_lost = true;
            write_frame(netns, FRAME_LOST, NULL, 0);
        } else if (length > 0) {
            write_frame(netns, FRAME_MESSAGES, datagram, (size_t)length);
        }
    }
    if (has_lost) ask_for_links(fd);
}

static void watch(int epoll, int fd, uint32_t events, int what)
{
    struct epoll_event event = {.events = events, .data.fd = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die_errno("watch a socket");
}

static void read_list(NetnsList *list)
{
    cleanup_free char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (!netns_list_take(list, line))
            die(EXIT_USAGE, "USAGE", NULL, "a line that means nothing: %s", quoted(line));
    }
}

// Returns how many namespaces of the list that can go are left.
static size_t end_gone(NetnsList *list, int *sockets)
{
    size_t left = 0;
    (void)netns_list_check(list);
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].pin == NULL) continue;
        if (!list->items[i].is_gone) {
            left++;
        } else if (sockets[i] >= 0) {
            pass_on(sockets[i], (uint32_t)i);
            close(sockets[i]);
            sockets[i] = -1;
            write_frame((uint32_t)i, FRAME_GONE, NULL, 0);
        }
    }
    return left;
}

static int relay(NetnsList *list, int *sockets, int epoll)
{
    struct epoll_event events[EVENTS];
    bool has_pins = false;
    for (size_t i = 0; i < list->count; i++)
        has_pins |= list->items[i].pin != NULL;
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) die_errno("epoll_wait");
        bool has_mounts = false;
        for (int i = 0; i < count; i++) {
            int what = events[i].data.fd;
            if (what == MOUNTS) {
                has_mounts = true;
            } else if (sockets[what] >= 0) {
                pass_on(sockets[what], (uint32_t)what);
            }
        }
        if (has_mounts && end_gone(list, sockets) == 0 && has_pins) return 0;
    }
}

int verb_events(int argc, char **argv)
{
    NetnsList list = {0};
    pid_t parent = getppid();
    (void)argv;
    if (argc != 1) die(EXIT_USAGE, "USAGE", NULL, "usage: nslab-helper _events <LIST");
    signal(SIGPIPE, SIG_IGN);
    read_list(&list);
    netns_list_open(&list);
    allow_descriptors(list.count + 64);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die_errno("epoll_create1");
    watch(epoll, list.mounts, EPOLLPRI | EPOLLET, MOUNTS);
    int *sockets = xcalloc(list.count + 1, sizeof *sockets);
    for (size_t i = 0; i < list.count; i++) {
        sockets[i] = netns_enter(&list.items[i]) ? open_socket(&list.items[i]) : -1;
        if (sockets[i] >= 0) watch(epoll, sockets[i], EPOLLIN, (int)i);
    }
    netns_list_leave(&list);
    give_up_most_rights();
    // A change of credentials takes the wish away (prctl(2)).
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != parent) return EXIT_HOST;
    for (size_t i = 0; i < list.count; i++) {
        if (sockets[i] >= 0) pass_on(sockets[i], (uint32_t)i);
    }
    write_frame(0, FRAME_READY, NULL, 0);
    return relay(&list, sockets, epoll);
}
