// nft tables of a namespace as NAT and firewall of the model. A table of nslab's own is what its lab says; of any other one each
// rule is told that a file has words for, and the others as nft text in a comment: nothing is left out in silence. A table for one
// family becomes rules for that family, since the tables of a file are for both.

import { isDeepStrictEqual } from 'node:util';
import {
  addressOf,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  ipFamily,
  prefixContains,
} from '../base/ip.ts';
import type {
  AddressRange,
  Firewall,
  FirewallChain,
  FirewallRule,
  NatRule,
  PortRange,
} from '../model/filter.ts';
import type { Node } from '../model/lab.ts';
import { decompileRule, ruleText, tableText } from '../nfnl/decompile.ts';
import { type ChainForm, formOf, type RuleForm, type TableForm } from '../nfnl/read.ts';
import {
  type NftAddress,
  type NftFamily,
  type NftMatch,
  type NftPort,
  type NftRule,
  nftPriority,
} from '../nfnl/ruleset.ts';
import { nodeTable } from '../plan/filter.ts';

export type FilterSpot = {
  readonly tables: readonly TableForm[];
  readonly strangeTables: readonly string[];
  /** The name that nslab gives the table of this node. */
  readonly ownTable: string;
  readonly record?: Node | undefined;
  /** The interfaces that packets may leave by, for rules that name none or all but some. */
  readonly exits: readonly string[];
  /** On the machine: what a rule has to be about to be told. */
  readonly concerns?: Concerns | undefined;
};

export type Concerns = { readonly interfaces: ReadonlySet<string>; readonly subnets: readonly IpPrefix[] };

export type Filters = Pick<Node, 'nat' | 'firewall' | 'networks' | 'ports'> & {
  readonly notes: readonly string[];
};

export function filtersOf(spot: FilterSpot): Filters {
  const { tables, ownTable, record } = spot;
  const own = tables.find(({ family, name }) => family === 'inet' && name === ownTable);
  // Those of published ports are empty while their container does not run.
  const isEmpty = (chain: string) => own?.chains.find(({ name }) => name === chain)?.rules.length === 0;
  const said = record === undefined ? undefined : nodeTable(record, ownTable, isEmpty);
  if (
    record !== undefined &&
    said !== undefined &&
    own !== undefined &&
    isDeepStrictEqual(formOf(said), own)
  ) {
    const rest = new FilterReader({ ...spot, tables: tables.filter((table) => table !== own) }).read();
    const { nat, firewall, networks, ports } = record;
    return {
      nat: [...nat, ...rest.nat],
      ...(firewall === undefined
        ? rest.firewall === undefined
          ? {}
          : { firewall: rest.firewall }
        : { firewall }),
      ...(networks === undefined ? {} : { networks }),
      ...(ports === undefined ? {} : { ports }),
      notes:
        firewall !== undefined && rest.firewall !== undefined
          ? [...rest.notes, 'another table filters the same packets as well']
          : rest.notes,
    };
  }
  return new FilterReader(spot).read();
}

type Hook = keyof Firewall;

class FilterReader {
  private readonly spot: FilterSpot;
  private readonly nat: NatRule[] = [];
  private readonly chains = new Map<
    Hook,
    { policy: 'accept' | 'drop'; rules: FirewallRule[]; family: NftFamily }
  >();
  private readonly notes: string[] = [];

  constructor(spot: FilterSpot) {
    this.spot = spot;
  }

  read(): Filters {
    const { tables, strangeTables, concerns } = this.spot;
    for (const table of tables) for (const chain of table.chains) this.chain(table, chain);
    if (concerns === undefined)
      for (const name of strangeTables) this.notes.push(`nft table ${name} is not told`);
    return {
      nat: this.nat,
      ...(this.chains.size === 0 ? {} : { firewall: this.firewall() }),
      notes: this.notes,
    };
  }

  private firewall(): Firewall {
    const chain = (hook: Hook): Partial<Record<Hook, FirewallChain>> => {
      const found = this.chains.get(hook);
      return found === undefined ? {} : { [hook]: { policy: found.policy, rules: found.rules, path: '' } };
    };
    return { ...chain('input'), ...chain('forward'), ...chain('output') };
  }

