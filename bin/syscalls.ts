// Writes src/container/seccomp/syscall-table.ts from the kernel's headers: asm/unistd_64.h for x86_64, asm-generic/unistd.h as
// arm64 uses it (arch/arm64/include/uapi/asm/unistd.h). Run it where newer headers are installed; it never removes a call.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const target = fileURLToPath(new URL('../src/container/seccomp/syscall-table.ts', import.meta.url));

/** What arm64's own header defines before it includes the generic one. */
const arm64Wants = [
  'RENAMEAT',
  'NEW_STAT',
  'SET_GET_RLIMIT',
  'TIME32_SYSCALLS',
  'SYS_CLONE3',
  'MEMFD_SECRET',
];

/** Calls newer than the headers of Debian 12. Since 424 a call has the same number everywhere: scripts/syscall.tbl. */
const newer =
  'cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount lsm_get_self_attr ' +
  'lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat open_tree_attr ' +
  'file_getattr file_setattr';
const firstNewer = 451;
/** Newer ones of x86_64 alone: arch/x86/entry/syscalls/syscall_64.tbl. */
const newerX64 = { uretprobe: 335, uprobe: 336 };

function readHeader(header: string, defines: readonly string[] = []): Map<string, number> {
  const options = defines.map((name) => `-D${name}`);
  const input = `#include <${header}>\n`;
  const text = execFileSync('cc', ['-E', '-dM', ...options, '-x', 'c', '-'], { input, encoding: 'utf8' });
  const macros = new Map<string, string>();
  for (const [, name = '', value = ''] of text.matchAll(/^#define (__NR\w+) (\S+)$/gm))
    macros.set(name, value);
  const numbers = new Map<string, number>();
  for (const name of macros.keys()) {
    let value = name;
    // The generic header calls some by two names: __NR_fcntl is __NR3264_fcntl is 25.
    while (macros.has(value)) value = macros.get(value) ?? '';
    const call = name.replace(/^__NR_/, '');
    if (/^\d+$/.test(value) && name.startsWith('__NR_') && !/^(syscalls|arch_specific_syscall)$/.test(call))
      numbers.set(call, Number(value));
  }
  return numbers;
}

const x64 = readHeader('asm/unistd_64.h');
const arm64 = readHeader(
  'asm-generic/unistd.h',
  arm64Wants.map((name) => `__ARCH_WANT_${name}`),
);
for (const [index, name] of newer.split(' ').entries()) {
  x64.set(name, firstNewer + index);
  arm64.set(name, firstNewer + index);
}
for (const [name, number] of Object.entries(newerX64)) x64.set(name, number);

const names = [...new Set([...x64.keys(), ...arm64.keys()])].sort();
const rows = names.map((name) => `${name} ${x64.get(name) ?? '-'} ${arm64.get(name) ?? '-'}`);
writeFileSync(
  target,
  `// Numbers of the system calls: name, x86_64, aarch64; a minus where that kernel has no such call. Written by bin/syscalls.ts
// from the kernel's uapi headers; do not edit.

export const syscallTable = \`
${rows.join('\n')}
\`;
`,
);
