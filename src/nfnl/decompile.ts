// A rule of the kernel as the data that it could have been made from: the way back of compile.ts, for rules that somebody else
// wrote. A rule counts as understood only when compiling what was understood gives the same expressions again. Two things of
// iptables-nft are taken for what nft itself would have written: its shorter comparisons of names, and the targets and matches of
// xtables that it still uses (linux/netfilter/x_tables.h, nf_nat.h, xt_conntrack.h).

import { isDeepStrictEqual } from 'node:util';
import { type IpAddress, type IpPrefix, ipFromBigInt } from '../base/ip.ts';
import { compileRule } from './compile.ts';
import type { AnonymousSet, Expr } from './expr.ts';
import { prefixOf } from './interval.ts';
import { InvalidRule } from './invalid-rule.ts';
import type { RuleForm, TableForm } from './read.ts';
import type {
  NftAddress,
  NftCtState,
  NftCtStatus,
  NftFamily,
  NftMatch,
  NftNatFlag,
  NftOp,
  NftPort,
  NftPortProtocol,
  NftReject,
  NftRule,
  NftStatement,
} from './ruleset.ts';
import {
  ctStates,
  ctStatuses,
  fibTypes,
  icmpRejectCodes,
  icmpTypes,
  icmpv6RejectCodes,
  icmpv6Types,
  icmpxRejectCodes,
  l4protoWords,
  logLevels,
  wordOf,
} from './symbols.ts';
import { printBase, printRule } from './text.ts';
import { xtExprs } from './xt.ts';

/** The rule, with what its protocols imply said as matches of their own; undefined where nslab could not have written it. */
export function decompileRule(family: NftFamily, form: RuleForm): NftRule | undefined {
  const exprs = form.exprs.flatMap((expr) => xtExprs(family, expr) ?? [expr]);
  const plain = plainNames(exprs);
  const parts = new Parser(family, plain).parts();
  const matches: NftMatch[] = [];
  const statements: NftStatement[] = [];
  for (const part of parts) {
    if ('unknown' in part) return undefined;
    if ('match' in part) {
      // Matches after a counter see what the counter has counted; the data has no word for that.
      if (statements.length > 0) return undefined;
      matches.push(inPlace(matches.at(-1), part.match));
    } else statements.push(part.statement);
  }
  const rule = { matches, statements, ...(form.comment === undefined ? {} : { comment: form.comment }) };
  return compilesTo(family, rule, plain) ? rule : undefined;
}

/** A source port after a destination port keeps its place only as that of another protocol (completeRule()). */
function inPlace(before: NftMatch | undefined, match: NftMatch): NftMatch {
  const isTurned = before?.match === 'dport' && match.match === 'sport' && before.protocol === match.protocol;
  return isTurned ? { ...match, protocol: 'th' } : match;
}

function compilesTo(family: NftFamily, rule: NftRule, exprs: readonly Expr[]): boolean {
  try {
    return isDeepStrictEqual(compileRule(family, rule), exprs);
  } catch (error) {
    if (error instanceof InvalidRule) return false;
    throw error;
  }
}

/** The rule as nft(8) would print it, as far as it is understood; what is not stands in angle brackets. */
export function ruleText(family: NftFamily, form: RuleForm): string {
  const whole = decompileRule(family, form);
  if (whole !== undefined) return printRule(family, withoutImplied(family, whole));
  const exprs = form.exprs.flatMap((expr) => xtExprs(family, expr) ?? [expr]);
  const words = new Parser(family, plainNames(exprs)).parts().map((part) => {
    if ('unknown' in part) return part.unknown;
    const matches = 'match' in part ? [part.match] : [];
    const statements = 'statement' in part ? [part.statement] : [];
    return printRule(family, { matches, statements });
  });
  return [...words, ...(form.comment === undefined ? [] : [`comment "${form.comment}"`])].join(' ');
}

