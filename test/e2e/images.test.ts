// Images as a user has them: made of this machine's busybox, run, changed, committed, and passed on to skopeo and podman and back.
// Names of the tests' own are used and taken away; images that were there before stay.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabOk, upLab } from '../support/nslab.ts';
import { archiveOf, configOf, dockerOf } from '../support/sample-image.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const BASE = 'nslab.test/base:1';
const top = mkdtempSync(join(tmpdir(), 'nslab-images-'));

before(() => {
  if (process.geteuid?.() === 0) nslabOk(['image', 'build-base', BASE]);
});
after(() => {
  rmSync(top, { recursive: true, force: true });
  if (process.geteuid?.() === 0) removeImages(() => true);
});

/** Those of the tests' own. */
function removeImages(chosen: (name: string) => boolean): void {
  const names = (JSON.parse(nslabOk(['image', 'ls', '--json'])) as { name: string }[]).map(
    ({ name }) => name,
  );
  const ours = names.filter((name) => name.startsWith('nslab.test/') && chosen(name));
  if (ours.length > 0) nslabOk(['image', 'rm', ...ours]);
}

function leavesNothing(title: string, body: (t: TestContext) => Promise<void>): void {
  test(title, async (t) => {
    if (skipUnlessRoot(t, 'e2e')) return;
    const start = await fingerprint();
    await body(t);
    removeImages((name) => name !== BASE);
    nslabOk(['image', 'prune']);
    await assertUnchanged(start);
  });
}

type Details = {
  Id: string;
  Digest: string;
  Size: number;
  Config: Record<string, unknown>;
  Layers: { Digest: string; DiffId: string }[];
};

function details(name: string): Details {
  return JSON.parse(nslabOk(['image', 'inspect', name])) as Details;
}

function program(file: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(file, words, { encoding: 'utf8', maxBuffer: 1 << 26 });
  assert.equal(status, 0, `${file} ${words.join(' ')}: ${stderr}`);
  return stdout;
}

leavesNothing(
  'the base image runs without a network, and is the same image each time it is made',
  async () => {
    const { Digest } = details(BASE);
    assert.equal(nslabOk(['image', 'build-base', 'nslab.test/again:1']).trim(), 'nslab.test/again:1');
    assert.equal(details('nslab.test/again:1').Digest, Digest);
    assert.equal(nslabOk(['run', '--rm', BASE, 'echo', 'hello', '--loud']), 'hello --loud\n');
    assert.equal(
      nslabOk(['run', '--rm', '--user', 'nobody', BASE, 'sh', '-c', 'id -u; cd /tmp && touch x && ls']),
      '65534\nx\n',
    );
  },
);

