// Blobs: files named by the sha256 of what is in them. One is written beside, checked while it is written, and gets its name when
// it is whole and on the disk, so that a name stands for good content whatever ends the process or the machine.

import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fdatasync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  write,
} from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { type Digest, digestOf, digestOfHex, hexOf } from './digest.ts';
import { brokenError, storeError } from './failure.ts';
import { ifThere, replaceFile, syncFolder, uniqueName } from './files.ts';
import { type LockedFile, lockPath } from './lock.ts';

const writeFd = promisify(write);
const syncFd = promisify(fdatasync);
const READ_CHUNK = 1 << 20;

export type BlobRequest = {
  readonly digest: Digest;
  readonly size: number;
  readonly signal?: AbortSignal | undefined;
};

/** A blob whose digest and size are known before it comes. */
export type BlobWriter = AsyncDisposable & {
  /** So many bytes of it are there: from an earlier try that was cut off, and from what was written since. */
  readonly offset: number;
  /** @throws NslabError IMAGE_BROKEN when there are more bytes than announced, IMAGE_STORE */
  write(chunk: Uint8Array): Promise<void>;
  /** Forgets what is there: the other side begins at the beginning again. */
  restart(): Promise<void>;
  /**
   * Gives it its name.
   * @throws NslabError IMAGE_BROKEN when it is short, and the bytes stay for the next try; or when it is not the digest's, and
   * they do not
   */
  commit(): Promise<void>;
};

/** A blob whose digest comes out when it is whole. */
export type StagedBlob = Disposable & {
  readonly digest: Digest;
  readonly size: number;
  /** For reading it before it is kept. */
  readonly path: string;
  /** Gives it its name. Without this, disposing removes it. */
  keep(): Promise<void>;
};

export class Blobs {
  readonly #folder: string;
  readonly #unfinished: string;

  /** The two folders exist and are on one file system. */
  constructor(folder: string, unfinished: string) {
    this.#folder = folder;
    this.#unfinished = unfinished;
  }

