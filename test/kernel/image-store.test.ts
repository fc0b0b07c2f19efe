// The store of images on a real file system, in a folder of its own: what is wrong with an archive leaves nothing, two processes at
// once do the work once, kill -9 at any write and a full disk lose nothing that had a name, and garbage is what nothing needs.

import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
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
import { Readable } from 'node:stream';
import { after, beforeEach, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { FolderArchive, TarArchive } from '../../src/image/archive.ts';
import { collectGarbage } from '../../src/image/collect.ts';
import { type Digest, digestOf, hexOf } from '../../src/image/digest.ts';
import { findImage, mustReference } from '../../src/image/find.ts';
import { type LoadRequest, loadArchive } from '../../src/image/load.ts';
import { fullName } from '../../src/image/reference.ts';
import { ImageStore } from '../../src/image/store.ts';
import { helperPath } from '../../src/kernel/helper.ts';
import { rounds } from '../support/emulated.ts';
import {
  archiveOf,
  blobPath,
  configOf,
  dockerOf,
  dockerV1Of,
  type Files,
  json,
  layerOf,
  layoutOf,
  writeFolder,
} from '../support/sample-image.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const top = mkdtempSync(join(tmpdir(), 'nslab-store-'));
after(() => rmSync(top, { recursive: true, force: true }));

const one = layerOf(join(top, 'one'), { 'etc/passwd': 'root:x:0:0::/:/bin/sh\n', 'bin/a': 'a', gone: 'x' });
const two = layerOf(join(top, 'two'), { 'etc/two': '2', '.wh.gone': '' });
const layers = [one, two];

let root = '';
let store: ImageStore;
let counter = 0;

beforeEach(() => {
  root = join(top, `store${counter++}`);
  store = new ImageStore({ root, helper: helperPath() });
});

function rooted(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    if (!skipUnlessRoot(t, 'kernel')) await body(t);
  });
}

async function load(files: Files, request: LoadRequest = {}): Promise<string[]> {
  using archive = await TarArchive.read(store, Readable.from([await archiveOf(files)]), { what: 'it' });
  const loaded = await loadArchive(store, archive, request);
  return loaded.flatMap(({ names }) => names.map(fullName));
}

/** Everything in the store but the layers' files. */
function listing(of = root): string[] {
  return readdirSync(of, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/\/diff\/|\/unsettled$/.test(path) && !lstatSync(join(of, path)).isDirectory())
    .filter((path) => path !== 'lock')
    .sort();
}

function prune(used: readonly Digest[] = []) {
  return collectGarbage(store, { used, unfinished: true });
}

const broken = { code: 'IMAGE_BROKEN' };

rooted(
  'the same image comes from a layout and from old and new archives of docker, its layers unpacked once',
  async () => {
    assert.deepEqual(await load(layoutOf(layers)), ['docker.io/library/sample:1']);
    const { manifest } = findImage(store, 'sample:1');
    const { chain } = store.readImage(manifest);
    const [bottom, upper] = chain;
    assert.ok(bottom !== undefined && upper !== undefined);
    assert.equal(readFileSync(join(store.layers.diff(bottom), 'bin/a'), 'utf8'), 'a');
    const whiteout = lstatSync(join(store.layers.diff(upper), 'gone'));
    assert.deepEqual([whiteout.isCharacterDevice(), whiteout.rdev], [true, 0]);
    assert.deepEqual(await load(dockerOf(layers, { name: 'old:1' })), ['docker.io/library/old:1']);
    const both = layoutOf(layers, { name: 'latest' });
    for (const [path, content] of dockerOf(layers, { name: 'both:2' })) both.set(path, content);
    assert.deepEqual(await load(both), ['docker.io/library/both:2']);
    const folder = join(top, 'layout');
    writeFolder(layoutOf(layers, { name: 'v3' }), folder);
    using archive = new FolderArchive(store, folder);
    const loaded = await loadArchive(store, archive, { defaultName: 'web' });
    assert.deepEqual(loaded[0]?.names.map(fullName), ['docker.io/library/web:v3']);
    assert.equal(store.layers.list().length, 2);
    assert.deepEqual(readdirSync(join(root, 'blobs/tmp')), []);
    assert.deepEqual(readdirSync(join(root, 'layers/tmp')), []);
  },
);