leavesNothing(
  'a node with an image has its settings under its own, its volumes filled, and its wires',
  async () => {
    const root = join(top, 'root');
    mkdirSync(join(root, 'data'), { recursive: true });
    mkdirSync(join(root, 'bin'));
    writeFileSync(join(root, 'data/file'), 'seed');
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/data:/bin/sh\n');
    execFileSync('sh', [
      '-c',
      `cp /bin/busybox ${root}/bin/ && for a in sh cat id ip sleep; do ln -s busybox ${root}/bin/$a; done`,
    ]);
    execFileSync('chown', ['-R', '1000:1000', join(root, 'data')]);
    const changes = [
      'ENTRYPOINT ["/bin/sh","-c"]',
      'CMD ["sleep 1000"]',
      'ENV A=image B=image',
      'USER web',
      'WORKDIR /data',
      'VOLUME /data',
      'STOPSIGNAL SIGKILL',
      'HEALTHCHECK --interval=1s CMD cat /data/file',
    ];
    const tar = join(top, 'root.tar.gz');
    execFileSync('tar', ['-C', root, '-czf', tar, '.']);
    const words = changes.flatMap((change) => ['-c', change]);
    nslabOk(['image', 'import', tar, 'nslab.test/web:1', '-m', 'first', ...words]);
    const said = nslabOk([
      'run',
      '--rm',
      '-e',
      'B=mine',
      'nslab.test/web:1',
      'id -un; pwd; echo $A $B; cat file',
    ]);
    assert.equal(said, 'web\n/data\nimage mine\nseed');
    assert.equal(
      nslabOk(['run', '--rm', '--entrypoint', '/bin/cat', 'nslab.test/web:1', '/data/file']),
      'seed',
    );
    const topology = {
      name: 'img-node',
      nodes: {
        web: { image: 'nslab.test/web:1', interfaces: { eth0: { addresses: ['10.77.0.1/24'] } } },
        pc: { interfaces: { eth0: { addresses: ['10.77.0.2/24'] } }, exec: ['ping -c 1 -W 5 10.77.0.1'] },
      },
      links: [{ endpoints: ['web:eth0', 'pc:eth0'] }],
    };
    await using lab = await upLab('-', { input: JSON.stringify(topology) });
    assert.match(lab.ok('web', 'id', '-un'), /^web$/m);
    assert.equal(lab.ok('web', 'cat', 'file'), 'seed');
    const refused = nslab(['image', 'rm', 'nslab.test/web:1']);
    assert.equal(refused.status, 7);
    assert.match(refused.stderr, /IMAGE_IN_USE/);
    nslabOk(['image', 'rm', '--force', 'nslab.test/web:1']);
    nslabOk(['image', 'prune']);
    assert.equal(lab.ok('web', 'cat', 'file'), 'seed', 'what runs keeps its layers');
    nslabOk(['restart', '-t', '1', 'web']);
    assert.equal(lab.ok('web', 'cat', 'file'), 'seed');
  },
);

leavesNothing('an image that is not there is told before anything is made', async () => {
  const input = JSON.stringify({ name: 'img-none', nodes: { a: { image: 'nslab.test/nosuch' } } });
  const refused = nslab(['up', '--pull', 'never', '-'], { input });
  assert.equal(refused.status, 7);
  assert.match(refused.stderr, /error\[IMAGE_UNKNOWN\] there is no image nslab\.test\/nosuch:latest/);
  assert.ok(!existsSync('/run/nslab/labs/img-none'));
});

leavesNothing('what a container has changed can be committed, copied and exported', async () => {
  nslabOk(['run', '-d', '--name', 'img-c', BASE, 'sleep', '1000']);
  try {
    const inside =
      'echo one > /etc/one; rm /etc/group; rm -r /srv; mkdir /srv; echo n > /srv/n; mkdir /d; echo x > /d/x; ln -s /d /link';
    nslabOk(['exec', 'img-c', 'sh', '-c', inside]);
    const name = 'nslab.test/mine:1';
    nslabOk(['commit', 'img-c', name, '-m', 'a message', '-c', 'CMD ["cat","/etc/one"]']);
    assert.equal(nslabOk(['run', '--rm', name]), 'one\n');
    assert.equal(
      nslabOk(['run', '--rm', name, 'sh', '-c', 'ls /srv; test -e /etc/group || echo none']),
      'n\nnone\n',
    );
    const rows = JSON.parse(nslabOk(['image', 'history', name, '--json'])) as {
      createdBy: string;
      comment: string;
    }[];
    assert.deepEqual(
      rows.map((row) => [row.createdBy, row.comment]),
      [
        ['sleep 1000', 'a message'],
        ['nslab image build-base', ''],
      ],
    );

    const at = (file: string): string => join(top, file);
    nslabOk(['cp', 'img-c:/d', at('d')]);
    assert.equal(readFileSync(at('d/x'), 'utf8'), 'x\n');
    nslabOk(['cp', 'img-c:/d/x', at('y')]);
    assert.equal(readFileSync(at('y'), 'utf8'), 'x\n');
    writeFileSync(at('in'), 'in');
    mkdirSync(at('dir/sub'), { recursive: true });
    for (const target of ['/d/', '/d/other', '/link/third']) nslabOk(['cp', at('in'), `img-c:${target}`]);
    nslabOk(['cp', at('dir'), 'img-c:/newdir']);
    nslabOk(['cp', `${at('dir')}/.`, 'img-c:/d']);
    nslabOk(['stop', '-t', '1', 'img-c']);
    nslabOk(['cp', at('in'), 'img-c:/while-it-is-stopped']);
    const list = execFileSync(
      'sh',
      [
        '-c',
        `${join(import.meta.dirname, '../../bin/nslab')} export img-c | tar -t | grep -E '^(d/|newdir|while)' | sort`,
      ],
      { encoding: 'utf8' },
    );
    assert.equal(
      list,
      'd/\nd/in\nd/other\nd/sub/\nd/third\nd/x\nnewdir/\nnewdir/sub/\nwhile-it-is-stopped\n',
    );
    for (const [words, pattern] of [
      [['img-c:/nosuch', top], /has no \/nosuch/],
      [[at('in'), 'img-c:/no/such'], /has no folder \/no/],
      [[at('dir'), 'img-c:/etc/one'], /is a file/],
    ] as const) {
      const { status, stderr } = nslab(['cp', ...words]);
      assert.equal(status, 7);
      assert.match(stderr, pattern);
    }
  } finally {
    nslabOk(['down', 'img-c']);
  }
});

