// Removes from the store what nothing needs. Needed is what the names lead to and what containers run on; everything is counted anew
// each time from those, so that no count can be wrong after a crash. The caller owns the store (ImageStore.own).

import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../base/error.ts';
import { type Digest, hexOf } from './digest.ts';
import { storeError } from './failure.ts';
import type { ImageStore } from './store.ts';

export type Garbage = {
  readonly blobs: number;
  readonly layers: number;
  /** What blobs and layers took. */
  readonly bytes: number;
};

export type CollectRequest = {
  /** Manifests that containers run on. */
  readonly used: readonly Digest[];
  /** Downloads that were cut off go as well, which else would go on from there. */
  readonly unfinished: boolean;
};

export function collectGarbage(store: ImageStore, request: CollectRequest): Garbage {
  const needed = findNeeded(store, request.used);
  try {
    const found = { blobs: 0, layers: 0, bytes: 0 };
    const blobs = join(store.root, 'blobs/sha256');
    for (const name of readdirSync(blobs)) {
      if (needed.blobs.has(name)) continue;
      found.blobs++;
      found.bytes += statSync(join(blobs, name)).size;
      rmSync(join(blobs, name));
    }
    for (const chain of store.layers.list()) {
      if (needed.layers.has(hexOf(chain))) continue;
      found.layers++;
      found.bytes += store.layers.info(chain)?.bytes ?? 0;
      store.layers.remove(chain);
    }
    removeUnfinished(store, request.unfinished);
    return found;
  } catch (error) {
    throw storeError('cannot remove from the store', error);
  }
}

type Needed = { readonly blobs: ReadonlySet<string>; readonly layers: ReadonlySet<string> };

function findNeeded(store: ImageStore, used: readonly Digest[]): Needed {
  const blobs = new Set<string>();
  const layers = new Set<string>();
  const names = store.references.list();
  for (const digest of new Set([...used, ...names.map(({ manifest }) => manifest)])) {
    blobs.add(hexOf(digest));
    try {
      const { manifest, chain } = store.readImage(digest);
      for (const part of [manifest.config, ...manifest.layers]) blobs.add(hexOf(part.digest));
      for (const id of chain) layers.add(hexOf(id));
    } catch (error) {
      // What cannot be read leads to nothing, and what it led to may be removed; it is never named again by itself.
      if (!(error instanceof NslabError)) throw error;
      if (used.includes(digest)) throw error;
    }
  }
  for (const { index } of names) if (index !== undefined) blobs.add(hexOf(index));
  return { blobs, layers };
}

/** Nobody is at it: whoever adds shares the lock that is held here. */
function removeUnfinished(store: ImageStore, all: boolean): void {
  for (const folder of ['blobs/tmp', 'layers/tmp']) {
    for (const name of readdirSync(join(store.root, folder))) {
      if (!all && name.endsWith('.part')) continue;
      rmSync(join(store.root, folder, name), { recursive: true, force: true });
    }
  }
}
