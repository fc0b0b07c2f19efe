// The way of a container's output, both ends at once: arbitrary bytes in arbitrary pieces through the monitor's log writer, built
// with ASan and UBSan, into files that are rotated meanwhile, and out again by the reader of `nslab logs`. What comes out is what
// went in, or, where files were thrown away, the end of it. And the reader alone on files that are no log.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { type LogLine, parseLogLine, readLog } from '../../src/lab/logs.ts';
import { rounds } from '../support/emulated.ts';
import { buildSanitized } from '../support/sanitized-program.ts';

const sources = ['log.c', 'common.c', 'container-state.c'];
let folder = '';
let program = '';
let runs = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'nslab-log-fuzz-'));
  program = buildSanitized(folder, 'log-writer', sources);
});
after(() => rmSync(folder, { recursive: true }));

type Piece = { readonly stream: 0 | 1 | 2; readonly bytes: Uint8Array };
type Case = { readonly pieces: readonly Piece[]; readonly bytes: number; readonly files: number };

/** Bytes with the ends of lines where they hurt, and lines around the longest that is logged in one piece. */
const text = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('\n', '\n\n', 'a\n', '\0\n', '\r\n', '\x1b[2J', ' F x\n', 'T stdout F x\n')
      .map((s) => Buffer.from(s)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 16_300, max: 16_400 }).map((n) => Buffer.alloc(n, 'x')) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 1500 }).map((n) => Buffer.alloc(n, 'ab\n')) },
);
const piece = fc.record({
  stream: fc.constantFrom(0 as const, 0 as const, 1 as const, 2 as const),
  bytes: text,
});
const some: fc.Arbitrary<Case> = fc.record({
  pieces: fc.array(piece, { maxLength: 25 }),
  bytes: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1000, max: 60_000 })),
  files: fc.integer({ min: 1, max: 5 }),
});

function record(kind: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(kind);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

function recordOf({ stream, bytes }: Piece): Buffer {
  return record(stream, stream === 2 ? Buffer.alloc(0) : bytes);
}

/** From there on the log is in that folder. */
function newLog(at: string, { bytes, files }: Omit<Case, 'pieces'>): Buffer {
  return record(3, Buffer.from(`${bytes} ${files} ${join(at, 'log')}`));
}

const environment = { ASAN_OPTIONS: 'detect_leaks=0' };

/** A writer for the tests that read while it writes. */
function startWriter(at: string, options: Omit<Case, 'pieces'>) {
  const child = spawn(program, [], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: environment,
  });
  child.stdin.write(newLog(at, options));
  return child;
}

function newFolder(): string {
  const at = join(folder, `run${runs++}`);
  mkdirSync(at);
  return at;
}

/** What a stream has, with the ends of its lines. */
function streamOf(lines: readonly LogLine[], stream: LogLine['stream']): Buffer {
  const parts = lines.filter((line) => line.stream === stream);
  return Buffer.concat(
    parts.flatMap(({ text: bytes, partial }) => (partial ? [bytes] : [bytes, Buffer.from('\n')])),
  );
}

function written(pieces: readonly Piece[], stream: 0 | 1): Buffer {
  return Buffer.concat(pieces.filter((one) => one.stream === stream).map(({ bytes }) => bytes));
}

function isEndOf(whole: Buffer, part: Buffer): boolean {
  return part.length <= whole.length && whole.subarray(whole.length - part.length).equals(part);
}

test('bytes come out of the log as they went in, and files stay within their size and number', async () => {
  await fc.assert(
    // Many at a time: a program with the sanitizers takes long to start.
    fc.asyncProperty(fc.array(some, { minLength: 15, maxLength: 15 }), async (cases) => {
      const all = cases.map((one) => ({ ...one, at: newFolder() }));
      const input = all.flatMap(({ at, pieces, ...options }) => [
        newLog(at, options),
        ...pieces.map(recordOf),
      ]);
      const { status, stderr } = spawnSync(program, {
        input: Buffer.concat(input),
        encoding: 'utf8',
        env: environment,
      });
      assert.deepEqual([status, stderr], [0, '']);
      for (const one of all) await assertKept(one);
    }),
    { numRuns: rounds(12, 3) },
  );
});

async function assertKept({ at, pieces, bytes, files }: Case & { readonly at: string }): Promise<void> {
  const names = readdirSync(at);
  assert.ok(bytes === 0 ? names.length === 1 : names.length <= files, names.join());
  // A single line may be longer than a file should be.
  const most = Math.max(bytes, 16_384 + 64);
  for (const name of names) if (bytes > 0) assert.ok(statSync(join(at, name)).size <= most);
  const lines: LogLine[] = [];
  for await (const more of readLog({ folder: at, goOn: () => false })) lines.push(...more);
  for (const stream of [0, 1] as const) {
    const [went, came] = [written(pieces, stream), streamOf(lines, stream === 0 ? 'stdout' : 'stderr')];
    const isRight = bytes === 0 ? went.equals(came) : isEndOf(went, came);
    assert.ok(isRight, `${went.length} bytes went in, ${came.length} came out`);
  }
  rmSync(at, { recursive: true });
}

