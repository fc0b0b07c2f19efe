// Compiled filters answer as their profiles say, for every number and for arguments at the edges of every condition; and what the
// default profile lets through is spelled out call by call for those that matter.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NslabError } from '../../../src/base/error.ts';
import { FilterWriter } from '../../../src/container/seccomp/bpf.ts';
import { compileSeccomp, seccompFlags } from '../../../src/container/seccomp/compile.ts';
import { defaultProfile } from '../../../src/container/seccomp/default-profile.ts';
import {
  parseSeccompProfile,
  type SeccompAction,
  type SeccompOperator,
  type SeccompProfile,
  type SeccompRule,
} from '../../../src/container/seccomp/profile.ts';
import {
  type Abi,
  type Architecture,
  syscallNumbers,
} from '../../../src/container/seccomp/syscall-numbers.ts';
import { runFilter } from '../../support/bpf-simulator.ts';
import { answerOf, type Machine } from '../../support/seccomp-answer.ts';

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const errno = (number: number): number => 0x0005_0000 | number;
const EPERM = errno(1);
const ENOSYS = errno(38);

const audit = {
  x64: 0xc000_003e,
  arm64: 0xc000_00b7,
  x86: 0x4000_0003,
  arm: 0x4000_0028,
  x32: 0xc000_003e,
} as const;
/** What the default profile lets run besides. */
const others = { x64: ['x86', 'x32'], arm64: ['arm'] } as const;
const docker = { x64: 'amd64', arm64: 'arm64' } as const;
const both: readonly Architecture[] = ['x64', 'arm64'];
const dockerCaps =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

type Setting = { readonly arch: Architecture; readonly caps: readonly string[]; readonly kernel?: string };

function filterOf(profile: SeccompProfile, { arch, caps, kernel = '6.1.0-18-amd64' }: Setting): Uint8Array {
  return compileSeccomp(profile, arch, caps, kernel);
}

