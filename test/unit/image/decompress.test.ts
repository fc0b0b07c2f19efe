// Layers however they are packed, and what begins as one and is none.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { unpacked } from '../../../src/image/decompress.ts';

const plain = Buffer.concat([randomBytes(300_000), Buffer.alloc(1_000_000, 'x')]);
const path = process.env['PATH'];
const withoutZstd = () => {
  process.env['PATH'] = '/nowhere';
};
afterEach(() => {
  process.env['PATH'] = path;
});

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function unpack(bytes: Buffer, size = 60_000): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of unpacked(pieces(bytes, size), 'it')) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const zstd = (bytes: Buffer): Buffer => execFileSync('zstd', ['-qc'], { input: bytes, maxBuffer: 1 << 26 });
const hasZstd = spawnSync('zstd', ['--version']).status === 0;
const needsZstd = { skip: hasZstd ? false : 'no zstd program here' };

describe('a layer', () => {
  it('that is not packed is itself', async () => {
    assert.deepEqual(await unpack(plain), plain);
    assert.deepEqual(await unpack(Buffer.from('ab'), 1), Buffer.from('ab'));
    assert.deepEqual(await unpack(Buffer.alloc(0)), Buffer.alloc(0));
  });

  it('is unpacked from gzip, of several members too, whatever the pieces', async () => {
    assert.deepEqual(await unpack(gzipSync(plain)), plain);
    assert.deepEqual(await unpack(gzipSync(plain), 3), plain);
    assert.deepEqual(
      await unpack(Buffer.concat([gzipSync(plain), gzipSync(plain)])),
      Buffer.concat([plain, plain]),
    );
  });

  it('is unpacked from zstd by the program', needsZstd, async () => {
    assert.deepEqual(await unpack(zstd(plain)), plain);
    assert.deepEqual(await unpack(zstd(Buffer.from('ab')), 1), Buffer.from('ab'));
  });

  it('is unpacked from zstd without the program', needsZstd, async () => {
    const packed = zstd(plain);
    withoutZstd();
    assert.deepEqual(await unpack(packed), plain);
    assert.deepEqual(await unpack(packed, 7), plain);
  });

  it('that is cut off or spoilt is told', needsZstd, async () => {
    const broken = { code: 'IMAGE_BROKEN' };
    const spoil = (bytes: Buffer): Buffer => {
      const copy = Buffer.from(bytes);
      copy.fill(0x55, 1000, 3000);
      return copy;
    };
    await assert.rejects(unpack(gzipSync(plain).subarray(0, 1000)), broken);
    await assert.rejects(unpack(spoil(gzipSync(plain))), broken);
    const packed = zstd(plain);
    await assert.rejects(unpack(packed.subarray(0, 1000)), broken);
    await assert.rejects(unpack(spoil(packed)), broken);
    withoutZstd();
    await assert.rejects(unpack(packed.subarray(0, 1000)), broken);
  });

  it('that asks for a window of gigabytes is refused', async () => {
    withoutZstd();
    // Frame header: magic, no single segment, exponent 31: 2 TiB.
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    await assert.rejects(unpack(frame), { code: 'IMAGE_BROKEN', message: /128 MiB/ });
  });

  it('whose source fails says what the source said', async () => {
    const failing = async function* () {
      yield gzipSync(plain).subarray(0, 5000);
      throw new Error('the line went dead');
    };
    await assert.rejects(async () => {
      for await (const _ of unpacked(failing(), 'it'));
    }, /the line went dead/);
  });
});
