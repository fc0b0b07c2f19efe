// A layer as the tar that it is, however it is packed. Its first bytes say how: the media types of images in the wild do not always.
// Node 20 has no zstd. The program of that name unpacks 600 MB/s, fzstd in this process 60 to 90: it is for machines without.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pipeline, Readable, type Writable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { brokenError } from './failure.ts';

export type Packing = 'gzip' | 'zstd' | 'none';

/** RFC 1952 2.3.1, RFC 8878 3.1.1. */
export function packingOf(first: Uint8Array): Packing {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  const isZstd = first[0] === 0x28 && first[1] === 0xb5 && first[2] === 0x2f && first[3] === 0xfd;
  return isZstd ? 'zstd' : 'none';
}

const CHUNK = 1 << 18;
/** As much of a window as the zstd program takes without being asked for more, bytes. */
const MAX_WINDOW = 1 << 27;
/** The longest frame header: RFC 8878 3.1.1.1. */
const HEAD = 18;

type Bytes = AsyncIterable<Uint8Array>;

/**
 * Takes what comes packed and gives it plain. `what` names it in messages.
 * @throws NslabError IMAGE_BROKEN when it is not what it begins as
 */
export async function* unpacked(source: Bytes, what: string): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const { head, done } = await readHead(iterator);
  const whole = done ? only(head) : startingWith(head, iterator);
  switch (packingOf(head)) {
    case 'none':
      yield* whole;
      return;
    case 'gzip':
      yield* through(whole, createGunzip({ chunkSize: CHUNK }), what);
      return;
    case 'zstd':
      yield* zstdProgram() === undefined ? unzstd(whole, head, what) : unzstdByProgram(whole, what);
  }
}

type Head = { readonly head: Buffer; readonly done: boolean };

/** Comes in one piece from all but the slowest. */
async function readHead(iterator: AsyncIterator<Uint8Array>): Promise<Head> {
  let head = Buffer.alloc(0);
  while (head.length < HEAD) {
    const { value, done } = await iterator.next();
    if (done === true) return { head, done };
    head = head.length === 0 ? Buffer.from(value) : Buffer.concat([head, value]);
  }
  return { head, done: false };
}

async function* only(head: Uint8Array): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
}

async function* startingWith(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield head;
    for (;;) {
      const { value, done } = await rest.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    // Whoever stops early lets the source close its file.
    await rest.return?.();
  }
}

async function* through(
  source: Bytes,
  unpack: Readable & Writable,
  what: string,
): AsyncGenerator<Uint8Array> {
  // A failure of the source goes on through the stream that is read.
  let ofSource: unknown;
  pipeline(Readable.from(noting(source, (error) => (ofSource = error))), unpack, () => undefined);
  try {
    for await (const chunk of unpack) yield chunk as Buffer;
  } catch (error) {
    throw ofSource ?? asBroken(error, what);
  }
}

async function* noting(source: Bytes, note: (error: unknown) => void): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    note(error);
    throw error;
  }
}

function asBroken(error: unknown, what: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_')
    ? brokenError(what, `is not what gzip packs: ${(error as Error).message}`)
    : error;
}

function zstdProgram(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => join(folder, 'zstd')).find((path) => existsSync(path));
}

async function* unzstdByProgram(source: Bytes, what: string): AsyncGenerator<Uint8Array> {
  const child = spawn(zstdProgram() ?? 'zstd', ['-dcq'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', resolve).on('error', () => resolve(null));
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(0, 500);
  });
  let ofSource: unknown;
  pipeline(Readable.from(noting(source, (error) => (ofSource = error))), child.stdin, () => undefined);
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const status = await ended;
    if (ofSource !== undefined) throw ofSource;
    if (status !== 0) throw brokenError(what, `is not what zstd packs: ${said.trim().split('\n')[0] ?? ''}`);
  } finally {
    child.kill('SIGKILL');
  }
}

async function* unzstd(source: Bytes, head: Uint8Array, what: string): AsyncGenerator<Uint8Array> {
  // It makes room for a window of whatever size the frame asks for.
  if (windowOf(head) > MAX_WINDOW) throw brokenError(what, 'needs more than 128 MiB of memory to unpack');
  const { Decompress } = await import('fzstd');
  const plain: Uint8Array[] = [];
  const stream = new Decompress((chunk) => plain.push(chunk));
  const push = (chunk: Uint8Array, last: boolean): void => {
    try {
      stream.push(chunk, last);
    } catch (error) {
      throw brokenError(what, `is not what zstd packs: ${(error as Error).message}`);
    }
  };
  for await (const chunk of source) {
    // In pieces, so that what comes out of them is not too much at once.
    for (let at = 0; at < chunk.length; at += CHUNK) {
      push(chunk.subarray(at, at + CHUNK), false);
      yield* plain.splice(0);
    }
  }
  push(new Uint8Array(0), true);
  yield* plain;
}

/** RFC 8878 3.1.1.1: the size of what is kept for later references, bytes. */
function windowOf(head: Uint8Array): number {
  const descriptor = head[4] ?? 0;
  const isSingle = (descriptor & 0x20) !== 0;
  if (!isSingle) {
    const byte = head[5] ?? 0;
    const base = 2 ** (10 + (byte >> 3));
    return base + (base / 8) * (byte & 7);
  }
  const view = new DataView(Uint8Array.from(head).buffer);
  const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  switch (descriptor >> 6) {
    case 0:
      return view.getUint8(at);
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