/** The number at which each of the numbers that no table has stands for many. */
const unnamed = [470, 511, 512, 600, 4096, 0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/** Values on both sides of every value that a condition names. */
function edges(profile: SeccompProfile): bigint[] {
  const named = profile.syscalls.flatMap(({ args = [] }) => args.flatMap((a) => [a.value, a.valueTwo]));
  const around = named.flatMap((v) => [v - 1n, v, v + 1n, v + (1n << 32n), v ^ (1n << 63n), v << 32n]);
  const all = [0n, 1n, 0xffff_ffffn, 1n << 32n, (1n << 64n) - 1n, ...around];
  return [...new Set(all.map((v) => BigInt.asUintN(64, v)))];
}

/** `abi` is what kind of program asks: the machine's own, or one that the profile names. */
function assertAnswersAsTheProfileSays(
  profile: SeccompProfile,
  setting: Setting,
  abi: Abi = setting.arch,
): void {
  const { arch, caps, kernel = '6.1' } = setting;
  const program = filterOf(profile, setting);
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const machine: Machine = { dockerArch: docker[arch], caps, kernel: [major, minor] };
  const names = new Map([...syscallNumbers(abi)].map(([name, number]) => [number, name]));
  const hasX32 = profile.archMap?.some(({ subArchitectures }) => subArchitectures.includes('SCMP_ARCH_X32'));
  const bit = abi === 'x32' ? 0x4000_0000 : 0;
  const samples = edges(profile);
  const conditional = new Set(
    profile.syscalls.filter((rule) => rule.args?.length).flatMap((rule) => rule.names),
  );
  for (const nr of [...Array(600).keys(), ...(bit === 0 ? unnamed : []), 0xf0002, 0xf0005]) {
    const name = names.get(nr) ?? '';
    const tries = conditional.has(name) ? samples.flatMap((v) => [[v], [0n, v], [v, v, v, v, v, v]]) : [[]];
    for (const args of tries) {
      const isX32 = abi === 'x64' && hasX32 !== true && nr >= 0x4000_0000 && nr !== 0xffff_ffff;
      const expected = isX32 ? ENOSYS : answerOf(profile, { name, args }, machine);
      const { value } = runFilter(program, { nr: nr + bit, arch: audit[abi], args });
      assert.equal(value, expected, `${name || nr}(${args.join(', ')}) of ${abi}`);
    }
  }
}

function rule(names: string, action: SeccompAction, more: Partial<SeccompRule> = {}): SeccompRule {
  return { names: names.split(' '), action, ...more };
}

const capabilitySets = [[], dockerCaps, [...dockerCaps, 'CAP_SYS_ADMIN'], ['CAP_SYS_PTRACE', 'CAP_BPF']];

test('the default profile answers every number as it says, on both kinds of processor and for any capabilities', () => {
  for (const arch of both) {
    for (const caps of capabilitySets) assertAnswersAsTheProfileSays(defaultProfile, { arch, caps });
    assertAnswersAsTheProfileSays(defaultProfile, { arch, caps: [], kernel: '4.4.0' });
    for (const abi of others[arch])
      assertAnswersAsTheProfileSays(defaultProfile, { arch, caps: dockerCaps }, abi);
  }
});

/** What the default profile answers in a container as it is by default. */
function byDefault(name: string, args: readonly bigint[] = [], caps: readonly string[] = dockerCaps): number {
  const nr = syscallNumbers('x64').get(name);
  assert.ok(nr !== undefined, name);
  return runFilter(filterOf(defaultProfile, { arch: 'x64', caps }), { nr, arch: audit.x64, args }).value;
}

test('the default profile refuses what a container could attack the kernel with', () => {
  const refused =
    'unshare mount umount2 pivot_root setns fsopen fsmount move_mount open_tree mount_setattr keyctl add_key request_key ' +
    'bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd kexec_load kexec_file_load ' +
    'init_module finit_module delete_module open_by_handle_at swapon swapoff reboot settimeofday clock_settime quotactl ' +
    'nfsservctl acct iopl ioperm move_pages mbind set_mempolicy process_madvise pidfd_getfd kcmp syslog sethostname';
  for (const name of refused.split(' ')) assert.equal(byDefault(name), EPERM, name);
});

test('the default profile answers clone3 as an old kernel does, and clone unless it makes namespaces', () => {
  assert.equal(byDefault('clone3'), ENOSYS);
  assert.equal(byDefault('clone', [0x11n]), ALLOW);
  assert.equal(byDefault('clone', [0x3d_0f00n]), ALLOW, 'a thread');
  for (const bit of [
    0x2_0000n,
    0x200_0000n,
    0x400_0000n,
    0x800_0000n,
    0x1000_0000n,
    0x2000_0000n,
    0x4000_0000n,
  ]) {
    assert.equal(byDefault('clone', [bit | 0x11n]), EPERM, `0x${bit.toString(16)}`);
  }
  assert.equal(byDefault('clone', [0x1000_0011n], ['CAP_SYS_ADMIN']), ALLOW);
  assert.equal(byDefault('clone3', [], ['SYS_ADMIN']), ALLOW);
});

test('the default profile lets the usual socket families through and not AF_ALG and AF_VSOCK', () => {
  for (const family of [1n, 2n, 10n, 16n, 17n]) assert.equal(byDefault('socket', [family]), ALLOW);
  for (const family of [12n, 34n, 38n, 40n, 46n, 1n << 32n])
    assert.equal(byDefault('socket', [family]), EPERM);
});

test('a capability opens the calls that it is for', () => {
  const opened = {
    SYS_ADMIN: 'mount',
    SYS_PTRACE: 'kcmp',
    SYS_TIME: 'settimeofday',
    BPF: 'bpf',
    SYSLOG: 'syslog',
  };
  for (const [cap, name] of Object.entries(opened)) {
    assert.equal(byDefault(name, [], []), EPERM, name);
    assert.equal(byDefault(name, [], [cap]), ALLOW, name);
  }
});

test('a program of a kind that the profile does not name is killed, and the x32 numbers are as on a kernel without them', () => {
  const allowAll: SeccompProfile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] };
  const { archMap: _, ...ownOnly } = defaultProfile;
  for (const profile of [ownOnly, allowAll]) {
    for (const arch of both) {
      const program = filterOf(profile, { arch, caps: dockerCaps });
      // AUDIT_ARCH_I386, AUDIT_ARCH_ARM and the other one of the two.
      for (const foreign of [0x4000_0003, 0x4000_0028, arch === 'x64' ? audit.arm64 : audit.x64]) {
        for (const nr of [0, 1, 11, 59, 221]) {
          assert.equal(runFilter(program, { nr, arch: foreign, args: [] }).value, KILL_PROCESS);
        }
      }
    }
    const program = filterOf(profile, { arch: 'x64', caps: dockerCaps });
    for (const nr of [0x4000_0000, 0x4000_0001, 0x4000_0209, 0xffff_fffe]) {
      assert.equal(runFilter(program, { nr, arch: audit.x64, args: [] }).value, ENOSYS);
    }
  }
});