leavesNothing('a link in a container leads no copy out of it', async () => {
  nslabOk(['run', '-d', '--name', 'img-l', BASE, 'sleep', '1000']);
  try {
    const secret = join(top, 'secret');
    writeFileSync(secret, 'of the machine');
    nslabOk([
      'exec',
      'img-l',
      'sh',
      '-c',
      `ln -s ${top} /out; ln -s ../../../../../../../..${top} /up; ln -s ${secret} /file`,
    ]);
    for (const path of ['/out/secret', '/up/secret', '/file/.', '/out/']) {
      assert.equal(nslab(['cp', `img-l:${path}`, '-']).status, 7, path);
      assert.equal(nslab(['cp', secret, `img-l:${path}`]).status, 7, path);
    }
    assert.equal(readFileSync(secret, 'utf8'), 'of the machine');
  } finally {
    nslabOk(['down', 'img-l']);
  }
});

leavesNothing(
  'skopeo and podman read what is saved, and what they write is loaded, digests and all',
  async () => {
    const layout = join(top, 'layout');
    nslabOk(['image', 'save', '--format', 'oci', BASE, '-o', `${layout}/`]);
    const { Digest, Id, Layers } = details(BASE);
    const inspected = JSON.parse(program('skopeo', 'inspect', `oci:${layout}:${BASE}`)) as Record<
      string,
      unknown
    >;
    assert.equal(inspected['Digest'], Digest);

    const docker = join(top, 'docker.tar');
    nslabOk(['image', 'save', BASE, '-o', docker]);
    const config = JSON.parse(program('skopeo', 'inspect', '--config', `docker-archive:${docker}`)) as {
      rootfs: { diff_ids: string[] };
    };
    assert.deepEqual(
      config.rootfs.diff_ids,
      Layers.map(({ DiffId }) => DiffId),
    );

    const podman = ['--root', join(top, 'p'), '--runroot', join(top, 'pr'), '--storage-driver', 'vfs'];
    for (const format of ['docker', 'oci']) {
      const file = join(top, `for-podman-${format}.tar`);
      nslabOk(['image', 'save', '--format', format, BASE, '-o', file]);
      assert.match(program('podman', ...podman, 'load', '-q', '-i', file), /nslab\.test\/base:1/);
    }
    assert.equal(
      program('podman', ...podman, 'image', 'inspect', '--format', '{{.Id}}', BASE).trim(),
      Id.slice('sha256:'.length),
    );
    for (const format of ['docker-archive', 'oci-archive']) {
      const file = join(top, `podman-${format}.tar`);
      program('podman', ...podman, 'save', '-q', '--format', format, '-o', file, BASE);
      nslabOk(['image', 'load', file, '--name', `nslab.test/${format}:1`]);
      assert.deepEqual(
        details(`nslab.test/${format}:1`).Layers.map(({ DiffId }) => DiffId),
        Layers.map(({ DiffId }) => DiffId),
      );
      assert.equal(nslabOk(['run', '--rm', `nslab.test/${format}:1`, 'echo', 'round']), 'round\n');
    }

    // Out and in again by skopeo: not a byte is another one.
    const copied = join(top, 'copied');
    program(
      'skopeo',
      'copy',
      '-q',
      '--preserve-digests',
      `oci:${layout}:${BASE}`,
      `oci:${copied}:nslab.test/copied:1`,
    );
    nslabOk(['image', 'load', copied]);
    assert.equal(details('nslab.test/copied:1').Digest, Digest);
    const zstd = ['--dest-compress-format', 'zstd', '--dest-compress'];
    program(
      'skopeo',
      'copy',
      '-q',
      ...zstd,
      `oci:${layout}:${BASE}`,
      `oci-archive:${join(top, 'zstd.tar')}:nslab.test/zstd:1`,
    );
    nslabOk(['image', 'load', join(top, 'zstd.tar')]);
    assert.match(readFileSync(join(top, 'zstd.tar'), 'latin1'), /tar\+zstd/);
    assert.equal(nslabOk(['run', '--rm', 'nslab.test/zstd:1', 'echo', 'zstd']), 'zstd\n');
  },
);

