// A seccomp profile as a classic BPF program, for seccomp(2) SECCOMP_SET_MODE_FILTER. First the architecture, then a binary search
// over the numbers, of which neighbours with one answer are one range: the filter that the kernel evaluates for its cache of
// allowed calls (kernel/seccomp.c seccomp_is_const_allow()) stays short. Knows no file; linux/seccomp.h, seccomp(2).
//
// Where several rules name one call, those with conditions on its arguments come first, in the order of the file, then the first
// without. Programs of another kind, which have other numbers (i386 beside x86_64), are answered by the same rules where the profile
// names their kind (`archMap`) and are killed elsewhere; x32 numbers answer ENOSYS there, as kernels do that lack them.

import { constants, release } from 'node:os';
import { NslabError } from '../../base/error.ts';
import { BPF_MAXINSNS, FilterWriter, type Label } from './bpf.ts';
import type {
  SeccompAction,
  SeccompArgument,
  SeccompCondition,
  SeccompProfile,
  SeccompRule,
} from './profile.ts';
import { type Abi, type Architecture, abis, architectures, syscallNumbers } from './syscall-numbers.ts';

// struct seccomp_data
const NR = 0;
const ARCH = 4;
const ARGS = 16;

/** arch/x86/include/uapi/asm/unistd.h __X32_SYSCALL_BIT */
const X32_BIT = 0x4000_0000;
/** What the kernel puts in place of a call that a tracer has answered. */
const NO_CALL = 0xffff_ffff;

const returns: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL: 0,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
};

/** linux/seccomp.h SECCOMP_FILTER_FLAG_* */
const flagValues = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
} as const;

/** The flags with which the profile wants its filter to be loaded. */
export function seccompFlags(profile: SeccompProfile): number {
  return (profile.flags ?? []).reduce((bits, flag) => bits | flagValues[flag], 0);
}

/**
 * The filter as struct sock_filter[]. `caps` is the container's bounding set, with or without CAP_ before the names; `kernel` is
 * what uname(2) says.
 */
export function compileSeccomp(
  profile: SeccompProfile,
  arch: Architecture,
  caps: readonly string[],
  kernel = release(),
): Uint8Array {
  const ofProfile = compiled.get(profile) ?? new Map<string, Uint8Array>();
  compiled.set(profile, ofProfile);
  const key = [arch, kernel, ...caps.toSorted()].join(' ');
  const before = ofProfile.get(key);
  if (before !== undefined) return before;
  const program = compile(profile, { arch, caps, kernel });
  ofProfile.set(key, program);
  return program;
}

/** The containers of a lab mostly have the same filter, and one takes 1 ms (6 to 12 the first time, before V8 compiles this). */
const compiled = new WeakMap<SeccompProfile, Map<string, Uint8Array>>();

type Target = {
  readonly arch: Architecture;
  readonly caps: readonly string[];
  readonly kernel: string;
};

function compile(profile: SeccompProfile, target: Target): Uint8Array {
  const { arch } = target;
  const otherwise = returnOf(profile.defaultAction, profile.defaultErrnoRet);
  const rules = applicableRules(profile, target);
  const others = otherAbis(profile, arch);
  const answers = answersByNumber(rules, arch, otherwise);
  if (others.includes('x32')) {
    for (const [number, answer] of answersByNumber(rules, 'x32', otherwise))
      answers.set(number + X32_BIT, answer);
  }
  const ranges = rangesOf(answers, arch === 'x64' && !others.includes('x32'), otherwise);
  const writer = new FilterWriter();
  let next = writer.ret(returns.SCMP_ACT_KILL_PROCESS);
  for (const abi of others) {
    if (abi === 'x32') continue;
    const search = writeSearch(writer, rangesOf(answersByNumber(rules, abi, otherwise), false, otherwise));
    next = writer.jump('JEQ', abis[abi].audit, { yes: writer.load(NR, search), no: next });
  }
  const native = { yes: writer.load(NR, writeSearch(writer, ranges)), no: next };
  const start = writer.load(ARCH, writer.jump('JEQ', abis[arch].audit, native));
  const program = writer.finish(start);
  if (writer.length > BPF_MAXINSNS) {
    throw new NslabError(
      'CONTAINER_SECCOMP_PROFILE',
      `the seccomp profile makes a filter of ${writer.length} instructions, the kernel takes ${BPF_MAXINSNS}`,
    );
  }
  return program;
}

