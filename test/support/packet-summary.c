// The lines of `nslab capture` (src/helper/summary.c) alone, for tests, with the sanitizers. stdin: records
// of four bytes of length, little end first, one of the kind of link (0 Ethernet, 1 IP, 2 cooked), one that
// is 1 where a VLAN tag is beside the packet, two of the ethertype, two of the room for the line, and as many
// bytes of packet. stdout: a line for each.

#include "summary.h"

static bool read_whole(void *out, size_t length)
{
    return fread(out, 1, length, stdin) == length;
}

int main(void)
{
    uint32_t length;
    while (read_whole(&length, sizeof length)) {
        uint8_t link, tag;
        uint16_t protocol, room;
        if (!read_whole(&link, 1) || !read_whole(&tag, 1) || !read_whole(&protocol, 2) ||
            !read_whole(&room, 2))
            return 3;
        // Exactly as large, so that a byte too far is one that the sanitizer sees.
        uint8_t *bytes = malloc(length);
        char *line = malloc(room);
        if (!read_whole(bytes, length) || room == 0) return 3;
        Packet packet = {
            .bytes = bytes,
            .captured = length,
            .length = length,
            .link = (LinkType)link,
            .has_vlan = tag == 1,
            .tpid = 0x8100,
            .tci = 7,
            .protocol = protocol,
        };
        summarize(&packet, line, room);
        puts(line);
        free(line);
        free(bytes);
    }
    return 0;
}