rooted('an archive of docker before 1.10 is the same layers, with a config of today', async () => {
  await load(layoutOf(layers));
  assert.deepEqual(await load(dockerV1Of(layers, 'ancient:1')), ['docker.io/library/ancient:1']);
  assert.equal(store.layers.list().length, 2, 'unpacked once');
  const { config } = store.readImage(findImage(store, 'ancient:1').manifest);
  assert.deepEqual(config.config?.Env, ['AGE=old']);
  assert.deepEqual(
    config.history?.map(({ created_by }) => created_by),
    ['/bin/sh -c step 0', '/bin/sh -c step 1'],
  );
  assert.deepEqual(config.rootfs.diff_ids, layers.map(digestOf));
});

rooted('a broken archive of docker before 1.10 is refused and leaves nothing', async () => {
  const [bottom = '', upper = ''] = [...dockerV1Of(layers).keys()]
    .filter((path) => path.endsWith('/json'))
    .map((path) => path.slice(0, -'/json'.length));
  const spoilt: Record<string, (files: Files) => void> = {
    'a circle of parents': (files) => files.set(`${bottom}/json`, json({ id: bottom, parent: upper })),
    'a parent that is not there': (files) => files.delete(`${bottom}/json`),
    'a layer that is not there': (files) => files.delete(`${bottom}/layer.tar`),
    'a packed layer': (files) => files.set(`${bottom}/layer.tar`, gzipSync(one)),
    'an id of another': (files) => files.set(`${bottom}/json`, json({ id: upper })),
    'an id that is a path': (files) => files.set('repositories', json({ a: { b: '../../../etc' } })),
    'names without tags': (files) => files.set('repositories', json({ a: bottom })),
  };
  for (const [what, spoil] of Object.entries(spoilt)) {
    const files = dockerV1Of(layers);
    spoil(files);
    await assert.rejects(load(files), broken, what);
  }
  prune();
  assert.deepEqual(listing(), []);
});

rooted('links in an archive lead to its members, and nowhere else', async () => {
  const files = dockerOf(layers);
  const list = JSON.parse(files.get('manifest.json')?.toString() ?? '') as { Layers: string[] }[];
  const folder = join(top, 'links');
  writeFolder(files, folder);
  const [path = '', other = ''] = list[0]?.Layers ?? [];
  const at = join(folder, path);
  const tarOf = () => execFileSync('tar', ['-C', folder, '-cf', '-', '.'], { maxBuffer: 1 << 28 });
  rmSync(at);
  writeFileSync(join(folder, 'moved.tar'), one);
  execFileSync('ln', ['-s', '../moved.tar', at]);
  rmSync(join(folder, other));
  writeFileSync(join(folder, 'a.tar'), two);
  execFileSync('ln', [join(folder, 'a.tar'), join(folder, other)]);
  {
    using archive = await TarArchive.read(store, Readable.from([tarOf()]), { what: 'it' });
    assert.equal((await loadArchive(store, archive, {})).length, 1);
  }
  for (const target of ['/etc/passwd', '../../../../../../etc/passwd', 'layer.tar']) {
    execFileSync('ln', ['-sfn', target, at]);
    using archive = await TarArchive.read(store, Readable.from([tarOf()]), { what: 'it' });
    await assert.rejects(loadArchive(store, archive, {}), broken, target);
  }
  // In a folder the links are real ones.
  const layout = layoutOf(layers);
  const place = join(top, 'hostile');
  writeFolder(layout, place);
  const [blob = ''] = [...layout.keys()].filter((name) => name.startsWith('blobs/'));
  rmSync(join(place, blob));
  execFileSync('ln', ['-s', '/etc/passwd', join(place, blob)]);
  const fresh = new ImageStore({ root: join(top, 'fresh'), helper: helperPath() });
  using archive = new FolderArchive(fresh, place);
  await assert.rejects(loadArchive(fresh, archive, {}), broken);
});

