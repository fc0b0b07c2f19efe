// See tar-number.h.

#include "tar-number.h"
#include "tar-failure.h"
#include "tar-format.h"

#include <string.h>

// Two's complement, big-endian; the first bit says that it is one and is not part of the number.
static int64_t base_256(const char *field, size_t width, const char *what)
{
    unsigned char invert = (field[0] & 0x40) != 0 ? 0xff : 0;
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++) {
        unsigned char byte = (unsigned char)field[i] ^ invert;
        if (i == 0) byte &= 0x7f;
        if (number >> 55 != 0) tar_broken("its %s does not fit in 63 bits", what);
        number = number << 8 | byte;
    }
    return invert == 0 ? (int64_t)number : -(int64_t)number - 1;
}

int64_t tar_number(const char *field, size_t width, const char *what)
{
    if ((field[0] & 0x80) != 0) return base_256(field, width, what);
    const char *at = field, *end = field + width;
    while (at < end && *at == ' ')
        at++;
    int64_t number = 0;
    // Twelve digits at the most: 36 bits.
    for (; at < end && *at >= '0' && *at <= '7'; at++)
        number = number * 8 + (*at - '0');
    if (at < end && *at != ' ' && *at != '\0') tar_broken("its %s is no octal number", what);
    return number;
}

uint64_t tar_natural(const char *field, size_t width, uint64_t max, const char *what)
{
    int64_t number = tar_number(field, width, what);
    if (number < 0 || (uint64_t)number > max) tar_broken("its %s is out of range", what);
    return (uint64_t)number;
}

unsigned tar_checksum(const TarHeader *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    unsigned sum = 0;
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += bytes[i];
    for (size_t i = 0; i < sizeof header->checksum; i++)
        sum = sum - (unsigned char)header->checksum[i] + ' ';
    return sum;
}
