// `nslab-helper _probe`: asks hosts for signs of life from inside many network namespaces at once, so that a node needs no
// ping and no curl. One line of stdin is one probe, in fields that tabs separate:
//
//   ID NETNS MS KIND ADDRESS PORT DATA
//
// ID comes back as it is. NETNS is the path of a namespace, or `-` for the one we were started in. MS is how long to wait.
// KIND is icmp (DATA is the payload of one echo request), udp (DATA is one datagram) or tcp (DATA is sent once connected
// and everything up to the end of the stream is read; without DATA, being connected is the answer). DATA is hexadecimal,
// `-` for none. ADDRESS may have a zone, fe80::1%eth0, which is a device of the namespace. Each probe is answered by one
// line, in the order in which they end:
//
//   ID STATE MICROSECONDS ERRNO TYPE CODE FROM DATA
//
// STATE is answer, error (ERRNO says which; TYPE, CODE and FROM are those of an ICMP message, if one said so), silence (nothing
// came), or cut (tcp: connected, and the stream had not ended in time). The end of stdin ends us, once all is answered.
// Nothing is judged here: what is good or bad is said in src/probe. icmp(7), raw(7), ip(7) IP_RECVERR, ipv6(7).

#include "common.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

enum {
    FIELDS = 7,
    LINE_MAX_BYTES = 64 << 10,
    // Of a stream or a datagram: what somebody may want to look at, not a download.
    ANSWER_MAX = 16 << 10,
    ECHO_HEADER = 8,
    // linux/icmp.h, which netinet/ip_icmp.h cannot be together with.
    RAW_ICMP_FILTER = 1,
};

typedef enum { KIND_ICMP, KIND_UDP, KIND_TCP } Kind;

typedef struct {
    char *id;
    Kind kind;
    int family;
    int fd;
    int64_t began, deadline;
    // icmp: identifier and sequence number, as they are in the packet.
    unsigned char echo[4];
    unsigned char *data;
    size_t length, sent;
    bool connected;
    unsigned char *got;
    size_t got_length;
} Probe;

typedef struct {
    Probe *items;
    size_t count, room;
} Probes;

typedef union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} Address;

// What an ICMP message, or the kernel itself, said of a probe.
typedef struct {
    int error;
    int type, code;
    char from[INET6_ADDRSTRLEN];
} Refusal;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void print_hex(const unsigned char *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    if (length == 0) putchar('-');
    for (size_t i = 0; i < length; i++) {
        putchar(digits[bytes[i] >> 4]);
        putchar(digits[bytes[i] & 15]);
    }
}

static void free_probe(Probe *probe)
{
    if (probe->fd >= 0) close(probe->fd);
    free(probe->id);
    free(probe->data);
    free(probe->got);
}

static void answer(const Probe *probe, const char *state, const Refusal *refusal)
{
    printf("%s\t%s\t%" PRId64 "\t%d\t", probe->id, state, now_us() - probe->began,
           refusal == NULL ? 0 : refusal->error);
    if (refusal != NULL && refusal->from[0] != '\0')
        printf("%d\t%d\t%s\t", refusal->type, refusal->code, refusal->from);
    else
        printf("-\t-\t-\t");
    print_hex(probe->got, probe->got_length);
    putchar('\n');
}

static void answer_errno(const Probe *probe, int error)
{
    Refusal refusal = {.error = error};
    answer(probe, "error", &refusal);
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, Probe *probe)
{
    if (strcmp(text, "-") == 0) return true;
    size_t length = strlen(text);
    if (length % 2 != 0) return false;
    probe->data = xcalloc(length / 2 + 1, 1);
    for (size_t i = 0; i < length; i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0) return false;
        probe->data[probe->length++] = (unsigned char)(high << 4 | low);
    }
    return true;
}

static bool read_number(const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return digit(*text) >= 0 && *end == '\0' && errno == 0 && *out <= max;
}

// In the namespace already: a zone is the index of a device there.
static bool read_address(char *text, unsigned long port, Address *out)
{
    *out = (Address){0};
    if (inet_pton(AF_INET, text, &out->in.sin_addr) == 1) {
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons((uint16_t)port);
        return true;
    }
    char *zone = strchr(text, '%');
    if (zone != NULL) *zone++ = '\0';
    if (inet_pton(AF_INET6, text, &out->in6.sin6_addr) != 1) return false;
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = htons((uint16_t)port);
    if (zone != NULL) out->in6.sin6_scope_id = if_nametoindex(zone);
    return true;
}

