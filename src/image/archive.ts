// Where an image is loaded from: an OCI layout's folder, or a tar of one or of `docker save`, whose members are put beside the blobs
// as they come, because a tar is read once and may come through a pipe. Paths and links stay inside of the archive.

import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { StagedBlob } from './blobs.ts';
import { unpacked } from './decompress.ts';
import { type Digest, digestOfHex } from './digest.ts';
import { brokenError } from './failure.ts';
import { ifThere } from './files.ts';
import type { ImageStore } from './store.ts';
import { cleanPath, readTar } from './tar-read.ts';

export type Blob = { readonly digest: Digest; readonly size: number };

export interface Archive extends Disposable {
  /** What it is called in messages. */
  readonly what: string;
  /** A document in it, or undefined. @throws NslabError IMAGE_BROKEN when it is bigger */
  read(path: string, max: number): Buffer | undefined;
  /**
   * Puts a member into the store. With `expected` it must be that.
   * @throws NslabError IMAGE_BROKEN when it is not, or not there
   */
  keep(path: string, expected?: Blob): Promise<Blob>;
}

const BLOB_PATH = /^blobs\/sha256\/([0-9a-f]{64})$/;

export function blobPath(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A folder is looked at in place. */
export class FolderArchive implements Archive {
  readonly what: string;
  readonly #store: ImageStore;
  readonly #root: string;

  constructor(store: ImageStore, folder: string) {
    this.what = folder;
    this.#store = store;
    this.#root = realpathSync(folder);
  }

  /** The file, unless a link leads out of the folder or it is none. */
  #open(path: string): { readonly fd: number; readonly size: number } | undefined {
    const at = join(this.#root, cleanPath(path));
    // A FIFO would wait for a writer.
    const fd = ifThere(() => openSync(at, constants.O_RDONLY | constants.O_NONBLOCK));
    if (fd === undefined) return undefined;
    const stat = fstatSync(fd);
    if (stat.isFile() && readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${this.#root}/`))
      return { fd, size: stat.size };
    closeSync(fd);
    throw brokenError(`${this.what}/${path}`, 'is not a file of this folder');
  }

  read(path: string, max: number): Buffer | undefined {
    const file = this.#open(path);
    if (file === undefined) return undefined;
    try {
      if (file.size > max)
        throw brokenError(`${this.what}/${path}`, `has ${file.size} bytes, ${max} are allowed`);
      return readFileSync(file.fd);
    } finally {
      closeSync(file.fd);
    }
  }

  async keep(path: string, expected?: Blob): Promise<Blob> {
    if (expected !== undefined && this.#store.blobs.size(expected.digest) === expected.size) return expected;
    const file = this.#open(path);
    if (file === undefined) throw brokenError(this.what, `lacks ${path}`);
    const source = createReadStream('', { fd: file.fd, highWaterMark: 1 << 20 });
    if (expected === undefined) {
      using staged = await this.#store.stageBlob(source);
      await staged.keep();
      return staged;
    }
    await using writer = await this.#store.openBlobWriter(expected);
    if (writer === undefined) source.destroy();
    else {
      // What was cut off is copied again: the file may be another one now.
      await writer.restart();
      for await (const chunk of source) await writer.write(chunk as Buffer);
      await writer.commit();
    }
    return expected;
  }

  [Symbol.dispose](): void {}
}

/** A blob of the store that an archive has too is not written again. */
type Member = StagedBlob | Blob;

/** A tar, read to its end. */
export class TarArchive implements Archive {
  readonly what: string;
  readonly #store: ImageStore;
  readonly #members = new Map<string, Member>();
  readonly #links = new Map<string, string>();

  private constructor(store: ImageStore, what: string) {
    this.#store = store;
    this.what = what;
  }

  /** @throws NslabError IMAGE_BROKEN, IMAGE_STORE; nothing is left then */
  static async read(
    store: ImageStore,
    source: AsyncIterable<Uint8Array>,
    { what, signal }: { readonly what: string; readonly signal?: AbortSignal | undefined },
  ): Promise<TarArchive> {
    const archive = new TarArchive(store, what);
    try {
      for await (const entry of readTar(unpacked(source, what), what)) {
        signal?.throwIfAborted();
        const { path, type, target } = entry;
        // Of two of one name the last is meant.
        archive.#forget(path);
        if (type === 'symlink')
          archive.#links.set(path, cleanPath(target, target.startsWith('/') ? '' : join(path, '..')));
        else if (type === 'hardlink') archive.#links.set(path, cleanPath(target));
        else if (type === 'file') archive.#members.set(path, await archive.#take(path, entry));
      }
      return archive;
    } catch (error) {
      archive[Symbol.dispose]();
      throw error;
    }
  }

  async #take(
    path: string,
    entry: { readonly size: number; readonly body: AsyncIterable<Uint8Array> },
  ): Promise<Member> {
    const [, hex] = BLOB_PATH.exec(path) ?? [];
    if (hex !== undefined && this.#store.blobs.size(digestOfHex(hex)) === entry.size)
      return { digest: digestOfHex(hex), size: entry.size };
    return await this.#store.stageBlob(entry.body);
  }

  #forget(path: string): void {
    const before = this.#members.get(path);
    if (before !== undefined) dispose(before);
    this.#members.delete(path);
    this.#links.delete(path);
  }

  #find(path: string): Member | undefined {
    let at = cleanPath(path);
    for (let links = 0; links < 40; links++) {
      const found = this.#members.get(at);
      if (found !== undefined) return found;
      const next = this.#links.get(at);
      if (next === undefined) return undefined;
      at = next;
    }
    throw brokenError(this.what, `${path} is a circle of links`);
  }

  read(path: string, max: number): Buffer | undefined {
    const member = this.#find(path);
    if (member === undefined) return undefined;
    if (member.size > max)
      throw brokenError(`${this.what}: ${path}`, `has ${member.size} bytes, ${max} are allowed`);
    return readFileSync(
      'path' in member && existsAt(member.path) ? member.path : this.#store.blobs.path(member.digest),
    );
  }

  async keep(path: string, expected?: Blob): Promise<Blob> {
    const member = this.#find(path);
    if (member === undefined) {
      // An archive may leave out what the other side has.
      if (expected !== undefined && this.#store.blobs.size(expected.digest) === expected.size)
        return expected;
      throw brokenError(this.what, `lacks ${path}`);
    }
    if (expected !== undefined && (member.digest !== expected.digest || member.size !== expected.size))
      throw brokenError(`${this.what}: ${path}`, 'has not the digest and size that it should have');
    if ('keep' in member) await member.keep();
    return { digest: member.digest, size: member.size };
  }

  [Symbol.dispose](): void {
    for (const member of this.#members.values()) dispose(member);
    this.#members.clear();
  }
}

function existsAt(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function dispose(member: Member): void {
  if ('keep' in member) member[Symbol.dispose]();
}
