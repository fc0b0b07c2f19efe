// Writes tar archives byte by byte, so that a test can make any archive there is and any that should not be: every field
// of a header can be a number, a text as it stands, or bytes. It knows no rules.

const BLOCK = 512;

/** A number is written as octal digits with a NUL, a bigint in base 256 as GNU tar does; text and bytes as they are. */
type Field = number | bigint | string | Uint8Array;

export type HeaderFields = {
  readonly name?: string | Uint8Array;
  readonly mode?: Field;
  readonly uid?: Field;
  readonly gid?: Field;
  readonly size?: Field;
  readonly mtime?: Field;
  readonly type?: string;
  readonly link?: string | Uint8Array;
  /** `v7` has none, `gnu` is the old one of GNU tar. */
  readonly magic?: 'ustar' | 'gnu' | 'v7';
  readonly major?: Field;
  readonly minor?: Field;
  readonly prefix?: string;
  /** Written last, over everything else. */
  readonly patch?: readonly (readonly [offset: number, bytes: Field, width: number])[];
  /** Instead of the right one. */
  readonly checksum?: Field;
};

const magics = { ustar: 'ustar\x0000', gnu: 'ustar  \0', v7: '' } as const;

function bytesOf(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
}

function base256(value: bigint, width: number): Buffer {
  const bits = BigInt.asUintN(width * 8, value);
  const bytes = Buffer.from(bits.toString(16).padStart(width * 2, '0'), 'hex');
  // The first bit says that the field is a number of this kind.
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
}

function fieldBytes(value: Field, width: number): Uint8Array {
  if (typeof value === 'number')
    return Buffer.from(`${value.toString(8).padStart(width - 1, '0')}\0`, 'latin1');
  if (typeof value === 'bigint') return base256(value, width);
  return bytesOf(value);
}

function put(block: Buffer, offset: number, width: number, value: Field): void {
  block.set(fieldBytes(value, width).subarray(0, width), offset);
}

/** The checksum that the block should have, with blanks in its place. */
export function withChecksum(block: Buffer, checksum?: Field): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.reduce((all, byte) => all + byte, 0);
  put(block, 148, 8, checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** One header. */
export function header(fields: HeaderFields): Buffer {
  const block = Buffer.alloc(BLOCK);
  put(block, 0, 100, bytesOf(fields.name ?? 'file'));
  put(block, 100, 8, fields.mode ?? 0o644);
  put(block, 108, 8, fields.uid ?? 0);
  put(block, 116, 8, fields.gid ?? 0);
  put(block, 124, 12, fields.size ?? 0);
  put(block, 136, 12, fields.mtime ?? 1_000_000_000);
  block.write(fields.type ?? '0', 156, 'latin1');
  put(block, 157, 100, bytesOf(fields.link ?? ''));
  block.write(magics[fields.magic ?? 'ustar'], 257, 'latin1');
  if (fields.major !== undefined) put(block, 329, 8, fields.major);
  if (fields.minor !== undefined) put(block, 337, 8, fields.minor);
  if (fields.prefix !== undefined) put(block, 345, 155, fields.prefix);
  for (const [offset, value, width] of fields.patch ?? []) put(block, offset, width, value);
  return withChecksum(block, fields.checksum);
}

/** Bytes up to the end of a block. */
export function padded(content: string | Uint8Array): Buffer {
  const bytes = bytesOf(content);
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

/** A header and what belongs to it; the size is that of the contents unless the fields say another. */
export function entry(fields: HeaderFields, content: string | Uint8Array = ''): Buffer {
  return Buffer.concat([header({ size: bytesOf(content).length, ...fields }), padded(content)]);
}

export function file(name: string, content: string | Uint8Array = '', fields: HeaderFields = {}): Buffer {
  return entry({ name, ...fields }, content);
}

export function dir(name: string, fields: HeaderFields = {}): Buffer {
  return entry({ name: name.endsWith('/') ? name : `${name}/`, type: '5', mode: 0o755, ...fields });
}

export function symlink(name: string, link: string, fields: HeaderFields = {}): Buffer {
  return entry({ name, link, type: '2', mode: 0o777, ...fields });
}

export function hardLink(name: string, link: string, fields: HeaderFields = {}): Buffer {
  return entry({ name, link, type: '1', ...fields });
}

export type PaxRecords = readonly (readonly [key: string, value: string | Uint8Array])[];

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), bytesOf(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A pax header for the next entry, or, with type `g`, for all that follow. Text is taken as the records themselves. */
export function pax(records: PaxRecords | string, type: 'x' | 'g' = 'x'): Buffer {
  const text =
    typeof records === 'string'
      ? records
      : Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  return entry({ name: 'PaxHeaders/x', type }, text);
}

/** GNU tar's long name (`L`) or long link (`K`) of the next entry. */
export function long(type: 'L' | 'K', text: string): Buffer {
  return entry({ name: '././@LongLink', type, magic: 'gnu' }, `${text}\0`);
}

export type Segments = readonly (readonly [offset: number, size: number])[];

/** GNU tar's old sparse file: four segments in the header, more in blocks of 21 after it. */
export function oldSparse(name: string, realSize: Field, segments: Segments, content: string): Buffer {
  const numbers = (some: Segments, at: number): [number, Field, number][] =>
    some.flatMap(([offset, size], index): [number, Field, number][] => [
      [at + index * 24, offset, 12],
      [at + index * 24 + 12, size, 12],
    ]);
  const blocks: Buffer[] = [];
  for (let i = 4; i < segments.length; i += 21) {
    const block = Buffer.alloc(BLOCK);
    for (const [offset, value, width] of numbers(segments.slice(i, i + 21), 0))
      put(block, offset, width, value);
    if (i + 21 < segments.length) block[504] = 1;
    blocks.push(block);
  }
  const more: [number, Field, number][] = blocks.length > 0 ? [[482, Uint8Array.of(1), 1]] : [];
  const patch = [...numbers(segments.slice(0, 4), 386), ...more, [483, realSize, 12] as const];
  const size = Buffer.byteLength(content);
  return Buffer.concat([header({ name, type: 'S', magic: 'gnu', size, patch }), ...blocks, padded(content)]);
}

/** The archive that these parts make. */
export function archive(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}
