// The numbers of a tar header: octal text, or base-256 of GNU tar when the first bit is set.

#ifndef NSLAB_TAR_NUMBER_H
#define NSLAB_TAR_NUMBER_H

#include "common.h"

#include <stdint.h>

/// Dies when the field is no number or one that does not fit; `what` is the field for the message.
int64_t tar_number(const char *field, size_t width, const char *what);
/// The same, and dies unless it is between 0 and max.
uint64_t tar_natural(const char *field, size_t width, uint64_t max, const char *what);

#define TAR_NUMBER(field, what) tar_number(field, sizeof(field), what)
#define TAR_NATURAL(field, max, what) tar_natural(field, sizeof(field), max, what)

#endif
