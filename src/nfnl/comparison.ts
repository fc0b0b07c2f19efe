// A match reduced to what nf_tables can do: load one key, compare it with intervals. This is where values are checked and
// brought into canonical form, for text.ts and compile.ts alike. nft(8), "Expressions" and "Payload expressions".

import { addressOf, type IpAddress, type IpPrefix, ipFamily, ipToBigInt, prefixLength } from '../base/ip.ts';
import { ifNameShape } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import { canonicalIntervals, type Interval } from './interval.ts';
import { InvalidRule } from './invalid-rule.ts';
import { type Key, keys } from './key.ts';
import type { NftAddress, NftMatch, NftOp, NftPort, NftRange } from './ruleset.ts';
import { ctStates, ctStatuses, fibTypes, icmpTypes, icmpv6TypeNumbers, l4protoNumbers } from './symbols.ts';

/** One of the intervals (`==`), or none of them (`!=`). */
export type ValueComparison = {
  readonly kind: 'value';
  readonly key: Key;
  readonly op: NftOp;
  readonly intervals: readonly Interval[];
};
/** `key & mask OP value`; how the text says it depends on the match. */
export type BitComparison = {
  readonly kind: 'bits';
  readonly mask: number;
  readonly op: NftOp;
  readonly value: number;
};
export type Comparison = ValueComparison | BitComparison;

/** Throws {@link InvalidRule} when a value cannot be. */
export function comparisonOf(match: NftMatch): Comparison {
  switch (match.match) {
    case 'iifname':
    case 'oifname':
      return value(keys.ifname, match.op, match.names.map(nameInterval));
    case 'saddr':
    case 'daddr':
      return value(keys[match.protocol], match.op, match.addresses.map(addressInterval(match.protocol)));
    case 'nfproto':
      return value(keys.l4proto, match.op, [single(nfprotoNumbers[match.value])]);
    case 'l4proto':
      return value(keys.l4proto, match.op, match.protocols.map(byteInterval('protocol', l4protoNumbers)));
    case 'sport':
    case 'dport':
      return value(keys.port, match.op, match.ports.map(portInterval));
    case 'icmp type': {
      const words = match.protocol === 'icmp' ? icmpTypes : icmpv6TypeNumbers;
      return value(
        keys[match.protocol],
        match.op,
        match.types.map(byteInterval(`${match.protocol} type`, words)),
      );
    }
    case 'ct state':
      return ctStateComparison(match.op ?? '==', match.states);
    case 'ct status': {
      const mask = bitMask('ct status', ctStatuses, match.status);
      // nft's "ct status != dnat" compares the whole word, which is never what is meant; "! dnat" asks for the bit.
      return { kind: 'bits', mask, op: match.op === '!=' ? '==' : '!=', value: 0 };
    }
    case 'fib daddr type':
      return value(keys.fibType, match.op, match.types.map(wordInterval('address type', fibTypes)));
    case 'mark':
      return markComparison(match);
    default:
      return assertNever(match);
  }
}

/** NFPROTO_* of linux/netfilter.h. */
const nfprotoNumbers = { ipv4: 2, ipv6: 10 } as const;

function value(key: Key, op: NftOp = '==', intervals: readonly Interval[]): ValueComparison {
  if (intervals.length === 0) throw new InvalidRule('a match has no value');
  // Names that adjoin in byte order have nothing in common and no name together.
  return { kind: 'value', key, op, intervals: canonicalIntervals(intervals, key.order === 'text' ? 0n : 1n) };
}

function single(number: number): Interval {
  return { from: BigInt(number), to: BigInt(number) };
}

/**
 * A packet has one state. So a list is a mask for `==`, as everybody writes it, and a set for `!=`: with a mask, nft's
 * "ct state != established,related" would compare with both bits together, which no packet has.
 */
function ctStateComparison(op: NftOp, states: readonly string[]): Comparison {
  if (op === '==') return { kind: 'bits', mask: bitMask('ct state', ctStates, states), op: '!=', value: 0 };
  return value(keys.ctState, op, states.map(wordInterval('ct state', ctStates)));
}

function markComparison({ op = '==', mask, marks }: Extract<NftMatch, { match: 'mark' }>): Comparison {
  for (const mark of marks) assertU32('mark', mark);
  if (mask === undefined) return value(keys.mark, op, marks.map(single));
  assertU32('mask', mask);
  const [mark, ...more] = marks;
  if (mark === undefined || more.length > 0) throw new InvalidRule('a mask goes with one mark');
  if ((mark & ~mask) !== 0) throw new InvalidRule('a mark has bits outside its mask, so it never matches');
  return { kind: 'bits', mask, op, value: mark };
}

