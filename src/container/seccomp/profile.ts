// Docker's seccomp profile: the JSON that `docker run --security-opt seccomp=FILE` reads, which is the OCI runtime-spec's
// linux.seccomp with conditions (`includes`, `excludes`) and a table of sub-architectures. Reading only; compile.ts gives it a
// meaning. Keys that are not known are ignored, as the specification says; wrong values are refused.

import { constants } from 'node:os';
import { NslabError } from '../../base/error.ts';

export type SeccompProfile = {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly syscalls: readonly SeccompRule[];
  readonly flags?: readonly SeccompFlag[];
  /** Which kinds of programs beside the machine's own may run, by the machine's kind: Docker's `archMap`. SCMP_ARCH_X86. */
  readonly archMap?: readonly {
    readonly architecture: string;
    readonly subArchitectures: readonly string[];
  }[];
  /** The same as runtime-spec has it: all kinds that may run. */
  readonly architectures?: readonly string[];
};

export type SeccompRule = {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
  readonly includes?: SeccompCondition;
  readonly excludes?: SeccompCondition;
};

/** `SCMP_CMP_MASKED_EQ`: the argument under the mask `value` is `valueTwo`. */
export type SeccompArgument = {
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo: bigint;
  readonly op: SeccompOperator;
};

export type SeccompCondition = {
  /** CAP_SYS_ADMIN. */
  readonly caps?: readonly string[];
  /** Go's names, `amd64`. */
  readonly arches?: readonly string[];
  /** `4.8`. */
  readonly minKernel?: string;
};

const actions = [
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
] as const;
export type SeccompAction = (typeof actions)[number];

const operators = [
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_LE',
  'SCMP_CMP_LT',
  'SCMP_CMP_MASKED_EQ',
  'SCMP_CMP_NE',
] as const;
export type SeccompOperator = (typeof operators)[number];

const flags = [
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_TSYNC',
] as const;
export type SeccompFlag = (typeof flags)[number];

/** Reads a profile's text; a mistake is told with the key's path. */
export function parseSeccompProfile(text: string): SeccompProfile {
  let json: unknown;
  try {
    json = JSON.parse(withWideNumbersAsText(text));
  } catch (error) {
    throw wrong('', `is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  const profile = asObject(json, '');
  return {
    defaultAction: asAction(profile['defaultAction'], 'defaultAction'),
    ...present('defaultErrnoRet', asErrno(profile, 'defaultErrno', '')),
    syscalls: asList(profile['syscalls'], 'syscalls', asRule),
    flags: asList(profile['flags'], 'flags', asFlag),
    ...asArchitectures(profile),
  };
}

/** Docker takes one of the two. */
function asArchitectures(profile: Json): Pick<SeccompProfile, 'archMap' | 'architectures'> {
  const architectures = asList(profile['architectures'], 'architectures', asText);
  const archMap = asList(profile['archMap'], 'archMap', (value, path) => {
    const entry = asObject(value, path);
    return {
      architecture: asText(entry['architecture'], `${path}.architecture`),
      subArchitectures: asList(entry['subArchitectures'], `${path}.subArchitectures`, asText),
    };
  });
  if (architectures.length > 0 && archMap.length > 0)
    throw wrong('', 'has both `architectures` and `archMap`');
  return architectures.length > 0 ? { architectures } : { archMap };
}

/** A JSON number above 2^53 loses its last bits, and masks are as long as that. Texts are kept as they are. */
function withWideNumbersAsText(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])\d{16,}(?![\d.eE])/g, (part) =>
    part.startsWith('"') ? part : `"${part}"`,
  );
}

function wrong(path: string, what: string): NslabError {
  const where = path === '' ? 'the seccomp profile' : `the seccomp profile's ${path}`;
  return new NslabError('CONTAINER_SECCOMP_PROFILE', `${where} ${what}`);
}

type Json = Readonly<Record<string, unknown>>;

function asObject(value: unknown, path: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'is no mapping');
  return value as Json;
}

/** An absent list is an empty one, as it is in Go. */
function asList<T>(value: unknown, path: string, each: (item: unknown, path: string) => T): T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(path, 'is no list');
  return value.map((item, index) => each(item, `${path}[${index}]`));
}

function asText(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'is no text');
  return value;
}