test('of the default profile 32-bit programs get what the others get, and what they are refused is the same', () => {
  const program = filterOf(defaultProfile, { arch: 'x64', caps: dockerCaps });
  const ask = (name: string, ...args: bigint[]) => {
    const nr = syscallNumbers('x86').get(name) ?? assert.fail(name);
    return runFilter(program, { nr, arch: audit.x86, args }).value;
  };
  for (const name of 'read mmap2 fstat64 _llseek waitpid socketcall ipc set_thread_area futex_time64 clock_gettime64'.split(
    ' ',
  ))
    assert.equal(ask(name), ALLOW, name);
  for (const name of 'mount umount umount2 unshare setns vm86 modify_ldt init_module stime swapon ptrace'.split(
    ' ',
  ))
    assert.equal(ask(name), name === 'modify_ldt' || name === 'ptrace' ? ALLOW : EPERM, name);
  assert.equal(ask('clone3'), ENOSYS);
  assert.equal(ask('clone', 0x1000_0000n), EPERM);
  assert.equal(ask('socket', 2n), ALLOW);
  assert.equal(ask('socket', 38n), EPERM);
});

test('a rule for a call that i386 has a second way to is for that way too, unless the profile names the way', () => {
  const archMap = [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }];
  const inet = { index: 0, value: 2n, valueTwo: 0n, op: 'SCMP_CMP_EQ' } as const;
  const ask = (syscalls: readonly SeccompRule[], way: string, call: bigint) => {
    const profile: SeccompProfile = { defaultAction: 'SCMP_ACT_ERRNO', archMap, syscalls };
    const nr = syscallNumbers('x86').get(way) ?? assert.fail(way);
    const program = filterOf(profile, { arch: 'x64', caps: [] });
    return runFilter(program, { nr, arch: audit.x86, args: [call] }).value;
  };
  const some = [rule('bind semget', 'SCMP_ACT_ALLOW'), rule('socket', 'SCMP_ACT_ALLOW', { args: [inet] })];
  assert.equal(ask(some, 'socketcall', 2n), ALLOW);
  assert.equal(ask(some, 'socketcall', 3n), EPERM);
  assert.equal(ask(some, 'socketcall', 1n), EPERM, 'its family cannot be seen there');
  assert.equal(ask(some, 'ipc', 2n), ALLOW);
  assert.equal(ask(some, 'ipc', 1n), EPERM);
  assert.equal(ask([rule('socketcall', 'SCMP_ACT_ALLOW'), ...some], 'socketcall', 1n), ALLOW);
  const refused = [rule('ipc', 'SCMP_ACT_ALLOW'), rule('listen', 'SCMP_ACT_ERRNO', { errnoRet: 13 })];
  assert.equal(ask(refused, 'socketcall', 4n), errno(13));
});

test('kinds of programs are read from `archMap` or `architectures`, and not from both', () => {
  const read = (text: string) => parseSeccompProfile(`{"defaultAction":"SCMP_ACT_ALLOW",${text}}`);
  const kill = (profile: SeccompProfile) =>
    runFilter(filterOf(profile, { arch: 'x64', caps: [] }), { nr: 1, arch: audit.x86, args: [] }).value;
  const map = '"archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}]';
  assert.equal(kill(read(map)), ALLOW);
  assert.equal(kill(read('"architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86"]')), ALLOW);
  assert.equal(
    kill(read('"archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":null}]')),
    KILL_PROCESS,
  );
  assert.equal(
    kill(read('"archMap":[{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_X86"]}]')),
    KILL_PROCESS,
  );
  assert.throws(() => read(`${map},"architectures":["SCMP_ARCH_X86"]`), /both `architectures` and `archMap`/);
});

test('a filter stays short, and a call that is allowed takes few instructions', () => {
  for (const arch of both) {
    const program = filterOf(defaultProfile, { arch, caps: dockerCaps });
    assert.ok(program.length / 8 < 600, `${program.length / 8} instructions`);
    for (const name of ['read', 'write', 'openat', 'futex', 'mmap', 'close', 'execve']) {
      const nr = syscallNumbers(arch).get(name) ?? -1;
      const { value, steps } = runFilter(program, { nr, arch: audit[arch], args: [] });
      assert.equal(value, ALLOW);
      assert.ok(steps <= 16, `${name}: ${steps} steps`);
    }
  }
});

test('names that no kernel of ours has are passed over', () => {
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [rule('no_such_call s390_pci_mmio_read chown32 read', 'SCMP_ACT_ALLOW')],
  };
  for (const arch of both) assertAnswersAsTheProfileSays(profile, { arch, caps: [] });
});

