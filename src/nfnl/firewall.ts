// A filter chain of a node from the words of its file: conditions, each a list of alternatives, and what to do. Rules that
// name addresses of both families become two rules, since an nft rule has one.

import { protocolOf } from './nat.ts';
import {
  type NftAddress,
  type NftChain,
  type NftCtState,
  type NftMatch,
  type NftPort,
  type NftPortProtocol,
  type NftReject,
  type NftRule,
  type NftStatement,
  nftPriority,
} from './ruleset.ts';

/** One line of a firewall. All conditions must hold; a list holds when one of its members does. */
export type FilterRuleOptions = {
  readonly iifname?: string | undefined;
  readonly oifname?: string | undefined;
  readonly saddr?: readonly NftAddress[] | undefined;
  readonly daddr?: readonly NftAddress[] | undefined;
  readonly proto?: string | number | undefined;
  readonly sport?: readonly NftPort[] | undefined;
  readonly dport?: readonly NftPort[] | undefined;
  /** With `proto` icmp or icmpv6. */
  readonly icmpType?: string | number | undefined;
  readonly ct?: readonly NftCtState[] | undefined;
  readonly counter?: boolean | undefined;
  readonly log?: string | undefined;
  readonly action: 'accept' | 'drop' | 'reject';
  /** With `action` reject; port unreachable when absent. */
  readonly rejectWith?: NftReject | undefined;
  readonly comment?: string | undefined;
};

/** The chain of a filter hook, called like the hook. */
export function filterChain(
  hook: 'input' | 'forward' | 'output',
  { policy, rules }: { readonly policy: 'accept' | 'drop'; readonly rules: readonly FilterRuleOptions[] },
): NftChain {
  return {
    name: hook,
    base: { type: 'filter', hook, priority: nftPriority.filter, policy },
    rules: rules.flatMap(filterRules),
  };
}

/** The nft rules of one line: one, or one for each family that its addresses have in common, in the order ip, ip6. */
export function filterRules(options: FilterRuleOptions): NftRule[] {
  const listed = [options.saddr, options.daddr].filter((list) => list !== undefined);
  if (listed.length === 0) return [filterRule(options, undefined)];
  const common = (['ip', 'ip6'] as const).filter((family) =>
    listed.every((list) => list.some((address) => protocolOf(address) === family)),
  );
  // Nothing in common can never match; left as it is, checkTable says so rather than the line going missing.
  return common.length === 0
    ? [filterRule(options, 'all')]
    : common.map((family) => filterRule(options, family));
}

type Families = 'ip' | 'ip6' | 'all' | undefined;

function filterRule(options: FilterRuleOptions, family: Families): NftRule {
  const matches = [
    ...names('iifname', options.iifname),
    ...names('oifname', options.oifname),
    ...(options.ct === undefined ? [] : [{ match: 'ct state', states: options.ct } as const]),
    ...addresses('saddr', family, options.saddr),
    ...addresses('daddr', family, options.daddr),
    ...protocolMatches(options),
  ];
  return {
    matches,
    statements: statements(options),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
  };
}

function names(match: 'iifname' | 'oifname', name: string | undefined): NftMatch[] {
  return name === undefined ? [] : [{ match, names: [name] }];
}

function addresses(
  match: 'saddr' | 'daddr',
  family: Families,
  list: readonly NftAddress[] | undefined,
): NftMatch[] {
  if (family === undefined || list === undefined) return [];
  if (family !== 'all') {
    return [{ match, protocol: family, addresses: list.filter((address) => protocolOf(address) === family) }];
  }
  const [first] = list;
  return [{ match, protocol: first === undefined ? 'ip' : protocolOf(first), addresses: list }];
}

const portProtocols = new Set<unknown>(['tcp', 'udp', 'sctp', 'dccp', 'udplite'] satisfies NftPortProtocol[]);

/** What the parts do not allow, as ports without a protocol, is left for checkTable to refuse. */
function protocolMatches({ proto, sport, dport, icmpType }: FilterRuleOptions): NftMatch[] {
  const own = portProtocols.has(proto);
  const protocol = own ? (proto as NftPortProtocol) : 'th';
  const ports: NftMatch[] = [];
  if (sport !== undefined) ports.push({ match: 'sport', protocol, ports: sport });
  if (dport !== undefined) ports.push({ match: 'dport', protocol, ports: dport });
  const icmp = proto === 'icmpv6' ? 'icmpv6' : 'icmp';
  const types: NftMatch[] =
    icmpType === undefined ? [] : [{ match: 'icmp type', protocol: icmp, types: [icmpType] }];
  const implied = (own && ports.length > 0) || (proto === icmp && types.length > 0);
  return [
    ...(proto === undefined || implied ? [] : [{ match: 'l4proto', protocols: [proto] } as const]),
    ...ports,
    ...types,
  ];
}

function statements({ counter, log, action, rejectWith }: FilterRuleOptions): NftStatement[] {
  return [
    ...(counter ? [{ statement: 'counter' } as const] : []),
    ...(log === undefined ? [] : [{ statement: 'log', prefix: log } as const]),
    action === 'reject' && rejectWith !== undefined
      ? { statement: action, with: rejectWith }
      : { statement: action },
  ];
}
