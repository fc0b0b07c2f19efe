// The store of images under /var/lib/nslab/images: blobs by digest, unpacked layers by chain id, names. What has a name of its own in
// there is whole, checked and on the disk; everything unfinished is in a tmp folder, from which `image prune` takes it.
//
//   lock                       shared by who adds, held alone by who removes
//   blobs/sha256/HEX           manifests, configs and packed layers, byte for byte as they came
//   blobs/tmp/                 HEX.part: a download that goes on where it was cut off
//   layers/HEX/diff, info      layers/tmp/
//   refs/HEX

import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { NslabError } from '../base/error.ts';
import { type BlobRequest, Blobs, type BlobWriter, type StagedBlob } from './blobs.ts';
import { chainIds, type Digest } from './digest.ts';
import { brokenError, storeError } from './failure.ts';
import { makeFolder } from './files.ts';
import { Layers } from './layers.ts';
import { lockPath } from './lock.ts';
import {
  type Descriptor,
  type ImageConfig,
  MAX_CONFIG,
  MAX_MANIFEST,
  type Manifest,
  parseConfig,
  parseManifest,
} from './manifest.ts';
import type { Reference } from './reference.ts';
import { type NamedImage, References } from './references.ts';

export const IMAGES_VAR = '/var/lib/nslab/images';

export type StorePlaces = {
  /** IMAGES_VAR, but for tests. */
  readonly root?: string;
  /** The helper's path. */
  readonly helper: string;
};

/** An image that is in the store. */
export type Image = {
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Chain ids, the bottom layer first. */
  readonly chain: readonly Digest[];
};

/** How long whoever removes waits for those that add. */
const REMOVE_WAIT_MS = 5000;

export class ImageStore {
  readonly root: string;
  readonly blobs: Blobs;
  readonly layers: Layers;
  readonly references: References;

  /** Makes the folders. @throws NslabError IMAGE_STORE */
  constructor({ root = IMAGES_VAR, helper }: StorePlaces) {
    this.root = root;
    const at = (...names: string[]): string => join(root, ...names);
    try {
      for (const folder of ['blobs/sha256', 'blobs/tmp', 'layers/tmp', 'refs']) makeFolder(at(folder));
    } catch (error) {
      throw storeError(`cannot make ${root}`, error);
    }
    this.blobs = new Blobs(at('blobs/sha256'), at('blobs/tmp'));
    this.layers = new Layers(at('layers'), at('layers/tmp'), helper);
    this.references = new References(at('refs'), at('blobs/tmp'));
  }

  /**
   * Keeps what is unnamed from being removed, from before the first blob until the name is set. Any number may hold it at once.
   */
  async share(signal?: AbortSignal): Promise<Disposable> {
    const lock = await lockPath(join(this.root, 'lock'), { shared: true, signal });
    if (lock === undefined) throw new Error('a lock without a time limit');
    return lock;
  }

  /** For removing: nobody adds meanwhile. @throws NslabError IMAGE_IN_USE */
  async own(timeoutMs = REMOVE_WAIT_MS): Promise<Disposable> {
    const lock = await lockPath(join(this.root, 'lock'), { timeoutMs });
    if (lock !== undefined) return lock;
    throw new NslabError('IMAGE_IN_USE', 'another nslab process is adding to the store', {
      hint: 'try again when it has ended',
    });
  }

  hasBlob(digest: Digest): boolean {
    return this.blobs.size(digest) !== undefined;
  }

  /** See {@link Blobs.openWriter}: undefined when the blob is there. */
  openBlobWriter(request: BlobRequest): Promise<BlobWriter | undefined> {
    return this.blobs.openWriter(request);
  }

  /** A document. @throws NslabError IMAGE_BROKEN */
  readBlob(digest: Digest, max = MAX_CONFIG): Buffer {
    return this.blobs.read(digest, max);
  }

  /** The bytes of a blob of any size. */
  streamBlob(digest: Digest): Readable {
    return this.blobs.stream(digest);
  }

  /** Stores bytes that are in memory, as a manifest. */
  putBlob(bytes: Uint8Array): Digest {
    return this.blobs.put(bytes);
  }

  stageBlob(source: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
    return this.blobs.stage(source);
  }

  /**
   * Unpacks a layer whose blob is in the store, unless that was done before. Layers of one image may be asked for in any order
   * and at once: each is unpacked alone.
   * @throws NslabError IMAGE_BROKEN when it is not the config's layer, IMAGE_LAYER, IMAGE_STORE
   */
  async ensureLayer(request: {
    readonly descriptor: Descriptor;
    readonly diffId: Digest;
    /** The chain id of the layer below. */
    readonly parent: Digest | undefined;
    readonly signal?: AbortSignal | undefined;
  }): Promise<{ readonly chain: Digest; readonly made: boolean }> {
    const { descriptor, diffId, parent, signal } = request;
    return await this.layers.ensure({
      source: () => this.blobs.stream(descriptor.digest),
      packedSize: descriptor.size,
      what: `layer ${descriptor.digest}`,
      diffId,
      parent,
      signal,
    });
  }

  /**
   * The image of that manifest.
   * @throws NslabError IMAGE_BROKEN
   */
  readImage(digest: Digest): Image {
    const manifest = parseManifest(this.blobs.read(digest, MAX_MANIFEST), { what: digest });
    const { digest: configDigest, size } = manifest.config;
    const bytes = this.blobs.read(configDigest, MAX_CONFIG);
    if (bytes.length !== size)
      throw brokenError(configDigest, `has ${bytes.length} bytes, the manifest says ${size}`);
    const config = parseConfig(bytes, { what: configDigest, layers: manifest.layers.length });
    return { digest, manifest, config, chain: chainIds(config.rootfs.diff_ids) };
  }

  /**
   * Names an image, of which every part is in the store and every layer unpacked.
   * @throws NslabError IMAGE_BROKEN when it is not whole
   */
  setReference(reference: Reference, manifest: Digest, index?: Digest): void {
    const { chain } = this.assertWhole(manifest);
    this.layers.settle(chain);
    const at = new Date().toISOString();
    this.references.set({ reference, manifest, at, ...(index === undefined ? {} : { index }) });
  }

  assertWhole(digest: Digest): Image {
    const image = this.readImage(digest);
    for (const layer of image.manifest.layers) {
      if (this.blobs.size(layer.digest) !== layer.size)
        throw brokenError(digest, `lacks the layer ${layer.digest}`);
    }
    for (const chain of image.chain) {
      if (!this.layers.has(chain)) throw brokenError(digest, `lacks the unpacked layer ${chain}`);
    }
    return image;
  }

  listNames(): NamedImage[] {
    return this.references.list();
  }
}