  private chain(table: TableForm, chain: ChainForm): void {
    const { base, rules } = chain;
    const isOwn = table.family === 'inet' && table.name === this.spot.ownTable;
    if (base?.type === 'nat' && isNatHook(base)) {
      for (const rule of rules) if (this.isOurs(rule, table.family)) this.natRule(table, chain, rule);
      return;
    }
    const hook = hookOf(base);
    // The filter of the machine is somebody else's, but for what nslab made.
    const isTold = hook !== undefined && (this.spot.concerns === undefined || isOwn);
    if (isTold && this.chains.get(hook) === undefined) this.filterChain(table, chain, hook);
    else if (isTold && isDisjoint(table.family, this.chains.get(hook)?.family))
      this.filterChain(table, chain, hook);
    else this.untold(table, chain);
  }

  /** Rules that a file cannot have where they are; an empty chain that accepts is none. */
  private untold(table: TableForm, chain: ChainForm): void {
    const ours = chain.rules.filter((rule) => this.isOurs(rule, table.family));
    const drops = chain.base?.policy === 'drop' && this.spot.concerns === undefined;
    if (ours.length === 0 && !drops) return;
    this.notes.push(`not told: ${tableText({ ...table, chains: [{ ...chain, rules: ours }] })}`);
  }

  private isOurs(rule: RuleForm, family: NftFamily): boolean {
    const { concerns } = this.spot;
    return concerns === undefined || isAbout(decompileRule(family, rule), concerns);
  }

  private natRule(table: TableForm, chain: ChainForm, form: RuleForm): void {
    const rule = decompileRule(table.family, form);
    const read = rule === undefined ? undefined : natRulesOf(table.family, rule, this.spot.exits);
    const isRight = read?.every(({ kind }) => (kind === 'dnat') === (chain.base?.hook === 'prerouting'));
    if (read === undefined || isRight !== true) {
      this.notes.push(`not told: ${inPlace(table, chain)}${ruleText(table.family, form)}`);
      return;
    }
    const [first] = read;
    if (first?.kind === 'masquerade' && isOpen(rule)) {
      const names = read.flatMap((one) => (one.kind === 'dnat' ? [] : one.out)).join(', ');
      this.notes.push(`told for ${names || 'no interface'}: ${ruleText(table.family, form)}`);
    }
    this.nat.push(...read);
  }

  private filterChain(table: TableForm, chain: ChainForm, hook: Hook): void {
    const { family } = table;
    const policy = chain.base?.policy ?? 'accept';
    const isNeutral = chain.rules.length === 0 && policy === 'accept';
    if (family !== 'inet' && isNeutral) return;
    const before = this.chains.get(hook) ?? { policy: 'accept', rules: [], family };
    for (const form of chain.rules) {
      const rule = decompileRule(family, form);
      const read = rule === undefined ? undefined : filterRuleOf(family, rule);
      if (read === undefined) this.notes.push(`not told: ${inPlace(table, chain)}${ruleText(family, form)}`);
      else before.rules.push(read);
    }
    if (family === 'inet') before.policy = policy;
    else if (policy === 'drop') {
      // The policy of a chain for one family, as its last rule.
      before.rules.push({ source: [everybody[family]], counter: false, action: 'drop', path: '' });
    }
    this.chains.set(hook, before);
  }
}

const everybody = { ip: '0.0.0.0/0' as IpPrefix, ip6: '::/0' as IpPrefix } as const;

function isDisjoint(a: NftFamily, b: NftFamily | undefined): boolean {
  return (a === 'ip' && b === 'ip6') || (a === 'ip6' && b === 'ip');
}

function inPlace({ family, name }: TableForm, chain: ChainForm): string {
  return `table ${family} ${name}, chain ${chain.name}: `;
}

function isNatHook({ hook, priority, policy }: NonNullable<ChainForm['base']>): boolean {
  if (policy !== 'accept') return false;
  return (
    (hook === 'prerouting' && priority === nftPriority.dstnat) ||
    (hook === 'postrouting' && priority === nftPriority.srcnat)
  );
}

function hookOf(base: ChainForm['base']): Hook | undefined {
  if (base?.type !== 'filter' || base.priority !== nftPriority.filter) return undefined;
  return base.hook === 'input' || base.hook === 'forward' || base.hook === 'output' ? base.hook : undefined;
}