export function assertU32(what: string, number: number): void {
  if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) {
    throw new InvalidRule(`a ${what} is a whole number from 0 to 0xffffffff, not ${number}`);
  }
}

function bitMask(what: string, words: Readonly<Record<string, number>>, names: readonly string[]): number {
  if (names.length === 0) throw new InvalidRule(`${what} has no value`);
  let mask = 0;
  for (const name of names) mask |= numberOf(what, words, name);
  return mask;
}

/** The number of a word; throws {@link InvalidRule} with the words there are. */
export function numberOf(what: string, words: Readonly<Record<string, number>>, word: string): number {
  const number = Object.hasOwn(words, word) ? words[word] : undefined;
  if (number !== undefined) return number;
  throw new InvalidRule(`unknown ${what} "${word}"; nft has ${Object.keys(words).join(', ')}`);
}

function wordInterval(what: string, words: Readonly<Record<string, number>>): (word: string) => Interval {
  return (word) => single(numberOf(what, words, word));
}

function byteInterval(
  what: string,
  words: Readonly<Record<string, number>>,
): (item: string | number) => Interval {
  return (item) => {
    if (typeof item === 'string') return single(numberOf(what, words, item));
    if (Number.isInteger(item) && item >= 0 && item <= 255) return single(item);
    throw new InvalidRule(`a ${what} is a number from 0 to 255, not ${item}`);
  };
}

/** A port or a range of ports. */
export function portInterval(port: NftPort): Interval {
  const { from, to = from } = typeof port === 'number' ? { from: port } : port;
  for (const end of [from, to]) {
    if (!Number.isInteger(end) || end < 0 || end > 65535) {
      throw new InvalidRule(`a port is a number from 0 to 65535, not ${end}`);
    }
  }
  if (from > to) throw new InvalidRule(`the range of ports ${from}-${to} ends before it begins`);
  return { from: BigInt(from), to: BigInt(to) };
}

function addressInterval(protocol: 'ip' | 'ip6'): (address: NftAddress) => Interval {
  return (address) => {
    if (typeof address !== 'string') return addressRange(protocol, address);
    if (!address.includes('/')) return addressRange(protocol, { from: address as IpAddress });
    const prefix = address as IpPrefix;
    const size = 1n << BigInt((protocol === 'ip' ? 32 : 128) - prefixLength(prefix));
    const { from } = addressRange(protocol, { from: addressOf(prefix) });
    const base = from & -size;
    return { from: base, to: base + size - 1n };
  };
}

/** A range of addresses of the family that the protocol has. */
export function addressRange(protocol: 'ip' | 'ip6', { from, to = from }: NftRange<IpAddress>): Interval {
  for (const end of [from, to]) {
    if (ipFamily(end) !== (protocol === 'ip' ? 4 : 6)) {
      throw new InvalidRule(`${end} is no address of ${protocol}`);
    }
  }
  const interval = { from: ipToBigInt(from), to: ipToBigInt(to) };
  if (interval.from > interval.to) throw new InvalidRule(`the range ${from}-${to} ends before it begins`);
  return interval;
}

const IFNAMSIZ = 16;

/**
 * An interface name, or with a final `*` all names that begin so. A quote and a backslash are legal in a name but cannot be
 * written in nft's text, and a `*` inside a name would be taken for something else there.
 */
function nameInterval(name: string): Interval {
  const wildcard = name.endsWith('*');
  const stem = wildcard ? name.slice(0, -1) : name;
  const bytes = Buffer.from(stem);
  if (bytes.length === 0) {
    throw new InvalidRule(
      name === '' ? 'an interface name is empty' : 'nft has no match for every interface name',
    );
  }
  const bad = ifNameShape(stem) ?? (/["\\*]/.test(stem) ? 'cannot be written in an nft rule' : undefined);
  if (bad !== undefined) throw new InvalidRule(`the interface name ${JSON.stringify(name)} ${bad}`);
  if (bytes.length >= IFNAMSIZ || (wildcard && bytes.length >= IFNAMSIZ - 1)) {
    throw new InvalidRule(`the interface name "${name}" is longer than 15 bytes`);
  }
  const padded = (fill: number): bigint =>
    BigInt(`0x${Buffer.concat([bytes, Buffer.alloc(IFNAMSIZ - bytes.length, fill)]).toString('hex')}`);
  return { from: padded(0), to: wildcard ? padded(0xff) : padded(0) };
}
