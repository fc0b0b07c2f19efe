// Which image of an index Docker would take: a processor runs the programs of some others as well.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { IndexEntry, Platform } from '../../../src/image/manifest.ts';
import { chooseEntry, parsePlatform, suits } from '../../../src/image/platform.ts';

function platform(text: string): Platform {
  const parsed = parsePlatform(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

/** Which of the platforms is taken. */
function choose(wanted: string, ...there: (string | null)[]): string | null | undefined {
  const entries = there.map(
    (text, i) => ({ size: i, ...(text === null ? {} : { platform: platform(text) }) }) as IndexEntry,
  );
  return there[chooseEntry(entries, { what: 'x', wanted: platform(wanted) }).size];
}

test('the platform itself is taken, before all that would do', () => {
  assert.equal(choose('linux/amd64', 'linux/arm64', 'linux/386', 'linux/amd64'), 'linux/amd64');
  assert.equal(choose('linux/arm64', 'linux/arm/v7', 'linux/arm64/v8'), 'linux/arm64/v8');
  assert.equal(choose('linux/arm64/v8', 'linux/arm64'), 'linux/arm64');
  assert.equal(choose('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v6', 'linux/arm'), 'linux/arm');
});

test('what a processor runs as well is taken where there is nothing better, the best first', () => {
  assert.equal(choose('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v6'), 'linux/arm/v6');
  assert.equal(choose('linux/arm64', 'linux/arm/v6', 'linux/arm/v7'), 'linux/arm/v7');
  assert.equal(choose('linux/amd64', 'linux/386'), 'linux/386');
  assert.equal(choose('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'), 'linux/amd64/v2');
});

test('what it does not run is not taken', () => {
  const not = [
    ['linux/amd64', 'linux/amd64/v2'],
    ['linux/arm/v6', 'linux/arm/v7'],
    ['linux/386', 'linux/amd64'],
    ['linux/amd64', 'windows/amd64'],
    ['linux/arm64', 'linux/arm64/v9'],
    ['linux/mips64le', 'linux/ppc64le'],
  ] as const;
  for (const [wanted, there] of not) {
    assert.throws(() => choose(wanted, there), { code: 'IMAGE_PLATFORM' }, `${wanted} ${there}`);
    assert.equal(suits(platform(there), platform(wanted)), false);
  }
});

test('notes about images are never taken, and one for no platform is the last resort', () => {
  assert.throws(() => choose('linux/amd64', 'unknown/unknown'), { code: 'IMAGE_PLATFORM' });
  const note = {
    annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    platform: platform('amd64'),
  };
  assert.throws(() => chooseEntry([note as unknown as IndexEntry], { what: 'x', wanted: platform('amd64') }));
  assert.equal(choose('linux/amd64', null, 'linux/arm64'), null);
  assert.equal(choose('linux/amd64', null, 'linux/amd64'), 'linux/amd64');
});

test('names that people write mean the same', () => {
  for (const text of ['linux/x86_64', 'x86_64', 'LINUX/AMD64', 'linux/amd64/v1'])
    assert.ok(suits(platform('amd64'), platform(text)), text);
  assert.ok(suits(platform('linux/arm/v7'), platform('armhf')));
  for (const text of ['', 'a/b/c/d', 'linux/', '/amd64', 'linux/a b'])
    assert.equal(parsePlatform(text).ok, false, text);
});
