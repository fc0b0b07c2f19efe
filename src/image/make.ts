// Makes an image of a layer and a config: alone (import, build-base) or on top of another (commit). The same input is the same image.

import { NslabError } from '../base/error.ts';
import { parseChange } from './change.ts';
import { chainIds, type Digest } from './digest.ts';
import {
  type HistoryEntry,
  MAX_CONFIG,
  MAX_LAYERS,
  MAX_MANIFEST,
  type Platform,
  type Settings,
} from './manifest.ts';
import { OCI_CONFIG, OCI_MANIFEST } from './media-types.ts';
import type { ImageStore } from './store.ts';

export type MakeRequest = {
  /** The manifest of the image that the layer comes on top of. */
  readonly parent?: Digest;
  /** In the store. */
  readonly layer: {
    readonly digest: Digest;
    readonly size: number;
    readonly mediaType: string;
    readonly diffId: Digest;
  };
  readonly changes: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly history: HistoryEntry;
  readonly author?: string | undefined;
  /** Of an image without parent. */
  readonly platform?: Platform;
  readonly signal?: AbortSignal | undefined;
};

type Json = Record<string, unknown>;

/** Returns the digest of its manifest. @throws NslabError USAGE for a change that is none */
export async function makeImage(store: ImageStore, request: MakeRequest): Promise<Digest> {
  const { layer, created, author, history, signal } = request;
  const parent = request.parent === undefined ? undefined : readParent(store, request.parent);
  const diffIds = [...(parent?.diffIds ?? []), layer.diffId];
  if (diffIds.length > MAX_LAYERS)
    throw new NslabError('IMAGE_FORMAT', `an image has ${MAX_LAYERS} layers at most`, {
      hint: 'export and import make one layer of them all',
    });
  const { diffId, ...descriptor } = layer;
  await store.ensureLayer({ descriptor, diffId, parent: chainIds(diffIds).at(-2), signal });
  const config: Json = {
    ...(parent?.config ?? request.platform),
    created,
    ...(author === undefined ? {} : { author }),
    config: applyChanges((parent?.config['config'] ?? {}) as Settings, request.changes),
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [...((parent?.config['history'] as HistoryEntry[] | undefined) ?? []), { created, ...history }],
  };
  const configBytes = Buffer.from(JSON.stringify(config));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: store.putBlob(configBytes), size: configBytes.length },
    layers: [...(parent?.layers ?? []), descriptor],
  };
  return store.putBlob(Buffer.from(JSON.stringify(manifest)));
}

/** What nslab knows nothing about stays in the config. */
function readParent(store: ImageStore, digest: Digest) {
  const { manifest, config } = store.readImage(digest);
  const raw = JSON.parse(store.readBlob(manifest.config.digest, MAX_CONFIG).toString('utf8')) as Json;
  const layers = (JSON.parse(store.readBlob(digest, MAX_MANIFEST).toString('utf8')) as { layers: unknown[] })
    .layers;
  // Of the container in which Docker made the parent.
  const { container: _, container_config: __, ...kept } = raw;
  return { config: kept, layers, diffIds: config.rootfs.diff_ids };
}

/** @throws NslabError USAGE */
export function applyChanges(settings: Settings, changes: readonly string[]): Settings {
  return changes.reduce((before, text) => {
    const change = parseChange(text);
    if (change.ok) return change.value(before);
    throw new NslabError('USAGE', `--change ${JSON.stringify(text)} ${change.error}`);
  }, settings);
}