// Probes come sorted by namespace more often than not, so the last one is kept.
static int enter_netns(const char *path)
{
    static int home = -1;
    static char *here;
    if (home < 0) {
        home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (home < 0) die_errno("open /proc/self/ns/net");
        here = xstrdup("-");
    }
    if (strcmp(here, path) == 0) return 0;
    bool back = strcmp(path, "-") == 0;
    int fd = back ? home : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return errno;
    int error = setns(fd, CLONE_NEWNET) < 0 ? errno : 0;
    if (!back) close(fd);
    if (error != 0) return error;
    free(here);
    here = xstrdup(path);
    return 0;
}

static socklen_t address_length(const Address *address)
{
    return address->any.sa_family == AF_INET ? sizeof address->in : sizeof address->in6;
}

static void ask_for_errors(const Probe *probe)
{
    int on = 1;
    if (probe->family == AF_INET)
        (void)setsockopt(probe->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    else
        (void)setsockopt(probe->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
}

static void ask_for_replies_only(const Probe *probe)
{
    if (probe->family == AF_INET) {
        uint32_t filter = ~(1U << ICMP_ECHOREPLY);
        (void)setsockopt(probe->fd, SOL_RAW, RAW_ICMP_FILTER, &filter, sizeof filter);
    } else {
        struct icmp6_filter filter;
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        (void)setsockopt(probe->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
    }
}

static int open_socket(Probe *probe)
{
    int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    bool v4 = probe->family == AF_INET;
    if (probe->kind == KIND_ICMP)
        probe->fd = socket(probe->family, SOCK_RAW | flags, v4 ? IPPROTO_ICMP : (int)IPPROTO_ICMPV6);
    else
        probe->fd = socket(probe->family, (probe->kind == KIND_UDP ? SOCK_DGRAM : SOCK_STREAM) | flags, 0);
    if (probe->fd < 0) return errno;
    ask_for_errors(probe);
    if (probe->kind == KIND_ICMP) ask_for_replies_only(probe);
    return 0;
}

// RFC 1071. The kernel does it for ICMPv6.
static void set_checksum(unsigned char *packet, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)(packet[i] << 8 | packet[i + 1]);
    if (length % 2 != 0) sum += (uint32_t)(packet[length - 1] << 8);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    packet[2] = (unsigned char)(~sum >> 8);
    packet[3] = (unsigned char)~sum;
}

static int send_echo(Probe *probe)
{
    size_t length = ECHO_HEADER + probe->length;
    cleanup_free unsigned char *packet = xcalloc(length, 1);
    packet[0] = probe->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    // Others may ping from the same namespace at the same time, and a raw socket hears the replies to all of them.
    if (getrandom(probe->echo, sizeof probe->echo, 0) != sizeof probe->echo) return errno;
    memcpy(packet + 4, probe->echo, sizeof probe->echo);
    if (probe->length > 0) memcpy(packet + ECHO_HEADER, probe->data, probe->length);
    if (probe->family == AF_INET) set_checksum(packet, length);
    return TEMP_FAILURE_RETRY(send(probe->fd, packet, length, 0)) < 0 ? errno : 0;
}

// Returns 0, or the errno by which the probe has ended.
static int begin(Probe *probe, const Address *to)
{
    int error = open_socket(probe);
    if (error != 0) return error;
    if (connect(probe->fd, &to->any, address_length(to)) < 0 && errno != EINPROGRESS) return errno;
    if (probe->kind == KIND_ICMP) return send_echo(probe);
    if (probe->kind == KIND_UDP && TEMP_FAILURE_RETRY(send(probe->fd, probe->data, probe->length, 0)) < 0)
        return errno;
    return 0;
}

static bool read_kind(const char *text, Kind *out)
{
    static const char *const names[] = {[KIND_ICMP] = "icmp", [KIND_UDP] = "udp", [KIND_TCP] = "tcp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) return *out = (Kind)i, true;
    }
    return false;
}

static void add_probe(Probes *probes, const Probe *probe)
{
    if (probes->count == probes->room) {
        probes->room = probes->room == 0 ? 64 : probes->room * 2;
        probes->items = xreallocarray(probes->items, probes->room, sizeof *probes->items);
    }
    probes->items[probes->count++] = *probe;
}

static void start(char *line, Probes *probes)
{
    char *fields[FIELDS];
    size_t count = 0;
    for (char *field; count < FIELDS && (field = strsep(&line, "\t")) != NULL;)
        fields[count++] = field;
    Probe probe = {.fd = -1, .began = now_us()};
    unsigned long wait, port;
    if (count != FIELDS || line != NULL || !read_number(fields[2], 1UL << 31, &wait) ||
        !read_kind(fields[3], &probe.kind) || !read_number(fields[5], UINT16_MAX, &port) ||
        !read_hex(fields[6], &probe))
        die(EXIT_USAGE, "USAGE", NULL, "not a probe: %s", count == 0 ? "" : quoted(fields[0]));
    probe.id = xstrdup(fields[0]);
    probe.deadline = probe.began + (int64_t)wait * 1000;
    Address to;
    int error = enter_netns(fields[1]);
    if (error == 0 && !read_address(fields[4], port, &to)) error = EINVAL;
    if (error == 0) {
        probe.family = to.any.sa_family;
        error = begin(&probe, &to);
    }
    if (error == 0) {
        add_probe(probes, &probe);
        return;
    }
    answer_errno(&probe, error);
    free_probe(&probe);
}

static void keep(Probe *probe, const unsigned char *bytes, size_t length)
{
    size_t room = ANSWER_MAX - probe->got_length;
    if (length > room) length = room;
    if (probe->got == NULL) probe->got = xcalloc(ANSWER_MAX, 1);
    memcpy(probe->got + probe->got_length, bytes, length);
    probe->got_length += length;
}

static void name_offender(const Address *from, Refusal *out)
{
    if (from->any.sa_family == AF_INET) inet_ntop(AF_INET, &from->in.sin_addr, out->from, sizeof out->from);
    if (from->any.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &from->in6.sin6_addr, out->from, sizeof out->from);
}

// Takes one message off the error queue. False when there is none.
static bool read_refusal(const Probe *probe, Refusal *out, bool *ours)
{
    unsigned char bytes[64];
    char control[512] __attribute__((aligned(8)));
    struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = TEMP_FAILURE_RETRY(recvmsg(probe->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT));
    if (length < 0) return false;
    *out = (Refusal){0};
    *ours = false;
    for (struct cmsghdr *entry = CMSG_FIRSTHDR(&message); entry != NULL;
         entry = CMSG_NXTHDR(&message, entry)) {
        bool v4 = entry->cmsg_level == IPPROTO_IP && entry->cmsg_type == IP_RECVERR;
        bool v6 = entry->cmsg_level == IPPROTO_IPV6 && entry->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6) continue;
        // The address of who said it follows: SO_EE_OFFENDER().
        struct {
            struct sock_extended_err said;
            Address from;
        } body = {0};
        size_t size = entry->cmsg_len - CMSG_LEN(0);
        memcpy(&body, CMSG_DATA(entry), size < sizeof body ? size : sizeof body);
        out->error = (int)body.said.ee_errno;
        bool icmp = body.said.ee_origin == SO_EE_ORIGIN_ICMP || body.said.ee_origin == SO_EE_ORIGIN_ICMP6;
        // The refused packet comes along, and a raw socket hears of those of others.
        *ours = probe->kind != KIND_ICMP || !icmp ||
                (length >= ECHO_HEADER && memcmp(bytes + 4, probe->echo, sizeof probe->echo) == 0);
        if (!icmp) continue;
        out->type = body.said.ee_type;
        out->code = body.said.ee_code;
        name_offender(&body.from, out);
    }
    return true;
}

static bool is_echo_reply(const Probe *probe, const unsigned char *packet, size_t length)
{
    // IPv4 raw sockets show the IP header, IPv6 ones do not.
    size_t skip = probe->family == AF_INET && length > 0 ? (size_t)(packet[0] & 15) * 4 : 0;
    return length >= skip + ECHO_HEADER && memcmp(packet + skip + 4, probe->echo, sizeof probe->echo) == 0;
}

// Returns true when the probe has ended and was answered.
static bool read_packets(Probe *probe)
{
    unsigned char bytes[ANSWER_MAX];
    for (;;) {
        ssize_t length = TEMP_FAILURE_RETRY(recv(probe->fd, bytes, sizeof bytes, 0));
        if (length < 0 && errno == EAGAIN) return false;
        // What was said to another one that pings the same host; what is said to us came off the error queue.
        if (length < 0 && probe->kind == KIND_ICMP) continue;
        if (length < 0) return answer_errno(probe, errno), true;
        if (probe->kind == KIND_ICMP && !is_echo_reply(probe, bytes, (size_t)length)) continue;
        if (probe->kind == KIND_UDP) keep(probe, bytes, (size_t)length);
        return answer(probe, "answer", NULL), true;
    }
}

static bool go_on_with_stream(Probe *probe, short events)
{
    if (!probe->connected) {
        if ((events & POLLOUT) == 0) return false;
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
        if (error != 0) return answer_errno(probe, error), true;
        probe->connected = true;
        if (probe->length == 0) return answer(probe, "answer", NULL), true;
    }
    while (probe->sent < probe->length) {
        ssize_t sent = TEMP_FAILURE_RETRY(
            send(probe->fd, probe->data + probe->sent, probe->length - probe->sent, MSG_NOSIGNAL));
        if (sent < 0 && errno == EAGAIN) return false;
        if (sent < 0) return answer_errno(probe, errno), true;
        probe->sent += (size_t)sent;
    }
    for (;;) {
        unsigned char bytes[4096];
        ssize_t length = TEMP_FAILURE_RETRY(recv(probe->fd, bytes, sizeof bytes, 0));
        if (length < 0 && errno == EAGAIN) return false;
        // A server that goes away in the middle has still said what it said.
        if (length < 0 && probe->got_length == 0) return answer_errno(probe, errno), true;
        if (length > 0) keep(probe, bytes, (size_t)length);
        if (length <= 0 || probe->got_length == ANSWER_MAX) return answer(probe, "answer", NULL), true;
    }
}

static bool go_on(Probe *probe, short events)
{
    Refusal refusal;
    bool ours;
    while ((events & POLLERR) != 0 && read_refusal(probe, &refusal, &ours)) {
        if (!ours || refusal.error == 0) continue;
        // A soft error on a connection that stands is the business of TCP.
        if (probe->kind == KIND_TCP && probe->connected) continue;
        answer(probe, "error", &refusal);
        return true;
    }
    if (probe->kind == KIND_TCP) return go_on_with_stream(probe, events);
    return (events & (POLLIN | POLLERR | POLLHUP)) != 0 && read_packets(probe);
}

static bool is_over(Probe *probe, short events, int64_t now)
{
    if (events != 0 && go_on(probe, events)) return true;
    if (now < probe->deadline) return false;
    answer(probe, probe->connected ? "cut" : "silence", NULL);
    return true;
}

static short wanted(const Probe *probe)
{
    if (probe->kind == KIND_TCP && (!probe->connected || probe->sent < probe->length)) return POLLOUT;
    return POLLIN;
}

typedef struct {
    char *bytes;
    size_t length;
    bool ended;
} Input;

static void read_lines(Input *input, Probes *probes)
{
    ssize_t length =
        TEMP_FAILURE_RETRY(read(STDIN_FILENO, input->bytes + input->length, LINE_MAX_BYTES - input->length));
    if (length < 0) die_errno("read the probes");
    input->ended = length == 0;
    input->length += (size_t)length;
    char *from = input->bytes;
    for (char *end; (end = memchr(from, '\n', input->length - (size_t)(from - input->bytes))) != NULL;) {
        *end = '\0';
        start(from, probes);
        from = end + 1;
    }
    input->length -= (size_t)(from - input->bytes);
    memmove(input->bytes, from, input->length);
    if (input->length == LINE_MAX_BYTES) die(EXIT_USAGE, "USAGE", NULL, "a line of the probes is too long");
}

static int time_left(const Probes *probes)
{
    int64_t now = now_us(), first = INT64_MAX;
    for (size_t i = 0; i < probes->count; i++) {
        if (probes->items[i].deadline < first) first = probes->items[i].deadline;
    }
    if (first == INT64_MAX) return -1;
    // Rounded up: woken too early, the loop would spin until it is time.
    return first <= now ? 0 : (int)((first - now + 999) / 1000);
}

static void wait_for_news(Probes *probes, Input *input)
{
    size_t count = probes->count;
    cleanup_free struct pollfd *polls = xcalloc(count + 1, sizeof *polls);
    for (size_t i = 0; i < count; i++)
        polls[i] = (struct pollfd){.fd = probes->items[i].fd, .events = wanted(&probes->items[i])};
    polls[count] = (struct pollfd){.fd = input->ended ? -1 : STDIN_FILENO, .events = POLLIN};
    if (poll(polls, count + 1, time_left(probes)) < 0 && errno != EINTR) die_errno("wait for answers");
    int64_t now = now_us();
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        Probe *probe = &probes->items[i];
        if (is_over(probe, polls[i].revents, now))
            free_probe(probe);
        else
            probes->items[left++] = *probe;
    }
    probes->count = left;
    if (polls[count].revents != 0) read_lines(input, probes);
}

int verb_probe(int argc, char **argv)
{
    if (argc != 1)
        die(EXIT_USAGE, "USAGE", "usage: nslab-helper _probe", "unknown argument %s", quoted(argv[1]));
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    Probes probes = {0};
    Input input = {.bytes = xcalloc(LINE_MAX_BYTES, 1)};
    while (!input.ended || probes.count > 0) {
        wait_for_news(&probes, &input);
        if (fflush(stdout) != 0) die_errno("write the answers");
    }
    free(probes.items);
    free(input.bytes);
    return 0;
}
