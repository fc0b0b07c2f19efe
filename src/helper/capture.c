// `nslab-helper _capture [OPTION]... <LIST`: all packets of the interfaces of the list (netns-list.h), in the
// order of their times, as pcapng into a file or a pipe, or as lines of text. stdin has, besides the
// namespaces:
//   filter ethernet|others COUNT     and as many lines `CODE JT JF K`, of bpf(4), for links with and without
//   Ethernet's header
// One thread reads all rings. A packet stays in its ring until nothing older can come: a block is handed over
// at last twice its time after its first packet, so what is older than that is complete. When a ring is half
// full, order gives way to loss.

#include "capture-tap.h"
#include "netns-list.h"
#include "pcapng.h"
#include "summary.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    SLACK_MS = 8,  // for the timers of the kernel
    TICK_MS = 250, // how often interfaces that are down are looked at
    COUNT_MS = 300000,
    ODD_MS = 2000,
    EVENTS = 256,
    FILTER_MAX = 4096, // BPF_MAXINSNS
    LINE_ROOM = 1200,
    LINKTYPE_ETHERNET = 1,
    LINKTYPE_RAW = 101,
    LINKTYPE_LINUX_SLL = 113,
};
static const uint64_t NS_PER_MS = 1000000;
static const uint64_t MOUNTS_EVENT = UINT64_MAX;

typedef struct {
    uint64_t time;
    uint32_t order; // among those of one time
    uint32_t tap, block, offset;
} Waiting;

typedef struct {
    const char *path; // NULL: text on stdout
    const char *lab, *application, *filter;
    uint64_t count, duration_ms;
    uint32_t snaplen;
} CaptureOptions;

typedef struct {
    CaptureOptions options;
    NetnsList list;
    TapSettings settings;
    Tap *taps;
    size_t tap_count, living;
    uint32_t visited; // the tap whose block is being taken
    uint32_t order;
    Waiting *heap;
    size_t waiting, room;
    size_t crowded; // taps that hold more than half of their ring
    uint64_t delay, stop_at;
    uint64_t next_end; // when the next tap ends whose interface has gone; 0: none
    uint64_t counted;
    uint64_t written;
    int label_width, epoll;
    CaptureFile output;
} Capture;

static volatile sig_atomic_t stops;

static void on_signal(int number)
{
    (void)number;
    stops = stops + 1;
    // Who wants it gone twice has a reader that does not read.
    if (stops > 2) _exit(128 + SIGINT);
}

static uint64_t real_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const char usage[] =
    "usage: nslab-helper _capture [--write FILE] [--lab LAB] [--application NAME] [--filter TEXT] [--count N] "
    "[--duration MS] [--snaplen BYTES] <LIST";

static uint64_t number_of(const char *text)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-')
        die(EXIT_USAGE, "USAGE", usage, "%s is no number", quoted(text));
    return number;
}

static void read_options(int argc, char **argv, CaptureOptions *options)
{
    *options = (CaptureOptions){.lab = "", .application = "nslab"};
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value == NULL) die(EXIT_USAGE, "USAGE", usage, "%s wants a value", quoted(name));
        if (strcmp(name, "--write") == 0) {
            options->path = value;
        } else if (strcmp(name, "--lab") == 0) {
            options->lab = value;
        } else if (strcmp(name, "--application") == 0) {
            options->application = value;
        } else if (strcmp(name, "--filter") == 0) {
            options->filter = value;
        } else if (strcmp(name, "--count") == 0) {
            options->count = number_of(value);
        } else if (strcmp(name, "--duration") == 0) {
            options->duration_ms = number_of(value);
        } else if (strcmp(name, "--snaplen") == 0) {
            options->snaplen = (uint32_t)number_of(value);
        } else {
            die(EXIT_USAGE, "USAGE", usage, "unknown option %s", quoted(name));
        }
    }
}

static char *read_line(char **line, size_t *room)
{
    ssize_t length = getline(line, room, stdin);
    if (length < 0) return NULL;
    (*line)[strcspn(*line, "\n")] = '\0';
    return *line;
}

static struct sock_fprog read_filter(unsigned count, char **line, size_t *room)
{
    if (count == 0 || count > FILTER_MAX)
        die(EXIT_USAGE, "USAGE", NULL, "a filter of %u instructions", count);
    struct sock_filter *steps = xcalloc(count, sizeof *steps);
    for (unsigned i = 0; i < count; i++) {
        unsigned code, jt, jf, k;
        if (read_line(line, room) == NULL || sscanf(*line, "%u %u %u %u", &code, &jt, &jf, &k) != 4 ||
            code > UINT16_MAX || jt > UINT8_MAX || jf > UINT8_MAX)
            die(EXIT_USAGE, "USAGE", NULL, "instruction %u of a filter is none", i);
        steps[i] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
    }
    return (struct sock_fprog){.len = (unsigned short)count, .filter = steps};
}