/** The table as lines of text, each of its rules as {@link ruleText} has it. */
export function tableText({ family, name, chains }: TableForm): string {
  const lines = chains.flatMap((chain) => [
    `  chain ${chain.name} {`,
    ...(chain.base === undefined ? [] : [`    ${printBase(chain.base)}`]),
    ...chain.rules.map((rule) => `    ${ruleText(family, rule)}`),
    '  }',
  ]);
  return [`table ${family} ${name} {`, ...lines, '}'].join('\n');
}

/** Without the matches that nft prints only where nothing else says so. */
function withoutImplied(family: NftFamily, rule: NftRule): NftRule {
  const exprs = compileRule(family, rule);
  let { matches } = rule;
  for (const match of rule.matches) {
    if (match.match !== 'nfproto' && match.match !== 'l4proto') continue;
    const fewer = matches.filter((one) => one !== match);
    if (compilesTo(family, { ...rule, matches: fewer }, exprs)) matches = fewer;
  }
  return { ...rule, matches };
}

// linux/netfilter/nf_tables.h
const META = { mark: 3, iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const IFNAMSIZ = 16;

/** iptables-nft compares a whole name with its closing NUL and no more; nft with all bytes that a name may have. */
function plainNames(exprs: readonly Expr[]): Expr[] {
  return exprs.map((expr, i) => {
    const before = exprs[i - 1];
    const isName = before?.expr === 'meta' && (before.key === META.iifname || before.key === META.oifname);
    if (!isName || expr.expr !== 'cmp' || expr.data === undefined || !expr.data.endsWith('00')) return expr;
    const name = Buffer.from(expr.data, 'hex');
    const end = name.indexOf(0);
    return { ...expr, data: name.toString('hex', 0, end).padEnd(2 * IFNAMSIZ, '0') };
  });
}

type Part =
  | { readonly match: NftMatch }
  | { readonly statement: NftStatement }
  | { readonly unknown: string };

type Compared = {
  readonly op: NftOp;
  readonly values: readonly { readonly from: bigint; readonly to: bigint; readonly hex: string }[];
};

class Parser {
  private readonly exprs: readonly Expr[];
  private at = 0;
  private transport: string | undefined;
  private network: 'ip' | 'ip6' | undefined;

  constructor(family: NftFamily, exprs: readonly Expr[]) {
    this.exprs = exprs;
    this.network = family === 'inet' ? undefined : family;
  }

  parts(): Part[] {
    const parts: Part[] = [];
    while (this.at < this.exprs.length) {
      const from = this.at;
      const part = this.match() ?? this.statement();
      if (part !== undefined) {
        parts.push(part);
        continue;
      }
      this.at = from + 1;
      parts.push({ unknown: unknownText(this.exprs[from]) });
    }
    return parts;
  }

  private next(): Expr | undefined {
    return this.exprs[this.at++];
  }

  private get peek(): Expr | undefined {
    return this.exprs[this.at];
  }

  private match(): Part | undefined {
    const from = this.at;
    const match = this.readMatch(this.next());
    if (match === undefined) {
      this.at = from;
      return undefined;
    }
    return { match };
  }

  private readMatch(load: Expr | undefined): NftMatch | undefined {
    if (load?.expr === 'meta' && load.sreg === undefined) return this.metaMatch(load.key);
    if (load?.expr === 'payload') return this.payloadMatch(load);
    if (load?.expr === 'ct') return this.ctMatch(load.key);
    if (load?.expr === 'fib' && load.flags === 2 && load.result === 3) {
      const compared = this.compared(4, 'host');
      if (compared === undefined) return undefined;
      return { match: 'fib daddr type', ...opOf(compared), types: words(compared, fibTypes) };
    }
    return undefined;
  }

  private metaMatch(key: number | undefined): NftMatch | undefined {
    switch (key) {
      case META.iifname:
      case META.oifname:
        return this.nameMatch(key === META.iifname ? 'iifname' : 'oifname');
      case META.nfproto: {
        const compared = this.compared(1, 'network');
        const value = single(compared);
        if (compared === undefined || (value !== 2n && value !== 10n)) return undefined;
        if (compared.op === '==') this.network = value === 2n ? 'ip' : 'ip6';
        return { match: 'nfproto', ...opOf(compared), value: value === 2n ? 'ipv4' : 'ipv6' };
      }
      case META.l4proto: {
        const compared = this.compared(1, 'network');
        if (compared === undefined || !areSingle(compared)) return undefined;
        const protocols = compared.values.map(({ from }) => numberOrWord(wordOf(l4protoWords, Number(from))));
        if (compared.op === '==') this.transport = protocols.length === 1 ? String(protocols[0]) : 'several';
        return { match: 'l4proto', ...opOf(compared), protocols };
      }
      case META.mark:
        return this.markMatch();
      default:
        return undefined;
    }
  }

  private nameMatch(match: 'iifname' | 'oifname'): NftMatch | undefined {
    const expr = this.next();
    if (expr?.expr === 'cmp' && expr.data !== undefined && isEquality(expr.op)) {
      return { match, ...(expr.op === 1 ? { op: '!=' as const } : {}), names: [nameOf(expr.data)] };
    }
    if (expr?.expr === 'lookup' && typeof expr.set !== 'string') {
      const names = expr.set.elements.map(({ from, to }) =>
        from === to ? nameOf(from) : nameOf(common(from, to)),
      );
      return { match, ...(expr.invert ? { op: '!=' as const } : {}), names };
    }
    return undefined;
  }

  private markMatch(): NftMatch | undefined {
    if (this.peek?.expr === 'bitwise') {
      const mask = this.mask(4);
      const cmp = this.next();
      if (mask === undefined || cmp?.expr !== 'cmp' || cmp.data === undefined || !isEquality(cmp.op))
        return undefined;
      const mark = Number(bytesValue(cmp.data, 'host'));
      const op = cmp.op === 1 ? { op: '!=' as const } : {};
      return { match: 'mark', ...op, mask: Number(bytesValue(mask, 'host')), marks: [mark] };
    }
    const compared = this.compared(4, 'host');
    if (compared === undefined || !areSingle(compared)) return undefined;
    return { match: 'mark', ...opOf(compared), marks: compared.values.map(({ from }) => Number(from)) };
  }

  private payloadMatch(load: Extract<Expr, { expr: 'payload' }>): NftMatch | undefined {
    const { base, offset = 0, length = 0 } = load;
    if (base === NETWORK_HEADER) return this.addressMatch(offset, length);
    if (base !== TRANSPORT_HEADER) return undefined;
    if (length === 1 && offset === 0) return this.icmpMatch();
    if (length !== 2 || (offset !== 0 && offset !== 2)) return undefined;
    const compared = this.compared(2, 'network');
    if (compared === undefined) return undefined;
    const ports = compared.values.map(
      ({ from, to }): NftPort => (from === to ? Number(from) : { from: Number(from), to: Number(to) }),
    );
    const protocol = portProtocols.find((known) => known === this.transport) ?? 'th';
    return { match: offset === 0 ? 'sport' : 'dport', protocol, ...opOf(compared), ports };
  }

  private icmpMatch(): NftMatch | undefined {
    const compared = this.compared(1, 'network');
    if (compared === undefined || !areSingle(compared)) return undefined;
    const protocol = this.transport === 'ipv6-icmp' ? 'icmpv6' : 'icmp';
    const names = protocol === 'icmp' ? icmpTypes : icmpv6Types;
    const types = compared.values.map(({ from }) => numberOrWord(wordOf(names, Number(from))));
    return { match: 'icmp type', protocol, ...opOf(compared), types };
  }

  private addressMatch(offset: number, length: number): NftMatch | undefined {
    const place = addressPlaces.find((one) => one.offset === offset && length <= one.bytes);
    if (place === undefined || length === 0) return undefined;
    const { match, protocol, bytes } = place;
    const family = protocol === 'ip' ? 4 : 6;
    const mask = this.peek?.expr === 'bitwise' ? this.mask(length) : undefined;
    const compared = this.compared(length, 'network');
    if (compared === undefined) return undefined;
    // A shorter load, or a mask, is a subnet.
    const bits = mask === undefined ? (length < bytes ? length * 8 : undefined) : prefixBits(mask);
    if (mask !== undefined && bits === undefined) return undefined;
    const addresses = compared.values.map(({ from, to, hex }): NftAddress => {
      if (bits !== undefined) {
        const whole = ipFromBigInt(BigInt(`0x${hex.padEnd(2 * bytes, '0')}`), family);
        return `${whole}/${bits}` as IpPrefix;
      }
      const low = ipFromBigInt(from, family);
      if (from === to) return low;
      const size = prefixOf({ from, to }, 8 * bytes);
      return size === undefined
        ? { from: low, to: ipFromBigInt(to, family) }
        : (`${low}/${size}` as IpPrefix);
    });
    return { match, protocol, ...opOf(compared), addresses };
  }

  private ctMatch(key: number | undefined): NftMatch | undefined {
    if (key !== 0 && key !== 2) return undefined;
    if (this.peek?.expr === 'bitwise') {
      const mask = this.mask(4);
      const cmp = this.next();
      if (mask === undefined || cmp?.expr !== 'cmp' || !isEquality(cmp.op)) return undefined;
      if (cmp.data === undefined || Number(bytesValue(cmp.data, 'host')) !== 0) return undefined;
      const bits = Number(bytesValue(mask, 'host'));
      const isSet = cmp.op === 1;
      if (key === 2) {
        const op = isSet ? {} : { op: '!=' as const };
        return { match: 'ct status', ...op, status: bitWords(bits, ctStatuses) as NftCtStatus[] };
      }
      return isSet ? { match: 'ct state', states: bitWords(bits, ctStates) as NftCtState[] } : undefined;
    }
    const compared = key === 0 ? this.compared(4, 'host') : undefined;
    if (compared === undefined || compared.op !== '!=') return undefined;
    return { match: 'ct state', op: '!=', states: words(compared, ctStates) as NftCtState[] };
  }

  private mask(length: number): string | undefined {
    const expr = this.next();
    if (expr?.expr !== 'bitwise' || expr.op !== undefined || expr.mask === undefined) return undefined;
    return expr.length === length && /^0*$/.test(expr.xor ?? '') ? expr.mask : undefined;
  }

  /** What follows a load: one value, a range, or a set. */
  private compared(bytes: number, order: 'network' | 'host'): Compared | undefined {
    const expr = this.next();
    if (expr?.expr === 'lookup' && typeof expr.set !== 'string')
      return comparedSet(expr.set, expr.invert, order);
    if (expr?.expr === 'range' && expr.from !== undefined && expr.to !== undefined) {
      const value = { from: bytesValue(expr.from, order), to: bytesValue(expr.to, order), hex: expr.from };
      return { op: expr.op === 1 ? '!=' : '==', values: [value] };
    }
    if (expr?.expr !== 'cmp' || expr.data === undefined || expr.data.length !== 2 * bytes) return undefined;
    const from = bytesValue(expr.data, order);
    if (isEquality(expr.op)) {
      return { op: expr.op === 1 ? '!=' : '==', values: [{ from, to: from, hex: expr.data }] };
    }
    const end = this.peek;
    // NFT_CMP_GTE and NFT_CMP_LTE
    if (expr.op !== 5 || end?.expr !== 'cmp' || end.op !== 3 || end.data === undefined) return undefined;
    this.at++;
    return { op: '==', values: [{ from, to: bytesValue(end.data, order), hex: expr.data }] };
  }

  private statement(): Part | undefined {
    const from = this.at;
    const statement = this.readStatement(this.next());
    if (statement !== undefined) return { statement };
    this.at = from;
    return undefined;
  }

  private readStatement(expr: Expr | undefined): NftStatement | undefined {
    switch (expr?.expr) {
      case 'counter':
        return { statement: 'counter' };
      case 'verdict':
        return verdictOf(expr);
      case 'log':
        return logOf(expr);
      case 'limit':
        return limitOf(expr);
      case 'reject': {
        const reject = rejectOf(expr, this.network);
        return reject === undefined ? undefined : { statement: 'reject', with: reject };
      }
      case 'immediate':
      case 'nat':
      case 'masq':
      case 'redir':
        this.at--;
        return this.natOf();
      default:
        return undefined;
    }
  }

  private natOf(): NftStatement | undefined {
    const registers = new Map<number, string>();
    while (this.peek?.expr === 'immediate') {
      registers.set(this.peek.dreg, this.peek.data);
      this.at++;
    }
    const expr = this.next();
    if (expr?.expr === 'meta' && expr.key === META.mark && expr.sreg !== undefined) {
      const data = registers.get(expr.sreg);
      return data === undefined
        ? undefined
        : { statement: 'mark set', value: Number(bytesValue(data, 'host')) };
    }
    if (expr?.expr !== 'nat' && expr?.expr !== 'masq' && expr?.expr !== 'redir') return undefined;
    const hex = (register: number | undefined) =>
      register === undefined ? undefined : registers.get(register);
    const low = hex(expr.portMin);
    const high = hex(expr.portMax) ?? low;
    const port = low === undefined || high === undefined ? {} : { port: portOf(low, high) };
    const flags = natFlags.filter(([, bit]) => ((expr.flags ?? 0) & bit) !== 0).map(([flag]) => flag);
    const rest = { ...port, ...(flags.length === 0 ? {} : { flags }) };
    if (expr.expr === 'masq') return { statement: 'masquerade', ...rest };
    if (expr.expr === 'redir') return { statement: 'redirect', ...rest };
    const statement = expr.type === 0 ? 'snat' : 'dnat';
    const first = hex(expr.addressMin);
    if (first === undefined) return { statement, ...rest };
    const last = hex(expr.addressMax) ?? first;
    const address = { from: addressOfHex(first), ...(last === first ? {} : { to: addressOfHex(last) }) };
    return { statement, address, ...rest };
  }
}

const portProtocols: readonly NftPortProtocol[] = ['tcp', 'udp', 'sctp', 'dccp', 'udplite'];
const natFlags: readonly (readonly [NftNatFlag, number])[] = [
  ['random', 4],
  ['persistent', 8],
  ['fully-random', 16],
];

/** struct iphdr and struct ipv6hdr. */
const addressPlaces = [
  { match: 'saddr', protocol: 'ip', offset: 12, bytes: 4 },
  { match: 'daddr', protocol: 'ip', offset: 16, bytes: 4 },
  { match: 'saddr', protocol: 'ip6', offset: 8, bytes: 16 },
  { match: 'daddr', protocol: 'ip6', offset: 24, bytes: 16 },
] as const;

function opOf({ op }: Compared): { op?: '!=' } {
  return op === '!=' ? { op } : {};
}

/** NFT_CMP_EQ and NFT_CMP_NEQ. */
function isEquality(op: number | undefined): boolean {
  return op === 0 || op === 1;
}

function bytesValue(hex: string, order: 'network' | 'host'): bigint {
  if (order === 'network') return BigInt(`0x${hex}`);
  return BigInt(`0x${Buffer.from(hex, 'hex').reverse().toString('hex')}`);
}

function comparedSet(set: AnonymousSet, invert: true | undefined, order: 'network' | 'host'): Compared {
  const values = set.elements.map(({ from, to }) => ({
    from: bytesValue(from, order),
    to: bytesValue(to, order),
    hex: from,
  }));
  return { op: invert ? '!=' : '==', values };
}

function areSingle({ values }: Compared): boolean {
  return values.every(({ from, to }) => from === to);
}

function single(compared: Compared | undefined): bigint | undefined {
  const [only, ...more] = compared?.values ?? [];
  return only !== undefined && more.length === 0 && only.from === only.to ? only.from : undefined;
}

function words({ values }: Compared, names: Readonly<Record<string, number>>): string[] {
  return values.map(({ from }) => wordOf(names, Number(from)));
}

function bitWords(bits: number, names: Readonly<Record<string, number>>): string[] {
  return Object.keys(names).filter((name) => (bits & (names[name] ?? 0)) !== 0);
}

function numberOrWord(word: string): string | number {
  return /^[0-9]+$/.test(word) ? Number(word) : word;
}

function nameOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  const end = bytes.indexOf(0);
  return end < 0 ? `${bytes.toString('utf8')}*` : bytes.toString('utf8', 0, end);
}

