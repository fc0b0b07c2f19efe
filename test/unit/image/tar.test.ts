// tar as the archives of images need it, held against GNU tar.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { cleanPath, readTar } from '../../../src/image/tar-read.ts';
import { type TarItem, tarText, writeTar } from '../../../src/image/tar-write.ts';

const top = mkdtempSync(join(tmpdir(), 'nslab-tar-'));
after(() => rmSync(top, { recursive: true, force: true }));

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** In pieces of that size, as a slow pipe gives them. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

type Listed = { path: string; type: string; target: string; text: string };

async function list(bytes: Uint8Array, size = 1000): Promise<Listed[]> {
  const found: Listed[] = [];
  for await (const { path, type, target, body } of readTar(pieces(bytes, size), 'it'))
    found.push({ path, type, target, text: (await bytesOf(body)).toString('utf8') });
  return found;
}

describe('an archive that GNU tar writes', () => {
  const folder = join(top, 'in');
  const long = `${'long/'.repeat(30)}name`;
  mkdirSync(join(folder, 'long/'.repeat(30)), { recursive: true });
  writeFileSync(join(folder, 'a'), 'one');
  writeFileSync(join(folder, long), 'x'.repeat(1025));
  writeFileSync(join(folder, 'ü'), '');
  symlinkSync('../elsewhere', join(folder, 'link'));
  linkSync(join(folder, 'a'), join(folder, 'b'));

  for (const format of ['ustar', 'gnu', 'pax', 'v7'] as const) {
    it(`in the format ${format} is read, however it is cut into pieces`, async () => {
      const names = format === 'v7' ? ['a', 'b', 'ü', 'link'] : ['a', 'b', 'ü', 'link', long];
      const bytes = execFileSync('tar', [
        '-C',
        folder,
        `--format=${format}`,
        '-cf',
        '-',
        ...names.map((n) => `./${n}`),
      ]);
      const expected = [
        { path: 'a', type: 'file', target: '', text: 'one' },
        { path: 'b', type: 'hardlink', target: './a', text: '' },
        { path: 'ü', type: 'file', target: '', text: '' },
        { path: 'link', type: 'symlink', target: '../elsewhere', text: '' },
        ...(format === 'v7' ? [] : [{ path: long, type: 'file', target: '', text: 'x'.repeat(1025) }]),
      ];
      for (const size of [1, 511, 512, 100_000]) assert.deepEqual(await list(bytes, size), expected);
    });
  }

  it('may be read only in part: what is left of a member is skipped', async () => {
    const bytes = execFileSync('tar', ['-C', folder, '-cf', '-', 'a', long]);
    const paths: string[] = [];
    for await (const { path } of readTar(pieces(bytes, 700), 'it')) paths.push(path);
    assert.deepEqual(paths, ['a', long]);
  });
});

describe('an archive that is wrong', () => {
  const good = execFileSync('tar', ['-C', top, '-cf', '-', 'in/a']);

  it('is refused', async () => {
    const changed = (at: number, text: string): Buffer => {
      const copy = Buffer.from(good);
      copy.write(text, at, 'latin1');
      return copy;
    };
    await assert.rejects(list(changed(0, 'X')), { code: 'IMAGE_BROKEN', message: /is not a tar/ });
    await assert.rejects(list(Buffer.from('hello, world '.repeat(100))), /is not a tar/);
    await assert.rejects(list(good.subarray(0, 700)), /ends too early/);
    await assert.rejects(list(good.subarray(0, 514)), /ends too early/);
  });

  it('never makes the reader hang or throw anything but what it should', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), async (at, byte, end) => {
        const copy = Buffer.from(good.subarray(0, end));
        if (at < end) copy[at] = byte;
        await list(copy).catch((error: unknown) =>
          assert.equal((error as { code?: string }).code, 'IMAGE_BROKEN'),
        );
      }),
    );
  });

  it('reaches no path outside of itself', () => {
    assert.equal(cleanPath('../../etc/passwd'), 'etc/passwd');
    assert.equal(cleanPath('/a/./b//../c'), 'a/c');
    assert.equal(cleanPath('../x/layer.tar', 'y'), 'x/layer.tar');
  });
});

describe('an archive that is written here', () => {
  it('is what GNU tar reads', async () => {
    const items: TarItem[] = [
      tarText('blobs/sha256/a', 'one'),
      { path: 'tmp', folder: true, mode: 0o1777 },
      { path: 'bin/sh', symlink: 'busybox' },
      { ...tarText('bin/busybox', 'x'.repeat(513)), mode: 0o755 },
    ];
    const file = join(top, 'out.tar');
    writeFileSync(file, await bytesOf(writeTar(items)));
    const listed = execFileSync('tar', ['-tvf', file, '--full-time', '--utc'], { encoding: 'utf8' });
    assert.deepEqual(
      listed
        .trim()
        .split('\n')
        .map((line) => line.replaceAll(/ +/g, ' ')),
      [
        'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 blobs/',
        'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 blobs/sha256/',
        '-rw-r--r-- 0/0 3 1970-01-01 00:00:00 blobs/sha256/a',
        'drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/',
        'drwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/',
        'lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 bin/sh -> busybox',
        '-rwxr-xr-x 0/0 513 1970-01-01 00:00:00 bin/busybox',
      ],
    );
    assert.equal(execFileSync('tar', ['-xOf', file, 'bin/busybox'], { encoding: 'utf8' }), 'x'.repeat(513));
    assert.deepEqual(
      (await list(readFileSync(file))).map(({ text }) => text.length),
      [0, 0, 3, 0, 0, 0, 513],
    );
  });

  it('is refused where a body has not the size that was said', async () => {
    await assert.rejects(bytesOf(writeTar([{ ...tarText('a', 'xyz'), size: 4 }])), /has 3 bytes, not 4/);
  });
});
