// The floor that nslab is compared with: the same kernel objects as a star or a ring of nslab, made with the
// fewest system calls. It is no tool: names, addresses and shapes are fixed, it trusts its arguments, and it
// undoes nothing when it fails
// (`limit down` does). Sources of truth: rtnetlink(7), veth(4), linux/if_link.h, linux/veth.h, unshare(2),
// mount(2).
//
//   limit up star|ring N [--prefix P] [--stop-after netns|pin|wire] [--variant NAME]...
//   limit down star|ring N [--prefix P]
//   limit settle        waits until the kernel has freed every namespace that was dropped before
//
// star: N namespaces Pn1.. with eth0 on the bridge br0 of namespace Psw (a further one for every PORTS nodes,
// wired to the first). ring: N routers Pr1.., eth1 of each wired to eth0 of the next by a /31, default route
// clockwise. Every namespace has a name that ip-netns(8) sees: a bind mount on one tmpfs of the lab, and a
// symlink in /run/netns.
//
// Order: each namespace is finished before the next is made. The process stays in the new one, so there is no
// setns(2), its own pid names the far end's namespace, and two sockets are open at a time however large the
// lab is.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STATE_ROOT "/run/nslab-limit"
#define NETNS_ROOT "/run/netns"
#define BRIDGE "br0"
// Fixed numbers save asking for them. lo is 1; some kernels give a new namespace a few tunnel devices after
// it.
enum { LO = 1, ETH0 = 100, ETH1 = 101, TRUNK = 102, FIRST_PORT = 200 };
// A Linux bridge holds 1023 ports (BR_PORT_BITS, net/bridge/br_private.h).
enum { PORTS = 1000, SWITCHES = 20 };

enum stage { STAGE_NETNS, STAGE_PIN, STAGE_WIRE, STAGE_ALL };
static const char *const stage_names[] = {"netns", "pin", "wire", "all"};

// What else was tried. On a busy machine none but queues and ipv6 differed from the default by more than the
// noise (--stages).
enum variant {
    VARIANT_QUEUES = 1 << 0,      // as many veth queues as the kernel gives by default
    VARIANT_IPV6 = 1 << 1,        // IPv6 as the kernel starts it, with link-local addresses
    VARIANT_BRIDGE_LATE = 1 << 2, // the bridge goes up after its last port
    VARIANT_SNOOP_EARLY = 1 << 3, // the bridge snoops multicast from the start
    VARIANT_SINGLE = 1 << 4,      // one send(2) for each message
    VARIANT_ORDERED = 1 << 5,     // star: all namespaces, then all wires, then all configuration
};
static const struct {
    const char *name;
    enum variant bit;
} variant_names[] = {
    {"queues", VARIANT_QUEUES},           {"ipv6", VARIANT_IPV6},     {"bridge-late", VARIANT_BRIDGE_LATE},
    {"snoop-early", VARIANT_SNOOP_EARLY}, {"single", VARIANT_SINGLE}, {"ordered", VARIANT_ORDERED},
};

static struct {
    bool ring;
    int n;
    const char *prefix;
    enum stage last;
    unsigned variants;
    char tree[128];
} lab = {.prefix = "lim-", .last = STAGE_ALL};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    int error = errno;
    va_list args;
    va_start(args, format);
    fputs("limit: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, ": %s\n", strerror(error));
    va_end(args);
    exit(1);
}

static bool is(enum variant bit)
{
    return (lab.variants & bit) != 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// ---- rtnetlink: messages are put one after another into one buffer and leave in one send ----

static uint8_t buffer[64 << 10];
static size_t used;

static struct nlmsghdr *message(int type, int flags, const void *body, size_t size)
{
    struct nlmsghdr *header = (void *)(buffer + used);
    *header = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size),
                                .nlmsg_type = (uint16_t)type,
                                .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    memcpy(NLMSG_DATA(header), body, size);
    used += NLMSG_ALIGN(header->nlmsg_len);
    return header;
}

