// `image import`: a tar of files as an image of one layer, as it is, packed or not.

import { createHash } from 'node:crypto';
import { packingOf, unpacked } from './decompress.ts';
import type { Digest } from './digest.ts';
import { digestOfHex } from './digest.ts';
import { applyChanges, makeImage } from './make.ts';
import type { Platform } from './manifest.ts';
import { OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD } from './media-types.ts';
import type { ImageStore } from './store.ts';

export type ImportRequest = {
  readonly source: AsyncIterable<Uint8Array>;
  /** What the source is called in messages. */
  readonly what: string;
  readonly changes: readonly string[];
  readonly platform: Platform;
  readonly created: string;
  readonly createdBy: string;
  readonly comment?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

const mediaTypes = { none: OCI_LAYER, gzip: OCI_LAYER_GZIP, zstd: OCI_LAYER_ZSTD } as const;

/** Returns the digest of the image's manifest. The caller shares the store and names it. */
export async function importImage(store: ImageStore, request: ImportRequest): Promise<Digest> {
  const { source, what, changes, platform, created, createdBy, comment, signal } = request;
  // A mistake in these is said before a gigabyte is read.
  applyChanges({}, changes);
  const first: { bytes?: Buffer } = {};
  using staged = await store.stageBlob(noteFirst(source, first));
  const packing = packingOf(first.bytes ?? Buffer.alloc(0));
  await staged.keep();
  const { digest, size } = staged;
  const diffId = packing === 'none' ? digest : await hashOf(unpacked(store.streamBlob(digest), what));
  return await makeImage(store, {
    layer: { digest, size, mediaType: mediaTypes[packing], diffId },
    changes,
    platform,
    created,
    history: { created_by: createdBy, ...(comment === undefined ? {} : { comment }) },
    signal,
  });
}

async function* noteFirst(
  source: AsyncIterable<Uint8Array>,
  first: { bytes?: Buffer },
): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    if ((first.bytes?.length ?? 0) < 4)
      first.bytes = Buffer.concat([first.bytes ?? Buffer.alloc(0), chunk.subarray(0, 4)]);
    yield chunk;
  }
}

async function hashOf(source: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk);
  return digestOfHex(hash.digest('hex'));
}
