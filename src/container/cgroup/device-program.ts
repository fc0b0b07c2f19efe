// The devices policy of cgroup2: a BPF_PROG_TYPE_CGROUP_DEVICE program that answers as v1's devices.allow and devices.deny would
// after the same rules. Pure; the helper loads and attaches it. linux/bpf.h struct bpf_insn, struct bpf_cgroup_dev_ctx.

import type { DeviceRule } from '../runtime-spec.ts';

/** Undefined is all. */
type Exception = {
  readonly type: 'b' | 'c';
  readonly major: number | undefined;
  readonly minor: number | undefined;
  readonly access: number;
};

/** linux/bpf.h BPF_DEVCG_ACC_* */
const accessBits: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
/** linux/bpf.h BPF_DEVCG_DEV_* */
const deviceTypes = { b: 1, c: 2 } as const;

const BPF_LDX_MEM_W = 0x61;
const BPF_ALU_AND_K = 0x54;
const BPF_ALU_RSH_K = 0x74;
const BPF_MOV_K = 0xb4;
const BPF_MOV_X = 0xbc;
const BPF_JNE_K = 0x56;
const BPF_JEQ_K = 0x16;
const BPF_JMP_EXIT = 0x95;
const R0 = 0;
const CONTEXT = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

type Instruction = {
  readonly code: number;
  readonly dst?: number;
  readonly src?: number;
  readonly off?: number;
  readonly imm?: number;
};

/** struct bpf_insn[] for these rules, in the order in which they were applied; without any nothing is allowed. */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const { allowsRest, exceptions } = foldRules(rules);
  return encode([
    // access_type is the kind of device in its low half and the access in its high one.
    { code: BPF_LDX_MEM_W, dst: TYPE, src: CONTEXT, off: 0 },
    { code: BPF_MOV_X, dst: ACCESS, src: TYPE },
    { code: BPF_ALU_AND_K, dst: TYPE, imm: 0xffff },
    { code: BPF_ALU_RSH_K, dst: ACCESS, imm: 16 },
    { code: BPF_LDX_MEM_W, dst: MAJOR, src: CONTEXT, off: 4 },
    { code: BPF_LDX_MEM_W, dst: MINOR, src: CONTEXT, off: 8 },
    ...exceptions.flatMap((exception) => test(exception, allowsRest)),
    ...answer(allowsRest),
  ]);
}

/**
 * What v1's files hold after these lines (security/device_cgroup.c devcgroup_update_access()): an answer for the rest, and
 * exceptions to it, which rules of the other kind take away again where they name the same devices.
 */
function foldRules(rules: readonly DeviceRule[]): { allowsRest: boolean; exceptions: readonly Exception[] } {
  let allowsRest = false;
  const exceptions = new Map<string, Exception>();
  for (const { allow, type = 'a', major, minor, access } of rules) {
    if (type === 'a') {
      allowsRest = allow;
      exceptions.clear();
      continue;
    }
    const numbers = { major: numberOf(major), minor: numberOf(minor) };
    const key = `${type} ${numbers.major} ${numbers.minor}`;
    const bits = bitsOf(access);
    const before = exceptions.get(key)?.access ?? 0;
    const after = allow === allowsRest ? before & ~bits : before | bits;
    if (after === 0) exceptions.delete(key);
    else exceptions.set(key, { type, ...numbers, access: after });
  }
  return { allowsRest, exceptions: [...exceptions.values()] };
}

function numberOf(number: number | undefined): number | undefined {
  return number === undefined || number < 0 ? undefined : number;
}

function bitsOf(access: string): number {
  return [...access].reduce((bits, letter) => bits | (accessBits[letter] ?? 0), 0);
}

/**
 * Ends the program when the exception holds. One that allows must cover all that is asked for; of one that denies a part is
 * enough.
 */
function test({ type, major, minor, access }: Exception, allowsRest: boolean): Instruction[] {
  const covered: Instruction[] = [
    { code: BPF_MOV_X, dst: CONTEXT, src: ACCESS },
    { code: BPF_ALU_AND_K, dst: CONTEXT, imm: allowsRest ? access : ~access & 0x7 },
  ];
  const body: Instruction[] = [
    ...(major === undefined ? [] : [{ code: BPF_JNE_K, dst: MAJOR, imm: major }]),
    ...(minor === undefined ? [] : [{ code: BPF_JNE_K, dst: MINOR, imm: minor }]),
    ...covered,
    { code: allowsRest ? BPF_JEQ_K : BPF_JNE_K, dst: CONTEXT, imm: 0 },
    ...answer(!allowsRest),
  ];
  const all: Instruction[] = [{ code: BPF_JNE_K, dst: TYPE, imm: deviceTypes[type] }, ...body];
  // A failed comparison leads behind the whole exception.
  return all.map((instruction, index) =>
    instruction.code === BPF_JNE_K || instruction.code === BPF_JEQ_K
      ? { ...instruction, off: all.length - index - 1 }
      : instruction,
  );
}

function answer(allow: boolean): Instruction[] {
  return [{ code: BPF_MOV_K, dst: R0, imm: allow ? 1 : 0 }, { code: BPF_JMP_EXIT }];
}

function encode(instructions: readonly Instruction[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8));
  for (const [index, { code, dst = 0, src = 0, off = 0, imm = 0 }] of instructions.entries()) {
    bytes.setUint8(index * 8, code);
    bytes.setUint8(index * 8 + 1, (src << 4) | dst);
    bytes.setInt16(index * 8 + 2, off, true);
    bytes.setInt32(index * 8 + 4, imm, true);
  }
  return new Uint8Array(bytes.buffer);
}