static struct rtattr *attr(struct nlmsghdr *header, int type, const void *value, size_t size)
{
    struct rtattr *a = (void *)((uint8_t *)header + NLMSG_ALIGN(header->nlmsg_len));
    a->rta_type = (uint16_t)type;
    a->rta_len = (uint16_t)RTA_LENGTH(size);
    if (size > 0) memcpy(RTA_DATA(a), value, size);
    header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
    used = (size_t)((uint8_t *)header - buffer) + header->nlmsg_len;
    return a;
}

static void attr_u32(struct nlmsghdr *header, int type, uint32_t value)
{
    attr(header, type, &value, sizeof value);
}
static void attr_text(struct nlmsghdr *header, int type, const char *text)
{
    attr(header, type, text, strlen(text) + 1);
}
static struct rtattr *nest(struct nlmsghdr *header, int type)
{
    return attr(header, type, NULL, 0);
}

static void unnest(struct nlmsghdr *header, struct rtattr *a)
{
    a->rta_len = (uint16_t)((uint8_t *)header + header->nlmsg_len - (uint8_t *)a);
}

// The kernel has handled everything when send(2) returns; only a refusal leaves an answer (no NLM_F_ACK is
// asked for).
static void flush(int fd)
{
    uint8_t answer[4096];
    if (used == 0) return;
    if (send(fd, buffer, used, 0) < 0) die("send");
    used = 0;
    if (recv(fd, answer, sizeof answer, MSG_DONTWAIT) < 0) return;
    const struct nlmsghdr *header = (void *)answer;
    const struct nlmsgerr *refusal = NLMSG_DATA(header);
    errno = -refusal->error;
    die("refused: message type %d", refusal->msg.nlmsg_type);
}

static void ready(int fd)
{
    if (is(VARIANT_SINGLE) || used > sizeof buffer / 2) flush(fd);
}

static int rtnl_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) die("socket");
    return fd;
}

// ---- what is asked of the kernel ----

// No link-local address, so no DAD, MLD or router solicitation. It counts only when it is set before the link
// goes up.
static void no_ipv6(int fd, int index)
{
    if (is(VARIANT_IPV6)) return;
    struct ifinfomsg link = {.ifi_index = index};
    struct nlmsghdr *m = message(RTM_SETLINK, 0, &link, sizeof link);
    struct rtattr *spec = nest(m, IFLA_AF_SPEC);
    struct rtattr *inet6 = nest(m, AF_INET6);
    attr(m, IFLA_INET6_ADDR_GEN_MODE, &(uint8_t){IN6_ADDR_GEN_MODE_NONE}, 1);
    unnest(m, inet6);
    unnest(m, spec);
    ready(fd);
}

static void link_up(int fd, int index)
{
    struct ifinfomsg link = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    message(RTM_SETLINK, 0, &link, sizeof link);
    ready(fd);
}

static void add_address(int fd, int index, uint32_t address, int prefixlen)
{
    struct ifaddrmsg body = {
        .ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefixlen, .ifa_index = (uint32_t)index};
    struct nlmsghdr *m = message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    attr_u32(m, IFA_LOCAL, htonl(address));
    attr_u32(m, IFA_ADDRESS, htonl(address));
    if (prefixlen < 31) attr_u32(m, IFA_BROADCAST, htonl(address | (0xffffffffu >> prefixlen)));
    ready(fd);
}

static void add_default_route(int fd, int index, uint32_t gateway)
{
    struct rtmsg body = {.rtm_family = AF_INET,
                         .rtm_table = RT_TABLE_MAIN,
                         .rtm_protocol = RTPROT_STATIC,
                         .rtm_scope = RT_SCOPE_UNIVERSE,
                         .rtm_type = RTN_UNICAST};
    struct nlmsghdr *m = message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
    attr_u32(m, RTA_GATEWAY, htonl(gateway));
    attr_u32(m, RTA_OIF, (uint32_t)index);
    ready(fd);
}

