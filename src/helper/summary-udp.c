// What is in UDP for summary.h, by its ports: DNS, DHCP, VXLAN. RFC 1035, 2131, 7348.

#include "wire.h"

enum {
    PORT_DNS = 53,
    PORT_MDNS = 5353,
    PORT_BOOTPS = 67,
    PORT_BOOTPC = 68,
    PORT_VXLAN = 4789,
    PORT_VXLAN_LINUX = 8472, // what the kernel takes where nothing is said
    DNS_HEAD = 12,
    NAME_MOST = 253,
    POINTERS_MOST = 16,
    DHCP_HEAD = 236,
};

static bool is_port(uint16_t from, uint16_t to, uint16_t port)
{
    return from == port || to == port;
}

static void say_vxlan(Line *line, Bytes bytes)
{
    const uint8_t *head = take(&bytes, 8);
    if (head == NULL || (head[0] & 0x08) == 0) {
        say(line, "VXLAN (not well-formed)");
        return;
    }
    say(line, "VXLAN vni %u | ", be32(head + 4) >> 8);
    say_ethernet(line, bytes);
}

void say_udp_data(Line *line, uint16_t from, uint16_t to, Bytes bytes, size_t length)
{
    say(line, "UDP ");
    if (is_port(from, to, PORT_DNS) || is_port(from, to, PORT_MDNS)) {
        say_dns(line, bytes);
    } else if (is_port(from, to, PORT_BOOTPS) && (is_port(from, to, PORT_BOOTPC) || from == to)) {
        say_dhcp(line, bytes);
    } else if (to == PORT_VXLAN || to == PORT_VXLAN_LINUX) {
        say_vxlan(line, bytes);
    } else {
        say(line, "len %zu", length);
    }
}

static void say_name_byte(Line *line, uint8_t byte)
{
    if (byte > 0x20 && byte < 0x7f && byte != '\\' && byte != '.') {
        say(line, "%c", byte);
    } else {
        say(line, "\\%03u", byte);
    }
}

// A name may end in a pointer to an earlier part of the message, and that again. Moves the view behind the
// name.
static bool say_name(Line *line, Bytes message, Bytes *at)
{
    size_t written = 0;
    bool has_jumped = false;
    Bytes here = *at;
    for (int pointers = 0; pointers < POINTERS_MOST;) {
        const uint8_t *length = take(&here, 1);
        if (length == NULL) return false;
        if (!has_jumped) *at = here;
        if (*length == 0) {
            if (written == 0) say(line, ".");
            return true;
        }
        if (*length >= 0xc0) {
            const uint8_t *low = take(&here, 1);
            if (low == NULL) return false;
            if (!has_jumped) *at = here;
            size_t offset = (size_t)(*length & 0x3f) << 8 | *low;
            here = message;
            if (take(&here, offset) == NULL) return false;
            has_jumped = true;
            pointers++;
            continue;
        }
        size_t count = *length;
        const uint8_t *label = count > 63 ? NULL : take(&here, count);
        if (label == NULL || written + count + 1 > NAME_MOST) return false;
        if (!has_jumped) *at = here;
        if (written > 0) say(line, ".");
        for (size_t i = 0; i < count; i++)
            say_name_byte(line, label[i]);
        written += count + 1;
    }
    return false;
}

static void say_type(Line *line, uint16_t type)
{
    static const struct {
        uint16_t number;
        const char *name;
    } types[] = {{1, "A"},    {2, "NS"},    {5, "CNAME"}, {6, "SOA"},    {12, "PTR"}, {15, "MX"},
                 {16, "TXT"}, {28, "AAAA"}, {33, "SRV"},  {65, "HTTPS"}, {255, "ANY"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].number != type) continue;
        say(line, "%s", types[i].name);
        return;
    }
    say(line, "TYPE%u", type);
}

// The first answers that are addresses.
static void say_answers(Line *line, Bytes message, Bytes bytes, unsigned count)
{
    char nowhere[1];
    for (unsigned i = 0; i < count && i < 4; i++) {
        Line ignored = {.at = nowhere, .left = sizeof nowhere};
        const uint8_t *head = say_name(&ignored, message, &bytes) ? take(&bytes, 10) : NULL;
        const uint8_t *data = head == NULL ? NULL : take(&bytes, be16(head + 8));
        if (data == NULL) return;
        say(line, i == 0 ? " " : ", ");
        if (be16(head) == 1 && be16(head + 8) == 4) {
            say_ip4(line, data);
        } else if (be16(head) == 28 && be16(head + 8) == 16) {
            say_ip6(line, data);
        } else {
            say_type(line, be16(head));
        }
    }
}

void say_dns(Line *line, Bytes bytes)
{
    static const char *const codes[] = {
        "", "format error", "server failure", "no such name", "not implemented", "refused"};
    Bytes message = bytes;
    const uint8_t *head = take(&bytes, DNS_HEAD);
    if (head == NULL) {
        say(line, "DNS (cut off)");
        return;
    }
    uint16_t flags = be16(head + 2), questions = be16(head + 4), answers = be16(head + 6);
    bool is_answer = (flags & 0x8000) != 0;
    say(line, "DNS %s", is_answer ? "answer " : "");
    bool is_whole = true;
    if (questions > 0) {
        Line before = *line;
        // The type comes first to the eye and last on the wire: the name is read twice.
        Bytes rest = bytes;
        char nowhere[1];
        Line ignored = {.at = nowhere, .left = sizeof nowhere};
        is_whole = say_name(&ignored, message, &rest);
        const uint8_t *type = is_whole ? take(&rest, 4) : NULL;
        is_whole = type != NULL;
        *line = before;
        if (is_whole) {
            say_type(line, be16(type));
            say(line, is_answer ? " " : "? ");
            (void)say_name(line, message, &bytes);
            (void)take(&bytes, 4);
        }
    }
    if (!is_whole) {
        say(line, "(not well-formed)");
        return;
    }
    unsigned code = flags & 0xf;
    if (is_answer && code != 0) {
        say(line, " %s", code < sizeof codes / sizeof *codes ? codes[code] : "error");
    } else if (is_answer && questions < 2) {
        say_answers(line, message, bytes, answers);
    }
}

void say_dhcp(Line *line, Bytes bytes)
{
    static const char *const kinds[] = {"",    "discover", "offer",   "request", "decline",
                                        "ack", "nak",      "release", "inform"};
    const uint8_t *head = take(&bytes, DHCP_HEAD), *cookie = take(&bytes, 4);
    say(line, "DHCP");
    if (head == NULL || cookie == NULL) {
        say(line, " (cut off)");
        return;
    }
    for (const uint8_t *code; (code = take(&bytes, 1)) != NULL && *code != 255;) {
        const uint8_t *length = *code == 0 ? NULL : take(&bytes, 1);
        if (*code == 0) continue;
        const uint8_t *value = length == NULL ? NULL : take(&bytes, *length);
        if (value == NULL) return;
        if (*code == 53 && *length == 1 && *value < sizeof kinds / sizeof *kinds)
            say(line, " %s", kinds[*value]);
    }
    if (be32(head + 16) == 0) return;
    say(line, " ");
    say_ip4(line, head + 16);
}
