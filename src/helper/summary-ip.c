// The layers of IP for summary.h: IPv4, IPv6 and its extension headers, ICMP, ICMPv6, TCP, tunnels.
// RFC 791, 8200, 792, 4443, 4861, 9293, 2784; numbers: https://www.iana.org/assignments/protocol-numbers.

#include "wire.h"

#include <linux/if_ether.h>
#include <netinet/in.h>

enum {
    IP4_HEAD = 20,
    IP6_HEAD = 40,
    UDP_HEAD = 8,
    TCP_HEAD = 20,
    ICMP_HEAD = 8,
    EXTENSIONS_MOST = 8,
    GRE_CHECKSUM = 0x8000,
    GRE_KEY = 0x2000,
    GRE_SEQUENCE = 0x1000,
    PROTOCOL_OSPF = 89,
    PROTOCOL_VRRP = 112,
};

// Both addresses and what they have in common: 4 or 16 bytes.
typedef struct {
    const uint8_t *from, *to;
    bool is_six;
    uint8_t ttl;
    size_t length; // of what follows the header, as the header says
} Head;

static void say_address(Line *line, bool is_six, const uint8_t *address)
{
    if (is_six) {
        say_ip6(line, address);
    } else {
        say_ip4(line, address);
    }
}

static void say_end(Line *line, const Head *head, const uint8_t *address, int port)
{
    bool brackets = head->is_six && port >= 0;
    if (brackets) say(line, "[");
    say_address(line, head->is_six, address);
    if (brackets) say(line, "]");
    if (port >= 0) say(line, ":%d", port);
}

static void say_ends(Line *line, const Head *head, int from_port, int to_port)
{
    say_end(line, head, head->from, from_port);
    say(line, " > ");
    say_end(line, head, head->to, to_port);
    say(line, " ");
}

static void say_cut(Line *line, const Head *head, const char *protocol)
{
    say_ends(line, head, -1, -1);
    say(line, "%s (cut off)", protocol);
}

static void say_tcp(Line *line, const Head *head, Bytes bytes)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    const uint8_t *tcp = take(&bytes, TCP_HEAD);
    if (tcp == NULL) {
        say_cut(line, head, "TCP");
        return;
    }
    say_ends(line, head, be16(tcp), be16(tcp + 2));
    say(line, "TCP ");
    const char *between = "";
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if ((tcp[13] & 1u << i) == 0) continue;
        say(line, "%s%s", between, names[i]);
        between = ",";
    }
    if (*between == '\0') say(line, "no flags");
    size_t header = (size_t)(tcp[12] >> 4) * 4;
    say(line, " seq %u", be32(tcp + 4));
    if ((tcp[13] & 0x10) != 0) say(line, " ack %u", be32(tcp + 8));
    say(line, " win %u len %zu", be16(tcp + 14), head->length > header ? head->length - header : 0);
}

static void say_udp(Line *line, const Head *head, Bytes bytes)
{
    const uint8_t *udp = take(&bytes, UDP_HEAD);
    if (udp == NULL) {
        say_cut(line, head, "UDP");
        return;
    }
    uint16_t from = be16(udp), to = be16(udp + 2), length = be16(udp + 4);
    say_ends(line, head, from, to);
    say_udp_data(line, from, to, bytes, length > UDP_HEAD ? length - (size_t)UDP_HEAD : 0);
}

// The packet that an error is about, as far as it is quoted.
static void say_quoted(Line *line, Bytes bytes)
{
    say(line, " (of ");
    say_ip(line, bytes);
    say(line, ")");
}

static void say_echo(Line *line, const uint8_t *icmp, const char *what)
{
    say(line, "echo %s id %u seq %u", what, be16(icmp + 4), be16(icmp + 6));
}

static void say_unreachable(Line *line, const uint8_t *icmp)
{
    static const char *const reasons[] = {
        [0] = "net unreachable",  [1] = "host unreachable",        [2] = "protocol unreachable",
        [3] = "port unreachable", [4] = "fragmentation needed",    [9] = "net prohibited",
        [10] = "host prohibited", [13] = "prohibited by a filter",
    };
    uint8_t code = icmp[1];
    if (code < sizeof reasons / sizeof *reasons && reasons[code] != NULL) {
        say(line, "%s", reasons[code]);
    } else {
        say(line, "unreachable, code %u", code);
    }
    if (code == 4) say(line, ", mtu %u", be16(icmp + 6));
}

