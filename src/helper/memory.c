// See memory.h. madvise(2).

#include "memory.h"
#include "common.h"

#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

void forget_code(void)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    uintptr_t page = (uintptr_t)getpagesize() - 1;
    // Of a program that is not linked at fixed addresses only the loader knows where the parts are.
    for (size_t i = 0; headers != NULL && i < count; i++) {
        uintptr_t from = headers[i].p_vaddr & ~page,
                  to = (headers[i].p_vaddr + headers[i].p_memsz + page) & ~page;
        if (headers[i].p_type == PT_INTERP || headers[i].p_type == PT_DYNAMIC) return;
        if (headers[i].p_type != PT_LOAD || (headers[i].p_flags & PF_W) != 0) continue;
        madvise((void *)from, to - from, MADV_DONTNEED);
    }
}
