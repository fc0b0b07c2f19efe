// Writes src/container/seccomp/syscall-table.ts from the kernel's headers: asm/unistd_64.h for x86_64, asm-generic/unistd.h as
// arm64 uses it (arch/arm64/include/uapi/asm/unistd.h), asm/unistd_32.h for i386, asm/unistd_x32.h for x32, and those of arm from
// Debian's linux-libc-dev-armhf-cross. Run it where newer headers are installed; it never removes a call.

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

function readHeader(
  header: string,
  defines: readonly string[] = [],
  more: readonly string[] = [],
): Map<string, number> {
  const options = defines.map((name) => `-D${name}`);
  const input = `#include <${header}>\n`;
  const text = execFileSync('cc', ['-E', '-dM', ...more, ...options, '-x', 'c', '-'], {
    input,
    encoding: 'utf8',
  });
  const macros = new Map<string, string>();
  // x32 and arm have a base: (__X32_SYSCALL_BIT + 5), (__NR_SYSCALL_BASE + 5).
  for (const [, name = '', value = ''] of text.matchAll(
    /^#define (__NR\w+) (?:\(__(?:X32_SYSCALL_BIT|NR_SYSCALL_BASE) ?\+ ?)?(\w+)\)?$/gm,
  ))
    macros.set(name, value);
  const numbers = new Map<string, number>();
  for (const name of macros.keys()) {
    let value = name;
    // The generic header calls some by two names: __NR_fcntl is __NR3264_fcntl is 25.
    while (macros.has(value)) value = macros.get(value) ?? '';
    const call = name.replace(/^__NR_/, '');
    if (
      /^\d+$/.test(value) &&
      name.startsWith('__NR_') &&
      !/^(syscalls|arch_specific_syscall|SYSCALL_BASE)$/.test(call)
    )
      numbers.set(call, Number(value));
  }
  return numbers;
}

const x64 = readHeader('asm/unistd_64.h');
const arm64 = readHeader(
  'asm-generic/unistd.h',
  arm64Wants.map((name) => `__ARCH_WANT_${name}`),
);
const i386 = readHeader('asm/unistd_32.h');
const x32 = readHeader('asm/unistd_x32.h');
const arm = readHeader('asm/unistd.h', ['__ARM_EABI__'], ['-nostdinc', '-I/usr/arm-linux-gnueabihf/include']);
/** arch/arm/include/uapi/asm/unistd.h __ARM_NR_*, with seccomp(3)'s names. */
const ofArm = { breakpoint: 0xf0001, cacheflush: 0xf0002, usr26: 0xf0003, usr32: 0xf0004, set_tls: 0xf0005 };
for (const [name, number] of Object.entries(ofArm)) arm.set(name, number);
for (const [index, name] of newer.split(' ').entries()) {
  for (const table of [i386, x32, arm]) table.set(name, firstNewer + index);
  x64.set(name, firstNewer + index);
  arm64.set(name, firstNewer + index);
}
for (const [name, number] of Object.entries(newerX64)) x64.set(name, number);

const tables = [x64, arm64, i386, arm, x32];
const names = [...new Set(tables.flatMap((table) => [...table.keys()]))].sort();
const rows = names.map((name) => [name, ...tables.map((table) => table.get(name) ?? '-')].join(' '));
writeFileSync(
  target,
  `// Numbers of the system calls: name, x86_64, aarch64, i386, arm (EABI), x32 (without its bit); a minus where that kernel has no
// such call. Written by bin/syscalls.ts from the kernel's uapi headers; do not edit.

export const syscallTable = \`
${rows.join('\n')}
\`;
`,
);
