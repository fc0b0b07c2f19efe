// See pcapng.h. Numbers are in the machine's own byte order, which the section header tells.

#include "pcapng.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    OPT_END = 0,
    SHB_OS = 3,
    SHB_USERAPPL = 4,
    IF_NAME = 2,
    IF_DESCRIPTION = 3,
    IF_MACADDR = 6,
    IF_TSRESOL = 9,
    IF_FILTER = 11,
    EPB_FLAGS = 2,
    ISB_STARTTIME = 2,
    ISB_ENDTIME = 3,
    ISB_IFDROP = 5,
    ISB_FILTERACCEPT = 6,
    ISB_OSDROP = 7,
    ISB_USRDELIV = 8,
};

// A packet is no longer than a block of a ring, see capture-tap.c.
enum { OUTPUT_ROOM = 2 << 20, OPTION_MAX = 1024 };

CaptureFile capture_file_open(int fd, const char *name)
{
    struct stat status;
    return (CaptureFile){
        .fd = fd,
        .name = xstrdup(name),
        .is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode),
        .bytes = xcalloc(OUTPUT_ROOM, 1),
        .room = OUTPUT_ROOM,
    };
}

void capture_file_flush(CaptureFile *output)
{
    size_t done = 0;
    while (done < output->used && !output->is_broken) {
        ssize_t written = TEMP_FAILURE_RETRY(write(output->fd, output->bytes + done, output->used - done));
        if (written > 0) {
            done += (size_t)written;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            output->is_broken = true;
        } else {
            int error = errno;
            off_t at = output->is_file ? lseek(output->fd, 0, SEEK_CUR) : -1;
            if (at >= (off_t)done) (void)!ftruncate(output->fd, at - (off_t)done);
            errno = error;
            die_errno("write %s", quoted(output->name));
        }
    }
    output->used = 0;
}

static void make_room(CaptureFile *output, size_t length)
{
    if (output->room - output->used < length) capture_file_flush(output);
    if (output->room < length) die(EXIT_BUG, "HOST_REFUSED", NULL, "a block of %zu bytes", length);
}

static void put(CaptureFile *output, const void *bytes, size_t length)
{
    // The empty option has no bytes to point to.
    if (length > 0) memcpy(output->bytes + output->used, bytes, length);
    output->used += length;
}

static void put16(CaptureFile *output, uint16_t value)
{
    put(output, &value, sizeof value);
}

static void put32(CaptureFile *output, uint32_t value)
{
    put(output, &value, sizeof value);
}

static void pad(CaptureFile *output)
{
    while (output->used % 4 != 0)
        output->bytes[output->used++] = 0;
}

void capture_file_text(CaptureFile *output, const char *text, size_t length)
{
    make_room(output, length);
    put(output, text, length);
}

// Returns where the block begins. The room is for all of it.
static size_t begin_block(CaptureFile *output, uint32_t type, size_t room)
{
    make_room(output, room + 64);
    size_t start = output->used;
    put32(output, type);
    put32(output, 0);
    return start;
}

static void end_block(CaptureFile *output, size_t start)
{
    uint32_t length = (uint32_t)(output->used - start) + 4;
    put32(output, length);
    memcpy(output->bytes + start + 4, &length, sizeof length);
}

static void put_option(CaptureFile *output, uint16_t code, const void *value, size_t length)
{
    put16(output, code);
    put16(output, (uint16_t)length);
    put(output, value, length);
    pad(output);
}

static void put_text_option(CaptureFile *output, uint16_t code, const char *text)
{
    size_t length = strlen(text);
    put_option(output, code, text, length < OPTION_MAX ? length : OPTION_MAX);
}

void pcapng_section(CaptureFile *output, const char *application)
{
    struct utsname system;
    char os[3 * sizeof system.sysname] = "Linux";
    if (uname(&system) == 0) snprintf(os, sizeof os, "%s %s", system.sysname, system.release);
    size_t start = begin_block(output, BLOCK_SECTION, 4 * OPTION_MAX);
    const uint16_t version[] = {1, 0};
    const int64_t unknown_length = -1;
    put32(output, BYTE_ORDER_MAGIC);
    put(output, version, sizeof version);
    put(output, &unknown_length, sizeof unknown_length);
    put_text_option(output, SHB_OS, os);
    put_text_option(output, SHB_USERAPPL, application);
    put_option(output, OPT_END, NULL, 0);
    end_block(output, start);
}

