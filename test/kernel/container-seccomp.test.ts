// The kernel's own answers under compiled seccomp filters: it takes the programs, and says what the profile says.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { compileSeccomp } from '../../src/container/seccomp/compile.ts';
import { defaultProfile } from '../../src/container/seccomp/default-profile.ts';
import type { SeccompProfile } from '../../src/container/seccomp/profile.ts';
import { type Architecture, syscallNumbers } from '../../src/container/seccomp/syscall-numbers.ts';
import { testContainer } from '../support/program-writer.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const arch = process.arch as Architecture;
const { EINVAL, ENOSYS, EPERM } = constants.errno;
let folder = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'nslab-seccomp-'));
  execFileSync('cc', [
    '-O1',
    '-o',
    join(folder, 'probe'),
    join(import.meta.dirname, '../support/seccomp-probe.c'),
  ]);
});
after(() => rmSync(folder, { recursive: true }));

/** What the call answers under the profile: `ok`, the number of the error, or the signal that ended the program. */
function answer(
  profile: SeccompProfile,
  caps: readonly string[],
  nr: number,
  ...args: readonly bigint[]
): number | string {
  const filter = join(folder, 'filter');
  writeFileSync(filter, compileSeccomp(profile, arch, caps));
  const words = [filter, String(nr), ...args.map(String)];
  const { stdout, stderr, signal } = spawnSync(join(folder, 'probe'), words, { encoding: 'utf8' });
  if (signal !== null) return signal;
  const [, word, errno] = /^(ok|error) (\d+)\n$/.exec(stdout) ?? assert.fail(`${stdout}${stderr}`);
  return word === 'ok' ? 'ok' : Number(errno);
}

function number(name: string): number {
  return syscallNumbers(arch).get(name) ?? assert.fail(name);
}

/** True, and the test is skipped, where calls have no numbers of ours. */
function isForeign(t: TestContext): boolean {
  const known = arch === 'x64' || arch === 'arm64';
  if (!known) skipKernelLacks(t, 'x86_64 and arm64');
  return !known;
}

test('the default profile, in the kernel, refuses namespaces, mounts, keys, bpf and io_uring', (t) => {
  if (isForeign(t)) return;
  const refused =
    'unshare mount umount2 setns keyctl add_key bpf io_uring_setup userfaultfd perf_event_open fsopen';
  for (const name of refused.split(' ')) assert.equal(answer(defaultProfile, [], number(name)), EPERM, name);
  const CLONE_NEWUSER = 0x1000_0000n;
  assert.equal(answer(defaultProfile, [], number('unshare'), CLONE_NEWUSER), EPERM);
  assert.equal(answer(defaultProfile, [], number('clone'), CLONE_NEWUSER | 17n), EPERM);
  assert.equal(answer(defaultProfile, [], number('clone3')), ENOSYS);
});

test('the default profile, in the kernel, lets ordinary calls through, and others with their capability', (t) => {
  if (isForeign(t)) return;
  assert.equal(answer(defaultProfile, [], number('getpid')), 'ok');
  assert.equal(answer(defaultProfile, [], number('socket'), 1n, 1n), 'ok');
  assert.equal(answer(defaultProfile, [], number('socket'), 38n, 5n), EPERM);
  assert.equal(answer(defaultProfile, [], number('personality'), 0xffff_ffffn), 'ok');
  assert.equal(answer(defaultProfile, [], number('personality'), 0x40000n), EPERM);
  // Past the filter, the kernel itself objects to what is asked.
  assert.equal(answer(defaultProfile, ['CAP_SYS_ADMIN'], number('unshare'), 1n), EINVAL);
  assert.equal(answer(defaultProfile, ['CAP_SYS_ADMIN'], number('clone3')), EINVAL);
});