// Every port that is added restarts the multicast timers of all ports before it (br_port_state_selection), so
// snooping is off while ports are added, and finish_switch turns it on in one go: about a tenth less CPU
// time at 1000 ports.
static void bridge(int fd, int flags, uint8_t snooping, bool up)
{
    struct ifinfomsg link = {.ifi_index = ETH0};
    if (up) link.ifi_flags = link.ifi_change = IFF_UP;
    struct nlmsghdr *m = message(RTM_NEWLINK, flags, &link, sizeof link);
    if (flags != 0) attr_text(m, IFLA_IFNAME, BRIDGE);
    struct rtattr *info = nest(m, IFLA_LINKINFO);
    attr_text(m, IFLA_INFO_KIND, "bridge");
    struct rtattr *data = nest(m, IFLA_INFO_DATA);
    attr(m, IFLA_BR_MCAST_SNOOPING, &snooping, 1);
    unnest(m, data);
    unnest(m, info);
    ready(fd);
}

enum { HERE = -1 };

struct end {
    const char *name;
    int index;
    bool bridge_port; // a port of br0, and up, both set by the creating message
};

static void queues(struct nlmsghdr *m)
{
    if (is(VARIANT_QUEUES)) return;
    attr_u32(m, IFLA_NUM_TX_QUEUES, 1);
    attr_u32(m, IFLA_NUM_RX_QUEUES, 1);
}

// One message makes both ends, `near` where the socket lives and `far` in its own namespace: where this
// process is now (HERE), or where the descriptor says. IFF_UP for the far end fails with ENOTCONN (veth_open
// wants the pair).
static void add_veth(int fd, const struct end *near, const struct end *far, int peer_fd)
{
    struct ifinfomsg link = {.ifi_index = near->index};
    if (near->bridge_port) link.ifi_flags = link.ifi_change = IFF_UP;
    struct nlmsghdr *m = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
    attr_text(m, IFLA_IFNAME, near->name);
    if (near->bridge_port) attr_u32(m, IFLA_MASTER, ETH0);
    queues(m);
    struct rtattr *info = nest(m, IFLA_LINKINFO);
    attr_text(m, IFLA_INFO_KIND, "veth");
    struct rtattr *data = nest(m, IFLA_INFO_DATA);
    struct rtattr *peer =
        attr(m, VETH_INFO_PEER, &(struct ifinfomsg){.ifi_index = far->index}, sizeof(struct ifinfomsg));
    attr_text(m, IFLA_IFNAME, far->name);
    queues(m);
    if (peer_fd != HERE)
        attr_u32(m, IFLA_NET_NS_FD, (uint32_t)peer_fd);
    else
        attr_u32(m, IFLA_NET_NS_PID, (uint32_t)getpid());
    unnest(m, peer);
    unnest(m, data);
    unnest(m, info);
    ready(fd);
}

static void set_port(int fd, int index)
{
    struct ifinfomsg link = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    attr_u32(message(RTM_SETLINK, 0, &link, sizeof link), IFLA_MASTER, ETH0);
    ready(fd);
}

// ---- namespaces and their names ----

static void sysctl(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) die("open %s", path);
    if (write(fd, value, strlen(value)) < 0) die("write %s", path);
    close(fd);
}

struct name {
    char pin[256];
    char link[256];
};

static struct name name_of(const char *role, int number)
{
    struct name name;
    char digits[16] = "";
    if (number > 0) snprintf(digits, sizeof digits, "%d", number);
    snprintf(name.pin, sizeof name.pin, "%s/%s%s%s", lab.tree, lab.prefix, role, digits);
    snprintf(name.link, sizeof name.link, NETNS_ROOT "/%s%s%s", lab.prefix, role, digits);
    return name;
}

static double spent[STAGE_ALL + 1];

// Adds the time since `start` to the stage and starts the next one.
static void spend(enum stage stage, double *start)
{
    double end = now();
    spent[stage] += end - *start;
    *start = end;
}

