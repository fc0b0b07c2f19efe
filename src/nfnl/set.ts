// Anonymous sets: the messages that make one before the rule that uses it, and the elements of a dump back as ranges. An
// interval set is a row of points: where an interval begins, and where (one past its end) it no longer holds.
// linux/netfilter/nf_tables.h NFTA_SET_*, NFTA_SET_ELEM_*; src/intervals.c of nftables for the points.

import { attributeMap, eachAttribute, type MessageWriter, readBe32 } from '../rtnl/message.ts';
import { ANONYMOUS_NAME, type AnonymousSet, readData, writeData } from './expr.ts';
import { orderOf } from './key.ts';

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DESC = 9;
const NFTA_SET_ID = 10;
const NFTA_SET_USERDATA = 13;
const NFTA_SET_DESC_SIZE = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_LIST_SET_ID = 4;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_USERDATA = 6;
const NFT_SET_ANONYMOUS = 1;
const NFT_SET_CONSTANT = 2;
const NFT_SET_INTERVAL = 4;
const NFT_SET_ELEM_INTERVAL_END = 1;
const NESTED = 0x8000;

// libnftnl/udata.h: type, length and value; the values of nft are 32 bits, host byte order.
const UDATA_SET_KEYBYTEORDER = 0;
const UDATA_SET_MERGE_ELEMENTS = 2;
const UDATA_SET_ELEM_FLAGS = 1;
const SET_ELEM_F_INTERVAL_OPEN = 1;
/** enum byteorder of nftables. */
const byteorders = { host: 1, text: 1, network: 2 } as const;

/** One attribute holds at most 64 KiB, so the elements of a long list go into several messages. */
const ELEMENTS_PER_MESSAGE = 1000;

/** A point of an interval set, or an element of a hash. */
export type SetPoint = {
  readonly key: string;
  readonly end: boolean;
  /** The interval that begins here has no end: it goes on to the highest value. */
  readonly open?: true;
};

/** The points of the set, in ascending order. */
export function setPoints(set: AnonymousSet): SetPoint[] {
  if (!set.ranges) return set.elements.map(({ from }) => ({ key: from, end: false }));
  const points: SetPoint[] = [];
  const highest = 'ff'.repeat(set.bytes);
  const zero = '00'.repeat(set.bytes);
  const first = set.elements[0];
  // The kernel's tree has to know that what lies before the first interval is outside.
  if (first !== undefined && first.from !== zero) points.push({ key: zero, end: true });
  for (const [i, { from, to }] of set.elements.entries()) {
    if (to === highest) {
      points.push({ key: from, end: false, open: true });
      continue;
    }
    points.push({ key: from, end: false });
    const after = step(to, set.bytes);
    // Where the next begins at once, its first point ends this one.
    if (set.elements[i + 1]?.from !== after) points.push({ key: after, end: true });
  }
  return points;
}

/** The next value. Interval sets are compared byte by byte from the first, so this is arithmetic in network byte order. */
function step(hex: string, bytes: number): string {
  return (BigInt(`0x${hex}`) + 1n).toString(16).padStart(2 * bytes, '0');
}

function before(hex: string, bytes: number): string {
  return (BigInt(`0x${hex}`) - 1n).toString(16).padStart(2 * bytes, '0');
}

/** The attributes of NFT_MSG_NEWSET. */
export function writeSet(
  writer: MessageWriter,
  table: string,
  { id, set, points }: { readonly id: number; readonly set: AnonymousSet; readonly points: number },
): void {
  writer.attrString(NFTA_SET_TABLE, table);
  writer.attrString(NFTA_SET_NAME, ANONYMOUS_NAME);
  writer.attrBe32(NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | (set.ranges ? NFT_SET_INTERVAL : 0));
  writer.attrBe32(NFTA_SET_KEY_TYPE, set.datatype);
  writer.attrBe32(NFTA_SET_KEY_LEN, set.bytes);
  writer.attrBe32(NFTA_SET_ID, id);
  const description = writer.nest(NFTA_SET_DESC | NESTED);
  writer.attrBe32(NFTA_SET_DESC_SIZE, points);
  writer.endNest(description);
  const userdata = udata(UDATA_SET_KEYBYTEORDER, byteorders[orderOf(set.datatype)]);
  const merge = set.ranges ? udata(UDATA_SET_MERGE_ELEMENTS, 1) : Buffer.alloc(0);
  writer.attrBytes(NFTA_SET_USERDATA, Buffer.concat([userdata, merge]));
}