rooted(
  'an archive of which one thing is wrong is refused, and leaves no name and nothing unfinished',
  async () => {
    const good = layoutOf(layers);
    const blobOf = (content: Buffer): string => blobPath(digestOf(content));
    const changed = (path: string, content: Buffer | undefined): Files => {
      const files = new Map(good);
      if (content === undefined) files.delete(path);
      else files.set(path, content);
      return files;
    };
    const packed = blobOf(gzipSync(one));
    const flipped = Buffer.from(gzipSync(one));
    flipped[100] = (flipped[100] ?? 0) ^ 1;
    const cases: readonly (readonly [string, Files, object])[] = [
      ['a bit of a layer', changed(packed, flipped), broken],
      ['a layer that is cut off', changed(packed, gzipSync(one).subarray(0, 200)), broken],
      ['no such layer', changed(packed, undefined), broken],
      [
        'a bit of the config',
        changed(blobOf(configOf(layers)), Buffer.from(configOf(layers).toString().replace('linux', 'lunix'))),
        broken,
      ],
      ['no config', changed(blobOf(configOf(layers)), undefined), broken],
      ['layers in the wrong order', layoutOf(layers, { config: configOf([two, one]) }), broken],
      ['the diffID of another layer', layoutOf(layers, { config: configOf([one, one]) }), broken],
      ['a layer too few in the config', layoutOf(layers, { config: configOf([one]) }), broken],
      ['a layer that is no tar', layoutOf([Buffer.from('hello')]), broken],
      [
        'an index that is a manifest',
        changed('index.json', json({ schemaVersion: 2, manifests: [], layers: [] })),
        broken,
      ],
      ['an index without images', changed('index.json', json({ schemaVersion: 2, manifests: [] })), broken],
      [
        'a layout of the future',
        changed('oci-layout', json({ imageLayoutVersion: '2.0.0' })),
        { code: 'IMAGE_FORMAT' },
      ],
      ['neither the one nor the other', new Map([['a', Buffer.from('b')]]), { code: 'IMAGE_FORMAT' }],
      ['docker layers in the wrong order', dockerOf(layers, { config: configOf([two, one]) }), broken],
      ['a docker layer too few', dockerOf([one], { config: configOf(layers) }), broken],
      ['a docker archive without a name', dockerOf(layers, { name: '' }), { code: 'IMAGE_FORMAT' }],
      [
        'a docker config of another name',
        new Map(
          [...dockerOf(layers)].map(([p, c]) => [
            p,
            p.endsWith('.json') && p.length > 60 ? configOf(layers, { x: 1 }) : c,
          ]),
        ),
        broken,
      ],
    ];
    for (const [title, files, expected] of cases) {
      // What was right of an earlier one is in the store, and would be used.
      prune();
      await assert.rejects(load(files), expected, title);
      assert.deepEqual(store.listNames(), [], title);
      assert.deepEqual(readdirSync(join(root, 'layers/tmp')), [], title);
      const unfinished = readdirSync(join(root, 'blobs/tmp'));
      assert.deepEqual(unfinished, [], title);
    }
    prune();
    assert.deepEqual(listing(), []);
    assert.deepEqual(await load(good), ['docker.io/library/sample:1']);
  },
);

rooted('a layer that reaches out of its folder is refused', async () => {
  const folder = join(top, 'evil');
  mkdirSync(join(folder, 'd'), { recursive: true });
  const evil = execFileSync(
    'tar',
    ['-C', join(folder, 'd'), '-P', '--transform=s,^,../../,', '-cf', '-', '.'],
    {},
  );
  writeFileSync(join(folder, 'd/x'), 'x');
  const withFile = execFileSync('tar', [
    '-C',
    join(folder, 'd'),
    '-P',
    '--transform=s,^x,../../x,',
    '-cf',
    '-',
    'x',
  ]);
  for (const layer of [evil, withFile]) {
    await assert.rejects(load(layoutOf([layer])), { code: 'IMAGE_LAYER' });
    assert.deepEqual(store.layers.list(), []);
  }
});

