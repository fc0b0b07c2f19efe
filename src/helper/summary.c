// See summary.h. The link's layer: Ethernet, VLAN, ARP, LLC, MPLS. Numbers:
// https://www.iana.org/assignments/ieee-802-numbers.

#include "summary.h"
#include "wire.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

enum {
    DEPTH_MOST = 6,
    ARP_HEAD = 8,
    LLC_BPDU = 0x42,
    ETHERTYPE_LEAST = 0x600,
    BPDU_HEAD = 4,
    BPDU_CONFIG = 31
};

void say_mac(Line *line, const uint8_t *mac)
{
    say(line, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void say_ip4(Line *line, const uint8_t *address)
{
    say(line, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
}

void say_ip6(Line *line, const uint8_t *address)
{
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(AF_INET6, address, text, sizeof text) != NULL) say(line, "%s", text);
}

// RFC 826, of IPv4 over Ethernet.
static void say_arp(Line *line, Bytes bytes)
{
    const uint8_t *head = take(&bytes, ARP_HEAD), *body = take(&bytes, 20);
    say(line, "ARP ");
    if (head == NULL || be16(head + 2) != ETH_P_IP || head[4] != 6 || head[5] != 4 || body == NULL) {
        say(line, "(cut off or not of IPv4)");
        return;
    }
    const uint8_t *sender = body + 6, *target = body + 16;
    uint16_t operation = be16(head + 6);
    if (operation == 1) {
        say(line, "who-has ");
        say_ip4(line, target);
        say(line, " tell ");
        say_ip4(line, sender);
        if (memcmp(sender, target, 4) == 0) say(line, " (announces itself)");
    } else if (operation == 2) {
        say_ip4(line, sender);
        say(line, " is-at ");
        say_mac(line, body);
    } else {
        say(line, "operation %u", operation);
    }
}

// 802.1D-2004, 9.3: what bridges tell each other.
static void say_bpdu(Line *line, Bytes bytes)
{
    const uint8_t *head = take(&bytes, BPDU_HEAD);
    say(line, "STP");
    if (head == NULL) return;
    if (head[3] == 0x80) say(line, " topology change");
    const uint8_t *config = take(&bytes, BPDU_CONFIG);
    if ((head[3] != 0 && head[3] != 2) || config == NULL) return;
    say(line, " root %u.", be16(config + 1));
    say_mac(line, config + 3);
    say(line, " cost %u bridge %u.", be32(config + 9), be16(config + 13));
    say_mac(line, config + 15);
    say(line, " port 0x%04x", be16(config + 21));
}

static void say_llc(Line *line, uint16_t length, Bytes bytes)
{
    const uint8_t *head = take(&bytes, 3);
    if (head != NULL && head[0] == LLC_BPDU && head[1] == LLC_BPDU) {
        say_bpdu(line, bytes);
    } else if (head != NULL) {
        say(line, "LLC dsap 0x%02x ssap 0x%02x len %u", head[0], head[1], length);
    } else {
        say(line, "LLC len %u", length);
    }
}

static void say_tagged(Line *line, const char *name, Bytes bytes)
{
    const uint8_t *tag = take(&bytes, VLAN_LENGTH);
    if (tag == NULL) {
        say(line, "%s (cut off)", name);
        return;
    }
    say(line, "%s %u ", name, be16(tag) & 0xfff);
    say_protocol(line, be16(tag + 2), bytes);
}

static void say_mpls(Line *line, Bytes bytes)
{
    const uint8_t *label = take(&bytes, 4);
    if (label == NULL) {
        say(line, "MPLS (cut off)");
        return;
    }
    say(line, "MPLS label %u ", be32(label) >> 12);
    if ((label[2] & 1) == 0) {
        say_protocol(line, ETH_P_MPLS_UC, bytes);
    } else if (bytes.left > 0 && (bytes.at[0] >> 4 == 4 || bytes.at[0] >> 4 == 6)) {
        say_ip(line, bytes);
    }
}

void say_protocol(Line *line, uint16_t ethertype, Bytes bytes)
{
    if (line->depth++ >= DEPTH_MOST) {
        say(line, "...");
        return;
    }
    if (ethertype < ETHERTYPE_LEAST) {
        say_llc(line, ethertype, bytes);
        return;
    }
    switch (ethertype) {
    case ETH_P_IP:
    case ETH_P_IPV6:
        say_ip(line, bytes);
        break;
    case ETH_P_ARP:
        say_arp(line, bytes);
        break;
    case ETH_P_8021Q:
        say_tagged(line, "vlan", bytes);
        break;
    case ETH_P_8021AD:
        say_tagged(line, "service vlan", bytes);
        break;
    case ETH_P_MPLS_UC:
        say_mpls(line, bytes);
        break;
    case ETH_P_LLDP:
        say(line, "LLDP");
        break;
    default:
        say(line, "ethertype 0x%04x len %zu", ethertype, bytes.left);
    }
}

void say_ethernet(Line *line, Bytes bytes)
{
    const uint8_t *header = take(&bytes, ETH_HLEN);
    if (header == NULL) {
        say(line, "a frame cut off after %zu bytes", bytes.left);
        return;
    }
    say_protocol(line, be16(header + MAC_PAIR), bytes);
}

void summarize(const Packet *packet, char *out, size_t size)
{
    Line line = {.at = out, .left = size};
    Bytes bytes = {packet->bytes, packet->captured};
    out[0] = '\0';
    if (packet->has_vlan)
        say(&line, "%s %u ", packet->tpid == ETH_P_8021AD ? "service vlan" : "vlan", packet->tci & 0xfffu);
    if (packet->link == LINK_ETHERNET) {
        say_ethernet(&line, bytes);
    } else if (packet->link == LINK_IP) {
        say_ip(&line, bytes);
    } else {
        // SOCK_DGRAM gives frames of 802.3 numbers of its own, below those of Ethernet: ETH_P_802_2 and so
        // on.
        if (packet->protocol >= ETHERTYPE_LEAST) {
            say_protocol(&line, packet->protocol, bytes);
        } else {
            say(&line, "protocol 0x%04x len %u", packet->protocol, packet->length);
        }
    }
}
