// Writes images as archives: an OCI image layout, as a tar or a folder, or what `docker save` has written since version 25, which is
// the same with the manifest.json of its older versions beside it. Blobs go out byte for byte as they came in.

import { createWriteStream, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { NslabError } from '../base/error.ts';
import { blobPath } from './archive.ts';
import type { Digest } from './digest.ts';
import { type Descriptor, MAX_MANIFEST, parseDocument } from './manifest.ts';
import { OCI_INDEX } from './media-types.ts';
import { DEFAULT_TAG, familiarName, fullName, type Reference } from './reference.ts';
import type { ImageStore } from './store.ts';
import { type TarFile, tarText, writeTar } from './tar-write.ts';

export type SavedImage = {
  readonly digest: Digest;
  /** Without a digest: an archive has names for what is in it. */
  readonly names: readonly Reference[];
};

export type ArchiveFormat = 'docker' | 'oci';

/** The files of the archive, in the order in which they are written. */
export function archiveFiles(
  store: ImageStore,
  images: readonly SavedImage[],
  format: ArchiveFormat,
): TarFile[] {
  const blobs = new Map<Digest, TarFile>();
  const add = ({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): void => {
    blobs.set(digest, { path: blobPath(digest), size, body: () => store.streamBlob(digest) });
  };
  const manifests: unknown[] = [];
  const list: unknown[] = [];
  for (const { digest, names } of images) {
    const { manifest } = store.readImage(digest);
    const bytes = store.readBlob(digest, MAX_MANIFEST);
    const { mediaType } = parseDocument(bytes, { what: digest });
    const tags = names.filter(({ tag }) => tag !== undefined);
    const descriptor = { mediaType, digest, size: bytes.length };
    for (const one of [descriptor, manifest.config, ...manifest.layers]) add(one);
    const named = tags.map((name) => ({ ...descriptor, annotations: nameAnnotations(name) }));
    manifests.push(...(named.length === 0 ? [descriptor] : named));
    list.push({
      Config: blobPath(manifest.config.digest),
      RepoTags: tags.length === 0 ? null : tags.map(familiarName),
      Layers: manifest.layers.map((layer) => blobPath(layer.digest)),
    });
  }
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  return [
    jsonFile('oci-layout', { imageLayoutVersion: '1.0.0' }),
    jsonFile('index.json', index),
    ...(format === 'docker' ? [jsonFile('manifest.json', list)] : []),
    ...[...blobs.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  ];
}

/** The first is for podman and skopeo, the second for containerd and Docker. */
function nameAnnotations(reference: Reference): Record<string, string> {
  const { tag = DEFAULT_TAG, host, path } = reference;
  const name = fullName({ host, path, tag });
  return { 'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name };
}

function jsonFile(path: string, value: unknown): TarFile {
  return tarText(path, Buffer.from(JSON.stringify(value)));
}

/** Through a pipe or into a file that is open. */
export async function writeArchive(
  files: readonly TarFile[],
  to: Writable,
  signal?: AbortSignal,
): Promise<void> {
  await pipeline(Readable.from(writeTar(files)), to, ...(signal === undefined ? [] : [{ signal }]));
}

/** @throws NslabError IMAGE_FORMAT for a folder that has other things in it */
export async function writeLayout(files: readonly TarFile[], folder: string): Promise<void> {
  const there = existsSync(folder) ? readdirSync(folder) : [];
  if (there.length > 0) throw new NslabError('IMAGE_FORMAT', `${folder} is not empty`);
  try {
    for (const { path, body } of files) {
      const at = join(folder, path);
      mkdirSync(dirname(at), { recursive: true });
      await pipeline(Readable.from(body()), createWriteStream(at, { mode: 0o644 }));
    }
  } catch (error) {
    for (const { path } of files) rmSync(join(folder, path), { force: true });
    throw error;
  }
}
