// The images of the store: listed, told, named, removed. What containers run on is known here and not in image/: they keep a file that
// names it as long as they exist.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../base/error.ts';
import { type Garbage as Collected, collectGarbage } from '../image/collect.ts';
import { type Digest, isDigest, shortDigest } from '../image/digest.ts';
import { findImage, mustReference } from '../image/find.ts';
import { platformText } from '../image/platform.ts';
import { familiarName, type Reference } from '../image/reference.ts';
import { type Image, ImageStore } from '../image/store.ts';
import { helperPath } from '../kernel/helper.ts';
import { CONTAINERS_VAR, IMAGE_FILE } from '../state/paths.ts';
import { codeOf } from '../sys/errno.ts';

/** What was removed of the store. */
export type Garbage = Collected;

/** The store of this machine. @throws NslabError IMAGE_STORE */
export function openStore(): ImageStore {
  return new ImageStore({ helper: helperPath() });
}

export type ContainerUse = { readonly lab: string; readonly node: string; readonly manifest: Digest };

/** What containers run on, also those that a reboot ended. */
export function imagesInUse(): ContainerUse[] {
  return namesIn(CONTAINERS_VAR).flatMap((lab) =>
    namesIn(join(CONTAINERS_VAR, lab)).flatMap((node): ContainerUse[] => {
      const manifest = manifestOf(join(CONTAINERS_VAR, lab, node, IMAGE_FILE));
      return manifest === undefined ? [] : [{ lab, node, manifest }];
    }),
  );
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return [];
    throw error;
  }
}

function manifestOf(file: string): Digest | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return undefined;
    throw error;
  }
  try {
    const { manifest } = JSON.parse(text) as { manifest?: unknown };
    return typeof manifest === 'string' && isDigest(manifest) ? manifest : undefined;
  } catch {
    // Written by an `up` that was killed in the middle: nothing runs on it.
    return undefined;
  }
}

export type ImageRow = {
  readonly name: string;
  /** The digest of its config, by which Docker knows it. */
  readonly id: Digest;
  readonly digest: Digest;
  readonly platform: string;
  readonly created: string | null;
  /** What its files take. */
  readonly bytes: number;
};

/** One row for each name. */
export function imageRows(store: ImageStore): ImageRow[] {
  return store.listNames().map(({ reference, manifest }) => {
    const image = store.readImage(manifest);
    return {
      name: familiarName(reference),
      id: image.manifest.config.digest,
      digest: manifest,
      platform: platformText(image.config),
      created: image.config.created ?? null,
      bytes: sizeOf(store, image),
    };
  });
}

function sizeOf(store: ImageStore, { chain }: Image): number {
  return chain.reduce((sum, id) => sum + (store.layers.info(id)?.bytes ?? 0), 0);
}

export type ImageDetails = {
  readonly Id: Digest;
  readonly Digest: Digest;
  readonly Names: readonly string[];
  readonly Created: string | null;
  readonly Author: string | null;
  readonly Os: string;
  readonly Architecture: string;
  readonly Variant: string | null;
  readonly Size: number;
  readonly Config: unknown;
  readonly Layers: readonly {
    readonly Digest: Digest;
    readonly MediaType: string;
    readonly Size: number;
    readonly DiffId: Digest;
    readonly ChainId: Digest;
  }[];
};

/** In the words of Docker and of the config. */
export function imageDetails(store: ImageStore, text: string): ImageDetails {
  const image = store.readImage(findImage(store, text).manifest);
  const { manifest, config, chain } = image;
  const names = store.listNames().filter((one) => one.manifest === image.digest);
  return {
    Id: manifest.config.digest,
    Digest: image.digest,
    Names: names.map(({ reference }) => familiarName(reference)),
    Created: config.created ?? null,
    Author: config.author ?? null,
    Os: config.os,
    Architecture: config.architecture,
    Variant: config.variant ?? null,
    Size: sizeOf(store, image),
    Config: config.config ?? {},
    Layers: manifest.layers.flatMap((layer, at) => {
      const [DiffId, ChainId] = [config.rootfs.diff_ids[at], chain[at]];
      if (DiffId === undefined || ChainId === undefined) return [];
      return [{ Digest: layer.digest, MediaType: layer.mediaType, Size: layer.size, DiffId, ChainId }];
    }),
  };
}

