// One interface that is captured: a socket of packet(7) with a ring (TPACKET_V3), made inside the namespace
// and read from outside. Documentation/networking/packet_mmap.rst. It changes nothing in the lab: the
// interface is not made promiscuous.

#ifndef NSLAB_CAPTURE_TAP_H
#define NSLAB_CAPTURE_TAP_H

#include "packet.h"

#include <linux/filter.h>
#include <net/if.h>

/// What all taps have in common.
typedef struct {
    uint32_t block_size, block_count; // of each ring
    uint32_t retire_ms;               // a block with a packet in it is handed over after twice that
    // What the kernel keeps, of packets with a header of Ethernet and of others.
    struct sock_fprog ethernet, others;
} TapSettings;

typedef struct {
    size_t netns; // in the list of namespaces
    char *label;  // NODE:IFNAME, harmless on a terminal
    char ifname[IF_NAMESIZE];
    int ifindex;
    uint16_t hardware; // ARPHRD_*
    uint8_t mac[6];
    LinkType link;
    int fd; // -1 when it has ended
    uint8_t *ring;
    uint32_t *waiting; // of each block, the packets that were not written yet
    uint32_t next;     // the block that the kernel fills or will hand over next
    uint32_t held;     // blocks that were handed over and not given back
    bool is_down;      // the device is down, or gone
    uint64_t start, ends_at;
    uint64_t accepted, dropped, written;
} Tap;

/// Settings for that many taps: their rings share an amount of memory.
TapSettings tap_settings(size_t count);
/// Opens the interface in the namespace where the process is; ifname and ifindex are set. Exits when the
/// kernel refuses.
void tap_open(Tap *tap, const TapSettings *settings);
/// Takes ENETDOWN off the socket, and looks whether a device that is down is gone for good.
bool tap_is_gone(Tap *tap);
/// Adds what the kernel has counted since the last call.
void tap_count(Tap *tap);
void tap_close(Tap *tap, const TapSettings *settings);

/// Called with each packet of a block, in their order; offset tells it apart in the block.
typedef void tap_visitor(void *context, uint64_t time, uint32_t block, uint32_t offset);
/// Visits the packets of the next block when the kernel has handed it over; false when it has not. Packets of
/// `lo` come once.
bool tap_take_block(Tap *tap, const TapSettings *settings, tap_visitor *visit, void *context);
/// The packet that was visited.
Packet tap_packet(const Tap *tap, const TapSettings *settings, uint32_t block, uint32_t offset);
/// The packet is not needed any more. The block goes back to the kernel with the last of it.
void tap_release(Tap *tap, const TapSettings *settings, uint32_t block);

#endif
