// A container's program as bytes, for the helper to run, and back, for tests and for reading. The format is that of
// src/helper/program.h: "NSLP", u16 version, u16 0, u32 count of ops; each op is u16 code, u16 flags, u32 length, payload.

import { type FieldKind, type OpName, type ProgramOp, programOps } from './program-ops.ts';

const VERSION = 1;
/** PROGRAM_MAX_BYTES of program.h. */
const MAX_BYTES = 1 << 20;

type FieldValue = number | bigint | string | readonly string[] | readonly number[] | Uint8Array;

/** @throws Error where a value does not fit its field: a bug of the caller, who has checked the file's words before */
export function encodeProgram(ops: readonly ProgramOp[]): Uint8Array {
  const chunks: Uint8Array[] = [header(ops.length)];
  for (const op of ops) {
    const payload = encodeFields(op);
    const head = Buffer.alloc(8);
    head.writeUInt16LE(programOps[op.op].code, 0);
    head.writeUInt16LE(op.flags ?? 0, 2);
    head.writeUInt32LE(payload.length, 4);
    chunks.push(head, payload);
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length > MAX_BYTES)
    throw new Error(`a program of ${bytes.length} bytes is longer than ${MAX_BYTES}`);
  return bytes;
}

function header(count: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.write('NSLP', 0, 'latin1');
  bytes.writeUInt16LE(VERSION, 4);
  bytes.writeUInt32LE(count, 8);
  return bytes;
}

function fieldsOf(op: OpName): [string, FieldKind][] {
  return Object.entries(programOps[op].fields);
}

function encodeFields(op: ProgramOp): Buffer {
  const values = op as unknown as Readonly<Record<string, FieldValue>>;
  return Buffer.concat(
    fieldsOf(op.op).flatMap(([name, kind]) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${op.op} has no ${name}`);
      return encodeField(kind, value);
    }),
  );
}

function encodeField(kind: FieldKind, value: FieldValue): Uint8Array[] {
  switch (kind) {
    case 'u32':
      return [u32(value as number)];
    case 'i32': {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(value as number);
      return [bytes];
    }
    case 'u64': {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value as bigint);
      return [bytes];
    }
    case 'text':
      return text(value as string);
    case 'list': {
      const list = value as readonly string[];
      return [u32(list.length), ...list.flatMap(text)];
    }
    case 'bytes': {
      const bytes = value as Uint8Array;
      return [u32(bytes.length), bytes];
    }
    case 'u32list': {
      const list = value as readonly number[];
      return [u32(list.length), ...list.map(u32)];
    }
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function text(value: string): Uint8Array[] {
  if (value.includes('\0')) throw new Error(`a NUL in ${JSON.stringify(value)}`);
  const bytes = Buffer.from(value, 'utf8');
  return [u32(bytes.length), bytes];
}

/** The ops of a program. @throws Error for bytes that encodeProgram() does not make */
export function decodeProgram(bytes: Uint8Array): ProgramOp[] {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (reader.take(4).toString('latin1') !== 'NSLP') throw new Error('not a program');
  if (reader.u16() !== VERSION || reader.u16() !== 0) throw new Error('a program of another version');
  const count = reader.u32();
  const ops: ProgramOp[] = [];
  for (let index = 0; index < count; index++) ops.push(decodeOp(reader));
  if (!reader.atEnd()) throw new Error('bytes after the last op');
  return ops;
}

function decodeOp(reader: Reader): ProgramOp {
  const code = reader.u16();
  const flags = reader.u16();
  const payload = new Reader(reader.take(reader.u32()));
  const entry = Object.entries(programOps).find(([, shape]) => shape.code === code);
  if (entry === undefined) throw new Error(`unknown op ${code}`);
  const name = entry[0] as OpName;
  const fields = fieldsOf(name).map(([field, kind]) => [field, payload.field(kind)]);
  if (!payload.atEnd()) throw new Error(`${name} is too long`);
  return { op: name, ...(flags === 0 ? {} : { flags }), ...Object.fromEntries(fields) } as ProgramOp;
}

class Reader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw new Error('the program is cut off');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  u16(): number {
    return this.take(2).readUInt16LE();
  }

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  private text(): string {
    return this.take(this.u32()).toString('utf8');
  }

  field(kind: FieldKind): FieldValue {
    switch (kind) {
      case 'u32':
        return this.u32();
      case 'i32':
        return this.take(4).readInt32LE();
      case 'u64':
        return this.take(8).readBigUInt64LE();
      case 'text':
        return this.text();
      case 'list':
        return this.repeat(() => this.text());
      case 'bytes':
        return Uint8Array.from(this.take(this.u32()));
      case 'u32list':
        return this.repeat(() => this.u32());
    }
  }

  /** Grows as it reads, so that a false count ends at the end of the bytes. */
  private repeat<T>(one: () => T): T[] {
    const count = this.u32();
    const all: T[] = [];
    for (let index = 0; index < count; index++) all.push(one());
    return all;
  }
}

/** A program as text, an op a line: what the golden files keep and what `explain` shows. */
export function disassemble(bytes: Uint8Array): string {
  return decodeProgram(bytes).map(opText).join('');
}

function opText({ op, flags, ...fields }: ProgramOp): string {
  const values = Object.entries(fields as Readonly<Record<string, FieldValue>>);
  const words = values.map(([name, value]) => ` ${name}=${valueText(name, value)}`);
  return `${op}${flags === undefined ? '' : ` flags=${flags}`}${words.join('')}\n`;
}

const inHex = /^(attr|bounding|effective|permitted|inheritable|ambient|filterFlags|types?|propagation)$/;

function valueText(name: string, value: FieldValue): string {
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (/^(u?mask|mode)$/.test(name)) return `0${value.toString(8)}`;
  return inHex.test(name) ? `0x${value.toString(16)}` : String(value);
}