test('a reader that follows misses nothing and reads nothing twice while files are rotated under it', async (t) => {
  let rotations = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2000, max: 8000 }),
      fc.integer({ min: 1, max: 64 }),
      async (bytes, chunk) => {
        const at = newFolder();
        // So many files that none is thrown away.
        const child = startWriter(at, { bytes, files: 200 });
        let ended = false;
        const exit = new Promise<number | null>((resolve) => {
          child.once('close', (status) => {
            ended = true;
            resolve(status);
          });
        });
        const lines = Array.from({ length: 2000 }, (_, i) => `line ${i} ${'.'.repeat(i % 50)}\n`);
        const feed = async (): Promise<void> => {
          for (let i = 0; i < lines.length; i += chunk * 8) {
            const some = Buffer.from(lines.slice(i, i + chunk * 8).join(''));
            if (!child.stdin.write(recordOf({ stream: 0, bytes: some })))
              await new Promise((resolve) => child.stdin.once('drain', resolve));
            await new Promise((resolve) => setImmediate(resolve));
          }
          child.stdin.end();
        };
        const seen: string[] = [];
        const read = async (): Promise<void> => {
          for await (const more of readLog({ folder: at, goOn: () => !ended }))
            seen.push(...more.map((line) => `${line.text}\n`));
        };
        const [status] = await Promise.all([exit, feed(), read()]);
        assert.equal(status, 0);
        assert.deepEqual(seen, lines);
        rotations += readdirSync(at).length - 1;
        rmSync(at, { recursive: true });
      },
    ),
    { numRuns: rounds(4, 2) },
  );
  t.diagnostic(`${rotations} rotations`);
  assert.ok(rotations > 20);
});

test('with few files a reader that is too slow goes on with what is left, whole lines and in their order', async () => {
  const at = newFolder();
  const child = startWriter(at, { bytes: 2000, files: 3 });
  let ended = false;
  child.once('close', () => {
    ended = true;
  });
  for (let i = 0; i < 30; i++) {
    const block = Array.from({ length: 400 }, (_, j) => `${i * 400 + j}\n`).join('');
    child.stdin.write(recordOf({ stream: 0, bytes: Buffer.from(block) }));
  }
  child.stdin.end();
  const seen: number[] = [];
  for await (const lines of readLog({ folder: at, goOn: () => !ended })) {
    for (const { text: bytes, partial } of lines) {
      assert.match(bytes.toString('latin1'), /^\d+$/);
      assert.equal(partial, false);
      seen.push(Number(bytes));
    }
  }
  assert.equal(seen.at(-1), 30 * 400 - 1);
  assert.ok(seen.every((number, index) => index === 0 || number > (seen[index - 1] ?? 0)));
});

test('a reader of files that are no log ends, keeps nothing and finds the lines among them', async () => {
  const good = `2026-01-02T03:04:05.000000000Z stdout F ok\n`;
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.constantFrom('\n', good, ' stdout F x\n', 'T stdout F\n', 'T  F x\n').map((s) => Buffer.from(s)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(noise, { maxLength: 6 }),
      fc.array(noise, { maxLength: 6 }),
      fc.option(fc.nat(5)),
      async (first, second, tail) => {
        const at = newFolder();
        writeFileSync(join(at, 'log.1'), Buffer.concat(first));
        writeFileSync(join(at, 'log'), Buffer.concat([...second, Buffer.from(`\n${good}`)]));
        const lines: LogLine[] = [];
        for await (const more of readLog({ folder: at, tail: tail ?? undefined, goOn: () => false }))
          lines.push(...more);
        if (tail !== 0) assert.equal(lines.at(-1)?.text.toString(), 'ok');
        for (const { stream } of lines) assert.match(stream, /^std(out|err)$/);
        rmSync(at, { recursive: true });
      },
    ),
    { numRuns: rounds(100, 20) },
  );
  const at = newFolder();
  writeFileSync(join(at, 'log'), Buffer.concat([Buffer.alloc(12 << 20, 'x'), Buffer.from(`\n${good}`)]));
  let count = 0;
  for await (const lines of readLog({ folder: at, goOn: () => false })) count += lines.length;
  assert.equal(count, 1);
});

test('a line is parsed or refused, whatever its bytes are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const line = parseLogLine(Buffer.from(bytes));
      if (line === undefined) return;
      assert.ok(line.time.length > 0 && line.text.length < bytes.length);
    }),
  );
});