test('rules with conditions decide before rules without, whatever their order in the file', () => {
  const tty = { index: 1, value: 0x5412n, valueTwo: 0n, op: 'SCMP_CMP_EQ' } as const;
  const refuse = rule('ioctl', 'SCMP_ACT_ERRNO', { errnoRet: 25, args: [tty] });
  const allow = rule('ioctl', 'SCMP_ACT_ALLOW');
  for (const syscalls of [
    [refuse, allow],
    [allow, refuse],
  ]) {
    const profile: SeccompProfile = { defaultAction: 'SCMP_ACT_KILL_PROCESS', syscalls };
    const program = filterOf(profile, { arch: 'x64', caps: [] });
    const ask = (request: bigint) =>
      runFilter(program, { nr: 16, arch: audit.x64, args: [3n, request] }).value;
    assert.equal(ask(0x5412n), errno(25));
    assert.equal(ask(0x5413n), ALLOW);
    assertAnswersAsTheProfileSays(profile, { arch: 'x64', caps: [] });
  }
});

const wide = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.constantFrom(0n, 1n, 0xffff_ffffn, 1n << 32n),
);
const operators: readonly SeccompOperator[] = [
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_LE',
  'SCMP_CMP_LT',
  'SCMP_CMP_MASKED_EQ',
  'SCMP_CMP_NE',
];
const anyAction = fc.constantFrom<SeccompAction>(
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_KILL_THREAD',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_TRAP',
);
const someCap = fc.subarray(['CAP_SYS_ADMIN', 'CAP_KILL']);
const condition = fc.record(
  {
    caps: someCap,
    arches: fc.subarray(['amd64', 'arm64', 's390x']),
    minKernel: fc.constantFrom('4.8', '5.10', '6.2'),
  },
  { requiredKeys: [] },
);
const anyRule: fc.Arbitrary<SeccompRule> = fc.record(
  {
    names: fc.subarray(['read', 'write', 'open', 'openat', 'clone', 'ioctl', 'mseal', 'nothing', 'fork'], {
      minLength: 1,
    }),
    action: anyAction,
    errnoRet: fc.integer({ min: 0, max: 4095 }),
    args: fc.array(
      fc.record({
        index: fc.integer({ min: 0, max: 5 }),
        value: wide,
        valueTwo: wide,
        op: fc.constantFrom(...operators),
      }),
      { maxLength: 3 },
    ),
    includes: condition,
    excludes: condition,
  },
  { requiredKeys: ['names', 'action'] },
);

test('any profile answers as it says', () => {
  const profiles = fc.record({ defaultAction: anyAction, syscalls: fc.array(anyRule, { maxLength: 8 }) });
  fc.assert(
    fc.property(profiles, fc.constantFrom(...both), someCap, (profile, arch, caps) => {
      assertAnswersAsTheProfileSays(profile, { arch, caps });
    }),
    { numRuns: 40 },
  );
});

test('jumps reach over more instructions than a byte can count', () => {
  const families = Array.from({ length: 400 }, (_, value) =>
    rule('socket', 'SCMP_ACT_ERRNO', {
      errnoRet: value,
      args: [{ index: 0, value: BigInt(value) << 20n, valueTwo: 0n, op: 'SCMP_CMP_EQ' }],
    }),
  );
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_TRAP',
    syscalls: [rule('read ioctl bind mseal', 'SCMP_ACT_ALLOW'), ...families],
  };
  const program = filterOf(profile, { arch: 'x64', caps: [] });
  assert.ok(program.length / 8 > 1000);
  assertAnswersAsTheProfileSays(profile, { arch: 'x64', caps: [] });
});

test('a profile too large for the kernel is refused', () => {
  const rules = Array.from({ length: 2000 }, (_, value) =>
    rule('socket', 'SCMP_ACT_ERRNO', {
      errnoRet: value,
      args: [{ index: 0, value: BigInt(value), valueTwo: 0n, op: 'SCMP_CMP_EQ' }],
    }),
  );
  const profile: SeccompProfile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules };
  assert.throws(() => filterOf(profile, { arch: 'x64', caps: [] }), /instructions, the kernel takes 4096/);
});

test('the assembler leads from any place to any later one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 700 }), (first, second) => {
      const writer = new FilterWriter();
      const far = writer.ret(1);
      let label = far;
      for (let i = 0; i < first; i++) label = writer.load(0, label);
      const middle = writer.ret(2);
      for (let i = 0, at = middle; i < second; i++) at = writer.load(4, at);
      const program = writer.finish(writer.load(0, writer.jump('JGT', 7, { yes: far, no: middle })));
      assert.equal(runFilter(program, { nr: 8, arch: 0, args: [] }).value, 1);
      assert.equal(runFilter(program, { nr: 7, arch: 0, args: [] }).value, 2);
    }),
  );
});