static void say_icmp(Line *line, const Head *head, Bytes bytes)
{
    const uint8_t *icmp = take(&bytes, ICMP_HEAD);
    if (icmp == NULL) {
        say_cut(line, head, "ICMP");
        return;
    }
    say_ends(line, head, -1, -1);
    say(line, "ICMP ");
    switch (icmp[0]) {
    case 0:
        say_echo(line, icmp, "reply");
        break;
    case 8:
        say_echo(line, icmp, "request");
        break;
    case 3:
        say_unreachable(line, icmp);
        say_quoted(line, bytes);
        return;
    case 5:
        say(line, "redirect to ");
        say_ip4(line, icmp + 4);
        say_quoted(line, bytes);
        return;
    case 11:
        say(line, icmp[1] == 0 ? "time exceeded" : "reassembly time exceeded");
        say_quoted(line, bytes);
        return;
    default:
        say(line, "type %u code %u", icmp[0], icmp[1]);
    }
    say(line, " ttl %u len %zu", head->ttl, head->length);
}

// Neighbour discovery: the option with the address on the link.
static void say_link_address(Line *line, Bytes bytes)
{
    for (const uint8_t *option; (option = take(&bytes, 2)) != NULL;) {
        size_t length = (size_t)option[1] * 8;
        if (length < 8) return;
        const uint8_t *value = take(&bytes, length - 2);
        if (value == NULL) return;
        if (option[0] != 1 && option[0] != 2) continue;
        say(line, option[0] == 1 ? " from " : " is-at ");
        say_mac(line, value);
    }
}

static void say_neighbour(Line *line, const char *what, Bytes bytes)
{
    const uint8_t *target = take(&bytes, 16);
    say(line, "%s ", what);
    if (target == NULL) return;
    say_ip6(line, target);
    say_link_address(line, bytes);
}

static void say_icmp6_error(Line *line, const uint8_t *icmp)
{
    static const char *const reasons[] = {"no route", "prohibited", "beyond scope", "address unreachable",
                                          "port unreachable"};
    if (icmp[0] == 1 && icmp[1] < sizeof reasons / sizeof *reasons) {
        say(line, "%s", reasons[icmp[1]]);
    } else if (icmp[0] == 2) {
        say(line, "packet too big, mtu %u", be32(icmp + 4));
    } else if (icmp[0] == 3) {
        say(line, "time exceeded");
    } else {
        say(line, "error %u code %u", icmp[0], icmp[1]);
    }
}

static void say_icmp6(Line *line, const Head *head, Bytes bytes)
{
    const uint8_t *icmp = take(&bytes, ICMP_HEAD);
    if (icmp == NULL) {
        say_cut(line, head, "ICMPv6");
        return;
    }
    say_ends(line, head, -1, -1);
    say(line, "ICMPv6 ");
    switch (icmp[0]) {
    case 128:
        say_echo(line, icmp, "request");
        break;
    case 129:
        say_echo(line, icmp, "reply");
        break;
    case 130:
    case 131:
    case 132:
    case 143:
        say(line, icmp[0] == 130   ? "multicast listener query"
                  : icmp[0] == 132 ? "multicast listener done"
                                   : "multicast listener report");
        return;
    case 133:
        say(line, "router solicitation");
        say_link_address(line, bytes);
        return;
    case 134:
        say(line, "router advertisement lifetime %us", be16(icmp + 6));
        if (take(&bytes, 8) != NULL) say_link_address(line, bytes);
        return;
    case 135:
        say_neighbour(line, "who-has", bytes);
        return;
    case 136:
        say_neighbour(line, "neighbour", bytes);
        return;
    default:
        if (icmp[0] < 128) {
            say_icmp6_error(line, icmp);
            say_quoted(line, bytes);
            return;
        }
        say(line, "type %u code %u", icmp[0], icmp[1]);
    }
    say(line, " ttl %u len %zu", head->ttl, head->length);
}

static void say_gre(Line *line, const Head *head, Bytes bytes)
{
    const uint8_t *gre = take(&bytes, 4);
    if (gre == NULL) {
        say_cut(line, head, "GRE");
        return;
    }
    uint16_t flags = be16(gre), protocol = be16(gre + 2);
    say_ends(line, head, -1, -1);
    say(line, "GRE ");
    if ((flags & GRE_CHECKSUM) != 0) (void)take(&bytes, 4);
    const uint8_t *key = (flags & GRE_KEY) != 0 ? take(&bytes, 4) : NULL;
    if (key != NULL) say(line, "key %u ", be32(key));
    if ((flags & GRE_SEQUENCE) != 0) (void)take(&bytes, 4);
    say(line, "| ");
    if (protocol == ETH_P_TEB) {
        say_ethernet(line, bytes);
    } else {
        say_protocol(line, protocol, bytes);
    }
}