/** True where the rule names one of the interfaces, or an address of one of the subnets. */
function isAbout(rule: NftRule | undefined, { interfaces, subnets }: Concerns): boolean {
  if (rule === undefined) return false;
  const isName = (name: string) =>
    name.endsWith('*')
      ? [...interfaces].some((one) => one.startsWith(name.slice(0, -1)))
      : interfaces.has(name);
  const isAddress = (ip: IpAddress) => subnets.some((subnet) => prefixContains(subnet, ip));
  const inMatches = rule.matches.some((match) => {
    if (match.match === 'iifname' || match.match === 'oifname') return match.names.some(isName);
    return (
      (match.match === 'saddr' || match.match === 'daddr') && match.addresses.map(firstOf).some(isAddress)
    );
  });
  return (
    inMatches ||
    rule.statements.some(
      (statement) =>
        (statement.statement === 'dnat' || statement.statement === 'snat') &&
        statement.address !== undefined &&
        isAddress(statement.address.from),
    )
  );
}

function firstOf(address: NftAddress): IpAddress {
  if (typeof address !== 'string') return address.from;
  return address.includes('/') ? addressOf(address as IpPrefix) : (address as IpAddress);
}

/** The matches by what they look at; undefined where a kind stands twice or is one that a file has no word for. */
type Found = { readonly [M in NftMatch['match']]?: MatchOf<NftMatch, M> };
type MatchOf<T, M> = T extends { readonly match: infer K } ? (M extends K ? T : never) : never;

function matchesOf({ matches }: NftRule, known: ReadonlySet<NftMatch['match']>): Found | undefined {
  const found: Record<string, NftMatch> = {};
  for (const match of matches) {
    if (!known.has(match.match) || Object.hasOwn(found, match.match)) return undefined;
    found[match.match] = match;
  }
  return found as Found;
}

function familyOfRule(family: NftFamily, { nfproto, saddr, daddr }: Found): IpFamily | undefined {
  const protocols = [saddr, daddr].flatMap((match) => match?.protocol ?? []);
  if (protocols.includes('ip') || nfproto?.value === 'ipv4' || family === 'ip') return 4;
  return protocols.includes('ip6') || nfproto?.value === 'ipv6' || family === 'ip6' ? 6 : undefined;
}

function oneName(match: Found['iifname'] | Found['oifname']): string | undefined {
  const [name, ...more] = match?.names ?? [];
  return more.length === 0 && match?.op !== '!=' ? name : undefined;
}

function onePrefix(match: Found['saddr'] | Found['daddr']): IpPrefix | undefined {
  const [address, ...more] = match?.addresses ?? [];
  if (typeof address !== 'string' || more.length > 0 || match?.op === '!=') return undefined;
  return asPrefix(address);
}

function asPrefix(address: IpAddress | IpPrefix): IpPrefix {
  if (address.includes('/')) return address as IpPrefix;
  return `${address}/${ipFamily(address) === 4 ? 32 : 128}` as IpPrefix;
}

function isUnclear(match: { readonly op?: '==' | '!=' } | undefined, value: unknown): boolean {
  return match !== undefined && value === undefined;
}

const natMatches: ReadonlySet<NftMatch['match']> = new Set([
  'iifname',
  'oifname',
  'saddr',
  'daddr',
  'nfproto',
  'l4proto',
  'dport',
]);

/** Counters of a rule change nothing about packets and are not said. */
function natRulesOf(family: NftFamily, rule: NftRule, exits: readonly string[]): NatRule[] | undefined {
  const found = matchesOf(rule, natMatches);
  const statements = rule.statements.filter(({ statement }) => statement !== 'counter');
  const [statement, ...more] = statements;
  if (found === undefined || statement === undefined || more.length > 0 || found.nfproto?.op === '!=')
    return undefined;
  if ('flags' in statement && statement.flags !== undefined) return undefined;
  const of = familyOfRule(family, found);
  if (statement.statement === 'masquerade') {
    return statement.port === undefined ? masqueradesOf(found, of, exits) : undefined;
  }
  if (statement.statement === 'snat') return snatOf(found, of, statement);
  return statement.statement === 'dnat' ? dnatOf(found, of, statement) : undefined;
}