static void enter_new_netns(const char *role, int number)
{
    double start = now();
    if (unshare(CLONE_NEWNET) < 0) die("unshare");
    spend(STAGE_NETNS, &start);
    if (lab.last < STAGE_PIN) return;
    struct name name = name_of(role, number);
    if (mknod(name.pin, S_IFREG | 0444, 0) < 0) die("mknod %s", name.pin);
    if (mount("/proc/self/ns/net", name.pin, NULL, MS_BIND, NULL) < 0) die("mount %s", name.pin);
    if (symlink(name.pin, name.link) < 0) die("symlink %s", name.link);
    spend(STAGE_PIN, &start);
}

static int open_pin(const char *role, int number)
{
    struct name name = name_of(role, number);
    int fd = open(name.pin, O_RDONLY | O_CLOEXEC);
    if (fd < 0) die("open %s", name.pin);
    return fd;
}

static void make_tree(void)
{
    if (mkdir(STATE_ROOT, 0700) < 0 && errno != EEXIST) die("mkdir " STATE_ROOT);
    if (mkdir(NETNS_ROOT, 0755) < 0 && errno != EEXIST) die("mkdir " NETNS_ROOT);
    if (mkdir(lab.tree, 0700) < 0) die("mkdir %s", lab.tree);
    if (mount("limit", lab.tree, "tmpfs", 0, "mode=0755") < 0) die("mount %s", lab.tree);
    if (mount(NULL, lab.tree, NULL, MS_SHARED, NULL) < 0) die("share %s", lab.tree);
}

// ---- the star ----

static uint32_t star_address(int i)
{
    return (10u << 24) + 1 + (uint32_t)i;
}
static int switch_of(int node)
{
    return (node - 1) / PORTS;
}
static int switch_count(void)
{
    return switch_of(lab.n) + 1;
}
// The first is `sw`, then sw2, sw3...
static int switch_number(int k)
{
    return k == 0 ? 0 : k + 1;
}

static int add_switch(int first, int k)
{
    enter_new_netns("sw", switch_number(k));
    double start = now();
    // A port is born up in its bridge, so IPv6 must be quiet before it is there.
    if (!is(VARIANT_IPV6)) sysctl("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");
    int fd = rtnl_socket();
    link_up(fd, LO);
    bridge(fd, NLM_F_CREATE | NLM_F_EXCL, is(VARIANT_SNOOP_EARLY), !is(VARIANT_BRIDGE_LATE));
    if (k == 0) add_address(fd, ETH0, star_address(0), 16);
    flush(fd);
    if (k > 0) {
        char name[IFNAMSIZ];
        snprintf(name, sizeof name, "t%d", k + 1);
        struct end trunk = {.name = "trunk", .index = TRUNK, .bridge_port = true};
        struct end there = {.name = name, .index = TRUNK + k};
        int home = open_pin("sw", 0);
        add_veth(fd, &trunk, &there, home);
        flush(fd);
        close(home);
        set_port(first, TRUNK + k);
        flush(first);
    }
    spend(STAGE_WIRE, &start);
    return fd;
}

static void finish_switch(int fd)
{
    double start = now();
    if (!is(VARIANT_SNOOP_EARLY))
        bridge(fd, 0, 1, is(VARIANT_BRIDGE_LATE));
    else if (is(VARIANT_BRIDGE_LATE))
        link_up(fd, ETH0);
    flush(fd);
    close(fd);
    spend(STAGE_WIRE, &start);
}

static void plug(int sw, int i, int node_fd)
{
    char port[IFNAMSIZ];
    snprintf(port, sizeof port, "p%d", i);
    struct end at_switch = {.name = port, .index = FIRST_PORT + i, .bridge_port = true};
    struct end at_node = {.name = "eth0", .index = ETH0};
    add_veth(sw, &at_switch, &at_node, node_fd);
    flush(sw);
}

static void configure_node(int i)
{
    int fd = rtnl_socket();
    link_up(fd, LO);
    no_ipv6(fd, ETH0);
    link_up(fd, ETH0);
    add_address(fd, ETH0, star_address(i), 16);
    add_default_route(fd, ETH0, star_address(0));
    flush(fd);
    close(fd);
}

