// Unpacked layers: layers/CHAIN/diff, in overlayfs' own form, each alone, so that any number of images share one. The helper unpacks
// into a folder beside, chrooted; the digest of the tar is checked while it streams; the folder gets its name when it is whole.
// Writing out is done once for all layers of an image, when it gets its name (settle): until then a file in the layer has the boot
// in which it was made, and after a power cut, which is another boot, the layer does not count.

import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { syncfs } from '../sys/libc.ts';
import { unpacked } from './decompress.ts';
import { chainId, type Digest, digestOfHex, hexOf } from './digest.ts';
import { brokenError, storeError } from './failure.ts';
import { ifThere, makeFolder, uniqueName } from './files.ts';
import { runHelper } from './helper-run.ts';
import { lockPath } from './lock.ts';

export type LayerRequest = {
  /** The layer as it is packed. */
  readonly source: () => AsyncIterable<Uint8Array>;
  /** What it takes packed: a layer that is very much more when unpacked is a trap. */
  readonly packedSize: number;
  /** How it is called in messages. */
  readonly what: string;
  readonly diffId: Digest;
  /** The chain id of the layer below; undefined for the bottom one. */
  readonly parent: Digest | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type LayerInfo = {
  /** What its files take. */
  readonly bytes: number;
  readonly entries: number;
};

/** No layer of files that somebody wanted is more than this times its packed size, beyond the first gigabyte. */
const MAX_RATIO = 200;
const FREE_BYTES = 2 ** 30;
const MAX_ENTRIES = 10_000_000;

export class Layers {
  readonly #folder: string;
  readonly #unfinished: string;
  readonly #helper: string;

  constructor(folder: string, unfinished: string, helper: string) {
    this.#folder = folder;
    this.#unfinished = unfinished;
    this.#helper = helper;
  }

  /** What an overlay gets as one of its lower layers. */
  diff(chain: Digest): string {
    return join(this.#folder, hexOf(chain), 'diff');
  }

  has(chain: Digest): boolean {
    if (!existsSync(this.diff(chain))) return false;
    const boot = ifThere(() => readFileSync(this.#unsettled(chain), 'utf8'));
    return boot === undefined || boot === bootId();
  }

  #unsettled(chain: Digest): string {
    return join(this.#folder, hexOf(chain), 'unsettled');
  }

  /** Has these layers on the disk when it returns. */
  settle(chains: readonly Digest[]): void {
    const fresh = chains.map((chain) => this.#unsettled(chain)).filter((path) => existsSync(path));
    if (fresh.length === 0) return;
    syncFiles(this.#folder);
    for (const path of fresh) rmSync(path, { force: true });
  }

  info(chain: Digest): LayerInfo | undefined {
    return ifThere(
      () => JSON.parse(readFileSync(join(this.#folder, hexOf(chain), 'info'), 'utf8')) as LayerInfo,
    );
  }

  list(): Digest[] {
    return readdirSync(this.#folder)
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .map(digestOfHex);
  }

  /** Unpacks it unless it is there. Of several that ask at once one does. */
  async ensure(request: LayerRequest): Promise<{ readonly chain: Digest; readonly made: boolean }> {
    const { parent, diffId, signal } = request;
    const chain = chainId(parent, diffId);
    if (this.has(chain)) return { chain, made: false };
    const lock = join(this.#unfinished, `${hexOf(chain)}.lock`);
    try {
      using _lock = await lockPath(lock, { signal });
      try {
        if (this.has(chain)) return { chain, made: false };
        await this.#make(chain, request);
      } finally {
        // Who waits for it finds that it is another file now, and looks again.
        rmSync(lock, { force: true });
      }
    } catch (error) {
      throw storeError('cannot write to the store', error);
    }
    return { chain, made: true };
  }

  /** Out of sight first: a kill in the middle must not leave half a layer under its name. */
  remove(chain: Digest): void {
    const beside = join(this.#unfinished, uniqueName(hexOf(chain)));
    const gone = ifThere(() => {
      renameSync(join(this.#folder, hexOf(chain)), beside);
      return true;
    });
    if (gone === true) rmSync(beside, { recursive: true, force: true });
  }

  async #make(chain: Digest, request: LayerRequest): Promise<void> {
    const beside = join(this.#unfinished, uniqueName(hexOf(chain)));
    const diff = join(beside, 'diff');
    makeFolder(beside);
    try {
      // The root of the container's files, where the tar does not say another mode. Nobody gets here but through an overlay.
      mkdirSync(diff);
      chmodSync(diff, 0o755);
      const info = await this.#unpack(diff, request);
      writeFileSync(join(beside, 'info'), JSON.stringify(info), { mode: 0o600 });
      writeFileSync(join(beside, 'unsettled'), bootId(), { mode: 0o600 });
      this.remove(chain);
      renameSync(beside, join(this.#folder, hexOf(chain)));
    } catch (error) {
      rmSync(beside, { recursive: true, force: true });
      throw error;
    }
  }

  async #unpack(
    diff: string,
    { source, packedSize, what, diffId, signal }: LayerRequest,
  ): Promise<LayerInfo> {
    const limit = FREE_BYTES + MAX_RATIO * packedSize;
    const words = ['_unpack', '--max-bytes', String(limit), '--max-entries', String(MAX_ENTRIES), diff];
    const { stdin, stdout, failure } = runHelper(this.#helper, words, { what, signal });
    const said = readAll(stdout);
    const hash = createHash('sha256');
    let ofTar: unknown;
    const tar = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of unpacked(source(), what)) {
          hash.update(chunk);
          yield chunk;
        }
      } catch (error) {
        ofTar = error;
        throw error;
      }
    };
    // When the helper ends first the pipe breaks, and its own words say why.
    const broke = await pipeline(tar, stdin).then(
      () => undefined,
      (error: unknown) => error,
    );
    const failed = await failure;
    signal?.throwIfAborted();
    if (ofTar !== undefined) throw ofTar;
    if (failed !== undefined) throw failed;
    if (broke !== undefined) throw broke;
    if (digestOfHex(hash.digest('hex')) !== diffId)
      throw brokenError(what, 'is not the layer that the config names');
    return infoOf(await said);
  }
}

async function readAll(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text = `${text}${chunk}`.slice(0, 4096);
  return text;
}

function infoOf(said: string): LayerInfo {
  const [, bytes, entries] = /^bytes=([0-9]+) entries=([0-9]+)$/m.exec(said) ?? [];
  return { bytes: Number(bytes ?? 0), entries: Number(entries ?? 0) };
}

/** All of a file system at once: fsync(2) of a hundred thousand small files takes minutes. */
function syncFiles(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    syncfs(fd);
  } finally {
    closeSync(fd);
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
