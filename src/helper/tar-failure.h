// How the verbs that read and write tar archives give up: with one line that names the entry, whose name may
// be hostile and is shown with its control characters escaped. Codes: src/base/catalogue/archive.ts.

#ifndef NSLAB_TAR_FAILURE_H
#define NSLAB_TAR_FAILURE_H

#include "common.h"

/// The entry that messages are about from now on, or NULL. The text must live until the next call.
void tar_at(const char *name);

/// The archive is not what an archive is.
_Noreturn void tar_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// The entry is well formed and wants something that no archive gets.
_Noreturn void tar_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// The archive is over a limit.
_Noreturn void tar_limit(const char *format, ...) __attribute__((format(printf, 1, 2)));
/// A system call for the entry failed: errno's text follows.
_Noreturn void tar_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// quoted(), and shortened when the text is long.
const char *quoted_short(const char *text);

#endif