function returnOf(action: SeccompAction, errnoRet: number | undefined): number {
  const hasErrno = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return hasErrno ? returns[action] | (errnoRet ?? constants.errno.EPERM) : returns[action];
}

/** The kinds of programs beside the machine's own that the profile has its rules for, as moby's seccomp_linux.go reads it. */
function otherAbis({ archMap = [], architectures: all = [] }: SeccompProfile, arch: Architecture): Abi[] {
  const own = archMap.find(({ architecture }) => architecture === abis[arch].scmp);
  const named = new Set([...all, ...(own?.subArchitectures ?? [])]);
  return architectures[arch].others.filter((abi) => named.has(abis[abi].scmp));
}

/** Rules that this machine and these capabilities leave, as moby's profiles/seccomp/seccomp_linux.go has it. */
function applicableRules(profile: SeccompProfile, { arch, caps, kernel }: Target): SeccompRule[] {
  const held = new Set(caps.map(withPrefix));
  const isOld = (least: string): boolean => compareVersions(kernel, least) < 0;
  const includes = ({ caps, arches, minKernel }: SeccompCondition): boolean =>
    (caps ?? []).every((cap) => held.has(withPrefix(cap))) &&
    (!arches?.length || arches.includes(architectures[arch].docker)) &&
    (minKernel === undefined || !isOld(minKernel));
  const excludes = ({ caps, arches, minKernel }: SeccompCondition): boolean =>
    (caps ?? []).some((cap) => held.has(withPrefix(cap))) ||
    (arches ?? []).includes(architectures[arch].docker) ||
    (minKernel !== undefined && !isOld(minKernel));
  return profile.syscalls.filter((rule) => includes(rule.includes ?? {}) && !excludes(rule.excludes ?? {}));
}

function withPrefix(cap: string): string {
  return cap.startsWith('CAP_') ? cap : `CAP_${cap}`;
}

/** By major and minor number alone: what follows them is the distribution's. */
function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map((part) => Number.parseInt(part, 10));
  const [majorB = 0, minorB = 0] = b.split('.').map((part) => Number.parseInt(part, 10));
  return majorA - majorB || minorA - minorB;
}

/** What one call is answered: the first alternative whose conditions all hold, or else `otherwise`. */
type Answer = {
  readonly alternatives: readonly { readonly args: readonly SeccompArgument[]; readonly value: number }[];
  readonly otherwise: number;
};

function answersByNumber(given: readonly SeccompRule[], abi: Abi, otherwise: number): Map<number, Answer> {
  const numbers = syscallNumbers(abi);
  const rules = abi === 'x86' ? [...given, ...muxRules(given)] : given;
  const byNumber = new Map<number, SeccompRule[]>();
  for (const rule of rules) {
    for (const name of rule.names) {
      // A profile names the calls of all processors and of newer kernels too.
      const number = numbers.get(name);
      if (number === undefined) continue;
      const ofCall = byNumber.get(number);
      if (ofCall === undefined) byNumber.set(number, [rule]);
      else ofCall.push(rule);
    }
  }
  const answers = new Map<number, Answer>();
  // Most calls have one rule, which names many: those share one answer.
  const ofRule = new Map<SeccompRule, Answer>();
  for (const [number, ofCall] of byNumber) {
    const [rule] = ofCall;
    const shared = rule !== undefined && ofCall.length === 1 ? ofRule.get(rule) : undefined;
    const answer = shared ?? answerOf(ofCall, otherwise);
    if (rule !== undefined && ofCall.length === 1) ofRule.set(rule, answer);
    answers.set(number, answer);
  }
  return answers;
}