static void read_list(NetnsList *list, struct sock_fprog *ethernet, struct sock_fprog *others)
{
    cleanup_free char *line = NULL;
    size_t room = 0;
    unsigned count;
    while (read_line(&line, &room) != NULL) {
        if (netns_list_take(list, line)) continue;
        if (sscanf(line, "filter ethernet %u", &count) == 1) {
            *ethernet = read_filter(count, &line, &room);
        } else if (sscanf(line, "filter others %u", &count) == 1) {
            *others = read_filter(count, &line, &room);
        } else {
            die(EXIT_USAGE, "USAGE", NULL, "a line that means nothing: %s", quoted(line));
        }
    }
}

// Interfaces can have almost any bytes in their names.
static char *label_of(const char *node, const char *ifname)
{
    char *label = xcalloc(strlen(node) + 4 * IF_NAMESIZE + 2, 1);
    char *end = label + sprintf(label, "%s:", node);
    for (const char *c = ifname; *c != '\0'; c++) {
        if (*c > 0x20 && *c < 0x7f) {
            *end++ = *c;
        } else {
            end += sprintf(end, "\\x%02x", (unsigned char)*c);
        }
    }
    return label;
}

static void add_tap(Capture *capture, size_t netns, const char *ifname, int ifindex)
{
    capture->taps = xreallocarray(capture->taps, capture->tap_count + 1, sizeof *capture->taps);
    Tap *tap = &capture->taps[capture->tap_count++];
    *tap = (Tap){.netns = netns, .ifindex = ifindex, .fd = -1};
    tap->label = label_of(capture->list.items[netns].node, ifname);
    snprintf(tap->ifname, sizeof tap->ifname, "%s", ifname);
    int width = (int)strlen(tap->label);
    if (width > capture->label_width) capture->label_width = width;
}

_Noreturn static void die_no_interface(const Netns *netns, const char *ifname,
                                       const struct if_nameindex *interfaces)
{
    char *words = xstrdup("it has ");
    for (const struct if_nameindex *one = interfaces; one->if_index != 0; one++) {
        const char *name = label_of(netns->node, one->if_name) + strlen(netns->node) + 1;
        words = xasprintf("%s%s%s", words, one == interfaces ? "" : ", ", name);
    }
    die(EXIT_LAB, "INTERFACE_UNKNOWN", words, "node %s has no interface %s", netns->node, quoted(ifname));
}

static bool is_wanted(const Netns *netns, const char *ifname)
{
    for (size_t i = 0; i < netns->wanted_count; i++) {
        if (strcmp(netns->wanted[i].ifname, ifname) == 0) return true;
    }
    return false;
}

static void choose_interfaces(Capture *capture, size_t index)
{
    const Netns *netns = &capture->list.items[index];
    struct if_nameindex *interfaces = if_nameindex();
    if (interfaces == NULL) die_errno("list the interfaces of node %s", quoted(netns->node));
    for (size_t i = 0; i < netns->wanted_count; i++) {
        const struct if_nameindex *one = interfaces;
        while (one->if_index != 0 && strcmp(one->if_name, netns->wanted[i].ifname) != 0)
            one++;
        if (one->if_index != 0) {
            add_tap(capture, index, one->if_name, (int)one->if_index);
        } else if (netns->wanted[i].must_exist) {
            die_no_interface(netns, netns->wanted[i].ifname, interfaces);
        }
    }
    bool has_others = netns->wanted_count == 0 || netns->has_others;
    for (const struct if_nameindex *one = interfaces; has_others && one->if_index != 0; one++) {
        bool is_meant = strcmp(one->if_name, "lo") != 0 && !is_wanted(netns, one->if_name);
        if (is_meant) add_tap(capture, index, one->if_name, (int)one->if_index);
    }
    if_freenameindex(interfaces);
}

