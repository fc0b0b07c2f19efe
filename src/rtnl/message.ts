// Netlink messages as bytes: a writer that appends headers, payloads and attributes to one growing buffer, and readers that
// never look outside the bytes they are given. It knows no message type. Host byte order is taken to be little-endian, as on
// every machine koffi is prebuilt for. linux/netlink.h; Documentation/userspace-api/netlink/intro.rst.

import { hexDigit, writeIp } from './ip-bytes.ts';

/** sizeof(struct nlmsghdr) */
export const NLMSG_HDRLEN = 16;
const NLA_HDRLEN = 4;
const NLA_TYPE_MASK = 0x3fff;
/** Some of the kernel's newer parsers want this flag on an attribute that holds attributes. */
export const NLA_F_NESTED = 0x8000;

// linux/netlink.h, NLM_F_*
export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

/**
 * One request: its nlmsghdr type, its flags besides NLM_F_REQUEST and NLM_F_ACK, which the transport sets, and what follows
 * the header.
 */
export type Request = {
  readonly type: number;
  readonly flags?: number;
  readonly payload: Uint8Array | ((writer: MessageWriter) => void);
};

const utf8 = new TextEncoder();

/** Appends messages to one buffer, which grows and is used again. */
export class MessageWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity = 65536) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Forgets what was written; the memory stays. */
  reset(): void {
    this.length = 0;
  }

  /** A copy of what was written from the offset on. */
  take(from = 0): Buffer {
    return Buffer.from(this.bytes.subarray(from, this.length));
  }

  /** Room for that many more bytes, and where they begin. Their old content is anything. */
  #claim(size: number): number {
    const at = this.length;
    const end = at + size;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, at));
      this.bytes = grown;
    }
    this.length = end;
    return at;
  }

  #put16(at: number, value: number): void {
    this.bytes[at] = value;
    this.bytes[at + 1] = value >>> 8;
  }

  #put32(at: number, value: number): void {
    const bytes = this.bytes;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  /** Appends a whole message with its header, and returns where it begins. */
  message(request: Request, flags: number, seq: number): number {
    const start = this.#claim(NLMSG_HDRLEN);
    this.#put16(start + 4, request.type);
    this.#put16(start + 6, flags);
    this.#put32(start + 8, seq);
    this.#put32(start + 12, 0);
    if (typeof request.payload === 'function') request.payload(this);
    else this.raw(request.payload);
    this.#put32(start, this.length - start);
    this.#pad();
    return start;
  }

  /** Adds flags to the message that begins there. */
  addFlags(start: number, flags: number): void {
    this.bytes[start + 6] = (this.bytes[start + 6] ?? 0) | flags;
    this.bytes[start + 7] = (this.bytes[start + 7] ?? 0) | (flags >>> 8);
  }

  #pad(): void {
    const rest = -this.length & 3;
    if (rest !== 0) {
      const at = this.#claim(rest);
      this.bytes.fill(0, at, at + rest);
    }
  }

  u8(value: number): void {
    const at = this.#claim(1);
    this.bytes[at] = value;
  }

  u16(value: number): void {
    this.#put16(this.#claim(2), value);
  }

  u32(value: number): void {
    this.#put32(this.#claim(4), value);
  }

  be16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value);
  }

  be32(value: number): void {
    this.be16(value >>> 16);
    this.be16(value);
  }

  /** Writes one byte again, where a structure has it in the place of an attribute's type. */
  patch8(at: number, value: number): void {
    this.bytes[at] = value;
  }

  /** The 4 or 16 bytes of an IP address, without padding. */
  ip(address: string): void {
    const at = this.#claim(address.includes(':') ? 16 : 4);
    writeIp(this.bytes, at, address);
  }

  /** Bytes as they are, without padding. */
  raw(value: Uint8Array): void {
    const at = this.#claim(value.length);
    this.bytes.set(value, at);
  }

  zeros(count: number): void {
    const at = this.#claim(count);
    this.bytes.fill(0, at, at + count);
  }

  #attr(type: number, size: number): number {
    const at = this.#claim(NLA_HDRLEN + size + (-size & 3));
    this.#put16(at, NLA_HDRLEN + size);
    this.#put16(at + 2, type);
    return at + NLA_HDRLEN;
  }

  attrFlag(type: number): void {
    this.#attr(type, 0);
  }

  attrU8(type: number, value: number): void {
    this.#put32(this.#attr(type, 1), value & 0xff);
  }

  attrU16(type: number, value: number): void {
    this.#put32(this.#attr(type, 2), value & 0xffff);
  }

  attrU32(type: number, value: number): void {
    this.#put32(this.#attr(type, 4), value);
  }

  attrU64(type: number, value: bigint): void {
    const at = this.#attr(type, 8);
    this.#put32(at, Number(value & 0xffff_ffffn));
    this.#put32(at + 4, Number((value >> 32n) & 0xffff_ffffn));
  }

  attrBe16(type: number, value: number): void {
    this.attrU16(type, ((value & 0xff) << 8) | ((value >>> 8) & 0xff));
  }

  attrBe32(type: number, value: number): void {
    const at = this.#attr(type, 4);
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  attrBe64(type: number, value: bigint): void {
    const at = this.#attr(type, 8);
    let rest = value;
    for (let i = 7; i >= 0; i--) {
      this.bytes[at + i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
  }

  attrBytes(type: number, value: Uint8Array): void {
    if (value.length > 0xffff - NLA_HDRLEN) throw attributeTooLong(type);
    const at = this.#attr(type, value.length);
    this.bytes.set(value, at);
    this.bytes.fill(0, at + value.length, this.length);
  }

  /** A string with its closing NUL. */
  attrString(type: number, value: string): void {
    const length = value.length;
    const start = this.length;
    const at = this.#attr(type, length + 1);
    const bytes = this.bytes;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) {
        this.length = start;
        this.attrBytes(type, utf8.encode(`${value}\0`));
        return;
      }
      bytes[at + i] = code;
    }
    bytes.fill(0, at + length, this.length);
  }

  /** An IPv4 or IPv6 address in network byte order. */
  attrIp(type: number, address: string): void {
    const at = this.#attr(type, address.includes(':') ? 16 : 4);
    writeIp(this.bytes, at, address);
  }

  /** A hardware address written as `02:00:00:00:00:01`. */
  attrMac(type: number, mac: string): void {
    const size = (mac.length + 1) / 3;
    const at = this.#attr(type, size);
    for (let i = 0; i < size; i++) {
      this.bytes[at + i] = hexDigit(mac.charCodeAt(i * 3)) * 16 + hexDigit(mac.charCodeAt(i * 3 + 1));
    }
    this.bytes.fill(0, at + size, this.length);
  }

  /** Begins an attribute that holds others; give what it returns to {@link endNest}. Or NLA_F_NESTED to the type where wanted. */
  nest(type: number): number {
    const at = this.#claim(NLA_HDRLEN);
    this.#put16(at + 2, type);
    return at;
  }

  endNest(start: number): void {
    const size = this.length - start;
    if (size > 0xffff) throw attributeTooLong(this.bytes[start + 2] ?? 0);
    this.#put16(start, size);
    this.#pad();
  }
}

