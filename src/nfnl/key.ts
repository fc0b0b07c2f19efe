// The kinds of values that rules compare: how long they are, in which byte order the kernel compares them, and how nft(8)
// writes them. The datatype numbers are nft's own (enum datatypes, include/datatype.h of nftables); the kernel only stores
// them with a set, and `nft list` reads them back.

import { type IpFamily, ipFromBigInt } from '../base/ip.ts';
import { type Interval, isSingle, prefixOf } from './interval.ts';
import { ctStates, fibTypes, icmpTypes, icmpv6Types, l4protoWords, wordOf } from './symbols.ts';

/** What is compared. */
export type Key = {
  /** enum datatypes of nftables. */
  readonly datatype: number;
  readonly bytes: 1 | 2 | 4 | 16;
  /** How the number lies in a register. `text` is a name, its first byte first. */
  readonly order: 'network' | 'host' | 'text';
  readonly word: (interval: Interval) => string;
};

function byteWord(words: Readonly<Record<string, number>>): Key['word'] {
  return (interval) => wordOf(words, Number(interval.from));
}

function addressWord(family: IpFamily): Key['word'] {
  const bits = family === 4 ? 32 : 128;
  return (interval) => {
    const from = ipFromBigInt(interval.from, family);
    if (isSingle(interval)) return from;
    const length = prefixOf(interval, bits);
    return length === undefined ? `${from}-${ipFromBigInt(interval.to, family)}` : `${from}/${length}`;
  };
}

function portWord(interval: Interval): string {
  return isSingle(interval) ? String(interval.from) : `${interval.from}-${interval.to}`;
}

const IFNAMSIZ = 16;

function nameWord(interval: Interval): string {
  const bytes = Buffer.from(interval.from.toString(16).padStart(2 * IFNAMSIZ, '0'), 'hex');
  const end = bytes.indexOf(0);
  const text = bytes.toString('utf8', 0, end < 0 ? IFNAMSIZ : end);
  return isSingle(interval) ? `"${text}"` : `"${text}*"`;
}

/** `0x00000010`, as nft prints marks. */
export function markWord(value: number | bigint): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

export const keys = {
  ip: { datatype: 7, bytes: 4, order: 'network', word: addressWord(4) },
  ip6: { datatype: 8, bytes: 16, order: 'network', word: addressWord(6) },
  l4proto: { datatype: 12, bytes: 1, order: 'network', word: byteWord(l4protoWords) },
  port: { datatype: 13, bytes: 2, order: 'network', word: portWord },
  icmp: { datatype: 14, bytes: 1, order: 'network', word: byteWord(icmpTypes) },
  mark: { datatype: 19, bytes: 4, order: 'host', word: ({ from }) => markWord(from) },
  ctState: { datatype: 26, bytes: 4, order: 'host', word: byteWord(ctStates) },
  icmpv6: { datatype: 29, bytes: 1, order: 'network', word: byteWord(icmpv6Types) },
  fibType: { datatype: 38, bytes: 4, order: 'host', word: byteWord(fibTypes) },
  ifname: { datatype: 41, bytes: 16, order: 'text', word: nameWord },
} as const satisfies Record<string, Key>;

/** The value as it lies in a register, in hexadecimal. */
export function valueHex(value: bigint, key: Key): string {
  const big = value.toString(16).padStart(2 * key.bytes, '0');
  return key.order === 'host' ? Buffer.from(big, 'hex').reverse().toString('hex') : big;
}

/** In which byte order a set of the datatype is, as nft tells itself in the set's userdata. */
export function orderOf(datatype: number): Key['order'] {
  for (const key of Object.values(keys)) if (key.datatype === datatype) return key.order;
  return 'network';
}
