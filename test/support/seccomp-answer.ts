// What a seccomp profile says about one call, found by reading its rules one after another: the plain meaning, against which the
// compiled filter is held. It shares nothing with the compiler but the profile's type and the table of numbers.

import type { SeccompAction, SeccompArgument, SeccompProfile } from '../../src/container/seccomp/profile.ts';

export type Call = { readonly name: string; readonly args: readonly bigint[] };
export type Machine = {
  readonly dockerArch: string;
  readonly caps: readonly string[];
  readonly kernel: readonly [major: number, minor: number];
};

const values: Record<SeccompAction, bigint> = {
  SCMP_ACT_KILL_PROCESS: 0x80000000n,
  SCMP_ACT_KILL_THREAD: 0n,
  SCMP_ACT_KILL: 0n,
  SCMP_ACT_TRAP: 0x30000n,
  SCMP_ACT_ERRNO: 0x50000n,
  SCMP_ACT_TRACE: 0x7ff00000n,
  SCMP_ACT_LOG: 0x7ffc0000n,
  SCMP_ACT_ALLOW: 0x7fff0000n,
};

function returnValue(action: SeccompAction, errno: number | undefined): number {
  const takesErrno = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return Number(values[action] + (takesErrno ? BigInt(errno ?? 1) : 0n));
}

function holds({ index, op, value, valueTwo }: SeccompArgument, args: readonly bigint[]): boolean {
  const argument = args[index] ?? 0n;
  if (op === 'SCMP_CMP_MASKED_EQ') return (argument & value) === valueTwo;
  if (op === 'SCMP_CMP_EQ') return argument === value;
  if (op === 'SCMP_CMP_NE') return argument !== value;
  if (op === 'SCMP_CMP_LT') return argument < value;
  if (op === 'SCMP_CMP_LE') return argument <= value;
  if (op === 'SCMP_CMP_GT') return argument > value;
  return argument >= value;
}

function isOlder(machine: Machine, minKernel: string): boolean {
  const [major = 0, minor = 0] = minKernel.split('.').map(Number);
  return machine.kernel[0] < major || (machine.kernel[0] === major && machine.kernel[1] < minor);
}

/** The SECCOMP_RET_* value. */
export function answerOf(profile: SeccompProfile, call: Call, machine: Machine): number {
  let plain: number | undefined;
  for (const rule of profile.syscalls) {
    if (!rule.names.includes(call.name)) continue;
    const { includes = {}, excludes = {} } = rule;
    if (includes.caps?.some((cap) => !machine.caps.includes(cap))) continue;
    if (includes.arches?.length && !includes.arches.includes(machine.dockerArch)) continue;
    if (includes.minKernel !== undefined && isOlder(machine, includes.minKernel)) continue;
    if (excludes.caps?.some((cap) => machine.caps.includes(cap))) continue;
    if (excludes.arches?.includes(machine.dockerArch)) continue;
    if (excludes.minKernel !== undefined && !isOlder(machine, excludes.minKernel)) continue;
    const value = returnValue(rule.action, rule.errnoRet);
    const args = rule.args ?? [];
    if (args.length === 0) plain ??= value;
    else {
      const indexes = args.map(({ index }) => index);
      const repeated = indexes.some((index, at) => indexes.indexOf(index) !== at);
      const fulfilled = args.filter((argument) => holds(argument, call.args)).length;
      if (repeated ? fulfilled > 0 : fulfilled === args.length) return value;
    }
  }
  return plain ?? returnValue(profile.defaultAction, profile.defaultErrnoRet);
}
