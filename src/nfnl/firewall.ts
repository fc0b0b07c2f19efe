// A filter chain of a node from the words of its file: conditions, each a list of alternatives, and what to do. Rules that
// name addresses of both families become two rules, since an nft rule has one.

import { protocolOf } from './nat.ts';
import {
  type NftAddress,
  type NftChain,
  type NftCtState,
  type NftMatch,
  type NftPort,
  type NftReject,
  type NftRule,
  type NftStatement,
  nftPriority,
} from './ruleset.ts';

/** One line of a firewall. All conditions must hold; a list holds when one of its members does. */
export type FilterRuleOptions = {
  readonly iifname?: string;
  readonly oifname?: string;
  readonly saddr?: readonly NftAddress[];
  readonly daddr?: readonly NftAddress[];
  readonly proto?: string | number;
  readonly sport?: readonly NftPort[];
  readonly dport?: readonly NftPort[];
  /** With `proto` icmp or icmpv6. */
  readonly icmpType?: string | number;
  readonly ct?: readonly NftCtState[];
  readonly counter?: boolean;
  readonly log?: string;
  readonly action: 'accept' | 'drop' | 'reject';
  /** With `action` reject; port unreachable when absent. */
  readonly rejectWith?: NftReject;
  readonly comment?: string;
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
  return common.map((family) => filterRule(options, family));
}

function filterRule(options: FilterRuleOptions, family: 'ip' | 'ip6' | undefined): NftRule {
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
  protocol: 'ip' | 'ip6' | undefined,
  list: readonly NftAddress[] | undefined,
): NftMatch[] {
  if (protocol === undefined || list === undefined) return [];
  return [{ match, protocol, addresses: list.filter((address) => protocolOf(address) === protocol) }];
}

const portProtocols = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite']);

function protocolMatches({ proto, sport, dport, icmpType }: FilterRuleOptions): NftMatch[] {
  if (proto === undefined) return [];
  if (icmpType !== undefined && (proto === 'icmp' || proto === 'icmpv6')) {
    return [{ match: 'icmp type', protocol: proto, types: [icmpType] }];
  }
  if (sport === undefined && dport === undefined) return [{ match: 'l4proto', protocols: [proto] }];
  const own = typeof proto === 'string' && portProtocols.has(proto);
  const protocol = own ? (proto as 'tcp' | 'udp') : 'th';
  return [
    ...(own ? [] : [{ match: 'l4proto', protocols: [proto] } as const]),
    ...(sport === undefined ? [] : [{ match: 'sport', protocol, ports: sport } as const]),
    ...(dport === undefined ? [] : [{ match: 'dport', protocol, ports: dport } as const]),
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
