// Platforms, and which image of an index is for one.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { IndexEntry } from '../../../src/image/manifest.ts';
import { OCI_MANIFEST } from '../../../src/image/media-types.ts';
import { chooseEntry, parsePlatform, platformText } from '../../../src/image/platform.ts';

const entry = (text: string, size: number): IndexEntry => {
  const parsed = parsePlatform(text);
  assert.ok(parsed.ok);
  const digest = `sha256:${'0'.repeat(64)}` as IndexEntry['digest'];
  return { mediaType: OCI_MANIFEST, digest, size, platform: parsed.value };
};

const all = [
  'linux/arm/v5',
  'linux/arm/v7',
  'linux/arm64/v8',
  'linux/amd64',
  'unknown/unknown',
  'linux/amd64/v3',
].map(entry);

function chosen(text: string, entries = all): string {
  const wanted = parsePlatform(text);
  assert.ok(wanted.ok);
  const found = chooseEntry(entries, { what: 'web', wanted: wanted.value });
  return found.platform ? platformText(found.platform) : 'any';
}

describe('a platform', () => {
  it('is read in the ways in which people write it', () => {
    for (const [text, full] of [
      ['amd64', 'linux/amd64'],
      ['x86_64', 'linux/amd64'],
      ['linux/aarch64', 'linux/arm64'],
      ['LINUX/ARM/V7', 'linux/arm/v7'],
    ] as const) {
      const parsed = parsePlatform(text);
      assert.equal(parsed.ok && platformText(parsed.value), full);
    }
    for (const text of ['', 'a/b/c/d', 'linux/', 'linux/a b']) assert.ok(!parsePlatform(text).ok, text);
  });

  it('is served by an image for the same or an earlier variant, the latest of them first', () => {
    assert.equal(chosen('linux/arm/v7'), 'linux/arm/v7');
    assert.equal(chosen('linux/arm/v6'), 'linux/arm/v5');
    assert.equal(chosen('linux/arm64'), 'linux/arm64/v8');
    assert.equal(chosen('linux/amd64'), 'linux/amd64');
    assert.equal(chosen('linux/amd64/v4'), 'linux/amd64/v3');
  });

  it('that nothing is there for is told with those that are', () => {
    assert.throws(() => chosen('linux/s390x'), {
      code: 'IMAGE_PLATFORM',
      message: 'web is not there for linux/s390x',
      hint: 'it is there for linux/arm/v5, linux/arm/v7, linux/arm64/v8, linux/amd64, linux/amd64/v3: --platform',
    });
    assert.throws(() => chosen('linux/arm64/v7'), { code: 'IMAGE_PLATFORM' });
  });

  it('may be missing, which suits all and is the last choice', () => {
    const { platform: _, ...any } = entry('amd64', 1);
    assert.equal(chosen('s390x', [any]), 'any');
    assert.equal(chosen('amd64', [any, entry('amd64', 2)]), 'linux/amd64');
  });
});