  path(digest: Digest): string {
    return join(this.#folder, hexOf(digest));
  }

  size(digest: Digest): number | undefined {
    return statSync(this.path(digest), { throwIfNoEntry: false })?.size;
  }

  /** The content of a small one, checked. @throws NslabError IMAGE_BROKEN where it is not there, too big, or has been changed */
  read(digest: Digest, max: number): Buffer {
    const size = this.size(digest);
    if (size === undefined) throw brokenError(digest, 'is not in the store');
    if (size > max) throw brokenError(digest, `has ${size} bytes, ${max} are allowed`);
    const bytes = readFileSync(this.path(digest));
    if (digestOf(bytes) !== digest) throw brokenError(digest, 'has been changed on the disk');
    return bytes;
  }

  stream(digest: Digest): Readable {
    return createReadStream(this.path(digest), { highWaterMark: READ_CHUNK });
  }

  /** Stores bytes that are in memory. */
  put(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes);
    if (this.size(digest) === bytes.length) return digest;
    try {
      replaceFile(this.path(digest), bytes, join(this.#unfinished, uniqueName('put')));
    } catch (error) {
      throw storeError('cannot write to the store', error);
    }
    return digest;
  }

  /** Undefined when it is there: from before, or because another process has written it while this one waited for it. */
  async openWriter({ digest, size, signal }: BlobRequest): Promise<BlobWriter | undefined> {
    if (this.size(digest) === size) return undefined;
    const part = join(this.#unfinished, `${hexOf(digest)}.part`);
    try {
      const file = await lockPath(part, { signal });
      if (file === undefined) throw new Error('a lock without a time limit');
      if (this.size(digest) === size) {
        rmSync(part, { force: true });
        file[Symbol.dispose]();
        return undefined;
      }
      return await PartFile.open({ file, part, digest, size, path: this.path(digest) });
    } catch (error) {
      throw storeError('cannot write to the store', error);
    }
  }

  /** Writes what comes into a file of its own. */
  async stage(source: AsyncIterable<Uint8Array>): Promise<StagedBlob> {
    const path = join(this.#unfinished, uniqueName('stage'));
    const hash = createHash('sha256');
    let size = 0;
    let fd: number | undefined;
    try {
      fd = openSync(path, 'wx', 0o600);
      for await (const chunk of source) {
        hash.update(chunk);
        size += chunk.length;
        await writeAll(fd, chunk);
      }
    } catch (error) {
      rmSync(path, { force: true });
      throw storeError('cannot write to the store', error);
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
    const digest = digestOfHex(hash.digest('hex'));
    return {
      digest,
      size,
      path,
      keep: async () => {
        if (this.size(digest) === size) return;
        await syncFile(path);
        rename(path, this.path(digest));
      },
      [Symbol.dispose]: () => rmSync(path, { force: true }),
    };
  }
}

/** The name is on the disk when this returns. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
    syncFolder(join(to, '..'));
  } catch (error) {
    throw storeError('cannot write to the store', error);
  }
}

async function syncFile(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await syncFd(fd);
  } catch (error) {
    throw storeError('cannot write to the store', error);
  } finally {
    closeSync(fd);
  }
}

async function writeAll(fd: number, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    const { bytesWritten } = await writeFd(fd, chunk, done, chunk.length - done);
    done += bytesWritten;
  }
}

type Part = {
  readonly file: LockedFile;
  readonly part: string;
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
};

class PartFile implements BlobWriter {
  readonly #part: Part;
  #hash: Hash = createHash('sha256');
  #offset = 0;
  #closed = false;

  private constructor(part: Part) {
    this.#part = part;
  }

  static async open(part: Part): Promise<PartFile> {
    const writer = new PartFile(part);
    try {
      await writer.#resume();
      return writer;
    } catch (error) {
      writer.#close();
      throw error;
    }
  }

  get offset(): number {
    return this.#offset;
  }

  async #resume(): Promise<void> {
    const { file, size } = this.#part;
    const there = fstatSync(file.fd).size;
    if (there === 0) return;
    // One that is whole was cut off before its name; what is longer is not this blob.
    if (there > size) return this.restart();
    const stream = createReadStream('', {
      fd: file.fd,
      autoClose: false,
      start: 0,
      highWaterMark: READ_CHUNK,
    });
    for await (const chunk of stream) this.#hash.update(chunk as Buffer);
    this.#offset = there;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const { file, size, digest } = this.#part;
    if (this.#offset + chunk.length > size) {
      this.#drop();
      throw brokenError(digest, `has more than the ${size} bytes that were announced`);
    }
    this.#hash.update(chunk);
    this.#offset += chunk.length;
    try {
      await writeAll(file.fd, chunk);
    } catch (error) {
      // A full disk: the space is needed by others, and what was written is not all that was counted.
      this.#drop();
      throw storeError('cannot write to the store', error);
    }
  }

  restart(): Promise<void> {
    ftruncateSync(this.#part.file.fd, 0);
    this.#hash = createHash('sha256');
    this.#offset = 0;
    return Promise.resolve();
  }

  async commit(): Promise<void> {
    const { file, part, path, digest, size } = this.#part;
    if (this.#offset !== size) throw brokenError(digest, `ended after ${this.#offset} of ${size} bytes`);
    if (digestOfHex(this.#hash.digest('hex')) !== digest) {
      this.#drop();
      throw brokenError(digest, 'what came has another digest');
    }
    try {
      await syncFd(file.fd);
    } catch (error) {
      this.#drop();
      throw storeError('cannot write to the store', error);
    }
    rename(part, path);
    this.#close();
  }

  #drop(): void {
    ifThere(() => rmSync(this.#part.part));
    this.#close();
  }

  #close(): void {
    if (!this.#closed) this.#part.file[Symbol.dispose]();
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }
}