static void say_tunnel(Line *line, const Head *head, const char *name, Bytes bytes)
{
    say_ends(line, head, -1, -1);
    say(line, "%s | ", name);
    say_protocol(line, bytes.left > 0 && bytes.at[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP, bytes);
}

static void say_transport(Line *line, const Head *head, uint8_t protocol, Bytes bytes)
{
    switch (protocol) {
    case IPPROTO_ICMP:
        say_icmp(line, head, bytes);
        break;
    case IPPROTO_ICMPV6:
        say_icmp6(line, head, bytes);
        break;
    case IPPROTO_TCP:
        say_tcp(line, head, bytes);
        break;
    case IPPROTO_UDP:
        say_udp(line, head, bytes);
        break;
    case IPPROTO_GRE:
        say_gre(line, head, bytes);
        break;
    case IPPROTO_IPIP:
        say_tunnel(line, head, "IPIP", bytes);
        break;
    case IPPROTO_IPV6:
        say_tunnel(line, head, "6in4", bytes);
        break;
    default:
        say_ends(line, head, -1, -1);
        if (protocol == IPPROTO_IGMP) {
            say(line, "IGMP");
        } else if (protocol == PROTOCOL_OSPF) {
            say(line, "OSPF");
        } else if (protocol == PROTOCOL_VRRP) {
            say(line, "VRRP");
        } else if (protocol == IPPROTO_ESP) {
            say(line, "ESP");
        } else if (protocol == IPPROTO_SCTP) {
            say(line, "SCTP");
        } else {
            say(line, "protocol %u", protocol);
        }
        say(line, " len %zu", head->length);
    }
}

static void say_fragment(Line *line, const Head *head, unsigned offset, unsigned id)
{
    say_ends(line, head, -1, -1);
    say(line, "fragment id %u offset %u len %zu", id, offset, head->length);
}

static void say_four(Line *line, Bytes bytes)
{
    const uint8_t *ip = take(&bytes, IP4_HEAD);
    if (ip == NULL) {
        say(line, "IPv4 (cut off)");
        return;
    }
    size_t header = (size_t)(ip[0] & 0xf) * 4, total = be16(ip + 2);
    Head head = {.from = ip + 12, .to = ip + 16, .ttl = ip[8], .length = total > header ? total - header : 0};
    if (header < IP4_HEAD || take(&bytes, header - IP4_HEAD) == NULL) {
        say_cut(line, &head, "IPv4");
        return;
    }
    // What pads a short frame is no part of the packet. 0 is what a packet has that the device cuts into
    // segments.
    if (total != 0 && bytes.left > head.length) bytes.left = head.length;
    unsigned offset = (be16(ip + 6) & 0x1fffu) * 8;
    if (offset > 0) {
        say_fragment(line, &head, offset, be16(ip + 4));
    } else {
        say_transport(line, &head, ip[9], bytes);
        if ((be16(ip + 6) & 0x2000) != 0) say(line, " (first fragment)");
    }
}

// Moves over the extension headers and returns the protocol behind them; -1 when the line has said all there
// is.
static int skip_extensions(Line *line, Head *head, uint8_t next, Bytes *bytes)
{
    for (int i = 0; i < EXTENSIONS_MOST; i++) {
        bool is_fragment = next == IPPROTO_FRAGMENT;
        if (!is_fragment && next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
            break;
        const uint8_t *extension = take(bytes, 8);
        size_t more = extension == NULL || is_fragment ? 0 : (size_t)extension[1] * 8;
        if (extension == NULL || take(bytes, more) == NULL) {
            say_cut(line, head, "IPv6");
            return -1;
        }
        head->length = head->length > more + 8 ? head->length - more - 8 : 0;
        unsigned offset = is_fragment ? be16(extension + 2) & 0xfff8u : 0;
        if (offset > 0) {
            say_fragment(line, head, offset, be32(extension + 4));
            return -1;
        }
        next = extension[0];
    }
    return next;
}

static void say_six(Line *line, Bytes bytes)
{
    const uint8_t *ip = take(&bytes, IP6_HEAD);
    if (ip == NULL) {
        say(line, "IPv6 (cut off)");
        return;
    }
    Head head = {.from = ip + 8, .to = ip + 24, .is_six = true, .ttl = ip[7], .length = be16(ip + 4)};
    if (head.length != 0 && bytes.left > head.length) bytes.left = head.length;
    int protocol = skip_extensions(line, &head, ip[6], &bytes);
    if (protocol == IPPROTO_NONE) {
        say_ends(line, &head, -1, -1);
        say(line, "IPv6 without anything in it");
    } else if (protocol >= 0) {
        say_transport(line, &head, (uint8_t)protocol, bytes);
    }
}

void say_ip(Line *line, Bytes bytes)
{
    // An error quotes a packet, which may be an error that quotes a packet.
    if (line->depth++ >= 12) {
        say(line, "...");
    } else if (bytes.left == 0) {
        say(line, "nothing");
    } else if (bytes.at[0] >> 4 == 4) {
        say_four(line, bytes);
    } else if (bytes.at[0] >> 4 == 6) {
        say_six(line, bytes);
    } else {
        say(line, "neither IPv4 nor IPv6");
    }
}
