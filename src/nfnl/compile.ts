// A rule compiled to nf_tables expressions, as nft(8) compiles its text: the same loads, comparisons and implied matches of
// the protocol (`nft --debug=netlink` shows them), so that `nft list` reads back what was meant. It makes no bytes.

import { assertNever } from '../base/result.ts';
import { type BitComparison, comparisonOf, type ValueComparison } from './comparison.ts';
import type { AnonymousSet, Expr } from './expr.ts';
import { type Interval, isSingle, prefixOf } from './interval.ts';
import { type Key, valueHex } from './key.ts';
import { completeRule, type ProtocolContext, protocolsAt } from './protocol.ts';
import type { NftFamily, NftMatch, NftRule } from './ruleset.ts';
import { statementExprs } from './statement.ts';
import { l4protoNumbers } from './symbols.ts';

// linux/netfilter/nf_tables.h
const NFT_REG_1 = 1;
const NFT_META_MARK = 3;
const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_META_NFPROTO = 15;
const NFT_META_L4PROTO = 16;
const NFT_CT_STATE = 0;
const NFT_CT_STATUS = 2;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
const NFTA_FIB_F_DADDR = 2;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFT_RANGE_NEQ = 1;
const cmpOps = { eq: 0, neq: 1, lte: 3, gte: 5 } as const;
const NFPROTO = { ip: '02', ip6: '0a' } as const;

/** A table is checked before it is applied and described after, and each needs its expressions; rules are never changed. */
const compiled: Readonly<Record<NftFamily, WeakMap<NftRule, readonly Expr[]>>> = {
  inet: new WeakMap(),
  ip: new WeakMap(),
  ip6: new WeakMap(),
};

/** The expressions of the rule, in a table of the family. Throws InvalidRule for what cannot be. */
export function compileRule(family: NftFamily, rule: NftRule): readonly Expr[] {
  const before = compiled[family].get(rule);
  if (before !== undefined) return before;
  const exprs = compile(family, rule);
  compiled[family].set(rule, exprs);
  return exprs;
}

function compile(family: NftFamily, rule: NftRule): Expr[] {
  const complete = completeRule(family, rule);
  const exprs: Expr[] = [];
  for (const { match, implied } of protocolsAt(family, complete.matches)) {
    for (const protocol of implied) exprs.push(...impliedExprs(protocol));
    exprs.push(...matchExprs(match));
  }
  for (const statement of complete.statements) exprs.push(...statementExprs(family, statement));
  return exprs;
}

function impliedExprs(implied: ProtocolContext): Expr[] {
  const exprs: Expr[] = [];
  if (implied.network !== undefined) {
    exprs.push({ expr: 'meta', key: NFT_META_NFPROTO, dreg: NFT_REG_1 }, cmp('eq', NFPROTO[implied.network]));
  }
  if (implied.transport !== undefined) {
    const number = l4protoNumbers[implied.transport] ?? 0;
    exprs.push(
      { expr: 'meta', key: NFT_META_L4PROTO, dreg: NFT_REG_1 },
      cmp('eq', number.toString(16).padStart(2, '0')),
    );
  }
  return exprs;
}

function cmp(op: keyof typeof cmpOps, data: string): Expr {
  return { expr: 'cmp', sreg: NFT_REG_1, op: cmpOps[op], data };
}

function matchExprs(match: NftMatch): Expr[] {
  const comparison = comparisonOf(match);
  const load = loadExpr(match);
  if (comparison.kind === 'bits') return [load, ...bitExprs(comparison)];
  const [only, ...more] = comparison.intervals;
  if (only === undefined) return [];
  if (more.length > 0) return [load, lookupExpr(comparison)];
  return intervalExprs(load, comparison, only);
}

