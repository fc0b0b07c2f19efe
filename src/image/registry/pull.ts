// An image from a registry into the store: manifest, config, layers. Several layers come at once, and each is unpacked as soon as it
// is there, while others still come. Whatever ends this leaves parts that the next pull goes on with, and no lock.

import { NslabError } from '../../base/error.ts';
import { chainIds, type Digest } from '../digest.ts';
import { type Descriptor, MAX_CONFIG, type Manifest, type Platform, parseConfig } from '../manifest.ts';
import { inParallel } from '../parallel.ts';
import { chooseEntry, hostPlatform, platformText, suits } from '../platform.ts';
import { fullName, type Reference } from '../reference.ts';
import type { ImageStore } from '../store.ts';
import {
  type BlobState,
  type ConnectionOptions,
  type OnTransfer,
  openExchange,
  selectorOf,
} from './connection.ts';
import { downloadBlob } from './download.ts';
import type { Exchange } from './exchange.ts';
import { asError, Fault } from './fault.ts';
import { endpointsOf } from './hosts.ts';
import { type Fetched, fetchDocument, type WantedDocument } from './manifests.ts';
import { retrying } from './retry.ts';
import { Slots } from './slots.ts';

export type PullOptions = ConnectionOptions & {
  readonly store: ImageStore;
  /** This machine's by default. */
  readonly platform?: Platform | undefined;
  readonly onEvent: OnTransfer;
};

export type Pulled = {
  readonly reference: Reference;
  /** Of the manifest. */
  readonly manifest: Digest;
  /** Of what the reference stands for: an index, or the manifest. */
  readonly digest: Digest;
  /** Of the config, which Docker calls the image's id. */
  readonly id: Digest;
  /** False when all of it was there. */
  readonly isNew: boolean;
};

/** At once: more than four does not make one server faster, and some count them. */
const DOWNLOADS = 4;
/** Unpacking takes a processor each. */
const UNPACKINGS = 2;
/** A mirror is there to be quick; if it is not, there is another way. */
const MIRROR_ATTEMPTS = 2;

/** @throws NslabError REGISTRY_*, IMAGE_*, INTERRUPTED */
export async function pull(reference: Reference, options: PullOptions): Promise<Pulled> {
  const { store, signal } = options;
  const exchanges = endpointsOf(reference, options).map((endpoint) =>
    openExchange(endpoint, 'pull', options),
  );
  const pulling = new Pulling(reference, exchanges, options);
  try {
    using _shared = await store.share(signal);
    return await pulling.run();
  } catch (error) {
    throw signal.aborted ? pulling.interrupted(error) : error;
  } finally {
    for (const exchange of exchanges) exchange.close();
  }
}

type Part = {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly parent: Digest | undefined;
  readonly chain: Digest;
};

class Pulling {
  readonly #reference: Reference;
  readonly #options: PullOptions;
  readonly #name: string;
  /** The one that had the manifest comes first: it is the likeliest to have the rest. */
  #sources: readonly Exchange[];
  #isNew = false;

  constructor(reference: Reference, sources: readonly Exchange[], options: PullOptions) {
    this.#reference = reference;
    this.#sources = sources;
    this.#options = options;
    this.#name = fullName(reference);
  }

  async run(): Promise<Pulled> {
    const { store, onEvent } = this.#options;
    const top = await this.#fetch({
      reference: selectorOf(this.#reference),
      digest: this.#reference.digest,
      name: this.#name,
    });
    const { manifest, fetched } = await this.#chooseImage(top);
    const { config, layers } = manifest;
    const blobs = unique(layers);
    onEvent({ type: 'manifest', digest: fetched.digest, host: this.#source.endpoint.name, blobs });
    const diffIds = await this.#config(manifest);
    const chain = chainIds(diffIds);
    const parts = layers.flatMap((descriptor, i): Part[] => {
      const [diffId, id] = [diffIds[i], chain[i]];
      return diffId === undefined || id === undefined
        ? []
        : [{ descriptor, diffId, chain: id, parent: i === 0 ? undefined : chain[i - 1] }];
    });
    await this.#layers(parts);
    // Documents last: a manifest in the store without its layers would be of no use.
    if (top !== fetched) store.putBlob(top.bytes);
    store.putBlob(fetched.bytes);
    store.setReference(this.#reference, fetched.digest, top === fetched ? undefined : top.digest);
    return {
      reference: this.#reference,
      manifest: fetched.digest,
      digest: top.digest,
      id: config.digest,
      isNew: this.#isNew,
    };
  }

  interrupted(cause: unknown): NslabError {
    return new NslabError('INTERRUPTED', `pull ${this.#name}: interrupted`, {
      hint: 'what was downloaded is kept, and the next pull goes on from there',
      cause,
    });
  }

  get #source(): Exchange {
    const [first] = this.#sources;
    if (first === undefined) throw new Error('no registry to pull from');
    return first;
  }

  /** Tries one registry after another; the failure of the last one, which is no mirror, is the one to tell. */
  async #fromAny<T>(doing: (exchange: Exchange) => Promise<T>): Promise<T> {
    const { onEvent, signal } = this.#options;
    for (const [i, exchange] of this.#sources.entries()) {
      try {
        const result = await doing(exchange);
        if (i > 0) this.#sources = [exchange, ...this.#sources.filter((one) => one !== exchange)];
        return result;
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        const last = i === this.#sources.length - 1;
        const told = asError(error, { doing: `pull ${this.#name}`, host: exchange.endpoint.name });
        if (last || signal.aborted) throw told;
        onEvent({ type: 'note', text: told.message });
      }
    }
    throw new Error('no registry to pull from');
  }

