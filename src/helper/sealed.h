// Protects the file of this program from containers. A process of ours that is inside a container shows it as
// /proc/PID/exe; through that link a container's root could write into the helper on the host
// (CVE-2019-5736). So what goes near a container runs from a read-only mount that belongs to no mount
// namespace, and nobody can make it writable.

#ifndef NSLAB_SEALED_H
#define NSLAB_SEALED_H

/// Runs this program again with the same words from such a mount (or, where that does not work, from a sealed
/// memfd), unless it is there already, and makes the process undumpable. `words` begins with the verb, as a
/// verb gets them; `environment` is all that the new process has, and what /proc/PID/environ shows.
/// Descriptors stay. Dies when neither way works.
void seal_self(char **words, char **environment);

#endif
