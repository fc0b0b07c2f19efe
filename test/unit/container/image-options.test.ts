// The settings of an image under those of a node, as Compose and docker run put them together.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildSpec } from '../../../src/container/build.ts';
import { withImageSettings } from '../../../src/container/image-options.ts';
import type { ContainerOptions } from '../../../src/model/container-options.ts';
import type { ImageSettings } from '../../../src/model/image-settings.ts';
import { sampleHost } from '../../support/container-host.ts';

const image: ImageSettings = {
  Entrypoint: ['/entry'],
  Cmd: ['serve', '--port=80'],
  Env: ['PATH=/opt/bin', 'A=image', 'B=image', 'EMPTY='],
  User: 'www',
  WorkingDir: '/srv',
  Volumes: { '/data': {}, '/var//log/': {} },
  StopSignal: 'SIGQUIT',
  Labels: { a: 'image', b: 'image' },
  Healthcheck: { Test: ['CMD-SHELL', 'check'], Interval: 5_000_000_000, Retries: 4 },
};

const merged = (own: ContainerOptions, settings: ImageSettings = image) => withImageSettings(own, settings);

function specOf(options: ContainerOptions, settings: ImageSettings = image) {
  const container = { image: 'web', options: options as Readonly<Record<string, unknown>> };
  const found = { name: 'web:latest', manifest: 'sha256:1', layers: ['/top', '/bottom'], settings };
  const node = { name: 'web', place: 'web', container, image: found, labels: { b: 'node' } };
  return buildSpec(node as never, sampleHost);
}

describe('of command and entry point', () => {
  it('both are the image’s where the node says nothing', () => {
    assert.deepEqual(specOf({}).process.args, ['/entry', 'serve', '--port=80']);
  });

  it('the command alone is replaced', () => {
    assert.deepEqual(specOf({ command: ['x'] }).process.args, ['/entry', 'x']);
    assert.deepEqual(specOf({ command: 'x "y z"' }).process.args, ['/entry', 'x', 'y z']);
  });

  it('a new entry point takes the image’s command away', () => {
    assert.deepEqual(specOf({ entrypoint: ['/mine'] }).process.args, ['/mine']);
    assert.deepEqual(specOf({ entrypoint: ['/mine'], command: ['x'] }).process.args, ['/mine', 'x']);
  });

  it('an empty entry point takes both away', () => {
    assert.deepEqual(specOf({ entrypoint: [], command: ['x'] }).process.args, ['x']);
    assert.deepEqual(specOf({ entrypoint: [] }).process.args, ['sleep', 'infinity']);
  });

  it('neither is needed: such a node waits for exec', () => {
    assert.deepEqual(specOf({}, {}).process.args, ['sleep', 'infinity']);
    assert.deepEqual(specOf({}, { Entrypoint: null, Cmd: null }).process.args, ['sleep', 'infinity']);
  });
});

describe('other settings', () => {
  it('of the environment the later wins: default, image, file, node', () => {
    const { env } = specOf({ env_files: 'web.env', env: ['B=node'] }).process;
    assert.ok(env.includes('PATH=/opt/bin'));
    assert.ok(env.includes('A=file'));
    assert.ok(env.includes('B=node'));
    assert.ok(env.includes('EMPTY='));
    assert.ok(specOf({}).process.env.includes('A=image'));
  });

  it('user, folder and stop signal are the node’s, or the image’s', () => {
    const { user, working_dir, stop_signal } = merged({});
    assert.deepEqual([user, working_dir, stop_signal], ['www', '/srv', 'SIGQUIT']);
    const own = { user: 0, working_dir: '/', stop_signal: 'TERM' };
    const { user: u, working_dir: w, stop_signal: s } = merged(own);
    assert.deepEqual([u, w, s], [0, '/', 'TERM']);
    const empty = merged({}, { User: '', WorkingDir: '', StopSignal: null });
    assert.deepEqual(
      ['user' in empty, 'working_dir' in empty, 'stop_signal' in empty],
      [false, false, false],
    );
  });

  it('a volume of the image’s is made unless the node has something there', () => {
    assert.deepEqual(merged({}).volumes, ['/data', '/var/log']);
    assert.deepEqual(merged({ binds: ['./x:/data/'] }).volumes, ['/var/log']);
    assert.deepEqual(merged({ volumes: ['named:/data'], tmpfs: '/var/log' }).volumes, ['named:/data']);
    const { volumes } = specOf({}).nslab;
    assert.deepEqual(
      volumes.map(({ target, named, copy }) => [target, named, copy]),
      [
        ['/data', false, true],
        ['/var/log', false, true],
      ],
    );
  });

  it('a health check is merged key by key, and can be taken away', () => {
    assert.deepEqual(merged({}).healthcheck, {
      test: ['CMD-SHELL', 'check'],
      interval: '5000ms',
      retries: 4,
    });
    const { health } = specOf({ healthcheck: { interval: '1s' } }).nslab;
    assert.deepEqual(
      [health?.argv, health?.intervalMs, health?.retries, health?.timeoutMs],
      [['/bin/sh', '-c', 'check'], 1000, 4, 30_000],
    );
    assert.equal(specOf({ healthcheck: { disable: true } }).nslab.health, undefined);
    assert.equal(specOf({ healthcheck: { test: 'NONE' } }).nslab.health, undefined);
    assert.equal(specOf({}, { Healthcheck: { Test: ['NONE'] } }).nslab.health, undefined);
    assert.equal(specOf({}, { Healthcheck: { Interval: 1 } }).nslab.health, undefined);
  });

  it('labels are those of both, the node’s before the image’s', () => {
    assert.deepEqual(specOf({}).annotations, { a: 'image', b: 'node' });
  });

  it('the layers are the lower ones of the root', () => {
    const { overlay } = specOf({}).nslab;
    assert.deepEqual(overlay.lowers, ['/top', '/bottom']);
    assert.equal(specOf({}).root.path, '/top');
  });

  it('an image without layers has nothing to run', () => {
    const node = { name: 'web', place: null, container: { image: 'x', options: {} } };
    const none = { name: 'x', manifest: '', layers: [], settings: {} };
    assert.throws(() => buildSpec({ ...node, image: none } as never, sampleHost), {
      code: 'CONTAINER_ROOTFS',
    });
  });
});
