// What a process of ours that lives as long as a container keeps in memory.

#ifndef NSLAB_MEMORY_H
#define NSLAB_MEMORY_H

/// Making a container runs through most of this program; watching one needs a small part. What is not needed
/// any more is not kept mapped: it is in the page cache, for whoever makes the next one.
void forget_code(void);

#endif
