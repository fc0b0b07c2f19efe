// Statements of a rule as nf_tables expressions. nft(8), "Statements"; net/netfilter/nft_nat.c, nft_masq.c, nft_redir.c,
// nft_reject.c, nft_limit.c, nft_log.c; linux/netfilter/nf_nat.h for the flags.

import { assertNever } from '../base/result.ts';
import { addressRange, assertU32, numberOf, portInterval } from './comparison.ts';
import type { Expr } from './expr.ts';
import { InvalidRule } from './invalid-rule.ts';
import { keys, valueHex } from './key.ts';
import type { NftFamily, NftNatFlag, NftPort, NftReject, NftStatement } from './ruleset.ts';
import { icmpRejectCodes, icmpv6RejectCodes, icmpxRejectCodes, logLevels } from './symbols.ts';

type Statement<K extends NftStatement['statement']> = Extract<NftStatement, { statement: K }>;

// linux/netfilter/nf_tables.h and linux/netfilter.h
const NFT_REG_1 = 1;
const NFT_META_MARK = 3;
const verdicts = { drop: 0, accept: 1, jump: 0xffff_fffd, goto: 0xffff_fffc, return: 0xffff_fffb } as const;
const NFT_REJECT_ICMP_UNREACH = 0;
const NFT_REJECT_TCP_RST = 1;
const NFT_REJECT_ICMPX_UNREACH = 2;
const natTypes = { snat: 0, dnat: 1 } as const;
const NFT_LIMIT_F_INV = 1;
const limitTypes = { packets: 0, bytes: 1 } as const;
const NFPROTO = { inet: 1, ip: 2, ip6: 10 } as const;
// linux/netfilter/nf_nat.h
const NF_NAT_RANGE_MAP_IPS = 1;
const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
const natFlags = { random: 4, persistent: 8, 'fully-random': 16 } as const;

/** Seconds in nft's units of time. */
export const timeUnits = { second: 1, minute: 60, hour: 3600, day: 86_400, week: 604_800 } as const;
/** What nft and libnftnl take for a burst that is not given. */
export const defaultBurst = { packets: 5, bytes: 0 } as const;

export function statementExprs(family: NftFamily, statement: NftStatement): Expr[] {
  switch (statement.statement) {
    case 'counter':
      return [{ expr: 'counter', bytes: 0, packets: 0 }];
    case 'log':
      return [logExpr(statement)];
    case 'limit':
      return [limitExpr(statement)];
    case 'mark set':
      assertU32('mark', statement.value);
      return [
        { expr: 'immediate', dreg: NFT_REG_1, data: valueHex(BigInt(statement.value), keys.mark) },
        { expr: 'meta', key: NFT_META_MARK, sreg: NFT_REG_1 },
      ];
    case 'accept':
    case 'drop':
    case 'return':
      return [{ expr: 'verdict', code: verdicts[statement.statement] }];
    case 'jump':
    case 'goto':
      return [{ expr: 'verdict', code: verdicts[statement.statement], chain: statement.chain }];
    case 'reject':
      return [rejectExpr(statement.with ?? { type: 'icmpx', code: 'port-unreachable' })];
    case 'masquerade':
    case 'redirect':
      return portNatExprs(statement);
    case 'snat':
    case 'dnat':
      return natExprs(family, statement);
    default:
      return assertNever(statement);
  }
}

/** NF_LOG_PREFIXLEN is 128 with the closing NUL. */
const LOG_PREFIX_MAX = 127;

