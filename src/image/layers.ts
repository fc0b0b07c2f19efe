// Unpacked layers: layers/CHAIN/diff, in overlayfs' own form, each alone, so that any number of images share one. The helper unpacks
// into a folder beside, chrooted; the digest of the tar is checked while it streams; the folder gets its name when it is whole and
// on the disk.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { NslabError } from '../base/error.ts';
import { syncfs } from '../sys/libc.ts';
import { unpacked } from './decompress.ts';
import { chainId, type Digest, digestOfHex, hexOf } from './digest.ts';
import { brokenError, storeError } from './failure.ts';
import { ifThere, makeFolder, syncFolder, uniqueName } from './files.ts';
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
    return existsSync(this.diff(chain));
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

  async #make(chain: Digest, request: LayerRequest): Promise<void> {
    const beside = join(this.#unfinished, uniqueName(hexOf(chain)));
    const diff = join(beside, 'diff');
    makeFolder(diff);
    try {
      const info = await this.#unpack(diff, request);
      writeFileSync(join(beside, 'info'), JSON.stringify(info), { mode: 0o600 });
      await syncFiles(beside);
      renameSync(beside, join(this.#folder, hexOf(chain)));
      syncFolder(this.#folder);
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
    const child = spawn(this.#helper, words, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out = `${said.out}${text}`.slice(0, 4096);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.err = `${said.err}${text}`.slice(0, 4096);
    });
    const ended = new Promise<number | null>((resolve) => {
      child.on('close', resolve).on('error', () => resolve(null));
    });
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
    const broke = await pipeline(tar, child.stdin).then(
      () => undefined,
      (error: unknown) => error,
    );
    const status = await ended;
    signal?.throwIfAborted();
    if (ofTar !== undefined) throw ofTar;
    if (status !== 0) throw unpackError(what, said.err);
    if (broke !== undefined) throw broke;
    if (digestOfHex(hash.digest('hex')) !== diffId)
      throw brokenError(what, 'is not the layer that the config names');
    return infoOf(said.out);
  }
}

/** The helper says `nslab: WHAT: REASON`, the reason of strerror(3). */
function unpackError(what: string, said: string): NslabError {
  const line =
    said
      .trim()
      .split('\n')[0]
      ?.replace(/^nslab(-helper)?: /, '') || 'the helper ended without a word';
  if (/No space left on device|Disk quota exceeded|Read-only file system/.test(line)) {
    return new NslabError('IMAGE_STORE', `cannot write to the store: ${line}`, {
      hint: 'nslab image prune removes what no image needs',
    });
  }
  return new NslabError('IMAGE_LAYER', `${what}: ${line}`);
}

function infoOf(said: string): LayerInfo {
  const [, bytes, entries] = /^bytes=([0-9]+) entries=([0-9]+)$/m.exec(said) ?? [];
  return { bytes: Number(bytes ?? 0), entries: Number(entries ?? 0) };
}

/** All of a tree at once: fsync(2) of a hundred thousand small files takes minutes. */
async function syncFiles(folder: string): Promise<void> {
  const fd = openSync(folder, 'r');
  try {
    await syncfs(fd);
  } finally {
    closeSync(fd);
  }
}