test('a profile is read from the text of a file in the format of Docker', () => {
  const profile = parseSeccompProfile(`{
    "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
    "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"] }],
    "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
    "syscalls": [
      { "names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "comment": "12345678901234567890", "includes": {} },
      { "name": "write", "action": "SCMP_ACT_ERRNO", "errno": "ENOSPC" },
      { "names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
        "args": [{ "index": 1, "value": 18446744073709551615, "valueTwo": 9007199254740993, "op": "SCMP_CMP_MASKED_EQ" }] }
    ]
  }`);
  assert.equal(profile.defaultErrnoRet, 38);
  assert.equal(seccompFlags(profile), 6);
  assert.equal(seccompFlags(defaultProfile), 0);
  assert.deepEqual(profile.syscalls[2]?.args, [
    { index: 1, value: (1n << 64n) - 1n, valueTwo: 9007199254740993n, op: 'SCMP_CMP_MASKED_EQ' },
  ]);
  const program = filterOf(profile, { arch: 'x64', caps: [] });
  assert.equal(runFilter(program, { nr: 0, arch: audit.x64, args: [] }).value, ALLOW);
  assert.equal(runFilter(program, { nr: 1, arch: audit.x64, args: [] }).value, errno(28));
  assert.equal(runFilter(program, { nr: 2, arch: audit.x64, args: [] }).value, ENOSYS);
});

test('a mistake in a profile is told with the place of the key', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{', /the seccomp profile is no JSON/],
    ['[]', /the seccomp profile is no mapping/],
    ['{}', /defaultAction is missing; it can be SCMP_ACT_ALLOW, /],
    ['{"defaultAction":"SCMP_ACT_ALOW"}', /defaultAction is "SCMP_ACT_ALOW"/],
    [
      rules('{"names":["read"],"action":"SCMP_ACT_NOTIFY"}'),
      /syscalls\[0\]\.action is SCMP_ACT_NOTIFY, which asks/,
    ],
    [rules('{"action":"SCMP_ACT_ALLOW"}'), /syscalls\[0\]\.names is missing/],
    [rules('{"names":"read","action":"SCMP_ACT_ALLOW"}'), /syscalls\[0\]\.names is no list/],
    [
      rules('{"names":["read"],"action":"SCMP_ACT_ALLOW","errnoRet":1}'),
      /errnoRet does not go with SCMP_ACT_ALLOW/,
    ],
    [
      rules('{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":4096}'),
      /errnoRet is 4096; it can be 0 to 4095/,
    ],
    [
      rules('{"names":["read"],"action":"SCMP_ACT_ERRNO","errno":"EBLAH"}'),
      /errno is "EBLAH", which is no errno/,
    ],
    [argument('{"index":6,"value":1,"op":"SCMP_CMP_EQ"}'), /syscalls\[0\]\.args\[0\]\.index is 6/],
    [argument('{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}'), /args\[0\]\.value is -1; it can be 0 to 2\^64-1/],
    [
      argument('{"index":0,"value":18446744073709551616,"op":"SCMP_CMP_EQ"}'),
      /value is "18446744073709551616"/,
    ],
    [argument('{"index":0,"value":1,"op":"EQ"}'), /args\[0\]\.op is "EQ"/],
    [
      rules('{"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"new"}}'),
      /minKernel is "new"/,
    ],
    [
      '{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_NEW"]}',
      /flags\[0\] is "SECCOMP_FILTER_FLAG_NEW"/,
    ],
  ];
  for (const [text, expected] of cases) {
    assert.throws(
      () => parseSeccompProfile(text),
      (error: unknown) => {
        assert.ok(error instanceof NslabError, text);
        assert.equal(error.code, 'CONTAINER_SECCOMP_PROFILE');
        assert.match(error.message, expected, text);
        return true;
      },
    );
  }
});

test('no text makes the reader of profiles fail otherwise than with its own error', () => {
  const parse = (text: string): void => {
    try {
      parseSeccompProfile(text);
    } catch (error) {
      if (!(error instanceof NslabError)) throw error;
    }
  };
  fc.assert(fc.property(fc.string(), parse));
  fc.assert(fc.property(fc.json(), parse));
  const nearly = fc.record({
    defaultAction: anyAction,
    syscalls: fc.array(fc.jsonValue()),
    flags: fc.jsonValue(),
  });
  fc.assert(fc.property(nearly, (value) => parse(JSON.stringify(value))));
});

function rules(one: string): string {
  return `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[${one}]}`;
}

function argument(one: string): string {
  return rules(`{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[${one}]}`);
}