static void make_nodes(const int *switches)
{
    for (int i = 1; i <= lab.n; i++) {
        enter_new_netns("n", i);
        double start = now();
        if (lab.last < STAGE_WIRE) continue;
        plug(switches[switch_of(i)], i, HERE);
        spend(STAGE_WIRE, &start);
        if (lab.last < STAGE_ALL) continue;
        configure_node(i);
        spend(STAGE_ALL, &start);
    }
}

static void make_nodes_in_order(const int *switches)
{
    for (int i = 1; i <= lab.n; i++)
        enter_new_netns("n", i);
    double start = now();
    for (int i = 1; i <= lab.n; i++) {
        int node = open_pin("n", i);
        plug(switches[switch_of(i)], i, node);
        close(node);
    }
    spend(STAGE_WIRE, &start);
    for (int i = 1; i <= lab.n; i++) {
        int node = open_pin("n", i);
        if (setns(node, CLONE_NEWNET) < 0) die("setns");
        close(node);
        configure_node(i);
    }
    spend(STAGE_ALL, &start);
}

static void up_star(void)
{
    int switches[SWITCHES];
    for (int k = 0; k < switch_count(); k++)
        switches[k] = add_switch(switches[0], k);
    if (is(VARIANT_ORDERED))
        make_nodes_in_order(switches);
    else
        make_nodes(switches);
    for (int k = 0; k < switch_count(); k++)
        finish_switch(switches[k]);
}

// ---- the ring ----

// Wire i joins eth1 of router i to eth0 of the next.
static uint32_t wire_address(int wire, int end)
{
    return (10u << 24) + 2 * (uint32_t)(wire - 1) + (uint32_t)end;
}

static void up_end(int fd, int index, int wire, int end)
{
    no_ipv6(fd, index);
    link_up(fd, index);
    add_address(fd, index, wire_address(wire, end), 31);
}

// eth1 leads to the next router, and to everywhere.
static void up_right(int fd, int wire)
{
    up_end(fd, ETH1, wire, 0);
    add_default_route(fd, ETH1, wire_address(wire, 1));
}

static int enter_router(int i)
{
    enter_new_netns("r", i);
    if (lab.last < STAGE_WIRE) return -1;
    double start = now();
    int fd = rtnl_socket();
    if (lab.last == STAGE_ALL) {
        sysctl("/proc/sys/net/ipv4/ip_forward", "1");
        sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        link_up(fd, LO);
        flush(fd);
    }
    spend(STAGE_ALL, &start);
    return fd;
}

static void up_ring(void)
{
    const struct end left = {.name = "eth0", .index = ETH0};
    const struct end right = {.name = "eth1", .index = ETH1};
    int first = enter_router(1);
    int before = first;
    for (int i = 2; i <= lab.n; i++) {
        int here = enter_router(i);
        if (lab.last < STAGE_WIRE) continue;
        double start = now();
        add_veth(before, &right, &left, HERE);
        flush(before);
        spend(STAGE_WIRE, &start);
        if (lab.last == STAGE_ALL) {
            up_end(here, ETH0, i - 1, 1);
            flush(here);
            up_right(before, i - 1);
            flush(before);
            spend(STAGE_ALL, &start);
        }
        if (before != first) close(before);
        before = here;
    }
    if (lab.last < STAGE_WIRE) return;
    double start = now();
    add_veth(first, &left, &right, HERE);
    flush(first);
    spend(STAGE_WIRE, &start);
    if (lab.last < STAGE_ALL) return;
    up_end(first, ETH0, lab.n, 1);
    flush(first);
    up_right(before, lab.n);
    flush(before);
    spend(STAGE_ALL, &start);
}

// ---- commands ----

static void up(void)
{
    double start = now();
    make_tree();
    if (lab.ring)
        up_ring();
    else
        up_star();
    double end = now();
    printf("{\"ms\":%.3f", end - start);
    for (int s = 0; s <= (int)lab.last; s++)
        printf(",\"%s\":%.3f", stage_names[s], spent[s]);
    printf("}\n");
}

