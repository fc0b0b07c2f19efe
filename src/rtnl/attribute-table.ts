// Codecs of attribute lists as tables: one row per attribute, its name as `ip -j` prints it, its number and its type. A table
// writes and reads the same rows, so the two directions cannot drift apart. For lists off the hot path.

import type { IpAddress } from '../base/ip.ts';
import { readIp } from './ip-bytes.ts';
import {
  eachAttribute,
  type MessageWriter,
  readBe16,
  readBe32,
  readS32,
  readU8,
  readU16,
  readU32,
} from './message.ts';

/** One attribute: its number and how its value is written and read. */
export type Field<T> = {
  readonly type: number;
  write(writer: MessageWriter, type: number, value: T): void;
  /** Undefined where the bytes are not a value. */
  read(value: Buffer): T | undefined;
};

/** One field for every member of the data. */
export type AttributeTable<T> = { readonly [K in keyof T]-?: Field<NonNullable<T[K]>> };

export const u8 = (type: number): Field<number> => ({
  type,
  write: (writer, to, value) => writer.attrU8(to, value),
  read: readU8,
});

export const u16 = (type: number): Field<number> => ({
  type,
  write: (writer, to, value) => writer.attrU16(to, value),
  read: readU16,
});

export const u32 = (type: number): Field<number> => ({
  type,
  write: (writer, to, value) => writer.attrU32(to, value),
  read: readU32,
});

export const s32 = (type: number): Field<number> => ({
  type,
  write: (writer, to, value) => writer.attrU32(to, value),
  read: readS32,
});

export const be16 = (type: number): Field<number> => ({
  type,
  write: (writer, to, value) => writer.attrBe16(to, value),
  read: readBe16,
});

export const be32 = (type: number): Field<number> => ({
  type,
  write: (writer, to, value) => writer.attrBe32(to, value),
  read: readBe32,
});

/** A truth value in one byte. */
export const bool = (type: number): Field<boolean> => ({
  type,
  write: (writer, to, value) => writer.attrU8(to, value ? 1 : 0),
  read: (value) => (value.length < 1 ? undefined : value[0] !== 0),
});

/** An attribute that says yes by being there. False is not written. */
export const flag = (type: number): Field<true> => ({
  type,
  write: (writer, to) => writer.attrFlag(to),
  read: () => true,
});

export const ip = (type: number): Field<IpAddress> => ({
  type,
  write: (writer, to, value) => writer.attrIp(to, value),
  read: readIp,
});

/** A number that iproute2 prints as a word. Numbers without a word are not read. */
export function word<W extends string>(field: Field<number>, words: { readonly [K in W]: number }): Field<W> {
  const byNumber = new Map<number, W>();
  for (const name of Object.keys(words) as W[]) byNumber.set(words[name], name);
  return {
    type: field.type,
    write: (writer, to, value) => field.write(writer, to, words[value]),
    read: (value) => byNumber.get(field.read(value) ?? -1),
  };
}

/** Writes the members that are there, in the table's order. */
export function encodeTable<T extends object>(
  writer: MessageWriter,
  table: AttributeTable<T>,
  data: Partial<T>,
): void {
  for (const name of Object.keys(table) as (keyof T)[]) {
    const value = data[name];
    if (value !== undefined && value !== null) table[name].write(writer, table[name].type, value);
  }
}

/** Reads the attributes that the table knows from the offset on; the others are passed over. */
export function decodeTable<T extends object>(
  table: AttributeTable<T>,
  payload: Buffer,
  offset = 0,
): Partial<T> {
  const byType = namesByType(table);
  const data: Partial<T> = {};
  eachAttribute(payload, offset, (type, value) => {
    const names = byType.get(type);
    if (names === undefined) return;
    for (const name of names) {
      const read = table[name].read(value);
      if (read !== undefined) data[name] = read;
    }
  });
  return data;
}

const indexes = new WeakMap<object, Map<number, PropertyKey[]>>();

function namesByType<T extends object>(table: AttributeTable<T>): Map<number, (keyof T)[]> {
  let index = indexes.get(table) as Map<number, (keyof T)[]> | undefined;
  if (index === undefined) {
    index = new Map();
    for (const name of Object.keys(table) as (keyof T)[]) {
      const type = table[name].type;
      index.set(type, [...(index.get(type) ?? []), name]);
    }
    indexes.set(table, index as Map<number, PropertyKey[]>);
  }
  return index;
}