static void put_filter(CaptureFile *output, const char *filter)
{
    char value[OPTION_MAX];
    // 0: the text that libpcap understands.
    int length = snprintf(value, sizeof value, "%c%s", '\1', filter);
    value[0] = 0;
    if (length > (int)sizeof value - 1) length = (int)sizeof value - 1;
    put_option(output, IF_FILTER, value, (size_t)length);
}

void pcapng_interface(CaptureFile *output, const PcapngInterface *interface)
{
    const uint8_t nanoseconds = 9;
    size_t start = begin_block(output, BLOCK_INTERFACE, 8 * OPTION_MAX);
    put16(output, interface->link_type);
    put16(output, 0);
    put32(output, interface->snaplen);
    put_text_option(output, IF_NAME, interface->name);
    put_text_option(output, IF_DESCRIPTION, interface->description);
    if (interface->has_mac) put_option(output, IF_MACADDR, interface->mac, sizeof interface->mac);
    put_option(output, IF_TSRESOL, &nanoseconds, sizeof nanoseconds);
    if (interface->filter != NULL) put_filter(output, interface->filter);
    put_option(output, OPT_END, NULL, 0);
    end_block(output, start);
}

// Bits 0 and 1: 1 inbound, 2 outbound. Bits 2 to 4: 1 unicast, 2 multicast, 3 broadcast, 4 promiscuous.
static uint32_t flags_of(uint8_t kind)
{
    if (kind == PACKET_OUTGOING) return 2;
    if (kind == PACKET_BROADCAST) return 1 | 3 << 2;
    if (kind == PACKET_MULTICAST) return 1 | 2 << 2;
    return 1 | (kind == PACKET_OTHERHOST ? 4u : 1u) << 2;
}

// The header of LINKTYPE_LINUX_SLL, in network byte order.
static void put_cooked(CaptureFile *output, const Packet *packet)
{
    const uint16_t fields[] = {htons(packet->kind), htons(packet->hardware), htons(packet->address_length)};
    const uint16_t protocol = htons(packet->protocol);
    put(output, fields, sizeof fields);
    put(output, packet->address, sizeof packet->address);
    put(output, &protocol, sizeof protocol);
}

void pcapng_packet(CaptureFile *output, uint32_t interface, const Packet *packet)
{
    bool has_vlan = packet->has_vlan && packet->link == LINK_ETHERNET && packet->captured >= MAC_PAIR;
    uint32_t extra = has_vlan ? VLAN_LENGTH : packet->link == LINK_COOKED ? COOKED_LENGTH : 0;
    size_t start = begin_block(output, BLOCK_PACKET, packet->captured + extra);
    put32(output, interface);
    put32(output, (uint32_t)(packet->time >> 32));
    put32(output, (uint32_t)packet->time);
    put32(output, packet->captured + extra);
    put32(output, packet->length + extra);
    size_t head = has_vlan ? MAC_PAIR : 0;
    if (packet->link == LINK_COOKED) put_cooked(output, packet);
    put(output, packet->bytes, head);
    if (has_vlan) {
        const uint16_t tag[] = {htons(packet->tpid), htons(packet->tci)};
        put(output, tag, sizeof tag);
    }
    put(output, packet->bytes + head, packet->captured - head);
    pad(output);
    uint32_t flags = flags_of(packet->kind);
    put_option(output, EPB_FLAGS, &flags, sizeof flags);
    put_option(output, OPT_END, NULL, 0);
    end_block(output, start);
}

static void put_time_option(CaptureFile *output, uint16_t code, uint64_t time)
{
    const uint32_t halves[] = {(uint32_t)(time >> 32), (uint32_t)time};
    put_option(output, code, halves, sizeof halves);
}

static void put_count_option(CaptureFile *output, uint16_t code, uint64_t count)
{
    put_option(output, code, &count, sizeof count);
}

void pcapng_counts(CaptureFile *output, uint32_t interface, const PcapngCounts *counts)
{
    size_t start = begin_block(output, BLOCK_STATISTICS, OPTION_MAX);
    put32(output, interface);
    put32(output, (uint32_t)(counts->now >> 32));
    put32(output, (uint32_t)counts->now);
    put_time_option(output, ISB_STARTTIME, counts->start);
    put_time_option(output, ISB_ENDTIME, counts->end);
    // What the ring had no room for. Wireshark shows ifdrop; the draft calls it osdrop.
    put_count_option(output, ISB_IFDROP, counts->dropped);
    put_count_option(output, ISB_FILTERACCEPT, counts->accepted);
    put_count_option(output, ISB_OSDROP, counts->dropped);
    put_count_option(output, ISB_USRDELIV, counts->written);
    put_option(output, OPT_END, NULL, 0);
    end_block(output, start);
}
