// A packet as a socket of packet(7) delivers it. It points into memory that is not its own.

#ifndef NSLAB_PACKET_H
#define NSLAB_PACKET_H

#include "common.h"

#include <stdint.h>

/// How its bytes begin.
typedef enum {
    LINK_ETHERNET, // with the header of Ethernet
    LINK_IP,       // with that of IPv4 or IPv6: tun, wireguard, ipip, sit
    LINK_COOKED,   // with the one that SOCK_DGRAM leaves; what the device puts before it is not shown
} LinkType;

typedef struct {
    uint64_t time; // nanoseconds since 1970
    const uint8_t *bytes;
    uint32_t captured, length;
    LinkType link;
    uint8_t kind;  // PACKET_HOST, ..., linux/if_packet.h
    bool has_vlan; // a tag that the kernel keeps beside the bytes
    uint16_t tpid, tci;
    uint16_t protocol;      // ETH_P_*
    uint16_t hardware;      // ARPHRD_*
    uint8_t address_length; // of the sender on the link
    uint8_t address[8];
} Packet;

/// Bytes that precede those of the packet in LINKTYPE_LINUX_SLL.
enum { COOKED_LENGTH = 16, VLAN_LENGTH = 4, MAC_PAIR = 12 };

#endif