function logExpr({ prefix, level, group }: Statement<'log'>): Expr {
  // nft expands $variables in it and has no escape, neither for that nor for a quote.
  if (prefix !== undefined && (/["\\$\p{Cc}]/u.test(prefix) || Buffer.byteLength(prefix) > LOG_PREFIX_MAX)) {
    throw new InvalidRule(
      `a log prefix has at most ${LOG_PREFIX_MAX} bytes and no quote, backslash, "$" or control character`,
    );
  }
  if (level !== undefined && group !== undefined) throw new InvalidRule('log has either a level or a group');
  if (group !== undefined && (!Number.isInteger(group) || group < 0 || group > 65535)) {
    throw new InvalidRule(`a log group is a number from 0 to 65535, not ${group}`);
  }
  const number = level === undefined ? undefined : numberOf('log level', logLevels, level);
  return {
    expr: 'log',
    ...(prefix === undefined || prefix === '' ? {} : { prefix }),
    ...(group === undefined ? {} : { group }),
    ...(number === undefined || number === logLevels['warn'] ? {} : { level: number }),
  };
}

function limitExpr({
  rate,
  unit = 'packets',
  per,
  burst = defaultBurst[unit],
  over,
}: Statement<'limit'>): Expr {
  if (!Number.isSafeInteger(rate) || rate < 1) throw new InvalidRule('a limit has a rate of at least 1');
  assertU32('burst', burst);
  if (unit === 'packets' && burst === 0)
    throw new InvalidRule('a limit of packets has a burst of at least 1');
  return {
    expr: 'limit',
    rate,
    unit: timeUnits[per],
    burst,
    type: limitTypes[unit],
    ...(over ? { flags: NFT_LIMIT_F_INV } : {}),
  };
}

function rejectExpr(reject: NftReject): Expr {
  switch (reject.type) {
    case 'tcp reset':
      return { expr: 'reject', type: NFT_REJECT_TCP_RST };
    case 'icmp':
      return {
        expr: 'reject',
        type: NFT_REJECT_ICMP_UNREACH,
        code: rejectCode(icmpRejectCodes, reject.code),
      };
    case 'icmpv6':
      return {
        expr: 'reject',
        type: NFT_REJECT_ICMP_UNREACH,
        code: rejectCode(icmpv6RejectCodes, reject.code),
      };
    case 'icmpx':
      return {
        expr: 'reject',
        type: NFT_REJECT_ICMPX_UNREACH,
        code: rejectCode(icmpxRejectCodes, reject.code),
      };
    default:
      return assertNever(reject);
  }
}

function rejectCode(words: Readonly<Record<string, number>>, code: string): number {
  return numberOf('reject code', words, code);
}

function flagBits(port: NftPort | undefined, flags: readonly NftNatFlag[] = []): number {
  let bits = port === undefined ? 0 : NF_NAT_RANGE_PROTO_SPECIFIED;
  for (const flag of flags) bits |= natFlags[flag];
  return bits;
}

type Registers = { readonly loads: readonly Expr[]; readonly min?: number; readonly max?: number };

/** Puts both ends of a range into registers from the first one on; a single value takes one register. */
function loadRange(first: number, range: { from: string; to: string } | undefined): Registers {
  if (range === undefined) return { loads: [] };
  const min: Expr = { expr: 'immediate', dreg: first, data: range.from };
  if (range.from === range.to) return { loads: [min], min: first };
  return { loads: [min, { expr: 'immediate', dreg: first + 1, data: range.to }], min: first, max: first + 1 };
}

function portRange(port: NftPort | undefined): { from: string; to: string } | undefined {
  if (port === undefined) return undefined;
  const { from, to } = portInterval(port);
  return { from: valueHex(from, keys.port), to: valueHex(to, keys.port) };
}

function portNatExprs({ statement, port, flags }: Statement<'masquerade' | 'redirect'>): Expr[] {
  const { loads, min, max } = loadRange(NFT_REG_1, portRange(port));
  const bits = flagBits(port, flags);
  const nat: Expr = {
    expr: statement === 'masquerade' ? 'masq' : 'redir',
    ...(bits === 0 ? {} : { flags: bits }),
    ...(min === undefined ? {} : { portMin: min }),
    ...(max === undefined ? {} : { portMax: max }),
  };
  return [...loads, nat];
}

function natExprs(
  family: NftFamily,
  { statement, address, port, flags }: Statement<'snat' | 'dnat'>,
): Expr[] {
  if (address === undefined && port === undefined) throw new InvalidRule(`${statement} has no target`);
  const protocol = address === undefined ? family : address.from.includes(':') ? 'ip6' : 'ip';
  const addresses = loadRange(NFT_REG_1, address && addressHex(protocol === 'ip6' ? 'ip6' : 'ip', address));
  const ports = loadRange(NFT_REG_1 + addresses.loads.length, portRange(port));
  // nft leaves MAP_IPS to the kernel, which shows it in a dump.
  const bits = flagBits(port, flags) | (address === undefined ? 0 : NF_NAT_RANGE_MAP_IPS);
  const nat: Expr = {
    expr: 'nat',
    type: natTypes[statement],
    family: NFPROTO[protocol],
    ...(addresses.min === undefined ? {} : { addressMin: addresses.min }),
    ...(addresses.max === undefined ? {} : { addressMax: addresses.max }),
    ...(ports.min === undefined ? {} : { portMin: ports.min }),
    ...(ports.max === undefined ? {} : { portMax: ports.max }),
    ...(bits === 0 ? {} : { flags: bits }),
  };
  return [...addresses.loads, ...ports.loads, nat];
}

function addressHex(
  protocol: 'ip' | 'ip6',
  range: NonNullable<Statement<'snat' | 'dnat'>['address']>,
): { from: string; to: string } {
  const { from, to } = addressRange(protocol, range);
  return { from: valueHex(from, keys[protocol]), to: valueHex(to, keys[protocol]) };
}