leavesNothing('layers of umoci are loaded, their whiteouts seen', async () => {
  const layout = join(top, 'umoci');
  program('umoci', 'init', '--layout', layout);
  program('umoci', 'new', '--image', `${layout}:1`);
  for (const [number, files] of [
    ['a', 'one two/x two/y'],
    ['b', '.wh.one two/.wh..wh..opq two/z'],
  ] as const) {
    const folder = join(top, `layer-${number}`);
    for (const path of files.split(' ')) {
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(join(folder, path), '');
    }
    if (number === 'a')
      execFileSync('sh', [
        '-c',
        `mkdir ${folder}/bin; cp /bin/busybox ${folder}/bin; ln -s busybox ${folder}/bin/find`,
      ]);
    const tar = join(top, `layer-${number}.tar`);
    execFileSync('tar', ['-C', folder, '-cf', tar, '.']);
    program('umoci', 'raw', 'add-layer', '--image', `${layout}:1`, tar);
  }
  nslabOk(['image', 'load', layout, '--name', 'nslab.test/umoci:1']);
  const find = ['run', '--rm', 'nslab.test/umoci:1', '/bin/find', '/one', '/two'];
  assert.equal(nslab(find).stdout, '/two\n/two/z\n');
  // The same where overlayfs is refused.
  assert.equal(nslab(find, { env: { ...process.env, NSLAB_STORAGE: 'vfs' } }).stdout, '/two\n/two/z\n');
});

leavesNothing('an image of three hundred layers runs', async () => {
  const saved = join(top, 'base-layout');
  nslabOk(['image', 'save', '--format', 'oci', BASE, '-o', `${saved}/`]);
  const { Layers, Config } = details(BASE);
  const bottom = readFileSync(join(saved, 'blobs', (Layers[0]?.Digest ?? '').replace(':', '/')));
  const layers: Buffer[] = [bottom];
  for (let i = 0; i < 300; i++) layers.push(await archiveOf(new Map([[`f${i}`, Buffer.from(String(i))]])));
  const files = dockerOf(layers, { name: 'nslab.test/many:1', config: configOf(layers, { config: Config }) });
  const archive = join(top, 'many.tar');
  writeFileSync(archive, await archiveOf(files));
  nslabOk(['image', 'load', archive]);
  assert.equal(
    nslabOk(['run', '--rm', 'nslab.test/many:1', 'sh', '-c', 'cat /f0 /f299; ls / | grep -c ^f']),
    '0299300\n',
  );
});
