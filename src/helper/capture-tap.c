// See capture-tap.h.

#include "capture-tap.h"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

// A packet that the kernel has not cut into segments yet is up to 64 KiB and has to fit into a block; longer
// ones, of BIG TCP, are cut off. All of the rings together take no more than RINGS_TOTAL, but for very many, and
// no more than a part of the memory that is free: they cannot be swapped, and a class captures on one machine.
enum {
    BLOCK_SIZE = 128 << 10,
    SMALL_BLOCK = 64 << 10,
    BLOCKS_MOST = 512,
    BLOCKS_LEAST = 2,
    FRAME_SIZE = 2048, // of no meaning in version 3, but looked at
    MANY = 512,
    SHARE = 32,
};
static const uint64_t RINGS_TOTAL = 256u << 20;

// What may be taken without anything else having to go (proc_meminfo(5), MemAvailable); UINT64_MAX where that
// is not known.
static uint64_t available_memory(void)
{
    cleanup_file FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    unsigned long long kib;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1) return kib << 10;
    }
    return UINT64_MAX;
}

TapSettings tap_settings(size_t count)
{
    if (count == 0) count = 1;
    TapSettings settings = {.block_size = BLOCK_SIZE};
    uint64_t share = available_memory() / SHARE;
    uint64_t total = share < RINGS_TOTAL ? share : RINGS_TOTAL;
    uint64_t blocks = total / count / BLOCK_SIZE;
    if (blocks < 2 * BLOCKS_LEAST) {
        settings.block_size = SMALL_BLOCK;
        blocks = total / count / SMALL_BLOCK;
    }
    if (blocks > BLOCKS_MOST) blocks = BLOCKS_MOST;
    settings.block_count = blocks < BLOCKS_LEAST ? BLOCKS_LEAST : (uint32_t)blocks;
    // Each ring has a timer in the kernel.
    settings.retire_ms = count <= 64 ? 8 : count <= MANY ? 32 : 100;
    return settings;
}

static LinkType link_of(uint16_t hardware)
{
    switch (hardware) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
        return LINK_ETHERNET;
    case ARPHRD_NONE:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_RAWIP:
        return LINK_IP;
    default:
        return LINK_COOKED;
    }
}

static void read_hardware(Tap *tap)
{
    struct ifreq request = {0};
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(request.ifr_name, tap->ifname, sizeof request.ifr_name);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0) die_errno("look at %s", quoted(tap->label));
    tap->hardware = request.ifr_hwaddr.sa_family;
    memcpy(tap->mac, request.ifr_hwaddr.sa_data, sizeof tap->mac);
    tap->link = link_of(tap->hardware);
}

static void set_option(const Tap *tap, int level, int option, const void *value, size_t size)
{
    if (setsockopt(tap->fd, level, option, value, (socklen_t)size) < 0)
        die_errno("capture on %s (option %d)", quoted(tap->label), option);
}

static void make_ring(Tap *tap, const TapSettings *settings)
{
    const int version = TPACKET_V3, one = 1;
    const struct tpacket_req3 request = {
        .tp_block_size = settings->block_size,
        .tp_block_nr = settings->block_count,
        .tp_frame_size = FRAME_SIZE,
        .tp_frame_nr = settings->block_size / FRAME_SIZE * settings->block_count,
        .tp_retire_blk_tov = settings->retire_ms,
    };
    set_option(tap, SOL_PACKET, PACKET_VERSION, &version, sizeof version);
    set_option(tap, SOL_PACKET, PACKET_RX_RING, &request, sizeof request);
    // Every packet of lo goes out and comes in; kernels before 4.20 show both.
    if (tap->hardware == ARPHRD_LOOPBACK)
        (void)setsockopt(tap->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    size_t size = (size_t)settings->block_size * settings->block_count;
    tap->ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, tap->fd, 0);
    if (tap->ring == MAP_FAILED) die_errno("map the ring of %s", quoted(tap->label));
    tap->waiting = xcalloc(settings->block_count, sizeof *tap->waiting);
}

void tap_open(Tap *tap, const TapSettings *settings)
{
    read_hardware(tap);
    // Protocol 0: it hears nothing before it has its ring and its filter.
    int type = tap->link == LINK_COOKED ? SOCK_DGRAM : SOCK_RAW;
    tap->fd = socket(AF_PACKET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (tap->fd < 0) die_errno("open a packet socket for %s", quoted(tap->label));
    make_ring(tap, settings);
    const struct sock_fprog *filter = tap->link == LINK_ETHERNET ? &settings->ethernet : &settings->others;
    if (filter->len > 0) set_option(tap, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof *filter);
    const struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = tap->ifindex,
    };
    if (bind(tap->fd, (const struct sockaddr *)&address, sizeof address) < 0)
        die_errno("capture on %s", quoted(tap->label));
}

