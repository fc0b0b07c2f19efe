// Small images for tests, as the files of an archive, so that one of them can be spoilt.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Digest, digestOf, hexOf } from '../../src/image/digest.ts';
import {
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../src/image/media-types.ts';
import { tarText, writeTar } from '../../src/image/tar-write.ts';

/** Path in the archive and content. */
export type Files = Map<string, Buffer>;

/** A layer of files, as GNU tar writes it. */
export function layerOf(folder: string, files: Readonly<Record<string, string>>): Buffer {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return execFileSync(
    'tar',
    ['-C', folder, '--sort=name', '--mtime=@0', '--numeric-owner', '-cf', '-', '.'],
    {
      maxBuffer: 1 << 28,
    },
  );
}

export function configOf(layers: readonly Buffer[], more: object = {}): Buffer {
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) };
  return json({ os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', rootfs, ...more });
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

export function blobPath(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

export type LayoutOptions = { readonly name?: string; readonly gzip?: boolean; readonly config?: Buffer };

/** An OCI image layout of one image. */
export function layoutOf(layers: readonly Buffer[], options: LayoutOptions = {}): Files {
  const { name = 'sample:1', gzip = true, config = configOf(layers) } = options;
  const files: Files = new Map();
  const add = (content: Buffer, mediaType: string) => {
    const digest = digestOf(content);
    files.set(blobPath(digest), content);
    return { mediaType, digest, size: content.length };
  };
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: add(config, OCI_CONFIG),
    layers: layers.map((layer) => (gzip ? add(gzipSync(layer), OCI_LAYER_GZIP) : add(layer, OCI_LAYER))),
  });
  const annotations = { 'org.opencontainers.image.ref.name': name };
  const manifests = [{ ...add(manifest, OCI_MANIFEST), annotations }];
  files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
  files.set('index.json', json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
  return files;
}

/** What `docker save` wrote before version 25. */
export function dockerOf(
  layers: readonly Buffer[],
  { name = 'sample:1', config = configOf(layers) }: LayoutOptions = {},
): Files {
  const files: Files = new Map();
  const paths = layers.map((layer, at) => {
    const folder = hexOf(digestOf(`${at}`));
    files.set(`${folder}/VERSION`, Buffer.from('1.0'));
    files.set(`${folder}/json`, json({ id: folder }));
    files.set(`${folder}/layer.tar`, layer);
    return `${folder}/layer.tar`;
  });
  const configPath = `${hexOf(digestOf(config))}.json`;
  files.set(configPath, config);
  files.set(
    'manifest.json',
    json([{ Config: configPath, RepoTags: name === '' ? null : [name], Layers: paths }]),
  );
  return files;
}

/** What `docker save` wrote before 1.10: a chain of folders from the top to the bottom. */
export function dockerV1Of(layers: readonly Buffer[], name = 'sample:1'): Files {
  const files: Files = new Map();
  const ids = layers.map((_, at) => hexOf(digestOf(`v1 ${at}`)));
  layers.forEach((layer, at) => {
    const [id = '', parent] = [ids[at], ids[at - 1]];
    const config = { Cmd: ['/bin/a'], Env: ['AGE=old'] };
    const step = {
      created: '2014-05-06T07:08:09Z',
      container_config: { Cmd: ['/bin/sh', '-c', `step ${at}`] },
    };
    files.set(`${id}/VERSION`, Buffer.from('1.0'));
    files.set(`${id}/json`, json({ id, parent, os: 'linux', architecture: 'amd64', config, ...step }));
    files.set(`${id}/layer.tar`, layer);
  });
  const [repository = '', tag = ''] = name.split(':');
  files.set('repositories', json({ [repository]: { [tag]: ids.at(-1) } }));
  return files;
}

export async function archiveOf(files: Files): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar([...files].map(([path, content]) => tarText(path, content))))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function writeFolder(files: Files, folder: string): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