function loadExpr(match: NftMatch): Expr {
  switch (match.match) {
    case 'iifname':
      return { expr: 'meta', key: NFT_META_IIFNAME, dreg: NFT_REG_1 };
    case 'oifname':
      return { expr: 'meta', key: NFT_META_OIFNAME, dreg: NFT_REG_1 };
    case 'nfproto':
      return { expr: 'meta', key: NFT_META_NFPROTO, dreg: NFT_REG_1 };
    case 'l4proto':
      return { expr: 'meta', key: NFT_META_L4PROTO, dreg: NFT_REG_1 };
    case 'mark':
      return { expr: 'meta', key: NFT_META_MARK, dreg: NFT_REG_1 };
    case 'saddr':
    case 'daddr': {
      const [offset, length] = addressPlaces[match.protocol][match.match];
      return payload(NFT_PAYLOAD_NETWORK_HEADER, offset, length);
    }
    case 'sport':
      return payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2);
    case 'dport':
      return payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
    case 'icmp type':
      return payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
    case 'ct state':
      return { expr: 'ct', key: NFT_CT_STATE, dreg: NFT_REG_1 };
    case 'ct status':
      return { expr: 'ct', key: NFT_CT_STATUS, dreg: NFT_REG_1 };
    case 'fib daddr type':
      return { expr: 'fib', flags: NFTA_FIB_F_DADDR, result: NFT_FIB_RESULT_ADDRTYPE, dreg: NFT_REG_1 };
    default:
      return assertNever(match);
  }
}

/** Offset and length in struct iphdr and struct ipv6hdr. */
const addressPlaces = {
  ip: { saddr: [12, 4], daddr: [16, 4] },
  ip6: { saddr: [8, 16], daddr: [24, 16] },
} as const;

function payload(base: number, offset: number, length: number): Expr {
  return { expr: 'payload', dreg: NFT_REG_1, base, offset, length };
}

/** Bits are those of a number in host byte order. */
function bitExprs({ mask, op, value }: BitComparison): Expr[] {
  const host = (number: number): string => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(number >>> 0);
    return bytes.toString('hex');
  };
  return [bitwise(host(mask)), cmp(op === '==' ? 'eq' : 'neq', host(value))];
}

function bitwise(mask: string): Expr {
  const length = mask.length / 2;
  return { expr: 'bitwise', sreg: NFT_REG_1, dreg: NFT_REG_1, length, mask, xor: '00'.repeat(length) };
}

function lookupExpr({ key, op, intervals }: ValueComparison): Expr {
  const elements = intervals.map(({ from, to }) => ({ from: valueHex(from, key), to: valueHex(to, key) }));
  const set: AnonymousSet = {
    datatype: key.datatype,
    bytes: key.bytes,
    ranges: intervals.some((interval) => !isSingle(interval)),
    elements: elements.sort((a, b) => (a.from < b.from ? -1 : 1)),
  };
  return { expr: 'lookup', sreg: NFT_REG_1, ...(op === '!=' ? { invert: true } : {}), set };
}

function intervalExprs(load: Expr, { key, op }: ValueComparison, interval: Interval): Expr[] {
  const eq = op === '==' ? 'eq' : 'neq';
  const from = valueHex(interval.from, key);
  if (isSingle(interval)) return [load, cmp(eq, from)];
  const to = valueHex(interval.to, key);
  // A name's wildcard is a comparison of as many bytes as the name has before the star.
  if (key.order === 'text') return [load, cmp(eq, commonBytes(from, to))];
  const prefix = isAddress(key) ? prefixOf(interval, 8 * key.bytes) : undefined;
  if (prefix !== undefined) return prefixExprs(load, { eq, from, prefix });
  if (op === '!=') return [load, { expr: 'range', sreg: NFT_REG_1, op: NFT_RANGE_NEQ, from, to }];
  return [load, cmp('gte', from), cmp('lte', to)];
}

function isAddress(key: Key): boolean {
  return key.bytes === 4 || key.bytes === 16;
}

function commonBytes(from: string, to: string): string {
  let length = 0;
  while (length < from.length && from.slice(length, length + 2) === to.slice(length, length + 2)) length += 2;
  return from.slice(0, length);
}

type PrefixCompare = { readonly eq: 'eq' | 'neq'; readonly from: string; readonly prefix: number };

/** A prefix of whole bytes is a shorter load; any other is masked. */
function prefixExprs(load: Expr, { eq, from, prefix }: PrefixCompare): Expr[] {
  if (load.expr === 'payload' && prefix > 0 && prefix % 8 === 0) {
    return [{ ...load, length: prefix / 8 }, cmp(eq, from.slice(0, prefix / 4))];
  }
  const bits = BigInt(from.length * 4);
  const mask = ((1n << BigInt(prefix)) - 1n) << (bits - BigInt(prefix));
  return [load, bitwise(mask.toString(16).padStart(from.length, '0')), cmp(eq, from)];
}