function asOneOf<T extends string>(value: unknown, path: string, words: readonly T[]): T {
  const found = words.find((word) => word === value);
  if (found === undefined) throw wrong(path, `is ${shown(value)}; it can be ${words.join(', ')}`);
  return found;
}

function asAction(value: unknown, path: string): SeccompAction {
  if (value === 'SCMP_ACT_NOTIFY') {
    throw wrong(path, 'is SCMP_ACT_NOTIFY, which asks another process: nslab has none that could answer');
  }
  return asOneOf(value, path, actions);
}

function asFlag(value: unknown, path: string): SeccompFlag {
  return asOneOf(value, path, flags);
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}

function present<K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: T };
}

/** A number (`errnoRet`) or its name (`errno: ENOSYS`), which podman writes beside it; the number counts. */
function asErrno(from: Json, key: string, path: string): number | undefined {
  const number = from[`${key}Ret`];
  if (number !== undefined && number !== null) {
    // The kernel makes every larger one MAX_ERRNO (linux/err.h): what the file asks for would not be what is answered.
    const most = 4095;
    if (!Number.isInteger(number) || Number(number) < 0 || Number(number) > most) {
      throw wrong(`${path}${key}Ret`, `is ${shown(number)}; it can be 0 to ${most}`);
    }
    return Number(number);
  }
  const name = from[key];
  if (name === undefined || name === null || name === '') return undefined;
  const errno: Readonly<Record<string, number>> = constants.errno;
  const found = typeof name === 'string' ? errno[name] : undefined;
  if (found === undefined) throw wrong(`${path}${key}`, `is ${shown(name)}, which is no errno(3)`);
  return found;
}

function asRule(value: unknown, path: string): SeccompRule {
  const rule = asObject(value, path);
  const names = asList(rule['names'], `${path}.names`, asText);
  // `name` is the word of profiles before 2016, and still read.
  if (typeof rule['name'] === 'string' && rule['name'] !== '') names.push(rule['name']);
  if (names.length === 0) throw wrong(`${path}.names`, 'is missing');
  const action = asAction(rule['action'], `${path}.action`);
  const errnoRet = asErrno(rule, 'errno', `${path}.`);
  if (errnoRet !== undefined && action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE') {
    throw wrong(`${path}.errnoRet`, `does not go with ${action}`);
  }
  return {
    names,
    action,
    ...present('errnoRet', errnoRet),
    args: asList(rule['args'], `${path}.args`, asArgument),
    includes: asCondition(rule['includes'], `${path}.includes`),
    excludes: asCondition(rule['excludes'], `${path}.excludes`),
  };
}

function asArgument(value: unknown, path: string): SeccompArgument {
  const argument = asObject(value, path);
  const index = argument['index'];
  if (!Number.isInteger(index) || Number(index) < 0 || Number(index) > 5) {
    throw wrong(`${path}.index`, `is ${shown(index)}; a call has the arguments 0 to 5`);
  }
  return {
    index: Number(index),
    value: asWide(argument['value'], `${path}.value`),
    valueTwo: asWide(argument['valueTwo'] ?? 0, `${path}.valueTwo`),
    op: asOneOf(argument['op'], `${path}.op`, operators),
  };
}

function asWide(value: unknown, path: string): bigint {
  const isNumber = typeof value === 'number' && Number.isSafeInteger(value);
  if (isNumber || (typeof value === 'string' && /^\d{1,20}$/.test(value))) {
    const wide = BigInt(value);
    if (wide >= 0n && wide < 1n << 64n) return wide;
  }
  throw wrong(path, `is ${shown(value)}; it can be 0 to 2^64-1`);
}

function asCondition(value: unknown, path: string): SeccompCondition {
  if (value === undefined || value === null) return {};
  const condition = asObject(value, path);
  const minKernel = condition['minKernel'];
  if (minKernel !== undefined && !/^\d+\.\d+$/.test(asText(minKernel, `${path}.minKernel`))) {
    throw wrong(`${path}.minKernel`, `is ${shown(minKernel)}; it is written as 4.8`);
  }
  return {
    caps: asList(condition['caps'], `${path}.caps`, asText),
    arches: asList(condition['arches'], `${path}.arches`, asText),
    ...present('minKernel', minKernel as string | undefined),
  };
}