rooted('an index is asked for the platform, and --platform is kept to', async () => {
  const files = layoutOf(layers, { config: configOf(layers, { architecture: 's390x' }) });
  const wanted = { os: 'linux', architecture: 'arm64' };
  await assert.rejects(load(files, { platform: wanted }), { code: 'IMAGE_PLATFORM' });
  assert.equal((await load(files, { name: mustReference('mine') }))[0], 'docker.io/library/mine:latest');
  // Two platforms under one name.
  const others = layoutOf([one], { name: 'multi:1', config: configOf([one], { architecture: 'arm64' }) });
  const both = layoutOf(layers, { name: 'multi:1', config: configOf(layers, { architecture: 's390x' }) });
  const entries = [both, others].flatMap((part, at) => {
    const { manifests } = JSON.parse(part.get('index.json')?.toString() ?? '') as { manifests: object[] };
    return manifests.map((entry) => ({
      ...entry,
      platform: { os: 'linux', architecture: at === 0 ? 's390x' : 'arm64' },
    }));
  });
  const index = json({ schemaVersion: 2, manifests: entries.map(({ ...entry }) => entry) });
  const all: Files = new Map([...both, ...others, ['index.json', index]]);
  assert.deepEqual(await load(all, { platform: wanted }), ['docker.io/library/multi:1']);
  assert.equal(store.readImage(findImage(store, 'multi:1').manifest).config.architecture, 'arm64');
  // The same behind a nested index.
  const inner = json({ schemaVersion: 2, manifests: entries });
  const nested = {
    mediaType: 'application/vnd.oci.image.index.v1+json',
    digest: digestOf(inner),
    size: inner.length,
  };
  const annotations = { 'org.opencontainers.image.ref.name': 'nested:1' };
  all
    .set('index.json', json({ schemaVersion: 2, manifests: [{ ...nested, annotations }] }))
    .set(blobPath(nested.digest), inner);
  assert.deepEqual(await load(all, { platform: wanted }), ['docker.io/library/nested:1']);
  assert.equal(findImage(store, `nested@${nested.digest}`).manifest, findImage(store, 'nested:1').manifest);
  prune();
  assert.ok(store.hasBlob(nested.digest), 'the index that an image was chosen from stays with it');
});

rooted('two processes that load the same at once both succeed, and the work is done once', async () => {
  const file = join(top, 'twice.tar');
  writeFileSync(file, await archiveOf(layoutOf(layers)));
  const agent = () =>
    new Promise<string>((resolve) => {
      const child = spawn(process.execPath, [
        '--import',
        'tsx',
        join(import.meta.dirname, '../support/store-agent.ts'),
        root,
        file,
      ]);
      let said = '';
      child.stdout.on('data', (text) => (said += text));
      child.on('close', (status) => resolve(`${status} ${said}`));
    });
  const said = await Promise.all([agent(), agent()]);
  assert.deepEqual(said, Array(2).fill('0 docker.io/library/sample:1\n'));
  assert.doesNotThrow(() => store.assertWhole(findImage(store, 'sample:1').manifest));
  const before = listing();
  assert.deepEqual(prune(), { blobs: 0, layers: 0, bytes: 0 });
  assert.deepEqual(listing(), before);
});

/** What makes something last: a process is killed as it enters the Nth of these. */
const LASTING = 'rename,renameat,renameat2,fsync,fdatasync,syncfs,unlink,rmdir';

