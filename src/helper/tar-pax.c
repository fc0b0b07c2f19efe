// See tar-pax.h.

#include "tar-pax.h"
#include "tar-failure.h"
#include "tar-format.h"

#include <string.h>

static void add(PaxSet *set, PaxRecord record)
{
    if (set->count == set->room) {
        set->room = set->room == 0 ? 16 : set->room * 2;
        set->records = xreallocarray(set->records, set->room, sizeof *set->records);
    }
    set->records[set->count++] = record;
}

void pax_clear(PaxSet *set)
{
    free(set->text);
    free(set->records);
    *set = (PaxSet){0};
}

void pax_parse(PaxSet *set, char *text, size_t length)
{
    *set = (PaxSet){.text = text, .length = length};
    for (char *at = text, *end = text + length; at < end;) {
        size_t size = 0;
        char *digit = at;
        for (; digit < end && *digit >= '0' && *digit <= '9' && size <= TAR_MAX_PAX; digit++)
            size = size * 10 + (size_t)(*digit - '0');
        if (digit == at || digit == end || *digit != ' ' || size > (size_t)(end - at) ||
            size < (size_t)(digit - at) + 4 || at[size - 1] != '\n') {
            tar_broken("a record of its pax header is malformed");
        }
        char *key = digit + 1;
        char *last = at + size - 1;
        char *equals = memchr(key, '=', (size_t)(last - key));
        if (equals == NULL || equals == key || memchr(key, '\0', (size_t)(equals - key)) != NULL) {
            tar_broken("a record of its pax header has no key");
        }
        *equals = '\0';
        add(set, (PaxRecord){.key = key, .value = equals + 1, .size = (size_t)(last - equals - 1)});
        at += size;
    }
}

static void copy_record(PaxSet *to, const PaxRecord *record)
{
    char *key = to->text + to->length;
    size_t key_size = strlen(record->key) + 1;
    memcpy(key, record->key, key_size);
    memcpy(key + key_size, record->value, record->size);
    to->length += key_size + record->size;
    add(to, (PaxRecord){.key = key, .value = key + key_size, .size = record->size});
}

void pax_merge(PaxSet *old, PaxSet *newer)
{
    // Every entry looks through these, so there may be few.
    if (old->count + newer->count > TAR_MAX_GLOBALS)
        tar_limit("more than %d global pax records", TAR_MAX_GLOBALS);
    PaxSet all = {.text = xcalloc(old->length + newer->length + 1, 1)};
    for (size_t i = 0; i < old->count; i++) {
        if (pax_find(newer, old->records[i].key) == NULL) copy_record(&all, &old->records[i]);
    }
    for (size_t i = 0; i < newer->count; i++)
        copy_record(&all, &newer->records[i]);
    if (all.length > TAR_MAX_PAX) tar_limit("pax headers of more than %d bytes", TAR_MAX_PAX);
    pax_clear(old);
    pax_clear(newer);
    *old = all;
}

const PaxRecord *pax_find(const PaxSet *set, const char *key)
{
    for (size_t i = set->count; i > 0; i--) {
        if (strcmp(set->records[i - 1].key, key) == 0) return &set->records[i - 1];
    }
    return NULL;
}

static _Noreturn void bad_value(const PaxRecord *record)
{
    tar_broken("%s of its pax header is no number in range", quoted_short(record->key));
}

uint64_t pax_number(const PaxRecord *record, uint64_t max)
{
    uint64_t number = 0;
    if (record->size == 0) bad_value(record);
    for (size_t i = 0; i < record->size; i++) {
        unsigned digit = (unsigned char)record->value[i] - (unsigned)'0';
        if (digit > 9 || number > (max - digit) / 10) bad_value(record);
        number = number * 10 + digit;
    }
    return number;
}

struct timespec pax_time(const PaxRecord *record)
{
    bool negative = record->size > 0 && record->value[0] == '-';
    PaxRecord seconds = *record, fraction = *record;
    seconds.value += negative;
    seconds.size -= negative;
    const char *point = memchr(seconds.value, '.', seconds.size);
    long nanoseconds = 0;
    if (point != NULL) {
        fraction.value = point + 1;
        fraction.size = (size_t)(seconds.value + seconds.size - fraction.value);
        seconds.size = (size_t)(point - seconds.value);
        long unit = 100 * 1000 * 1000;
        for (size_t i = 0; i < fraction.size; i++, unit /= 10) {
            unsigned digit = (unsigned char)fraction.value[i] - (unsigned)'0';
            if (digit > 9) bad_value(record);
            nanoseconds += (long)digit * unit;
        }
    }
    time_t whole = (time_t)pax_number(&seconds, INT64_MAX / 4);
    if (!negative) return (struct timespec){.tv_sec = whole, .tv_nsec = nanoseconds};
    if (nanoseconds == 0) return (struct timespec){.tv_sec = -whole};
    return (struct timespec){.tv_sec = -whole - 1, .tv_nsec = 1000L * 1000 * 1000 - nanoseconds};
}

char *pax_text(const PaxRecord *record)
{
    if (record->size > TAR_MAX_NAME) tar_limit("a name of more than %d bytes", TAR_MAX_NAME);
    if (memchr(record->value, '\0', record->size) != NULL) tar_broken("a name with a NUL in it");
    char *text = xcalloc(record->size + 1, 1);
    memcpy(text, record->value, record->size);
    return text;
}