/** linux/net.h SYS_*: the first argument of socketcall(2), in their order from 1. */
const socketCalls =
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt ' +
  'getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg';
/** linux/ipc.h: that of ipc(2). */
const ipcCalls: Readonly<Record<string, number>> = {
  ...{ semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14 },
  ...{ shmat: 21, shmdt: 22, shmget: 23, shmctl: 24 },
};
const muxed = new Map<string, { readonly through: string; readonly call: number }>([
  ...socketCalls.split(' ').map((name, index) => [name, { through: 'socketcall', call: index + 1 }] as const),
  ...Object.entries(ipcCalls).map(([name, call]) => [name, { through: 'ipc', call }] as const),
]);

/**
 * On i386 these calls have a second way in, whose arguments are in memory, out of a filter's sight. As libseccomp, a rule for the
 * call is one for its number there; one that allows it under a condition allows nothing there. Who names the way itself decides.
 */
function muxRules(rules: readonly SeccompRule[]): SeccompRule[] {
  const named = new Set(rules.flatMap(({ names }) => names));
  return rules.flatMap((rule) => {
    const isOpen = rule.action === 'SCMP_ACT_ALLOW' || rule.action === 'SCMP_ACT_LOG';
    if (isOpen && (rule.args?.length ?? 0) > 0) return [];
    return rule.names.flatMap((name): SeccompRule[] => {
      const way = muxed.get(name);
      if (way === undefined || named.has(way.through)) return [];
      const args: SeccompArgument[] = [
        { index: 0, value: BigInt(way.call), valueTwo: 0n, op: 'SCMP_CMP_EQ' },
      ];
      const { action, errnoRet } = rule;
      return [{ names: [way.through], action, ...(errnoRet === undefined ? {} : { errnoRet }), args }];
    });
  });
}

function answerOf(rules: readonly SeccompRule[], otherwise: number): Answer {
  const plain = rules.find((rule) => !rule.args?.length);
  const last = plain === undefined ? otherwise : returnOf(plain.action, plain.errnoRet);
  const alternatives = rules.flatMap((rule) => {
    const value = returnOf(rule.action, rule.errnoRet);
    return conjunctions(rule.args ?? []).map((args) => ({ args, value }));
  });
  // Alternatives at the end that answer as whatever follows them decide nothing.
  while (alternatives.at(-1)?.value === last) alternatives.pop();
  return { alternatives, otherwise: last };
}

/** All conditions of a rule must hold; two on one argument are alternatives, as runc reads them and libseccomp's rules are. */
function conjunctions(args: readonly SeccompArgument[]): (readonly SeccompArgument[])[] {
  if (args.length === 0) return [];
  const twice = new Set(args.map(({ index }) => index)).size < args.length;
  return twice ? args.map((argument) => [argument]) : [args];
}

type Range = { readonly first: number; readonly answer: Answer; readonly key: string };

/** All 32-bit numbers, in order, as ranges of one answer each. */
function rangesOf(answers: ReadonlyMap<number, Answer>, lacksX32: boolean, otherwise: number): Range[] {
  const ranges: Range[] = [];
  const add = (first: number, answer: Answer): void => {
    const key = keyOf(answer);
    if (ranges.at(-1)?.key !== key) ranges.push({ first, answer, key });
  };
  const rest: Answer = { alternatives: [], otherwise };
  let next = 0;
  for (const [number, answer] of [...answers].sort(([a], [b]) => a - b)) {
    if (number > next) add(next, rest);
    add(number, answer);
    next = number + 1;
  }
  add(next, rest);
  if (lacksX32) {
    add(X32_BIT, { alternatives: [], otherwise: returnOf('SCMP_ACT_ERRNO', constants.errno.ENOSYS) });
    add(NO_CALL, rest);
  }
  return ranges;
}

