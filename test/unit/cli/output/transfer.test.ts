// What a pull and a push show while they go on.

import assert from 'node:assert/strict';
import test from 'node:test';
import { type Screen, transferDisplay } from '../../../../src/cli/output/transfer.ts';
import type { RegistryEvent } from '../../../../src/lab/registry.ts';
import { sha256 } from '../../../support/registry-server.ts';

function screen(more: Partial<Screen> = {}) {
  const written: string[] = [];
  return { write: (text: string) => written.push(text), text: () => written.join(''), ...more };
}

const one = { digest: sha256('one'), size: 4 << 20 };
const two = { digest: sha256('two'), size: 1000 };
const manifest: RegistryEvent = {
  type: 'manifest',
  digest: sha256('m'),
  host: 'reg:5000',
  blobs: [one, two],
};
const result = { type: 'pulled', name: 'reg:5000/x:1', digest: sha256('m') } as const;
const short = (digest: string): string => digest.slice(7, 19);

function show(events: readonly RegistryEvent[], err: ReturnType<typeof screen>, options = {}) {
  const out = screen();
  const display = transferDisplay({ quiet: false, json: false, out, err, ...options });
  for (const event of events) display.event(event);
  display.done(result, 'pulled');
  display.end();
  return { out: out.text(), err: err.text() };
}

const story: readonly RegistryEvent[] = [
  manifest,
  { type: 'blob', ...two, state: 'there' },
  { type: 'blob', ...one, state: 'downloading', done: 1 << 20 },
  { type: 'blob', ...one, state: 'downloading', done: 2 << 20 },
  { type: 'blob', ...one, state: 'retrying', reason: 'the connection\x1b]0;x broke', pauseMs: 1500 },
  { type: 'blob', ...one, state: 'downloading', done: 4 << 20 },
  { type: 'blob', ...one, state: 'unpacking' },
  { type: 'blob', ...one, state: 'complete' },
];

test('without a terminal there is a line for each thing that happened', () => {
  const { out, err } = show(story, screen());
  assert.equal(out, 'reg:5000/x:1\n');
  const id = short(one.digest);
  const lines = err.split('\n');
  assert.deepEqual(lines.slice(0, 7), [
    `reg:5000: 2 layers, ${short(sha256('m'))}`,
    `${short(two.digest)}: is there already`,
    `${id}: downloading 4.00MiB`,
    `${id}: the connection␛]0;x broke; again in 1.5 s`,
    `${id}: downloading 4.00MiB`,
    `${id}: unpacking`,
    `${id}: complete`,
  ]);
  assert.match(lines[7] ?? '', /^reg:5000\/x:1 pulled in [0-9.]+ s, sha256:/);
  assert.ok(!err.includes('\x1b'));
});

test('quiet says the name alone, and JSON goes to standard output alone', () => {
  assert.deepEqual(show(story, screen(), { quiet: true }), { out: 'reg:5000/x:1\n', err: '' });
  const { out, err } = show(story, screen(), { json: true });
  assert.equal(err, '');
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RegistryEvent);
  assert.deepEqual(events[0], manifest);
  assert.deepEqual(events.at(-1), result as unknown);
  // Not one for each byte.
  assert.ok(events.length < story.length + 1);
});

/** What stands on a terminal after all that was written to it. */
function terminal(text: string): string[] {
  const lines = [''];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal reads
  for (const [, up, rest] of text.matchAll(/\x1b\[([0-9]+)A\r\x1b\[J|([^\x1b]+)/g)) {
    if (up !== undefined) lines.splice(lines.length - 1 - Number(up), Number.POSITIVE_INFINITY, '');
    for (const [i, line] of (rest ?? '').split('\n').entries()) {
      if (i > 0) lines.push('');
      lines[lines.length - 1] += line;
    }
  }
  return lines;
}

test('on a terminal each layer has a line, redrawn in place, and nothing stays twice', () => {
  const wide = screen({ isTTY: true, columns: 100, rows: 24 });
  const shown = terminal(show(story, wide).err);
  assert.deepEqual(shown.slice(0, 2), [
    `${short(one.digest)}  complete`,
    `${short(two.digest)}  is there already`,
  ]);
  assert.match(shown[2] ?? '', /^reg:5000\/x:1 pulled/);
  const half = screen({ isTTY: true, columns: 100, rows: 24 });
  const display = transferDisplay({ quiet: false, json: false, out: screen(), err: half });
  for (const event of story.slice(0, 2)) display.event(event);
  display.event({ type: 'note', text: 'a note' });
  display.event({ type: 'blob', ...one, state: 'downloading', done: 2 << 20 });
  display.end();
  const lines = terminal(half.text());
  assert.deepEqual(lines.slice(0, 2), [
    'a note',
    `${short(one.digest)}  downloading [${'#'.repeat(15)}${'.'.repeat(15)}] 2.00MiB of 4.00MiB`,
  ]);
});

test('more layers than lines are counted, and no line is wider than the terminal', () => {
  const blobs = Array.from({ length: 50 }, (_, i) => ({ digest: sha256(`${i}`), size: 1 << 20 }));
  const small = screen({ isTTY: true, columns: 40, rows: 8 });
  const display = transferDisplay({ quiet: false, json: false, out: screen(), err: small });
  display.event({ ...manifest, blobs });
  for (const blob of blobs.slice(0, 20)) display.event({ type: 'blob', ...blob, state: 'complete' });
  for (const blob of blobs.slice(20, 30))
    display.event({ type: 'blob', ...blob, state: 'downloading', done: 5 });
  display.end();
  const lines = terminal(small.text()).filter((line) => line !== '');
  assert.equal(lines.length, 6);
  assert.ok(lines.every((line) => line.length < 40));
  assert.match(lines.at(-1) ?? '', /45 more layers, 20 of 50 complete/);
});
