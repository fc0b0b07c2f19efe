// Arbitrary bytes as a container's program, with ASan and UBSan: the decoder refuses or accepts them, with one line and no
// report of a sanitizer. What it accepts of arbitrary ops is also run, on a root without any command, where it may fail but
// must leave the machine's mounts as they are.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { encodeProgram } from '../../src/container/program.ts';
import { type FieldKind, type OpName, type ProgramOp, programOps } from '../../src/container/program-ops.ts';
import { sanitizedNslab } from '../support/pinned-lab.ts';
import { CLONE, machineMounts, type TestContainer, testContainer } from '../support/program-writer.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const BATCH = 40;
const ENV = { PATH: '/no/such/folder', ASAN_OPTIONS: 'detect_leaks=0', UBSAN_OPTIONS: 'print_stacktrace=1' };

function kernelTest(title: string, body: (t: TestContext) => void): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) body(t);
  });
}

function runOnce(...words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const program = join(sanitizedNslab(), '../../dist/nslab-helper');
  return spawnSync(program, ['_run-once', ...words], {
    encoding: 'utf8',
    env: ENV,
    cwd: '/',
    timeout: 60_000,
  });
}

/** What the decoder says of each of them. */
function check(container: TestContainer, programs: readonly Uint8Array[]): string[] {
  const files = programs.map((bytes, index) => {
    const path = join(container.folder, `program${index}`);
    writeFileSync(path, bytes);
    return path;
  });
  const { status, stdout, stderr } = runOnce('--check', ...files);
  assert.equal(stderr, '');
  assert.ok(status === 0 || status === 4, `${status}`);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, programs.length);
  for (const line of lines) assert.match(line, /^(ok \d+|error [ -~]+)$/);
  return lines;
}

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', '')),
  fc.constantFrom(
    '/',
    '/proc',
    '/dev/null',
    '..',
    'tmpfs',
    'proc',
    'PATH=/bin',
    '/a/../b',
    '/a/b',
    'x'.repeat(300),
  ),
);
const values: Record<FieldKind, fc.Arbitrary<unknown>> = {
  u32: fc.oneof(fc.nat(), fc.constantFrom(0, 1, 0xffff_ffff, 0o020000)),
  i32: fc.integer(),
  u64: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  text: word,
  list: fc.array(word, { maxLength: 5 }),
  bytes: fc.uint8Array({ maxLength: 64 }),
  u32list: fc.array(fc.nat(), { maxLength: 5 }),
};

function opOf(name: OpName): fc.Arbitrary<ProgramOp> {
  const fields = Object.entries(programOps[name].fields as Record<string, FieldKind>);
  const record = Object.fromEntries(fields.map(([field, kind]) => [field, values[kind]]));
  return fc.record(record).map((some) => ({ op: name, ...some }) as unknown as ProgramOp);
}

const names = Object.keys(programOps) as OpName[];
const anyOp = fc.constantFrom(...names).chain(opOf);

kernelTest('no bytes make the decoder do anything but accept or refuse', () => {
  using container = testContainer();
  const free = fc.uint8Array({ maxLength: 200 });
  const headed = free.map((bytes) => Buffer.concat([Buffer.from('NSLP\x01\0\0\0', 'latin1'), bytes]));
  fc.assert(
    fc.property(fc.array(fc.oneof(free, headed), { minLength: BATCH, maxLength: BATCH }), (programs) => {
      check(container, programs);
    }),
    { numRuns: 25 },
  );
});

kernelTest('a program with a byte changed, cut off or doubled is decoded within its bounds', () => {
  using container = testContainer();
  const broken = fc
    .tuple(
      fc.array(anyOp, { minLength: 1, maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      fc.nat(),
      fc.nat(3),
    )
    .map(([ops, changes, cut, how]) => {
      const bytes = Buffer.from(encodeProgram(ops));
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      if (how === 0) return bytes.subarray(0, cut % bytes.length);
      return how === 1 ? Buffer.concat([bytes, bytes]) : bytes;
    });
  fc.assert(
    fc.property(fc.array(broken, { minLength: BATCH, maxLength: BATCH }), (programs) => {
      check(container, programs);
    }),
    { numRuns: 40 },
  );
});

kernelTest('lengths and counts that are lies are refused', () => {
  using container = testContainer();
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const program = (count: number, code: number, length: number, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.from('NSLP\x01\0\0\0', 'latin1'), u32(count), u32(code), u32(length), payload]);
  const huge = [0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 0x4000_0001];
  const lies = huge.flatMap((value) => [
    program(value, 50, 4, u32(0)),
    program(1, 50, value, u32(0)),
    program(1, 50, 4, u32(value)),
    program(1, 50, 8, Buffer.concat([u32(1), u32(value)])),
    program(1, 53, 12, Buffer.concat([u32(0), u32(0), u32(value)])),
    program(1, 59, 8, Buffer.concat([u32(0), u32(value)])),
  ]);
  const others = [
    encodeProgram([
      { op: 'CWD', path: '/' },
      { op: 'CWD', path: '/' },
    ]),
    encodeProgram([{ op: 'CWD', path: '/', flags: 1 }]),
    program(1, 99, 0, Buffer.alloc(0)),
    program(1, 52, 6, Buffer.concat([u32(2), Buffer.from('a\0')])),
    program(1, 58, 1, Buffer.alloc(1)),
    Buffer.alloc((1 << 20) + 1),
  ];
  for (const line of check(container, [...lies, ...others])) assert.match(line, /^error /);
});

kernelTest('every op goes from TypeScript to C', () => {
  using container = testContainer();
  const sample = fc.sample(fc.tuple(...names.map(opOf)), 5);
  for (const line of check(container, sample.map(encodeProgram))) assert.equal(line, `ok ${names.length}`);
});

// Ops whose paths are the machine's are left out: a cgroup or a source is what root says it is.
const contained = names.filter(
  (name) => !['CGROUP', 'DEVICES', 'JOIN', 'ROOT_BIND', 'ROOT_OVERLAY', 'BIND', 'NAMESPACES'].includes(name),
);

kernelTest('arbitrary ops on an empty root fail or not, and leave the machine’s mounts as they are', () => {
  using container = testContainer();
  const before = machineMounts();
  const work = join(container.folder, 'work');
  const fixed: ProgramOp[] = [
    { op: 'NAMESPACES', types: CLONE.mnt | CLONE.uts | CLONE.ipc | CLONE.pid | CLONE.net },
    { op: 'ROOT_OVERLAY', lowers: [container.layer], upper: container.upper, work },
  ];
  const once = new Set<string>();
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...contained).chain(opOf), { maxLength: 12 }), (ops) => {
      once.clear();
      const repeats = new Set([
        'MOUNT',
        'DEVICE',
        'SYMLINK',
        'MASK',
        'READ_ONLY',
        'MKDIR',
        'SYSCTL',
        'RLIMIT',
      ]);
      const kept = ops.filter(({ op }) => repeats.has(op) || (!once.has(op) && once.add(op)));
      const { status, stdout, stderr } = runOnce(container.write('program', [...fixed, ...kept]));
      assert.doesNotMatch(stderr, /Sanitizer|runtime error/);
      // There is no command on the root, so it ends before or while looking for it.
      assert.equal(status, 4, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /^error\[HOST_REFUSED\] [^\n]+\n$/);
      assert.deepEqual(machineMounts(), before);
    }),
    { numRuns: 40, includeErrorInReport: true },
  );
});
