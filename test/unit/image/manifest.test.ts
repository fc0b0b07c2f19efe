// The documents of images: what is taken, and what a hostile one is refused for.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  MAX_LAYERS,
  MAX_MANIFEST,
  parseConfig,
  parseDocument,
  parseManifest,
} from '../../../src/image/manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from '../../../src/image/media-types.ts';

const digest = `sha256:${'0a'.repeat(32)}`;
const part = (mediaType: string) => ({ mediaType, digest, size: 7 });
const manifest = { schemaVersion: 2, config: part(OCI_CONFIG), layers: [part(OCI_LAYER)] };
const index = {
  schemaVersion: 2,
  manifests: [{ ...part(OCI_MANIFEST), platform: { os: 'linux', architecture: 'arm' } }],
};
const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] } };

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const read = (value: unknown, mediaType?: string) =>
  parseDocument(bytes(value), { what: 'it', ...(mediaType === undefined ? {} : { mediaType }) });

describe('a manifest or an index', () => {
  it('is told apart by what it has, and knows its type', () => {
    assert.equal(read(manifest).kind, 'manifest');
    assert.equal(read(manifest).mediaType, OCI_MANIFEST);
    assert.equal(read(index, OCI_INDEX).kind, 'index');
    const docker = {
      schemaVersion: 2,
      mediaType: DOCKER_MANIFEST,
      config: part(DOCKER_CONFIG),
      layers: [part(DOCKER_LAYER_GZIP)],
    };
    assert.equal(read(docker, DOCKER_MANIFEST).mediaType, DOCKER_MANIFEST);
    assert.throws(() => parseManifest(bytes(index), { what: 'it' }), /is an index/);
  });

  it('keeps what it knows and ignores the rest', () => {
    const document = read({ ...manifest, subject: 1, layers: [{ ...part(OCI_LAYER), data: 'x' }] });
    assert.deepEqual(document.kind === 'manifest' && document.manifest.layers, [part(OCI_LAYER)]);
  });

  it('is not both at once: CVE-2021-41190', () => {
    for (const more of [{ layers: [] }, { config: part(OCI_CONFIG) }, { fsLayers: [] }])
      assert.throws(() => read({ ...index, ...more }), { code: 'IMAGE_BROKEN', message: /at once/ });
  });

  it('is not called what it is not', () => {
    assert.throws(() => read(manifest, OCI_INDEX), /and is a manifest/);
    assert.throws(() => read({ ...manifest, mediaType: OCI_INDEX }), /and is a manifest/);
    assert.throws(() => read({ ...manifest, mediaType: OCI_MANIFEST }, DOCKER_MANIFEST), /calls itself/);
    assert.throws(() => read({ ...index, mediaType: OCI_MANIFEST }), /and is an index/);
  });

  it('is refused for each thing that is wrong', () => {
    const wrong: readonly unknown[] = [
      null,
      [],
      'text',
      { ...manifest, schemaVersion: 3 },
      { ...manifest, config: { ...manifest.config, digest: 'sha256:12' } },
      { ...manifest, config: { ...manifest.config, digest: '../../../etc/passwd' } },
      { ...manifest, config: { ...manifest.config, size: -1 } },
      { ...manifest, config: { ...manifest.config, size: 1e300 } },
      { ...manifest, layers: [{ ...part(OCI_LAYER), size: '7' }] },
      { ...manifest, layers: Array(MAX_LAYERS + 1).fill(part(OCI_LAYER)) },
      { ...manifest, layers: undefined },
    ];
    for (const value of wrong)
      assert.throws(() => read(value), { code: 'IMAGE_BROKEN' }, JSON.stringify(value).slice(0, 99));
    assert.throws(() => parseDocument(Buffer.from('{"a":'), { what: 'it' }), /not JSON/);
    assert.throws(() => parseDocument(Buffer.from([0x22, 0xff, 0x22]), { what: 'it' }), /not JSON/);
    assert.throws(() => parseDocument(Buffer.alloc(MAX_MANIFEST + 1, ' '), { what: 'it' }), /are allowed/);
  });

  it('is no image where its parts are not: schema 1, a chart', () => {
    const unsupported = { code: 'IMAGE_FORMAT' };
    assert.throws(() => read({ schemaVersion: 1, fsLayers: [] }), unsupported);
    assert.throws(() => read({}, 'application/vnd.docker.distribution.manifest.v1+prettyjws'), unsupported);
    assert.throws(
      () => read({ ...manifest, config: part('application/vnd.cncf.helm.config.v1+json') }),
      unsupported,
    );
    assert.throws(() => read({ ...manifest, layers: [part('application/octet-stream')] }), unsupported);
  });
});

describe('the config of an image', () => {
  it('has as many layers as its manifest', () => {
    assert.equal(parseConfig(bytes(config), { what: 'it', layers: 1 }).architecture, 'amd64');
    assert.throws(
      () => parseConfig(bytes(config), { what: 'it', layers: 2 }),
      /has 1 layers, and its manifest has 2/,
    );
  });

  it('may have nothing where Docker writes null', () => {
    const empty = {
      User: '',
      ExposedPorts: null,
      Env: null,
      Entrypoint: null,
      Cmd: null,
      Volumes: null,
      Labels: null,
    };
    assert.doesNotThrow(() => parseConfig(bytes({ ...config, config: empty }), { what: 'it', layers: 1 }));
    assert.doesNotThrow(() =>
      parseConfig(bytes({ ...config, config: null, history: null }), { what: 'it', layers: 1 }),
    );
  });

  it('says where it is wrong', () => {
    const wrong = { ...config, config: { Env: ['A=1', 2] } };
    assert.throws(() => parseConfig(bytes(wrong), { what: 'it', layers: 1 }), {
      message: /^it: config\.Env\.1: /,
    });
  });
});