bool tap_is_gone(Tap *tap)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct sockaddr_ll address = {0};
    if (getsockopt(tap->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0) tap->is_down = true;
    if (!tap->is_down) return false;
    size = sizeof address;
    // The index of a device that was unregistered is -1: packet_notifier(), net/packet/af_packet.c.
    return getsockname(tap->fd, (struct sockaddr *)&address, &size) < 0 || address.sll_ifindex <= 0;
}

void tap_count(Tap *tap)
{
    struct tpacket_stats_v3 counts = {0};
    socklen_t size = sizeof counts;
    if (tap->fd < 0 || getsockopt(tap->fd, SOL_PACKET, PACKET_STATISTICS, &counts, &size) < 0) return;
    tap->accepted += counts.tp_packets;
    tap->dropped += counts.tp_drops;
}

void tap_close(Tap *tap, const TapSettings *settings)
{
    if (tap->fd < 0) return;
    tap_count(tap);
    munmap(tap->ring, (size_t)settings->block_size * settings->block_count);
    close(tap->fd);
    tap->fd = -1;
}

static struct tpacket_block_desc *block_at(const Tap *tap, const TapSettings *settings, uint32_t block)
{
    return (struct tpacket_block_desc *)(void *)(tap->ring + (size_t)block * settings->block_size);
}

static const struct tpacket3_hdr *header_at(const Tap *tap, const TapSettings *settings, uint32_t block,
                                            uint32_t offset)
{
    return (const struct tpacket3_hdr *)(const void *)(tap->ring + (size_t)block * settings->block_size +
                                                       offset);
}

static const struct sockaddr_ll *address_of(const struct tpacket3_hdr *header)
{
    return (const struct sockaddr_ll *)(const void *)((const uint8_t *)header +
                                                      TPACKET_ALIGN(sizeof(struct tpacket3_hdr)));
}

bool tap_take_block(Tap *tap, const TapSettings *settings, tap_visitor *visit, void *context)
{
    struct tpacket_block_desc *block = block_at(tap, settings, tap->next);
    // All blocks are ours: the one at next is the oldest, not a new one.
    if (tap->held == settings->block_count) return false;
    if ((__atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) return false;
    uint32_t offset = block->hdr.bh1.offset_to_first_pkt, count = block->hdr.bh1.num_pkts, taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct tpacket3_hdr *header = header_at(tap, settings, tap->next, offset);
        bool is_echo = tap->hardware == ARPHRD_LOOPBACK && address_of(header)->sll_pkttype == PACKET_OUTGOING;
        if (!is_echo) {
            visit(context, (uint64_t)header->tp_sec * 1000000000 + header->tp_nsec, tap->next, offset);
            taken++;
        }
        offset += header->tp_next_offset;
    }
    // One more, so that a block without packets goes back as well.
    tap->waiting[tap->next] = taken + 1;
    tap->held++;
    uint32_t taken_block = tap->next;
    tap->next = (tap->next + 1) % settings->block_count;
    tap_release(tap, settings, taken_block);
    return true;
}

Packet tap_packet(const Tap *tap, const TapSettings *settings, uint32_t block, uint32_t offset)
{
    const struct tpacket3_hdr *header = header_at(tap, settings, block, offset);
    const struct sockaddr_ll *address = address_of(header);
    Packet packet = {
        .time = (uint64_t)header->tp_sec * 1000000000 + header->tp_nsec,
        .bytes = (const uint8_t *)header + (tap->link == LINK_COOKED ? header->tp_net : header->tp_mac),
        .captured = header->tp_snaplen,
        .length = header->tp_len,
        .link = tap->link,
        .kind = address->sll_pkttype,
        .has_vlan = (header->tp_status & TP_STATUS_VLAN_VALID) != 0,
        .tpid = ETH_P_8021Q,
        .tci = (uint16_t)header->hv1.tp_vlan_tci,
        .protocol = ntohs(address->sll_protocol),
        .hardware = tap->hardware,
    };
    if ((header->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0) packet.tpid = header->hv1.tp_vlan_tpid;
    packet.address_length =
        address->sll_halen < sizeof packet.address ? address->sll_halen : sizeof packet.address;
    memcpy(packet.address, address->sll_addr, packet.address_length);
    return packet;
}

void tap_release(Tap *tap, const TapSettings *settings, uint32_t block)
{
    if (--tap->waiting[block] > 0) return;
    tap->held--;
    __atomic_store_n(&block_at(tap, settings, block)->hdr.bh1.block_status, TP_STATUS_KERNEL,
                     __ATOMIC_RELEASE);
}