  async #fetch(wanted: WantedDocument): Promise<Fetched> {
    return await this.#fromAny((exchange) =>
      retrying(this.#retryOf(exchange), this.#trial(), () => fetchDocument(exchange, wanted)),
    );
  }

  #retryOf(exchange: Exchange) {
    const { retry } = this.#options;
    return exchange.endpoint.isMirror
      ? { ...retry, attempts: Math.min(retry.attempts, MIRROR_ATTEMPTS) }
      : retry;
  }

  #trial() {
    const { signal, onEvent } = this.#options;
    const onRetry = (fault: Fault, pauseMs: number): void =>
      onEvent({ type: 'note', text: `${fault.message}; again in ${(pauseMs / 1000).toFixed(1)} s` });
    return { signal, onRetry };
  }

  /** The manifest itself, through an index where there is one. */
  async #chooseImage(top: Fetched): Promise<{ readonly manifest: Manifest; readonly fetched: Fetched }> {
    const { platform = hostPlatform() } = this.#options;
    if (top.document.kind === 'manifest') return { manifest: top.document.manifest, fetched: top };
    const { digest, size } = chooseEntry(top.document.index.manifests, {
      what: this.#name,
      wanted: platform,
    });
    const fetched = await this.#fetch({ reference: digest, digest, size, name: this.#name });
    // An index of indexes: the specification allows it, and no reader follows it.
    if (fetched.document.kind !== 'manifest')
      throw new NslabError(
        'IMAGE_FORMAT',
        `${this.#name}: the entry for ${platformText(platform)} is an index itself`,
      );
    return { manifest: fetched.document.manifest, fetched };
  }

  async #config(manifest: Manifest): Promise<readonly Digest[]> {
    const { store, platform } = this.#options;
    const { config, layers } = manifest;
    const what = `${this.#name}: the config ${config.digest}`;
    if (config.size > MAX_CONFIG)
      throw new NslabError('IMAGE_BROKEN', `${what} has ${config.size} bytes, ${MAX_CONFIG} are allowed`);
    await this.#download(config, this.#options.signal, () => undefined);
    const parsed = parseConfig(store.readBlob(config.digest), { what, layers: layers.length });
    this.#checkPlatform(parsed, platform);
    return parsed.rootfs.diff_ids;
  }

  /** An image without an index comes as it is. Docker takes it too, and says so. */
  #checkPlatform(image: Platform, asked: Platform | undefined): void {
    if (suits(image, asked ?? hostPlatform())) return;
    const text = `${this.#name} is for ${platformText(image)}`;
    if (asked !== undefined)
      throw new NslabError('IMAGE_PLATFORM', `${text}, and not for ${platformText(asked)}`);
    this.#options.onEvent({
      type: 'note',
      text: `${text}, and this machine is ${platformText(hostPlatform())}`,
    });
  }

  async #layers(parts: readonly Part[]): Promise<void> {
    const { store, signal, onEvent } = this.#options;
    const downloads = new Slots(DOWNLOADS);
    const unpackings = new Slots(UNPACKINGS);
    const blobs = unique(parts.map(({ descriptor }) => descriptor));
    // All of them begin, and wait for a slot to go on.
    await inParallel(blobs, { limit: blobs.length, signal }, async (blob, _index, stop) => {
      const { digest, size } = blob;
      const tell = (state: BlobState): void => onEvent({ type: 'blob', digest, size, ...state });
      const onProgress = (done: number): void => tell({ state: 'downloading', done });
      const made = await downloads.run(() => this.#download(blob, stop, onProgress));
      const mine = parts.filter(({ descriptor }) => descriptor.digest === digest);
      const missing = mine.filter(({ chain }) => !store.layers.has(chain));
      if (made) tell({ state: 'downloaded' });
      await unpackings.run(async () => {
        for (const { descriptor, diffId, parent } of missing) {
          this.#isNew = true;
          tell({ state: 'unpacking' });
          await store.ensureLayer({ descriptor, diffId, parent, signal: stop });
        }
      });
      tell({ state: made || missing.length > 0 ? 'complete' : 'there' });
    });
  }

  /** False when the store had it. */
  async #download(
    blob: Descriptor,
    signal: AbortSignal,
    onProgress: (done: number) => void,
  ): Promise<boolean> {
    const { store, onEvent } = this.#options;
    const { digest, size } = blob;
    if (store.blobs.size(digest) === size) return false;
    const made = await this.#fromAny((exchange) =>
      downloadBlob(exchange, blob, {
        retry: this.#retryOf(exchange),
        signal,
        openWriter: () => store.openBlobWriter({ digest, size, signal }),
        onProgress,
        onRetry: (fault, pauseMs) =>
          onEvent({ type: 'blob', digest, size, state: 'retrying', reason: fault.message, pauseMs }),
      }),
    );
    this.#isNew ||= made;
    return made;
  }
}

/** The empty layer is in many images several times. */
function unique(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}
