// Writes packets as pcapng, the format of Wireshark: draft-ietf-opsawg-pcapng, sections 4.1 to 4.6. One
// section, the interfaces first, then packets, then what was counted. It must not know where packets come
// from. Blocks are put together in memory and written whole, so that what is on disk or in a pipe always ends
// with a whole block, but for a pipe that breaks.

#ifndef NSLAB_PCAPNG_H
#define NSLAB_PCAPNG_H

#include "packet.h"

typedef struct {
    int fd;
    char *name; // for messages
    bool is_file;
    bool is_broken; // the reader has closed its end
    uint8_t *bytes;
    size_t used, room;
} CaptureFile;

/// An output with room for the biggest block.
CaptureFile capture_file_open(int fd, const char *name);
/// Writes what waits. A reader that has gone makes is_broken true; any other failure ends the program, and a
/// file is then cut to whole blocks.
void capture_file_flush(CaptureFile *output);
/// Appends text.
void capture_file_text(CaptureFile *output, const char *text, size_t length);

typedef struct {
    const char *name, *description;
    const char *filter; // NULL: none
    uint16_t link_type; // LINKTYPE_*, https://www.tcpdump.org/linktypes.html
    uint32_t snaplen;
    uint8_t mac[6];
    bool has_mac;
} PcapngInterface;

void pcapng_section(CaptureFile *output, const char *application);
void pcapng_interface(CaptureFile *output, const PcapngInterface *interface);
void pcapng_packet(CaptureFile *output, uint32_t interface, const Packet *packet);

/// Times are nanoseconds since 1970, as those of packets.
typedef struct {
    uint64_t now, start, end;
    uint64_t accepted, dropped, written;
} PcapngCounts;

void pcapng_counts(CaptureFile *output, uint32_t interface, const PcapngCounts *counts);

#endif