test('comparisons of the kernel are on all 64 bits of an argument', (t) => {
  if (isForeign(t)) return;
  const value = 0x1_0000_0002n;
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      {
        names: ['getppid'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 77,
        args: [{ index: 0, value, valueTwo: 0n, op: 'SCMP_CMP_GE' }],
      },
    ],
  };
  const ask = (argument: bigint) => answer(profile, [], number('getppid'), argument);
  assert.equal(ask(value - 1n), 'ok');
  assert.equal(ask(value), 77);
  assert.equal(ask(0x2_0000_0000n), 77);
  assert.equal(ask(0xffff_ffffn), 'ok');
});

test('an action that kills ends the program with SIGSYS', (t) => {
  if (isForeign(t)) return;
  const profile: SeccompProfile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['getppid'], action: 'SCMP_ACT_KILL_PROCESS' }],
  };
  assert.equal(answer(profile, [], number('getppid')), 'SIGSYS');
});

/** A whole i386 program: one system call, whose errno is its exit status, by hand since not every machine compiles for it. */
function i386Program(nr: number, ...[ebx = 0, ecx = 0, edx = 0]: readonly number[]): Buffer {
  const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
  const code = [
    ...[0xb8, ...u32(nr), 0xbb, ...u32(ebx), 0xb9, ...u32(ecx), 0xba, ...u32(edx), 0xcd, 0x80], // mov, int 0x80
    ...[0x89, 0xc3, 0xf7, 0xdb], // mov ebx, eax; neg ebx
    ...[0x85, 0xc0, 0x78, 0x02, 0x31, 0xdb], // 0 unless eax is negative
    ...[0xb8, ...u32(1), 0xcd, 0x80], // exit
  ];
  const [base, headers] = [0x0804_8000, 52 + 32];
  const file = Buffer.alloc(headers + code.length);
  // elf(5): Elf32_Ehdr of an i386 executable, and one Elf32_Phdr that loads all of it.
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  for (const [at, value] of [
    [16, 2],
    [18, 3],
    [40, 52],
    [42, 32],
    [44, 1],
  ] as const)
    file.writeUInt16LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [24, base + headers],
    [28, 52],
    [52, 1],
    [60, base],
    [64, base],
    [68, file.length],
    [72, file.length],
    [76, 5],
    [80, 4096],
  ] as const)
    file.writeUInt32LE(value, at);
  file.set(code, headers);
  return file;
}

test('a 32-bit program runs under the default profile, and is refused what the others are', (t) => {
  if (arch !== 'x64') return skipKernelLacks(t, 'i386 programs');
  if (skipUnlessRoot(t)) return undefined;
  using container = testContainer();
  const program = join(container.layer, 'program');
  const run = (profile: SeccompProfile, nr: number, ...args: number[]): number | null => {
    writeFileSync(program, i386Program(nr, ...args), { mode: 0o755 });
    const filter = compileSeccomp(profile, 'x64', []);
    return container.run(['/program'], [{ op: 'SECCOMP', filterFlags: 0, filter }]).status;
  };
  const of = (name: string) => syscallNumbers('x86').get(name) ?? assert.fail(name);
  writeFileSync(program, i386Program(of('getpid')), { mode: 0o755 });
  // ENOEXEC: CONFIG_IA32_EMULATION is off.
  if (container.run(['/program']).status === 126) return skipKernelLacks(t, 'i386 programs');
  assert.equal(run(defaultProfile, of('getpid')), 0);
  assert.equal(run(defaultProfile, of('socket'), 2, 2, 0), 0);
  assert.equal(run(defaultProfile, of('socket'), 38, 5, 0), EPERM);
  assert.equal(run(defaultProfile, of('unshare'), 0x1000_0000), EPERM);
  assert.equal(run(defaultProfile, of('mount')), EPERM);
  assert.equal(run(defaultProfile, of('clone3')), ENOSYS);
  const { archMap: _, ...ownOnly } = defaultProfile;
  // SIGSYS is 31.
  assert.equal(run(ownOnly, of('getpid')), 128 + 31);
  return undefined;
});

test('a call by its x32 number is refused', (t) => {
  if (arch !== 'x64') return skipKernelLacks(t, 'x32 numbers');
  assert.equal(answer({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] }, [], 0x4000_0000 + 39), ENOSYS);
});
