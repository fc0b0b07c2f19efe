// A container's program as bytes, for the helper to run, and back, for tests and for reading. The format is that of
// src/helper/program.h: "NSLP", u16 version, u16 0, u32 count of ops; each op is u16 code, u16 flags, u32 length, payload.

import { type FieldKind, type OpName, type ProgramOp, programOps } from './program-ops.ts';

/** `NSLP`. */
const MAGIC = 0x504c534e;
const VERSION = 1;
/** PROGRAM_MAX_BYTES of program.h. */
const MAX_BYTES = 1 << 20;

type FieldValue = number | bigint | string | readonly string[] | readonly number[] | Uint8Array;

const shapes = new Map(
  Object.entries(programOps).map(([name, { code, fields }]) => {
    return [name as OpName, { code, fields: Object.entries(fields as Record<string, FieldKind>) }];
  }),
);

/** @throws Error where a value does not fit its field: a bug of the caller, who has checked the file's words before */
export function encodeProgram(ops: readonly ProgramOp[]): Uint8Array {
  const writer = new Writer();
  writer.u32(MAGIC);
  writer.u16(VERSION);
  writer.u16(0);
  writer.u32(ops.length);
  for (const op of ops) writeOp(writer, op);
  return writer.bytes();
}

function writeOp(writer: Writer, op: ProgramOp): void {
  const shape = shapes.get(op.op);
  if (shape === undefined) throw new Error(`unknown op ${op.op}`);
  const values = op as unknown as Readonly<Record<string, FieldValue>>;
  writer.u16(shape.code);
  writer.u16(op.flags ?? 0);
  const start = writer.skipLength();
  for (const [name, kind] of shape.fields) {
    const value = values[name];
    if (value === undefined) throw new Error(`${op.op} has no ${name}`);
    writer.field(kind, value);
  }
  writer.setLength(start);
}

/** One buffer that grows: a lab of a thousand containers has as many programs of a hundred ops. */
class Writer {
  private buffer = Buffer.allocUnsafe(16384);
  private at = 0;

  bytes(): Uint8Array {
    if (this.at > MAX_BYTES) throw new Error(`a program of ${this.at} bytes is longer than ${MAX_BYTES}`);
    return this.buffer.subarray(0, this.at);
  }

  private room(size: number): number {
    const { at } = this;
    this.at += size;
    if (this.at > this.buffer.length) {
      const longer = Buffer.allocUnsafe(this.at * 2);
      this.buffer.copy(longer, 0, 0, at);
      this.buffer = longer;
    }
    return at;
  }

  u16(value: number): void {
    const at = this.room(2);
    this.buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.room(4);
    this.buffer.writeUInt32LE(value, at);
  }

  /** Leaves room for the length of what follows. */
  skipLength(): number {
    return this.room(4);
  }

  setLength(start: number): void {
    this.buffer.writeUInt32LE(this.at - start - 4, start);
  }

  private text(value: string): void {
    if (value.includes('\0')) throw new Error(`a NUL in ${JSON.stringify(value)}`);
    const length = Buffer.byteLength(value);
    this.u32(length);
    const at = this.room(length);
    this.buffer.write(value, at, length, 'utf8');
  }

  field(kind: FieldKind, value: FieldValue): void {
    switch (kind) {
      case 'u32':
        this.u32(value as number);
        break;
      case 'i32': {
        const at = this.room(4);
        this.buffer.writeInt32LE(value as number, at);
        break;
      }
      case 'u64': {
        const at = this.room(8);
        this.buffer.writeBigUInt64LE(value as bigint, at);
        break;
      }
      case 'text':
        this.text(value as string);
        break;
      case 'list': {
        const list = value as readonly string[];
        this.u32(list.length);
        for (const one of list) this.text(one);
        break;
      }
      case 'bytes': {
        const bytes = value as Uint8Array;
        this.u32(bytes.length);
        const at = this.room(bytes.length);
        this.buffer.set(bytes, at);
        break;
      }
      case 'u32list': {
        const list = value as readonly number[];
        this.u32(list.length);
        for (const one of list) this.u32(one);
        break;
      }
    }
  }
}

/** The ops of a program. @throws Error for bytes that encodeProgram() does not make */
export function decodeProgram(bytes: Uint8Array): ProgramOp[] {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (reader.u32() !== MAGIC) throw new Error('not a program');
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
  const entry = [...shapes].find(([, shape]) => shape.code === code);
  if (entry === undefined) throw new Error(`unknown op ${code}`);
  const [name, shape] = entry;
  const fields = shape.fields.map(([field, kind]) => [field, payload.field(kind)]);
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
