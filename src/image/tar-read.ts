// Reads tar for the archives that images come in: ordinary files and links, names in all the ways there are (ustar, pax, GNU). It is
// never used for the files of a layer, which only the helper unpacks. POSIX.1-2017 pax ("ustar Interchange Format", "pax Header
// Block"); GNU tar, "Basic Tar Format". Not tar-stream, which brings four packages, one of them native, for what is 250 lines with
// tar-write.ts.

import { brokenError } from './failure.ts';

export type TarEntry = {
  /** Without leading and doubled slashes, `.` and `..`. */
  readonly path: string;
  readonly type: 'file' | 'symlink' | 'hardlink' | 'other';
  /** Of a link, as it is written. */
  readonly target: string;
  readonly size: number;
  /** To be read before the next entry is asked for; what is left of it is skipped. */
  readonly body: AsyncIterable<Uint8Array>;
};

const BLOCK = 512;
/** pax headers and GNU's long names; none that is meant well is near. */
const MAX_EXTENSION = 1 << 20;
const MAX_ENTRIES = 100_000;

/** @throws NslabError IMAGE_BROKEN for what is no tar or ends too early; `what` names it */
export async function* readTar(source: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<TarEntry> {
  const reader = new Reader(source, what);
  try {
    let extension: Extension = {};
    for (let count = 0; ; ) {
      const header = await reader.take(BLOCK);
      // The second zero block and whatever follows it is read as well, so that a pipe's writer can end.
      if (header === undefined || header.every((byte) => byte === 0)) break;
      const raw = parseHeader(header, what);
      if (isExtension(raw.type)) {
        extension = { ...extension, ...(await readExtension(reader, raw, what)) };
        continue;
      }
      if (++count > MAX_ENTRIES) throw brokenError(what, `has more than ${MAX_ENTRIES} entries`);
      const size = extension.size ?? raw.size;
      const left = { bytes: hasBody(raw.type) ? size : 0 };
      const padding = (BLOCK - (left.bytes % BLOCK)) % BLOCK;
      yield {
        path: cleanPath(extension.path ?? raw.path),
        type: entryTypes[raw.type] ?? 'other',
        target: extension.target ?? raw.target,
        size: left.bytes,
        body: reader.body(left),
      };
      for await (const _ of reader.body(left));
      await reader.skip(padding);
      extension = {};
    }
    await reader.drain();
  } finally {
    await reader.close();
  }
}

const entryTypes: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
};

/** Links, devices, folders and FIFOs have none, whatever their size says. */
function hasBody(type: string): boolean {
  return !'123456'.includes(type);
}

type Extension = { readonly path?: string; readonly target?: string; readonly size?: number };

function isExtension(type: string): boolean {
  return 'xgLK'.includes(type);
}

type Header = {
  readonly path: string;
  readonly type: string;
  readonly target: string;
  readonly size: number;
};

function parseHeader(block: Buffer, what: string): Header {
  let sum = 0;
  for (const [at, byte] of block.entries()) sum += at >= 148 && at < 156 ? 0x20 : byte;
  if (parseNumber(block.subarray(148, 156)) !== sum) throw brokenError(what, 'is not a tar');
  const size = parseNumber(block.subarray(124, 136));
  if (!Number.isSafeInteger(size) || size < 0) throw brokenError(what, 'has an entry of no known size');
  const name = parseText(block.subarray(0, 100));
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? parseText(block.subarray(345, 500)) : '';
  return {
    path: prefix === '' ? name : `${prefix}/${name}`,
    type: block.toString('latin1', 156, 157),
    target: parseText(block.subarray(157, 257)),
    size,
  };
}

function parseText(field: Buffer): string {
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? field.length : end);
}

/** Octal, or GNU's base 256 where the first bit is set. NaN for what is neither. */
function parseNumber(field: Buffer): number {
  const first = field[0] ?? 0;
  if (first === 0x80) return [...field.subarray(1)].reduce((value, byte) => value * 256 + byte, 0);
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart();
  return text === '' ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

async function readExtension(reader: Reader, { type, size }: Header, what: string): Promise<Extension> {
  if (size > MAX_EXTENSION) throw brokenError(what, `has a header of ${size} bytes`);
  const padded = size + ((BLOCK - (size % BLOCK)) % BLOCK);
  const bytes = (await reader.take(padded))?.subarray(0, size);
  if (bytes === undefined) throw brokenError(what, 'ends too early');
  switch (type) {
    case 'L':
      return { path: parseText(bytes) };
    case 'K':
      return { target: parseText(bytes) };
    case 'x':
      return parsePax(bytes, what);
    default:
      // Of all that a global header can say nothing matters here.
      return {};
  }
}

/** Records `LENGTH KEY=VALUE\n`. */
function parsePax(bytes: Buffer, what: string): Extension {
  const found: { path?: string; target?: string; size?: number } = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? 0 : Number(bytes.toString('latin1', at, space));
    const equals = bytes.indexOf(0x3d, space);
    const end = at + length;
    if (!Number.isInteger(length) || end > bytes.length || end <= space || equals < 0 || equals >= end)
      throw brokenError(what, 'has a pax header that cannot be read');
    const key = bytes.toString('utf8', space + 1, equals);
    const value = bytes.toString('utf8', equals + 1, end - 1);
    if (key === 'path') found.path = value;
    else if (key === 'linkpath') found.target = value;
    else if (key === 'size') {
      if (!/^[0-9]{1,15}$/.test(value)) throw brokenError(what, 'has an entry of no known size');
      found.size = Number(value);
    }
    at = end;
  }
  return found;
}

/** As if the archive's top were the root: nothing is above it. */
export function cleanPath(path: string, folder = ''): string {
  const parts: string[] = [];
  for (const part of `${folder}/${path}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Bytes as they are needed, from chunks as they come. */
class Reader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #what: string;
  #chunk: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>, what: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.#what = what;
  }

  /** At most so many of the bytes that are there; undefined at the end. */
  async #some(max: number): Promise<Buffer | undefined> {
    while (this.#chunk.length === 0) {
      const { value, done } = await this.#source.next();
      if (done === true) return undefined;
      this.#chunk = Buffer.from(value.buffer, value.byteOffset, value.length);
    }
    const part = this.#chunk.subarray(0, max);
    this.#chunk = this.#chunk.subarray(part.length);
    return part;
  }

  /** Exactly so many; undefined when there are none at all. */
  async take(length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const part = await this.#some(left);
      if (part === undefined) {
        if (left === length) return undefined;
        throw brokenError(this.#what, 'ends too early');
      }
      parts.push(part);
      left -= part.length;
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  async *body(left: { bytes: number }): AsyncGenerator<Uint8Array> {
    while (left.bytes > 0) {
      const part = await this.#some(left.bytes);
      if (part === undefined) throw brokenError(this.#what, 'ends too early');
      left.bytes -= part.length;
      yield part;
    }
  }

  async skip(bytes: number): Promise<void> {
    for await (const _ of this.body({ bytes }));
  }

  async drain(): Promise<void> {
    while ((await this.#some(BLOCK * BLOCK)) !== undefined);
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
