// The records of pax headers ("12 uid=12345\n"): those that hold for the next entry, and those that hold from
// there on. Values are bytes: an extended attribute may hold a NUL. pax, "pax Header Block", POSIX.1-2008.

#ifndef NSLAB_TAR_PAX_H
#define NSLAB_TAR_PAX_H

#include "common.h"

#include <stdint.h>
#include <time.h>

typedef struct {
    const char *key; // ends with a NUL
    const char *value;
    size_t size;
} PaxRecord;

typedef struct {
    char *text;
    size_t length;
    PaxRecord *records; // in the order of the archive
    size_t count;
    size_t room;
} PaxSet;

/// Takes over the text and splits it. Dies when it is malformed.
void pax_parse(PaxSet *set, char *text, size_t length);
/// The older records that the newer set does not replace, and those of the newer one, which is emptied.
void pax_merge(PaxSet *old, PaxSet *newer);
void pax_clear(PaxSet *set);
/// The last record of that key, or NULL.
const PaxRecord *pax_find(const PaxSet *set, const char *key);

/// Decimal digits and nothing else, at most `max`. Dies otherwise.
uint64_t pax_number(const PaxRecord *record, uint64_t max);
/// Seconds with a sign and a fraction.
struct timespec pax_time(const PaxRecord *record);
/// The value as text; dies when it has a NUL or is longer than a path can be. Freed by the caller.
char *pax_text(const PaxRecord *record);

#endif