function common(from: string, to: string): string {
  let length = 0;
  while (length < from.length && from.slice(length, length + 2) === to.slice(length, length + 2)) length += 2;
  return from.slice(0, length);
}

/** The length of the prefix that a mask is. */
function prefixBits(mask: string): number | undefined {
  const bits = BigInt(`0x${mask}`)
    .toString(2)
    .padStart(mask.length * 4, '0');
  return /^1*0*$/.test(bits) ? bits.replaceAll('0', '').length : undefined;
}

function portOf(low: string, high: string): NftPort {
  const [from, to] = [Number(bytesValue(low, 'network')), Number(bytesValue(high, 'network'))];
  return from === to ? from : { from, to };
}

function addressOfHex(hex: string): IpAddress {
  return ipFromBigInt(BigInt(`0x${hex}`), hex.length === 8 ? 4 : 6);
}

function verdictOf({ code, chain }: Extract<Expr, { expr: 'verdict' }>): NftStatement | undefined {
  switch (code) {
    case 0:
      return { statement: 'drop' };
    case 1:
      return { statement: 'accept' };
    case 0xffff_fffb:
      return { statement: 'return' };
    case 0xffff_fffc:
      return chain === undefined ? undefined : { statement: 'goto', chain };
    case 0xffff_fffd:
      return chain === undefined ? undefined : { statement: 'jump', chain };
    default:
      return undefined;
  }
}