rooted(
  'kill -9 at every write that lasts loses nothing that had a name, and the next load and prune leave what a whole load does',
  async (t) => {
    if (spawnSync('strace', ['-V']).status !== 0) {
      t.skip('strace is missing');
      return;
    }
    const file = join(top, 'kill.tar');
    writeFileSync(file, await archiveOf(layoutOf(layers)));
    const agent = join(import.meta.dirname, '../support/store-agent.ts');
    await load(layoutOf(layers));
    const whole = listing();
    let kills = 0;
    for (let at = 1; at < 200; at += rounds(1, 5)) {
      root = join(top, `killed${at}`);
      store = new ImageStore({ root, helper: helperPath() });
      // An image that was there before.
      const before = layoutOf([two], { name: 'before:1' });
      await load(before);
      const inject = `inject=${LASTING}:signal=SIGKILL:when=${at}`;
      const words = [
        '-f',
        '-qq',
        '-o',
        '/dev/null',
        '-e',
        `trace=${LASTING}`,
        '-e',
        inject,
        process.execPath,
      ];
      const { status } = spawnSync('strace', [...words, '--import', 'tsx', agent, root, file], {
        stdio: 'ignore',
      });
      for (const { manifest } of store.listNames())
        assert.doesNotThrow(() => store.assertWhole(manifest), `kill ${at}`);
      assert.ok(
        store.listNames().some(({ reference }) => fullName(reference).endsWith('/before:1')),
        `kill ${at}`,
      );
      if (status === 0) break;
      kills++;
      assert.deepEqual(await load(layoutOf(layers)), ['docker.io/library/sample:1'], `kill ${at}`);
      store.references.remove(mustReference('before:1'));
      prune();
      assert.deepEqual(listing(), whole, `kill ${at}`);
      rmSync(root, { recursive: true });
    }
    t.diagnostic(`${kills} kills`);
    assert.ok(kills >= rounds(4, 1), `only ${kills} kills`);
  },
);

rooted(
  'a layer of a boot that ended before it was on the disk does not count, and is made again',
  async () => {
    await load(layoutOf(layers));
    const [chain] = store.readImage(findImage(store, 'sample:1').manifest).chain;
    assert.ok(chain !== undefined);
    const layer = join(root, 'layers', hexOf(chain));
    assert.ok(!existsSync(join(layer, 'unsettled')));
    writeFileSync(join(layer, 'unsettled'), 'another boot');
    rmSync(join(layer, 'diff/bin/a'));
    assert.ok(!store.layers.has(chain));
    assert.throws(() => store.assertWhole(findImage(store, 'sample:1').manifest), broken);
    await load(layoutOf(layers));
    assert.equal(readFileSync(join(layer, 'diff/bin/a'), 'utf8'), 'a');
  },
);

rooted('a full disk is told, leaves nothing, and what was there stays whole', async () => {
  const big = layerOf(join(top, 'big'), { big: 'x'.repeat(6_000_000) });
  for (const [megabytes, gzip] of [
    [2, false],
    [4, true],
  ] as const) {
    const place = join(top, `full${megabytes}`);
    mkdirSync(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'none', place]);
    try {
      root = join(place, 'store');
      store = new ImageStore({ root, helper: helperPath() });
      await load(layoutOf([two], { name: 'before:1' }));
      const before = listing();
      await assert.rejects(load(layoutOf([big], { gzip })), {
        code: 'IMAGE_STORE',
        message: /ENOSPC|No space left/,
      });
      prune();
      assert.deepEqual(listing(), before);
      assert.doesNotThrow(() => store.assertWhole(findImage(store, 'before:1').manifest));
    } finally {
      execFileSync('umount', ['-l', place]);
    }
  }
});

rooted('garbage is what no name and no container needs, layers shared by images are not', async () => {
  await load(layoutOf(layers, { name: 'both:1' }));
  await load(layoutOf([one], { name: 'first:1' }));
  const { manifest } = findImage(store, 'both:1');
  store.references.remove(mustReference('both:1'));
  assert.deepEqual(prune([manifest]), { blobs: 0, layers: 0, bytes: 0 });
  assert.doesNotThrow(() => store.assertWhole(manifest));
  const { layers: gone } = prune();
  assert.equal(gone, 1);
  assert.doesNotThrow(() => store.assertWhole(findImage(store, 'first:1').manifest));
  store.references.remove(mustReference('first:1'));
  prune();
  assert.deepEqual(listing(), []);
});

rooted('an id is the beginning of one image’s digests', async () => {
  await load(layoutOf(layers));
  const { manifest } = findImage(store, 'sample:1');
  const { digest: id } = store.readImage(manifest).manifest.config;
  for (const text of [id, hexOf(id), hexOf(id).slice(0, 8), hexOf(manifest).slice(0, 12)])
    assert.deepEqual(findImage(store, text), { manifest });
  assert.throws(() => findImage(store, 'sampel:1'), { code: 'IMAGE_UNKNOWN', hint: /sample:1/ });
  assert.throws(() => findImage(store, 'ab'), { code: 'IMAGE_UNKNOWN' });
});