// Twice over all namespaces: how much memory a ring gets depends on their number.
static void open_taps(Capture *capture)
{
    struct sock_fprog ethernet = {0}, others = {0};
    read_list(&capture->list, &ethernet, &others);
    netns_list_open(&capture->list);
    for (size_t i = 0; i < capture->list.count; i++) {
        if (netns_enter(&capture->list.items[i])) choose_interfaces(capture, i);
    }
    capture->settings = tap_settings(capture->tap_count);
    capture->settings.ethernet = ethernet;
    capture->settings.others = others;
    allow_descriptors(capture->tap_count + 64);
    for (size_t i = 0; i < capture->tap_count; i++) {
        Tap *tap = &capture->taps[i];
        Netns *netns = &capture->list.items[tap->netns];
        // The list is sorted by namespace, so most taps are where the process is already.
        bool is_there = i > 0 && capture->taps[i - 1].netns == tap->netns && capture->taps[i - 1].fd >= 0;
        if (!is_there && !netns_enter(netns)) continue;
        tap_open(tap, &capture->settings);
        capture->living++;
    }
    netns_list_leave(&capture->list);
}

static void watch(const Capture *capture, int fd, uint32_t events, uint64_t what)
{
    struct epoll_event event = {.events = events, .data.u64 = what};
    if (epoll_ctl(capture->epoll, EPOLL_CTL_ADD, fd, &event) < 0) die_errno("watch a socket");
}

static void watch_all(Capture *capture)
{
    capture->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (capture->epoll < 0) die_errno("epoll_create1");
    watch(capture, capture->list.mounts, EPOLLPRI | EPOLLET, MOUNTS_EVENT);
    // Edges: a ring in which a block is held is readable all the time.
    for (size_t i = 0; i < capture->tap_count; i++) {
        if (capture->taps[i].fd >= 0) watch(capture, capture->taps[i].fd, EPOLLIN | EPOLLET, i);
    }
}

static void open_output(Capture *capture)
{
    const char *path = capture->options.path;
    int fd = STDOUT_FILENO;
    if (path != NULL && strcmp(path, "-") != 0) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0) {
            die(EXIT_USAGE, "USAGE", NULL, "cannot write to %s: %s", quoted(path), strerror(errno));
        }
    }
    capture->output = capture_file_open(fd, path == NULL || fd == STDOUT_FILENO ? "standard output" : path);
}

static uint16_t link_type_of(LinkType link)
{
    if (link == LINK_IP) return LINKTYPE_RAW;
    return link == LINK_COOKED ? LINKTYPE_LINUX_SLL : LINKTYPE_ETHERNET;
}

static void write_head(Capture *capture)
{
    if (capture->options.path == NULL) return;
    pcapng_section(&capture->output, capture->options.application);
    for (size_t i = 0; i < capture->tap_count; i++) {
        const Tap *tap = &capture->taps[i];
        cleanup_free char *about = xasprintf("interface %s of node %s, lab %s", strchr(tap->label, ':') + 1,
                                             capture->list.items[tap->netns].node, capture->options.lab);
        PcapngInterface interface = {
            .name = tap->label,
            .description = about,
            .filter = capture->options.filter,
            .link_type = link_type_of(tap->link),
            .snaplen = capture->options.snaplen,
            .has_mac = tap->link == LINK_ETHERNET,
        };
        memcpy(interface.mac, tap->mac, sizeof interface.mac);
        pcapng_interface(&capture->output, &interface);
    }
    capture_file_flush(&capture->output);
}

static bool is_before(const Waiting *a, const Waiting *b)
{
    return a->time != b->time ? a->time < b->time : (int32_t)(a->order - b->order) < 0;
}

static void push(Capture *capture, Waiting item)
{
    if (capture->waiting == capture->room) {
        capture->room = capture->room == 0 ? 1024 : 2 * capture->room;
        capture->heap = xreallocarray(capture->heap, capture->room, sizeof *capture->heap);
    }
    size_t at = capture->waiting++;
    for (; at > 0 && is_before(&item, &capture->heap[(at - 1) / 2]); at = (at - 1) / 2)
        capture->heap[at] = capture->heap[(at - 1) / 2];
    capture->heap[at] = item;
}

static Waiting pop(Capture *capture)
{
    Waiting first = capture->heap[0], last = capture->heap[--capture->waiting];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < capture->waiting; at = child) {
        if (child + 1 < capture->waiting && is_before(&capture->heap[child + 1], &capture->heap[child]))
            child++;
        if (!is_before(&capture->heap[child], &last)) break;
        capture->heap[at] = capture->heap[child];
    }
    capture->heap[at] = last;
    return first;
}

static void visit(void *context, uint64_t time, uint32_t block, uint32_t offset)
{
    Capture *capture = context;
    push(capture, (Waiting){time, capture->order++, capture->visited, block, offset});
}

