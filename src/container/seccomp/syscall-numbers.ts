// Numbers of system calls by name, for the kinds of processor that nslab runs on. The table itself is syscall-table.ts.

import { syscallTable } from './syscall-table.ts';

/** Node's names of the two (process.arch). */
export type Architecture = 'x64' | 'arm64';

export const architectures: Readonly<Record<Architecture, { audit: number; scmp: string; docker: string }>> =
  {
    // linux/audit.h AUDIT_ARCH_*, then seccomp(3)'s name and Go's, which Docker's profiles use in `arches`.
    x64: { audit: 0xc000_003e, scmp: 'SCMP_ARCH_X86_64', docker: 'amd64' },
    arm64: { audit: 0xc000_00b7, scmp: 'SCMP_ARCH_AARCH64', docker: 'arm64' },
  };

const known = new Map<Architecture, ReadonlyMap<string, number>>();

/** The calls that the kernel has on such a processor. */
export function syscallNumbers(arch: Architecture): ReadonlyMap<string, number> {
  const before = known.get(arch);
  if (before !== undefined) return before;
  const numbers = new Map<string, number>();
  for (const row of syscallTable.trim().split('\n')) {
    const [name = '', x64, arm64] = row.split(' ');
    const number = arch === 'x64' ? x64 : arm64;
    if (number !== '-') numbers.set(name, Number(number));
  }
  known.set(arch, numbers);
  return numbers;
}
