// Reading a container's log: bytes, the last lines, times, and rotation under the reader.

import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { type LogLine, parseLogLine, parseTime, readLog } from '../../../src/lab/logs.ts';

function line(i: number, text: string, flag = 'F', stream = 'stdout'): string {
  return `2026-01-02T03:04:${String(i).padStart(2, '0')}.000000000Z ${stream} ${flag} ${text}\n`;
}

type Ask = { tail?: number; since?: string };

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-log-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function textsOf(folder: string, ask: Ask = {}): Promise<string[]> {
  const all: LogLine[] = [];
  for await (const lines of readLog({ folder, ...ask, goOn: () => false })) all.push(...lines);
  return all.map(({ text }) => text.toString('latin1'));
}

test('a line is its time, its stream, whether it has ended, and bytes', () => {
  const parsed = parseLogLine(Buffer.concat([Buffer.from('T stderr P a  b'), Buffer.from([0, 255, 27])]));
  assert.equal(parsed?.time, 'T');
  assert.equal(parsed?.stream, 'stderr');
  assert.equal(parsed?.partial, true);
  assert.deepEqual(parsed?.text, Buffer.concat([Buffer.from('a  b'), Buffer.from([0, 255, 27])]));
  assert.deepEqual(parseLogLine(Buffer.from('T stdout F '))?.text.length, 0);
  for (const text of ['', 'T', 'T stdin F x', 'T stdout X x', ' stdout F x']) {
    assert.equal(parseLogLine(Buffer.from(text)), undefined, text);
  }
});

test('rotated files are read from the oldest on', async () => {
  await withFolder(async (folder) => {
    assert.deepEqual(await textsOf(folder), []);
    writeFileSync(join(folder, 'log.2'), line(1, 'one'));
    writeFileSync(join(folder, 'log.1'), line(2, 'two') + line(3, 'three'));
    writeFileSync(join(folder, 'log'), line(4, 'four'));
    assert.deepEqual(await textsOf(folder), ['one', 'two', 'three', 'four']);
    assert.deepEqual(await textsOf(folder, { tail: 2 }), ['three', 'four']);
    assert.deepEqual(await textsOf(folder, { tail: 0 }), []);
    assert.deepEqual(await textsOf(folder, { tail: 99 }), ['one', 'two', 'three', 'four']);
    assert.deepEqual(await textsOf(folder, { since: '2026-01-02T03:04:03' }), ['three', 'four']);
    assert.deepEqual(await textsOf(folder, { since: '2026-01-02T03:04:03', tail: 1 }), ['four']);
  });
});

test('what was written as one line is one of the last lines, however many pieces it has', async () => {
  await withFolder(async (folder) => {
    const pieces =
      line(1, 'before') + line(2, 'a', 'P') + line(2, 'b', 'P') + line(2, 'c') + line(3, 'd', 'P');
    writeFileSync(join(folder, 'log'), pieces);
    assert.deepEqual(await textsOf(folder, { tail: 2 }), ['a', 'b', 'c', 'd']);
    assert.deepEqual(await textsOf(folder, { tail: 1 }), ['d']);
  });
});

test('a reader that follows sees every line once while the file is put aside and others come', async () => {
  await withFolder(async (folder) => {
    const log = join(folder, 'log');
    writeFileSync(log, line(0, 'n0'));
    let step = 0;
    const seen: string[] = [];
    // What happens between two looks.
    const events = [
      () => appendFileSync(log, line(1, 'n1')),
      () => {
        appendFileSync(log, line(2, 'n2'));
        renameSync(log, `${log}.1`);
        writeFileSync(log, line(3, 'n3').slice(0, 20));
      },
      () => appendFileSync(log, line(3, 'n3').slice(20)),
      () => {
        renameSync(`${log}.1`, `${log}.2`);
        renameSync(log, `${log}.1`);
        writeFileSync(log, line(4, 'n4'));
        renameSync(`${log}.1`, `${log}.2`);
        renameSync(log, `${log}.1`);
        writeFileSync(log, line(5, 'n5'));
      },
      () => {
        // Everything that the reader had open is deleted.
        unlinkSync(`${log}.1`);
        unlinkSync(`${log}.2`);
        renameSync(log, `${log}.1`);
        writeFileSync(log, line(6, 'n6'));
      },
    ];
    const goOn = (): boolean => {
      events[step++]?.();
      return step <= events.length;
    };
    for await (const lines of readLog({ folder, goOn }))
      seen.push(...lines.map(({ text }) => text.toString()));
    assert.deepEqual(seen, ['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6']);
  });
});

test('a time is a date, a number of seconds, or how long ago', () => {
  const now = Date.parse('2026-01-02T03:04:05.678Z');
  assert.equal(parseTime('1h30m', now), '2026-01-02T01:34:05.678000000Z');
  assert.equal(parseTime('500ms', now), '2026-01-02T03:04:05.178000000Z');
  assert.equal(parseTime('1767323045', now), '2026-01-02T03:04:05.000000000Z');
  assert.equal(parseTime('2026-01-02T03:04:05Z', now), '2026-01-02T03:04:05.000000000Z');
  for (const text of ['', 'soon', '5x', '10m!', '1e99'])
    assert.throws(() => parseTime(text, now), /is no time/);
});