export type HistoryRow = {
  readonly created: string | null;
  readonly createdBy: string;
  /** 0 for a step that changed no files. */
  readonly bytes: number;
  readonly comment: string;
};

/** The newest step first. */
export function imageHistory(store: ImageStore, text: string): HistoryRow[] {
  const { config, chain } = store.readImage(findImage(store, text).manifest);
  const layers = [...chain];
  const sizeOfNext = (): number => {
    const id = layers.shift();
    return id === undefined ? 0 : (store.layers.info(id)?.bytes ?? 0);
  };
  const rows = (config.history ?? []).map(
    (entry): HistoryRow => ({
      created: entry.created ?? null,
      createdBy: entry.created_by ?? '',
      bytes: entry.empty_layer === true ? 0 : sizeOfNext(),
      comment: entry.comment ?? '',
    }),
  );
  // A history is optional, and may be shorter than the layers.
  while (layers.length > 0) rows.push({ created: null, createdBy: '', bytes: sizeOfNext(), comment: '' });
  return rows.reverse();
}

/** Gives the image another name beside those it has. */
export async function tagImage(store: ImageStore, source: string, target: string): Promise<void> {
  const reference = mustReference(target);
  if (reference.digest !== undefined)
    throw new NslabError('IMAGE_REFERENCE', `${target}: a digest is what an image is, not a name to give it`);
  using _share = await store.share();
  store.setReference(reference, findImage(store, source).manifest);
}

export type Removed = { readonly names: readonly string[]; readonly garbage: Garbage | undefined };

/**
 * Takes names away, and what no other name and no container needs. An id stands for all names of its image.
 * @throws NslabError IMAGE_UNKNOWN; IMAGE_IN_USE for the last name of one that a container runs on, unless `force` is there
 */
export async function removeImages(
  store: ImageStore,
  texts: readonly string[],
  { force }: { readonly force: boolean },
): Promise<Removed> {
  const all = store.listNames();
  const chosen = texts.flatMap((text) => {
    const { manifest, name } = findImage(store, text);
    return name === undefined ? all.filter((one) => one.manifest === manifest) : [name];
  });
  const goes = new Set(chosen.map(({ reference }) => familiarName(reference)));
  if (!force) {
    for (const { manifest, reference } of chosen) {
      const stays = all.some((one) => one.manifest === manifest && !goes.has(familiarName(one.reference)));
      const user = imagesInUse().find((one) => one.manifest === manifest);
      if (stays || user === undefined) continue;
      throw new NslabError(
        'IMAGE_IN_USE',
        `container ${user.node} of lab ${user.lab} runs on ${familiarName(reference)}`,
        {
          hint: `nslab down ${user.lab} first; --force takes the name away and leaves the files as long as they are needed`,
        },
      );
    }
  }
  for (const { reference } of chosen) store.references.remove(reference);
  return { names: [...goes], garbage: await collectSoon(store) };
}

/** Undefined when somebody adds to the store right now: `image prune` does it later. */
async function collectSoon(store: ImageStore): Promise<Garbage | undefined> {
  try {
    using _own = await store.own();
    return collect(store, false);
  } catch (error) {
    if (error instanceof NslabError && error.code === 'IMAGE_IN_USE') return undefined;
    throw error;
  }
}

function collect(store: ImageStore, unfinished: boolean): Garbage {
  return collectGarbage(store, { used: imagesInUse().map(({ manifest }) => manifest), unfinished });
}

/** Removes what no name and no container needs; with `all` also the names of images on which no container runs. */
export async function pruneImages(store: ImageStore, { all }: { readonly all: boolean }): Promise<Removed> {
  using _own = await store.own();
  const used = new Set(imagesInUse().map(({ manifest }) => manifest));
  const unused = all ? store.listNames().filter(({ manifest }) => !used.has(manifest)) : [];
  for (const { reference } of unused) store.references.remove(reference);
  return { names: unused.map(({ reference }) => familiarName(reference)), garbage: collect(store, true) };
}

/** For messages. */
export function imageTitle(image: Image): string {
  return shortDigest(image.manifest.config.digest);
}

export function nameOf(reference: Reference): string {
  return familiarName(reference);
}