function logOf(expr: Extract<Expr, { expr: 'log' }>): NftStatement | undefined {
  const { prefix, group, level, snaplen, threshold, flags } = expr;
  if (snaplen !== undefined || threshold !== undefined || flags !== undefined) return undefined;
  const word = Object.keys(logLevels).find((name) => logLevels[name] === level);
  return {
    statement: 'log',
    ...(prefix === undefined ? {} : { prefix }),
    ...(group === undefined ? {} : { group }),
    ...(word === undefined ? {} : { level: word as 'info' }),
  };
}

const timeUnits = { 1: 'second', 60: 'minute', 3600: 'hour', 86400: 'day', 604800: 'week' } as const;

function limitOf({ rate = 0, unit = 0, burst, type, flags }: Extract<Expr, { expr: 'limit' }>) {
  const per = timeUnits[unit as keyof typeof timeUnits];
  if (per === undefined) return undefined;
  const statement = { statement: 'limit', rate, per } as const;
  return {
    ...statement,
    ...(type === 1 ? { unit: 'bytes' as const } : {}),
    ...(burst === undefined ? {} : { burst }),
    ...(flags === 1 ? { over: true as const } : {}),
  };
}

/** Both families have the same number for it; the rule has made sure which one the packet is of. */
function rejectOf(
  { type, code = 0 }: Extract<Expr, { expr: 'reject' }>,
  network: 'ip' | 'ip6' | undefined,
): NftReject | undefined {
  if (type === 1) return { type: 'tcp reset' };
  const [names, word] =
    type === 2
      ? ([icmpxRejectCodes, 'icmpx'] as const)
      : network === 'ip6'
        ? ([icmpv6RejectCodes, 'icmpv6'] as const)
        : ([icmpRejectCodes, 'icmp'] as const);
  const name = Object.keys(names).find((one) => names[one] === code);
  return name === undefined ? undefined : { type: word, code: name };
}

function unknownText(expr: Expr | undefined): string {
  if (expr?.expr === 'foreign') return `<${expr.name}${xtName(expr.data)}>`;
  return `<${expr?.expr ?? 'nothing'}>`;
}

/** The name of a target or match of xtables: the first attribute of both. */
function xtName(data: string): string {
  const text = /^[\x20-\x7e]+/.exec(Buffer.from(data.slice(8), 'hex').toString('latin1'))?.[0];
  return text === undefined ? '' : ` ${text}`;
}