function attributeTooLong(type: number): Error {
  return new Error(`netlink attribute ${type & NLA_TYPE_MASK} is longer than 65535 bytes`);
}

/** Calls the visitor for every attribute from the offset to the end; stops at the first one that would reach outside. */
export function eachAttribute(
  payload: Buffer,
  offset: number,
  visit: (type: number, value: Buffer) => void,
): void {
  let at = offset;
  while (at + NLA_HDRLEN <= payload.length) {
    const length = payload.readUInt16LE(at);
    if (length < NLA_HDRLEN || at + length > payload.length) return;
    visit(payload.readUInt16LE(at + 2) & NLA_TYPE_MASK, payload.subarray(at + NLA_HDRLEN, at + length));
    at += (length + 3) & ~3;
  }
}

/** The attributes by type; of several with one type the last is kept. */
export function attributeMap(payload: Buffer, offset = 0): Map<number, Buffer> {
  const map = new Map<number, Buffer>();
  eachAttribute(payload, offset, (type, value) => map.set(type, value));
  return map;
}

// Values of attributes. An attribute that is absent or too short has no value; nothing here throws.

export function readU8(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 1 ? undefined : value[0];
}

export function readU16(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 2 ? undefined : value.readUInt16LE(0);
}

export function readU32(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 4 ? undefined : value.readUInt32LE(0);
}

export function readS32(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 4 ? undefined : value.readInt32LE(0);
}

export function readU64(value: Buffer | undefined): bigint | undefined {
  return value === undefined || value.length < 8 ? undefined : value.readBigUInt64LE(0);
}

export function readBe16(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 2 ? undefined : value.readUInt16BE(0);
}

export function readBe32(value: Buffer | undefined): number | undefined {
  return value === undefined || value.length < 4 ? undefined : value.readUInt32BE(0);
}

export function readBe64(value: Buffer | undefined): bigint | undefined {
  return value === undefined || value.length < 8 ? undefined : value.readBigUInt64BE(0);
}

/** The text up to its NUL, or all of it where the kernel sends none. */
export function readString(value: Buffer | undefined): string | undefined {
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}

/** A hardware address as `02:00:00:00:00:01`, whatever its length. */
export function readMac(value: Buffer | undefined): string | undefined {
  if (value === undefined || value.length === 0) return undefined;
  let text = '';
  for (const byte of value) text += `${text === '' ? '' : ':'}${byte < 16 ? '0' : ''}${byte.toString(16)}`;
  return text;
}