function udata(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(4, 1);
  bytes.writeUInt32LE(value, 2);
  return bytes;
}

/** The points in portions that fit into one NFT_MSG_NEWSETELEM each. */
export function pointPortions(points: readonly SetPoint[]): SetPoint[][] {
  const portions: SetPoint[][] = [];
  for (let i = 0; i < points.length; i += ELEMENTS_PER_MESSAGE) {
    portions.push(points.slice(i, i + ELEMENTS_PER_MESSAGE));
  }
  return portions;
}

/** The attributes of NFT_MSG_NEWSETELEM. */
export function writeElements(
  writer: MessageWriter,
  table: string,
  { id, points }: { readonly id: number; readonly points: readonly SetPoint[] },
): void {
  writer.attrString(NFTA_SET_ELEM_LIST_TABLE, table);
  writer.attrString(NFTA_SET_ELEM_LIST_SET, ANONYMOUS_NAME);
  writer.attrBe32(NFTA_SET_ELEM_LIST_SET_ID, id);
  const elements = writer.nest(NFTA_SET_ELEM_LIST_ELEMENTS | NESTED);
  for (const { key, end, open } of points) {
    const element = writer.nest(NFTA_LIST_ELEM | NESTED);
    if (end) writer.attrBe32(NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    writeData(writer, NFTA_SET_ELEM_KEY, key);
    if (open) writer.attrBytes(NFTA_SET_ELEM_USERDATA, udata(UDATA_SET_ELEM_FLAGS, SET_ELEM_F_INTERVAL_OPEN));
    writer.endNest(element);
  }
  writer.endNest(elements);
}

/** The points in one message of a dump of elements; the attributes begin at the offset. */
export function readPoints(payload: Buffer, offset: number): SetPoint[] {
  const points: SetPoint[] = [];
  const list = attributeMap(payload, offset).get(NFTA_SET_ELEM_LIST_ELEMENTS);
  if (list === undefined) return points;
  eachAttribute(list, 0, (_type, element) => {
    const attributes = attributeMap(element);
    const key = readData(attributes.get(NFTA_SET_ELEM_KEY));
    const flags = readBe32(attributes.get(NFTA_SET_ELEM_FLAGS)) ?? 0;
    if (key !== undefined) points.push({ key, end: (flags & NFT_SET_ELEM_INTERVAL_END) !== 0 });
  });
  return points;
}

/** The elements that the points of a set stand for: the inverse of {@link setPoints}, whatever their order. */
export function elementsOf(
  points: readonly SetPoint[],
  set: Pick<AnonymousSet, 'bytes' | 'ranges'>,
): Elements {
  if (set.ranges) return rangesOf(points, set.bytes);
  const sorted = points.map(({ key }) => key).sort();
  return sorted.map((key) => ({ from: key, to: key }));
}

type Elements = AnonymousSet['elements'];

function rangesOf(points: readonly SetPoint[], bytes: number): Elements {
  const sorted = [...points].sort((a, b) =>
    a.key < b.key ? -1 : a.key > b.key ? 1 : Number(b.end) - Number(a.end),
  );
  const ranges: { from: string; to: string }[] = [];
  let from: string | undefined;
  for (const { key, end } of sorted) {
    if (from !== undefined) ranges.push({ from, to: before(key, bytes) });
    from = end ? undefined : key;
  }
  if (from !== undefined) ranges.push({ from, to: 'ff'.repeat(bytes) });
  return ranges;
}