static bool is_crowded(const Capture *capture, const Tap *tap)
{
    return tap->held > capture->settings.block_count / 2;
}

static void take_blocks(Capture *capture, Tap *tap)
{
    capture->visited = (uint32_t)(tap - capture->taps);
    bool was_crowded = is_crowded(capture, tap);
    while (tap->fd >= 0 && tap_take_block(tap, &capture->settings, visit, capture))
        continue;
    if (!was_crowded && is_crowded(capture, tap)) capture->crowded++;
}

static void write_line(Capture *capture, const Tap *tap, const Packet *packet)
{
    char line[LINE_ROOM], clock[32];
    time_t seconds = (time_t)(packet->time / 1000000000);
    struct tm parts;
    localtime_r(&seconds, &parts);
    strftime(clock, sizeof clock, "%H:%M:%S", &parts);
    bool is_out = packet->kind == PACKET_OUTGOING;
    int length =
        snprintf(line, sizeof line, "%s.%06u %-*s %s ", clock, (unsigned)(packet->time % 1000000000 / 1000),
                 capture->label_width, tap->label, is_out ? "out \u2192" : "in  \u2190");
    // One byte stays for the end of the line.
    summarize(packet, line + length, sizeof line - (size_t)length - 1);
    size_t end = strlen(line);
    line[end++] = '\n';
    capture_file_text(&capture->output, line, end);
}

static bool has_enough(const Capture *capture)
{
    return capture->options.count > 0 && capture->written >= capture->options.count;
}

static void write_until(Capture *capture, uint64_t time)
{
    while (capture->waiting > 0 && (capture->heap[0].time <= time || capture->crowded > 0)) {
        Waiting item = pop(capture);
        Tap *tap = &capture->taps[item.tap];
        bool was_crowded = is_crowded(capture, tap);
        if (!has_enough(capture) && (capture->stop_at == 0 || item.time <= capture->stop_at)) {
            Packet packet = tap_packet(tap, &capture->settings, item.block, item.offset);
            if (capture->options.path != NULL) {
                pcapng_packet(&capture->output, item.tap, &packet);
            } else {
                write_line(capture, tap, &packet);
            }
            tap->written++;
            capture->written++;
        }
        tap_release(tap, &capture->settings, item.block);
        if (was_crowded && !is_crowded(capture, tap)) capture->crowded--;
    }
    capture_file_flush(&capture->output);
}

// Its packets are all written by then.
static void end_tap(Capture *capture, Tap *tap, uint64_t now)
{
    tap_close(tap, &capture->settings);
    capture->living--;
    if (capture->options.path == NULL) return;
    pcapng_counts(&capture->output, (uint32_t)(tap - capture->taps),
                  &(PcapngCounts){now, tap->start, now, tap->accepted, tap->dropped, tap->written});
}

static void end_gone(Capture *capture, uint64_t now)
{
    capture->next_end = 0;
    for (size_t i = 0; i < capture->tap_count; i++) {
        Tap *tap = &capture->taps[i];
        if (tap->fd < 0) continue;
        bool is_gone = capture->list.items[tap->netns].is_gone || (tap->is_down && tap_is_gone(tap));
        if (is_gone && tap->ends_at == 0) {
            warn("%s is gone", tap->label);
            // Twice: packets up to now are handed over in one, and are older than what is written in the
            // next.
            tap->ends_at = now + 2 * capture->delay;
        }
        if (tap->ends_at != 0 && now >= tap->ends_at && tap->held == 0) {
            end_tap(capture, tap, now);
        } else if (tap->ends_at != 0 && (capture->next_end == 0 || tap->ends_at < capture->next_end)) {
            capture->next_end = tap->ends_at;
        }
    }
}

// The kernel's counters have 32 bits.
static void count_all(Capture *capture, uint64_t now)
{
    if (now - capture->counted < COUNT_MS * NS_PER_MS) return;
    capture->counted = now;
    for (size_t i = 0; i < capture->tap_count; i++)
        tap_count(&capture->taps[i]);
}

static uint64_t sooner(uint64_t wait, uint64_t at, uint64_t now)
{
    uint64_t until = at > now ? at - now : 0;
    return until < wait ? until : wait;
}

static int time_out(const Capture *capture, uint64_t now)
{
    uint64_t wait = TICK_MS * NS_PER_MS;
    if (capture->waiting > 0) wait = sooner(wait, capture->heap[0].time + capture->delay, now);
    if (capture->stop_at != 0) wait = sooner(wait, capture->stop_at + capture->delay, now);
    if (capture->next_end != 0) wait = sooner(wait, capture->next_end, now);
    return (int)(wait / NS_PER_MS) + 1;
}