static void drop_name(const char *role, int number)
{
    struct name name = name_of(role, number);
    if (unlink(name.link) < 0 && errno != ENOENT) die("unlink %s", name.link);
}

// One umount takes the whole tree with one wait for RCU; the kernel frees the namespaces later (`settle`).
static void down(void)
{
    double start = now();
    for (int i = 1; i <= lab.n; i++)
        drop_name(lab.ring ? "r" : "n", i);
    if (!lab.ring)
        for (int k = 0; k < switch_count(); k++)
            drop_name("sw", switch_number(k));
    if (umount2(lab.tree, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT) die("umount %s", lab.tree);
    if (rmdir(lab.tree) < 0 && errno != ENOENT) die("rmdir %s", lab.tree);
    if (rmdir(STATE_ROOT) < 0 && errno != ENOENT && errno != ENOTEMPTY) die("rmdir " STATE_ROOT);
    printf("{\"ms\":%.3f}\n", now() - start);
}

// A wire with one end in a namespace that is dropped: the other end goes when the kernel comes to it.
static void drop_canary(void)
{
    int watched = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int fd = rtnl_socket();
    if (unshare(CLONE_NEWNET) < 0) die("unshare");
    const struct end end = {.name = "canary", .index = ETH0};
    add_veth(fd, &end, &end, HERE);
    flush(fd);
    int group = RTNLGRP_LINK;
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) die("setsockopt");
    if (setns(watched, CLONE_NEWNET) < 0) die("setns");
    close(watched);
    struct timeval limit = {.tv_sec = 60};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0) die("setsockopt");
    for (;;) {
        uint8_t news[8192];
        if (recv(fd, news, sizeof news, 0) < 0) die("wait for the kernel to free what was dropped");
        if (((struct nlmsghdr *)(void *)news)->nlmsg_type == RTM_DELLINK) break;
    }
    close(fd);
}

// cleanup_net() takes what was dropped in batches, one batch after another: when the second of two canaries
// is gone, so is the whole batch of the first, and everything dropped before it.
static void settle(void)
{
    double start = now();
    if (unshare(CLONE_NEWNET) < 0) die("unshare");
    drop_canary();
    drop_canary();
    printf("{\"ms\":%.3f}\n", now() - start);
}

static int usage(void)
{
    fputs("usage: limit up|down star|ring N [--prefix P] [--stop-after netns|pin|wire] [--variant NAME]...\n"
          "       limit settle\n",
          stderr);
    return 2;
}

static bool take_option(const char *option, const char *value)
{
    if (strcmp(option, "--prefix") == 0) {
        lab.prefix = value;
        return strchr(value, '/') == NULL && value[0] != '\0' && strlen(value) < 64;
    }
    if (strcmp(option, "--stop-after") == 0) {
        for (int s = 0; s <= STAGE_ALL; s++)
            if (strcmp(stage_names[s], value) == 0) return lab.last = (enum stage)s, true;
    }
    if (strcmp(option, "--variant") == 0) {
        for (size_t v = 0; v < sizeof variant_names / sizeof *variant_names; v++)
            if (strcmp(variant_names[v].name, value) == 0) return lab.variants |= variant_names[v].bit, true;
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "settle") == 0) return settle(), 0;
    if (argc < 4 || argc % 2 != 0) return usage();
    lab.ring = strcmp(argv[2], "ring") == 0;
    lab.n = atoi(argv[3]);
    if (!lab.ring && strcmp(argv[2], "star") != 0) return usage();
    if (lab.n < 2 || lab.n > PORTS * SWITCHES) return usage();
    for (int i = 4; i < argc; i += 2)
        if (!take_option(argv[i], argv[i + 1])) return usage();
    snprintf(lab.tree, sizeof lab.tree, STATE_ROOT "/%s", lab.prefix);
    if (strcmp(argv[1], "up") == 0)
        up();
    else if (strcmp(argv[1], "down") == 0)
        down();
    else
        return usage();
    return 0;
}
