// Numbers of system calls by name, for the kinds of processor that nslab runs on. The table itself is syscall-table.ts.

import { syscallTable } from './syscall-table.ts';

/** Node's names of the two (process.arch). */
export type Architecture = 'x64' | 'arm64';

/** Kinds of programs that such processors run: their own, and older ones of 32 bits. */
export type Abi = Architecture | 'x86' | 'arm' | 'x32';

/** linux/audit.h AUDIT_ARCH_*, then seccomp(3)'s name. x32 has the audit number of x64 and a bit in its calls. */
export const abis: Readonly<Record<Abi, { readonly audit: number; readonly scmp: string }>> = {
  x64: { audit: 0xc000_003e, scmp: 'SCMP_ARCH_X86_64' },
  arm64: { audit: 0xc000_00b7, scmp: 'SCMP_ARCH_AARCH64' },
  x86: { audit: 0x4000_0003, scmp: 'SCMP_ARCH_X86' },
  arm: { audit: 0x4000_0028, scmp: 'SCMP_ARCH_ARM' },
  x32: { audit: 0xc000_003e, scmp: 'SCMP_ARCH_X32' },
};

/** Go's names, which Docker's profiles use in `arches`, and what else each runs. */
export const architectures: Readonly<
  Record<Architecture, { readonly docker: string; readonly others: readonly Abi[] }>
> = {
  x64: { docker: 'amd64', others: ['x86', 'x32'] },
  arm64: { docker: 'arm64', others: ['arm'] },
};

/** Their order in the table. */
const columns: readonly Abi[] = ['x64', 'arm64', 'x86', 'arm', 'x32'];

const known = new Map<Abi, ReadonlyMap<string, number>>();

/** The calls that the kernel has for such programs; those of x32 without its bit. */
export function syscallNumbers(arch: Abi): ReadonlyMap<string, number> {
  const before = known.get(arch);
  if (before !== undefined) return before;
  const numbers = new Map<string, number>();
  for (const row of syscallTable.trim().split('\n')) {
    const [name = '', ...all] = row.split(' ');
    const number = all[columns.indexOf(arch)];
    if (number !== '-') numbers.set(name, Number(number));
  }
  known.set(arch, numbers);
  return numbers;
}