static bool take_event(Capture *capture, const struct epoll_event *event)
{
    if (event->data.u64 == MOUNTS_EVENT) return netns_list_check(&capture->list) > 0;
    Tap *tap = &capture->taps[event->data.u64];
    if (tap->fd < 0) return false;
    bool is_gone = (event->events & EPOLLERR) != 0 && tap_is_gone(tap);
    take_blocks(capture, tap);
    return is_gone;
}

// All that the kernel has handed over up to the time that is returned.
static uint64_t take_all(Capture *capture, uint64_t before, bool *look)
{
    struct epoll_event events[EVENTS];
    int timeout = time_out(capture, before);
    for (;;) {
        uint64_t now = real_time();
        int count = epoll_wait(capture->epoll, events, EVENTS, timeout);
        if (count < 0 && errno != EINTR) die_errno("epoll_wait");
        for (int i = 0; i < count; i++)
            *look |= take_event(capture, &events[i]);
        // One that waited may have come back long after `now`; one that filled its room has not told all.
        if (count < EVENTS && timeout == 0) return now;
        timeout = 0;
    }
}

static bool goes_on(Capture *capture, uint64_t now)
{
    if (capture->output.is_broken || has_enough(capture)) return false;
    if (capture->living == 0) return false;
    if (stops > 0 && (capture->stop_at == 0 || capture->stop_at > now)) capture->stop_at = now;
    return capture->stop_at == 0 || now < capture->stop_at + capture->delay;
}

static void capture_all(Capture *capture)
{
    uint64_t now = real_time(), looked = now;
    capture->counted = now;
    for (size_t i = 0; i < capture->tap_count; i++)
        capture->taps[i].start = now;
    if (capture->options.duration_ms > 0) capture->stop_at = now + capture->options.duration_ms * NS_PER_MS;
    while (goes_on(capture, now)) {
        bool look = false;
        now = take_all(capture, now, &look);
        // Times that have not come yet: somebody has put the clock back.
        bool is_odd = capture->waiting > 0 && capture->heap[0].time > now + ODD_MS * NS_PER_MS;
        write_until(capture, is_odd ? UINT64_MAX : now - capture->delay);
        bool is_due = capture->next_end != 0 && now >= capture->next_end;
        if (!look && !is_due && now - looked < TICK_MS * NS_PER_MS) continue;
        looked = now;
        end_gone(capture, now);
        count_all(capture, now);
    }
    write_until(capture, capture->stop_at == 0 ? now : capture->stop_at);
}

static void tell(Capture *capture)
{
    uint64_t lost = 0;
    for (size_t i = 0; i < capture->tap_count; i++) {
        const Tap *tap = &capture->taps[i];
        lost += tap->dropped;
        if (tap->dropped > 0) {
            warn("%" PRIu64 " packets of %s were lost, nobody read them in time", tap->dropped, tap->label);
        }
    }
    fprintf(stderr, "%" PRIu64 " packet%s on %zu interface%s, %" PRIu64 " lost\n", capture->written,
            capture->written == 1 ? "" : "s", capture->tap_count, capture->tap_count == 1 ? "" : "s", lost);
}

static void catch_signals(void)
{
    // Without SA_RESTART, so that a wait ends.
    const struct sigaction action = {.sa_handler = on_signal};
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int verb_capture(int argc, char **argv)
{
    Capture capture = {0};
    pid_t parent = getppid();
    read_options(argc, argv, &capture.options);
    catch_signals();
    open_taps(&capture);
    if (capture.tap_count == 0)
        die(EXIT_LAB, "INTERFACE_UNKNOWN", NULL, "there is no interface to capture on");
    capture.delay = (2 * capture.settings.retire_ms + SLACK_MS) * NS_PER_MS;
    open_output(&capture);
    watch_all(&capture);
    give_up_most_rights();
    // A change of credentials takes the wish away (prctl(2)).
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    if (getppid() != parent) return EXIT_HOST;
    write_head(&capture);
    fprintf(stderr, "capturing on %zu interface%s of lab %s\n", capture.tap_count,
            capture.tap_count == 1 ? "" : "s", capture.options.lab);
    capture_all(&capture);
    uint64_t now = real_time();
    for (size_t i = 0; i < capture.tap_count; i++) {
        if (capture.taps[i].fd >= 0) end_tap(&capture, &capture.taps[i], now);
    }
    capture_file_flush(&capture.output);
    tell(&capture);
    return 0;
}
