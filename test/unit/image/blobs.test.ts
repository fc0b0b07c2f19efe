// Blobs of the store: checked while they are written, resumed, and of two that write one only one does.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Blobs, type BlobWriter } from '../../../src/image/blobs.ts';
import { type Digest, digestOf, hexOf } from '../../../src/image/digest.ts';

const content = Buffer.from('what is in the blob');
const digest = digestOf(content);
const size = content.length;

let top = '';
let blobs: Blobs;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'nslab-blobs-'));
  for (const name of ['all', 'tmp']) mkdirSync(join(top, name));
  blobs = new Blobs(join(top, 'all'), join(top, 'tmp'));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

async function writer(of: Digest = digest): Promise<BlobWriter> {
  const opened = await blobs.openWriter({ digest: of, size });
  assert.ok(opened !== undefined);
  return opened;
}

const unfinished = () => readdirSync(join(top, 'tmp'));
const broken = { code: 'IMAGE_BROKEN' };

describe('a blob', () => {
  it('has its name when it is whole, and not before', async () => {
    const one = await writer();
    await one.write(content.subarray(0, 5));
    assert.equal(blobs.size(digest), undefined);
    await one.write(content.subarray(5));
    assert.equal(blobs.size(digest), undefined);
    await one.commit();
    assert.deepEqual(blobs.read(digest, 100), content);
    assert.deepEqual(unfinished(), []);
    assert.equal(await blobs.openWriter({ digest, size }), undefined);
  });

  it('goes on where it was cut off, also in another process', async () => {
    const one = await writer();
    await one.write(content.subarray(0, 7));
    await one[Symbol.asyncDispose]();
    assert.deepEqual(unfinished(), [`${hexOf(digest)}.part`]);
    const two = await writer();
    assert.equal(two.offset, 7);
    await two.write(content.subarray(7));
    await two.commit();
    assert.deepEqual(blobs.read(digest, 100), content);
  });

  it('begins again when the other side does', async () => {
    const one = await writer();
    await one.write(content.subarray(0, 7));
    await one.restart();
    assert.equal(one.offset, 0);
    await one.write(content);
    await one.commit();
    assert.deepEqual(blobs.read(digest, 100), content);
  });

  it('is refused and forgotten when it is another one, or longer; one that is short can go on', async () => {
    const wrong = await writer();
    await wrong.write(Buffer.from('what is in the bl0b'));
    await assert.rejects(wrong.commit(), broken);
    assert.deepEqual(unfinished(), []);
    const long = await writer();
    await assert.rejects(long.write(Buffer.concat([content, content])), broken);
    assert.deepEqual(unfinished(), []);
    const short = await writer();
    await short.write(content.subarray(1));
    await assert.rejects(short.commit(), broken);
    await short[Symbol.asyncDispose]();
    assert.equal(unfinished().length, 1);
    assert.equal(blobs.size(digest), undefined);
  });

  it('that was half written with other bytes is refused, and comes whole the next time', async () => {
    writeFileSync(join(top, 'tmp', `${hexOf(digest)}.part`), 'WHAT');
    const one = await writer();
    assert.equal(one.offset, 4);
    await one.write(content.subarray(4));
    await assert.rejects(one.commit(), broken);
    const two = await writer();
    assert.equal(two.offset, 0);
    await two.write(content);
    await two.commit();
  });

  it('that somebody else writes is waited for', async () => {
    const one = await writer();
    let second: BlobWriter | undefined | 'waiting' = 'waiting';
    const other = blobs.openWriter({ digest, size }).then((opened) => {
      second = opened;
    });
    await one.write(content);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(second, 'waiting');
    await one.commit();
    await other;
    assert.equal(second, undefined);
    assert.deepEqual(unfinished(), []);
  });

  it('that somebody else gives up is gone on with', async () => {
    const one = await writer();
    const other = blobs.openWriter({ digest, size });
    await one.write(content.subarray(0, 3));
    await one[Symbol.asyncDispose]();
    const two = await other;
    assert.equal(two?.offset, 3);
    await two.write(content.subarray(3));
    await two.commit();
  });

  it('is not waited for longer than the signal says', async () => {
    await using _one = await writer();
    const stop = new AbortController();
    const other = blobs.openWriter({ digest, size, signal: stop.signal });
    stop.abort();
    await assert.rejects(other, { name: 'AbortError' });
  });

  it('that has been changed on the disk is not read', () => {
    blobs.put(content);
    writeFileSync(join(top, 'all', hexOf(digest)), 'what is in the bl0b');
    assert.throws(() => blobs.read(digest, 100), { ...broken, message: /has been changed/ });
    assert.throws(() => blobs.read(digest, 5), { ...broken, message: /are allowed/ });
  });

  it('of unknown digest is kept or leaves nothing', async () => {
    const chunks = async function* () {
      yield content.subarray(0, 4);
      yield content.subarray(4);
    };
    {
      using staged = await blobs.stage(chunks());
      assert.deepEqual([staged.digest, staged.size], [digest, size]);
    }
    assert.deepEqual([unfinished(), blobs.size(digest)], [[], undefined]);
    {
      using staged = await blobs.stage(chunks());
      await staged.keep();
    }
    assert.deepEqual([unfinished(), blobs.read(digest, 100)], [[], content]);
    const failing = async function* () {
      yield content;
      throw new Error('cut');
    };
    await assert.rejects(blobs.stage(failing()), /cut/);
    assert.deepEqual(unfinished(), []);
  });
});