/** A rule that names no interface, or all but some: a file names each that there is. */
function isOpen(rule: NftRule | undefined): boolean {
  const names = rule?.matches.find(({ match }) => match === 'oifname');
  return names === undefined || names.op === '!=';
}

function masqueradesOf(
  found: Found,
  family: IpFamily | undefined,
  exits: readonly string[],
): NatRule[] | undefined {
  const source = onePrefix(found.saddr);
  const { iifname, daddr, l4proto, dport, oifname } = found;
  if (isUnclear(found.saddr, source) || iifname || daddr || l4proto || dport) return undefined;
  const given = { ...(family === undefined ? {} : { family }), ...(source === undefined ? {} : { source }) };
  const names =
    oifname === undefined
      ? exits
      : oifname.op === '!='
        ? exits.filter((name) => !oifname.names.some((other) => isCalled(name, other)))
        : oifname.names;
  return names.map((out) => ({ kind: 'masquerade', ...given, out, path: '' }));
}

function isCalled(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

type Target = Extract<NftRule['statements'][number], { readonly statement: 'snat' | 'dnat' }>;

function snatOf(
  found: Found,
  family: IpFamily | undefined,
  { address, port }: Target,
): NatRule[] | undefined {
  const out = oneName(found.oifname);
  const source = onePrefix(found.saddr);
  const { iifname, daddr, l4proto, dport } = found;
  if (out === undefined || isUnclear(found.saddr, source) || iifname || daddr || l4proto || dport)
    return undefined;
  if (address === undefined || port !== undefined) return undefined;
  const of = family ?? ipFamily(address.from);
  return [
    { kind: 'snat', family: of, out, ...(source === undefined ? {} : { source }), to: { address }, path: '' },
  ];
}

function dnatOf(
  found: Found,
  family: IpFamily | undefined,
  { address, port }: Target,
): NatRule[] | undefined {
  const input = oneName(found.iifname);
  const destination = onePrefix(found.daddr);
  const { oifname, saddr, l4proto, dport } = found;
  if (isUnclear(found.iifname, input) || isUnclear(found.daddr, destination) || oifname || saddr)
    return undefined;
  const proto = protoOf(l4proto, dport);
  const ports = dport === undefined || dport.op === '!=' ? [] : dport.ports;
  const [outside, ...more] = ports;
  if (isUnclear(l4proto, proto) || more.length > 0 || (dport !== undefined && outside === undefined))
    return undefined;
  if (proto !== undefined && proto !== 'tcp' && proto !== 'udp') return undefined;
  const of = family ?? (address === undefined ? undefined : ipFamily(address.from));
  const to = {
    ...(address === undefined ? {} : { address }),
    ...(port === undefined ? {} : { port: rangeOf(port) }),
  };
  return (of === undefined ? ([4, 6] as const) : [of]).map((one) => ({
    kind: 'dnat',
    family: one,
    ...(input === undefined ? {} : { in: input }),
    ...(destination === undefined ? {} : { destination }),
    ...(proto === undefined ? {} : { proto }),
    ...(outside === undefined ? {} : { port: rangeOf(outside) }),
    to,
    path: '',
  }));
}

function protoOf(l4proto: Found['l4proto'], ports: Found['dport'] | Found['sport']): FirewallRule['proto'] {
  const [only, ...more] =
    l4proto?.protocols ?? (ports === undefined || ports.protocol === 'th' ? [] : [ports.protocol]);
  if (only === undefined || more.length > 0 || l4proto?.op === '!=') return undefined;
  if (only === 'ipv6-icmp' || only === 'icmpv6') return 'icmpv6';
  if (only === 'tcp' || only === 'udp' || only === 'icmp') return only;
  return typeof only === 'number' ? only : protoNumbers[only];
}

/** Those that nft has a word for, and a firewall's `proto` as a number. */
const protoNumbers: Readonly<Record<string, number>> = {
  igmp: 2,
  ipencap: 4,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
};

function rangeOf(port: NftPort): PortRange {
  if (typeof port === 'number') return { from: port };
  return port.to === undefined || port.to === port.from
    ? { from: port.from }
    : { from: port.from, to: port.to };
}

const filterMatches: ReadonlySet<NftMatch['match']> = new Set([
  'iifname',
  'oifname',
  'saddr',
  'daddr',
  'nfproto',
  'l4proto',
  'sport',
  'dport',
  'icmp type',
  'ct state',
]);

function filterRuleOf(family: NftFamily, rule: NftRule): FirewallRule | undefined {
  const found = matchesOf(rule, filterMatches);
  if (found === undefined || Object.values(found).some((match) => match.op === '!=')) return undefined;
  const action = rule.statements.at(-1);
  const before = rule.statements.slice(0, -1);
  const log = before.find((statement) => statement.statement === 'log');
  const counter = before.some(({ statement }) => statement === 'counter');
  const isPlain = before.every(({ statement }) => statement === 'counter' || statement === 'log');
  const isInOrder = isDeepStrictEqual(
    before.map(({ statement }) => statement),
    [...(counter ? ['counter'] : []), ...(log === undefined ? [] : ['log'])],
  );
  if (!isPlain || !isInOrder || (log !== undefined && (log.level ?? log.group) !== undefined))
    return undefined;
  const verdict = verdictOf(action, familyOfRule(family, found), found);
  const input = oneName(found.iifname);
  const out = oneName(found.oifname);
  const proto = protoOf(found.l4proto, found.dport ?? found.sport);
  const [type, ...types] = found['icmp type']?.types ?? [];
  if (verdict === undefined || isUnclear(found.iifname, input) || isUnclear(found.oifname, out))
    return undefined;
  if (isUnclear(found.l4proto, proto) || types.length > 0 || typeof type === 'number') return undefined;
  if (found['icmp type'] !== undefined && proto !== found['icmp type'].protocol) return undefined;
  const source = found.saddr?.addresses.map(addressWord) ?? familySource(family, found, proto);
  const destination = found.daddr?.addresses.map(addressWord);
  return {
    ...(input === undefined ? {} : { in: input }),
    ...(out === undefined ? {} : { out }),
    ...(source === undefined ? {} : { source }),
    ...(destination === undefined ? {} : { destination }),
    ...(proto === undefined ? {} : { proto }),
    ...(found.sport === undefined ? {} : { sport: found.sport.ports.map(rangeOf) }),
    ...(found.dport === undefined ? {} : { port: found.dport.ports.map(rangeOf) }),
    ...(type === undefined ? {} : { icmp_type: type }),
    ...(found['ct state'] === undefined ? {} : { ct: found['ct state'].states }),
    counter,
    ...(log === undefined ? {} : { log: log.prefix ?? '' }),
    action: verdict,
    ...(rule.comment === undefined ? {} : { comment: rule.comment }),
    path: '',
  };
}

function addressWord(address: NftAddress): IpPrefix | AddressRange {
  return typeof address === 'string' ? asPrefix(address) : address;
}

/** Where only the table or a word tells the family, all addresses of that family say the same. */
function familySource(family: NftFamily, found: Found, proto: FirewallRule['proto']): IpPrefix[] | undefined {
  if (found.daddr !== undefined) return undefined;
  const of = familyOfRule(family, found);
  if (of === undefined || proto === (of === 4 ? 'icmp' : 'icmpv6')) return undefined;
  return [of === 4 ? everybody.ip : everybody.ip6];
}

function verdictOf(
  statement: NftRule['statements'][number] | undefined,
  family: IpFamily | undefined,
  found: Found,
): FirewallRule['action'] | undefined {
  if (statement?.statement === 'accept' || statement?.statement === 'drop') return statement.statement;
  if (statement?.statement !== 'reject') return undefined;
  const { with: reject } = statement;
  // What `reject` alone means depends on what the rule knows of the packet (nfnl/protocol.ts).
  const knows =
    family ?? (found['icmp type'] === undefined ? undefined : found['icmp type'].protocol === 'icmp' ? 4 : 6);
  const usual = knows === undefined ? 'icmpx' : knows === 4 ? 'icmp' : 'icmpv6';
  if (reject === undefined) return 'reject';
  return reject.type === usual && reject.code === 'port-unreachable' ? 'reject' : undefined;
}
