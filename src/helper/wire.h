// Bytes from the wire and a line of text: views that know where they end. Reading beyond gives nothing,
// writing beyond is left out.

#ifndef NSLAB_WIRE_H
#define NSLAB_WIRE_H

#include "common.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    const uint8_t *at;
    size_t left;
} Bytes;

/// The next bytes, and the view moves on; NULL where there are not so many.
static inline const uint8_t *take(Bytes *bytes, size_t count)
{
    const uint8_t *start = bytes->at;
    if (count > bytes->left) return NULL;
    // NULL plus 0 is undefined.
    if (count > 0) bytes->at += count;
    bytes->left -= count;
    return start;
}

static inline uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

typedef struct {
    char *at;       // where the NUL stands
    size_t left;    // room with the NUL
    unsigned depth; // packets within packets
} Line;

__attribute__((format(printf, 2, 3))) static inline void say(Line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->at, line->left, format, arguments);
    va_end(arguments);
    size_t written = length < 0 ? 0 : (size_t)length;
    if (written >= line->left) written = line->left - 1;
    line->at += written;
    line->left -= written;
}

// Each takes one layer from the view and goes on with what is in it. summary.c, summary-ip.c, summary-udp.c.

/// A frame from its ethertype on.
void say_protocol(Line *line, uint16_t ethertype, Bytes bytes);
/// A frame with a header of Ethernet.
void say_ethernet(Line *line, Bytes bytes);
/// A packet of IPv4 or IPv6, as its first four bits say.
void say_ip(Line *line, Bytes bytes);
/// `length` is what the header says, of the data.
void say_udp_data(Line *line, uint16_t from, uint16_t to, Bytes bytes, size_t length);
void say_dhcp(Line *line, Bytes bytes);
void say_dns(Line *line, Bytes bytes);
void say_mac(Line *line, const uint8_t *mac);
void say_ip4(Line *line, const uint8_t *address);
void say_ip6(Line *line, const uint8_t *address);

#endif
