// Layers seen and copied as one tree, held against the overlayfs that the kernel mounts of them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { copyLayers } from '../../src/container/copy-layers.ts';
import { readInLayers } from '../../src/container/in-root.ts';
import { findInLayers } from '../../src/container/layers.ts';
import { openRoot } from '../../src/kernel/container-root.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const top = mkdtempSync(join(tmpdir(), 'nslab-layers-'));
after(() => rmSync(top, { recursive: true, force: true }));

/** Each layer is made on top of those before it by a shell in a real overlay, so that the kernel writes the whiteouts. */
const steps = [
  'cp /bin/busybox busybox; mkdir -p a/b c d/e; echo 1 > a/b/f; echo 1 > c/f; echo 1 > d/e/f; echo 1 > x; ln -s a/b l; ln -s /c/f abs; echo 1 > y',
  'rm x; rm -r d; mkdir d; echo 2 > d/g; echo 2 > a/b/f; rm c/f; chown 5:6 y; chmod 4755 y; rm -r c; echo 2 > c',
  'mkdir x; echo 3 > x/in; rm d/g; rm l; mkdir l; echo 3 > l/f; rm c; mkdir c; echo 3 > c/f; rm -r a/b; ln -s ../d a/b; mkdir d/e',
  'rm -r x; ln -s nowhere x; echo 4 > d/e/f; rm abs; ln -s ../../../../y abs',
];

function mountOf(lowers: readonly string[], more = ''): string {
  const merged = mkdtempSync(join(top, 'merged-'));
  const base = mkdtempSync(join(top, 'empty-'));
  execFileSync('mount', [
    '-t',
    'overlay',
    'none',
    '-o',
    `lowerdir=${[...lowers, base].join(':')}${more}`,
    merged,
  ]);
  return merged;
}

test('a tree of layers is what overlayfs shows, found and copied', (t) => {
  if (skipUnlessRoot(t, 'kernel')) return;
  const lowers: string[] = [];
  for (const [at, step] of steps.entries()) {
    const upper = join(top, `layer${at}`);
    const work = join(top, `work${at}`);
    mkdirSync(upper);
    mkdirSync(work);
    const merged = mountOf(lowers, `,upperdir=${upper},workdir=${work}`);
    execFileSync('sh', ['-ec', step], { cwd: merged });
    execFileSync('umount', ['-l', merged]);
    lowers.unshift(upper);

    const expected = mountOf(lowers);
    try {
      const copy = join(top, `copy${at}`);
      copyLayers(lowers, copy);
      const show = (folder: string): string =>
        execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P %y %m %U:%G %l %s\\n'], {
          cwd: folder,
          encoding: 'utf8',
        })
          .split('\n')
          // The size of a folder is of the file system.
          .map((line) => line.replace(/^(.* d .*) [0-9]+$/, '$1'))
          .sort()
          .join('\n');
      assert.equal(show(copy), show(expected), `after step ${at}`);
      for (const path of [
        'a/b/f',
        'a/b/g',
        'c',
        'c/f',
        'd/e/f',
        'd/g',
        'x',
        'x/in',
        'l/f',
        'abs',
        'y',
        'nosuch/..',
        '../../c/f',
      ]) {
        const found = findInLayers(lowers, path);
        // As from inside: a link to /c/f is one to this root's.
        const inside = seenInside(expected, path);
        assert.equal(
          found === undefined ? 'none' : found.isFolder ? 'folder' : 'file',
          inside,
          `${path} after step ${at}`,
        );
        if (inside === 'file')
          assert.equal(
            readInLayers(lowers, path),
            execFileSync('chroot', [expected, '/busybox', 'cat', path], { encoding: 'utf8' }),
          );
      }
      const folders = findInLayers(lowers, 'd');
      const seen = new Set(folders?.places.flatMap((place) => readdirSync(place)));
      for (const name of readdirSync(join(expected, 'd'))) assert.ok(seen.has(name), `d/${name}`);
    } finally {
      execFileSync('umount', ['-l', expected]);
    }
  }
  assert.ok(lstatSync(join(top, 'layer1/x')).isCharacterDevice(), 'the kernel wrote whiteouts');
  assert.ok(existsSync(join(top, 'copy3/d/e/f')));
  assert.equal(readFileSync(join(top, 'copy3/d/e/f'), 'utf8'), '4\n');
});

/** What the kernel finds at a path with that folder as the root, whose own busybox looks. */
function seenInside(root: string, path: string): string {
  const script = 'if [ -d "$0" ]; then echo folder; elif [ -f "$0" ]; then echo file; else echo none; fi';
  return execFileSync('chroot', [root, '/busybox', 'sh', '-c', script, path], { encoding: 'utf8' }).trim();
}

test('a container without a process is seen as one tree of as many layers as an image may have', (t) => {
  if (skipUnlessRoot(t, 'kernel')) return;
  const files = join(top, 'a-container-with-a-long-name-and-many-layers');
  const folder = (name: string): string => {
    mkdirSync(join(files, name), { recursive: true });
    return join(files, name);
  };
  const lowers = Array.from({ length: 500 }, (_, at) => folder(`layer${at}`));
  for (const [at, lower] of lowers.entries()) writeFileSync(join(lower, `file${at}`), String(at));
  const before = process.cwd();
  {
    using root = openRoot(0, files, { lowers, upper: folder('upper'), work: folder('work') });
    assert.equal(readdirSync(root.path).length, 500);
    assert.equal(readFileSync(join(root.path, 'file499'), 'utf8'), '499');
  }
  assert.equal(process.cwd(), before);
  assert.ok(!existsSync(join(files, 'merged')));
});