function keyOf({ alternatives, otherwise }: Answer): string {
  if (alternatives.length === 0) return String(otherwise);
  const texts = alternatives.map(({ args, value }) => {
    const conditions = args.map(({ index, op, value, valueTwo }) => `${index} ${op} ${value} ${valueTwo}`);
    return `${conditions.join(',')}=${value}`;
  });
  return [...texts, otherwise].join(';');
}

/** A is the number. */
function writeSearch(writer: FilterWriter, ranges: readonly Range[]): Label {
  const middle = ranges.length >> 1;
  const [range] = ranges;
  const split = ranges[middle];
  if (range === undefined || split === undefined) throw new Error('a filter answers every number');
  if (ranges.length === 1) return writeAnswer(writer, range.answer);
  const no = writeSearch(writer, ranges.slice(0, middle));
  const yes = writeSearch(writer, ranges.slice(middle));
  return writer.jump('JGE', split.first, { yes, no });
}

function writeAnswer(writer: FilterWriter, { alternatives, otherwise }: Answer): Label {
  let next = writer.ret(otherwise);
  for (const { args, value } of alternatives.toReversed()) {
    let matched = writer.ret(value);
    for (const argument of args.toReversed()) matched = writeCondition(writer, argument, matched, next);
    next = matched;
  }
  return next;
}

/** Goes to `yes` where the 64-bit argument fulfils the condition. */
function writeCondition(writer: FilterWriter, argument: SeccompArgument, yes: Label, no: Label): Label {
  const { op, value, valueTwo } = argument;
  switch (op) {
    case 'SCMP_CMP_EQ':
      return writeEqual(writer, argument, { mask: ALL, value }, { yes, no });
    case 'SCMP_CMP_NE':
      return writeEqual(writer, argument, { mask: ALL, value }, { yes: no, no: yes });
    case 'SCMP_CMP_MASKED_EQ':
      return writeEqual(writer, argument, { mask: value, value: valueTwo }, { yes, no });
    case 'SCMP_CMP_GT':
      return writeGreater(writer, argument, 'JGT', { yes, no });
    case 'SCMP_CMP_GE':
      return writeGreater(writer, argument, 'JGE', { yes, no });
    case 'SCMP_CMP_LT':
      return writeGreater(writer, argument, 'JGE', { yes: no, no: yes });
    case 'SCMP_CMP_LE':
      return writeGreater(writer, argument, 'JGT', { yes: no, no: yes });
  }
}

const ALL = 0xffff_ffff_ffff_ffffn;
const low = (wide: bigint): number => Number(wide & 0xffff_ffffn);
const high = (wide: bigint): number => Number(wide >> 32n);
/** Both kinds of processor are little endian: the low half comes first. */
const lowOffset = ({ index }: SeccompArgument): number => ARGS + 8 * index;
const highOffset = (argument: SeccompArgument): number => lowOffset(argument) + 4;

type Branches = { readonly yes: Label; readonly no: Label };

function writeEqual(
  writer: FilterWriter,
  argument: SeccompArgument,
  { mask, value }: { mask: bigint; value: bigint },
  { yes, no }: Branches,
): Label {
  const halves = [
    { offset: lowOffset(argument), mask: low(mask), value: low(value) },
    { offset: highOffset(argument), mask: high(mask), value: high(value) },
  ];
  let label = yes;
  for (const half of halves) {
    if (half.mask === 0 && half.value === 0) continue;
    const compared = writer.jump('JEQ', half.value, { yes: label, no });
    const masked = half.mask === 0xffff_ffff ? compared : writer.and(half.mask, compared);
    label = writer.load(half.offset, masked);
  }
  return label;
}

function writeGreater(
  writer: FilterWriter,
  argument: SeccompArgument,
  test: 'JGT' | 'JGE',
  { yes, no }: Branches,
): Label {
  const lower = writer.load(lowOffset(argument), writer.jump(test, low(argument.value), { yes, no }));
  const same = writer.jump('JEQ', high(argument.value), { yes: lower, no });
  const greater = writer.jump('JGT', high(argument.value), { yes, no: same });
  return writer.load(highOffset(argument), greater);
}
