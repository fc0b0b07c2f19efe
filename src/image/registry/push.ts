// An image of the store into a registry: layers and config, several at once, and when all are there the manifest, byte for byte, so
// that its digest stays.

import { createReadStream } from 'node:fs';
import { NslabError } from '../../base/error.ts';
import type { Digest } from '../digest.ts';
import { type Descriptor, MAX_MANIFEST, parseDocument } from '../manifest.ts';
import { inParallel } from '../parallel.ts';
import { fullName, type Reference } from '../reference.ts';
import type { ImageStore } from '../store.ts';
import { scopeOf } from './authorizer.ts';
import {
  type BlobState,
  type ConnectionOptions,
  type OnTransfer,
  openExchange,
  selectorOf,
} from './connection.ts';
import type { Exchange } from './exchange.ts';
import { asError, Fault } from './fault.ts';
import { upstreamOf } from './hosts.ts';
import { retrying } from './retry.ts';
import { UPLOAD_CHUNK, uploadBlob } from './upload.ts';

export type PushOptions = ConnectionOptions & {
  readonly store: ImageStore;
  readonly onEvent: OnTransfer;
  readonly chunk?: number;
};

export type Pushed = { readonly reference: Reference; readonly digest: Digest };

const UPLOADS = 3;
const READ_CHUNK = 256 << 10;
/** Names are tried for this many repositories; each is one more thing to be allowed to. */
const MOST_MOUNTS = 8;

/**
 * Pushes the image with that manifest under a name.
 * @throws NslabError REGISTRY_*, IMAGE_*, INTERRUPTED
 */
export async function push(reference: Reference, manifest: Digest, options: PushOptions): Promise<Pushed> {
  const { store, signal } = options;
  const endpoint = upstreamOf(reference, options);
  const mounts = mountsFor(reference, manifest, store);
  const scopes = [...new Set(mounts.values())].map((path) => scopeOf(path, 'pull'));
  const exchange = openExchange(endpoint, 'pull,push', options, scopes);
  const doing = `push ${fullName(reference)}`;
  try {
    using _shared = await store.share(signal);
    await pushAll(exchange, { reference, manifest, mounts }, options);
    return { reference, digest: manifest };
  } catch (error) {
    if (signal.aborted) throw new NslabError('INTERRUPTED', `${doing}: interrupted`, { cause: error });
    throw error instanceof Fault ? asError(error, { doing, host: endpoint.name }) : error;
  } finally {
    exchange.close();
  }
}

type Pushing = {
  readonly reference: Reference;
  readonly manifest: Digest;
  /** Which repository of the registry should have a blob. */
  readonly mounts: ReadonlyMap<Digest, string>;
};

async function pushAll(exchange: Exchange, pushing: Pushing, options: PushOptions): Promise<void> {
  const { store, onEvent, signal, retry } = options;
  const { reference, manifest: digest, mounts } = pushing;
  const { manifest } = store.readImage(digest);
  const bytes = store.readBlob(digest, MAX_MANIFEST);
  const { mediaType } = parseDocument(bytes, { what: digest });
  const layers = [...new Map(manifest.layers.map((one) => [one.digest, one])).values()];
  const host = exchange.endpoint.name;
  onEvent({ type: 'manifest', digest, host, blobs: layers });
  // The first request finds out how to speak to the registry, and who we are for it; the others use what it found.
  await pushBlob(exchange, manifest.config, { ...options, mounts, signal, isLayer: false });
  await inParallel(layers, { limit: UPLOADS, signal }, (layer, _index, stop) =>
    pushBlob(exchange, layer, { ...options, mounts, signal: stop, isLayer: true }),
  );
  const onRetry = (fault: Fault): void => onEvent({ type: 'note', text: fault.message });
  await retrying(retry, { signal, onRetry }, async () => {
    const answer = await exchange.ask({
      method: 'PUT',
      to: `manifests/${selectorOf(tagFirst(reference))}`,
      headers: { 'content-type': mediaType },
      body: { length: bytes.length, read: () => [bytes] },
      expect: [200, 201, 202],
      what: 'the manifest',
    });
    answer.discard();
    const said = answer.header('docker-content-digest');
    if (said?.startsWith('sha256:') && said !== digest)
      throw new Fault('digest', `it calls ${said} the manifest that was pushed as ${digest}`);
  });
}

/** A tag is what one pushes; a digest is what comes of it. */
function tagFirst(reference: Reference): Reference {
  if (reference.tag === undefined) return reference;
  const { digest: _, ...tagged } = reference;
  return tagged;
}

type BlobPush = PushOptions & {
  readonly mounts: ReadonlyMap<Digest, string>;
  readonly isLayer: boolean;
};

async function pushBlob(exchange: Exchange, blob: Descriptor, options: BlobPush): Promise<void> {
  const { store, retry, signal, onEvent, mounts, chunk = UPLOAD_CHUNK, isLayer } = options;
  const { digest, size } = blob;
  const tell = (state: BlobState): void => {
    if (isLayer) onEvent({ type: 'blob', digest, size, ...state });
  };
  const mountFrom = mounts.get(digest);
  const path = store.blobs.path(digest);
  const outcome = await uploadBlob(
    exchange,
    {
      digest,
      size,
      read: (start, end) => createReadStream(path, { start, end: end - 1, highWaterMark: READ_CHUNK }),
    },
    {
      retry,
      signal,
      chunk,
      mountFrom,
      onProgress: (done) => tell({ state: 'uploading', done }),
      onRetry: (fault, pauseMs) => tell({ state: 'retrying', reason: fault.message, pauseMs }),
    },
  );
  switch (outcome) {
    case 'there':
      return tell({ state: 'there' });
    case 'mounted':
      return tell({ state: 'mounted', from: mountFrom ?? '' });
    case 'uploaded':
      return tell({ state: 'complete' });
  }
}

/** Layers that other images of the same registry share with this one: they came from there, or were pushed there. */
function mountsFor(reference: Reference, digest: Digest, store: ImageStore): Map<Digest, string> {
  const wanted = new Set(store.readImage(digest).manifest.layers.map((layer) => layer.digest));
  const mounts = new Map<Digest, string>();
  const paths = new Set<string>();
  for (const { reference: other, manifest } of store.listNames()) {
    if (other.host !== reference.host || other.path === reference.path) continue;
    for (const layer of layersOf(store, manifest)) {
      if (!wanted.has(layer.digest) || mounts.has(layer.digest)) continue;
      if (paths.size >= MOST_MOUNTS && !paths.has(other.path)) continue;
      paths.add(other.path);
      mounts.set(layer.digest, other.path);
    }
  }
  return mounts;
}

/** An image that is damaged has nothing to offer; whoever uses it will be told. */
function layersOf(store: ImageStore, manifest: Digest): readonly Descriptor[] {
  try {
    return store.readImage(manifest).manifest.layers;
  } catch (error) {
    if (error instanceof NslabError) return [];
    throw error;
  }
}
