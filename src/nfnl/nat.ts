// The NAT rules that a lab needs, in the words of its file, and the chains that hold them. inet tables do NAT for both families
// since Linux 5.2, and every system that nslab is for is newer (Debian 12 has 6.1, Ubuntu 24.04 has 6.8), so one table holds
// everything of a node: one name to list, one transaction to apply, one request to remove.

import type { IpAddress, IpPrefix } from '../base/ip.ts';
import {
  type NftAddress,
  type NftChain,
  type NftMatch,
  type NftNatFlag,
  type NftPort,
  type NftRange,
  type NftRule,
  nftPriority,
} from './ruleset.ts';

type Common = {
  readonly counter?: boolean | undefined;
  readonly comment?: string | undefined;
  readonly flags?: readonly NftNatFlag[] | undefined;
};

/** Packets that leave by `oifname` take the address of that interface. */
export type MasqueradeOptions = Common & {
  readonly oifname?: string | undefined;
  readonly saddr?: NftAddress | undefined;
  /** One family only; with `saddr` it is the address's. */
  readonly family?: 4 | 6 | undefined;
  /** Source ports to choose from; then only for one transport protocol. */
  readonly ports?: { readonly proto: 'tcp' | 'udp'; readonly port: NftPort };
};

/** Packets that leave by `oifname` seem to come from the target. */
export type SnatOptions = Common & {
  readonly oifname?: string | undefined;
  readonly saddr?: NftAddress | undefined;
  /** Needed where the target has a port. */
  readonly proto?: 'tcp' | 'udp' | undefined;
  readonly to: NatTarget;
};

/** Packets that come in by `iifname` for `daddr` go to the target instead. */
export type DnatOptions = Common & {
  readonly iifname?: string | undefined;
  readonly daddr?: NftAddress | undefined;
  /** Needed where a port is matched or changed. */
  readonly proto?: 'tcp' | 'udp' | undefined;
  readonly dport?: NftPort | undefined;
  readonly to: NatTarget;
};

/** An address or a range, a port or a range, or both. */
export type NatTarget = { readonly address?: NftRange<IpAddress>; readonly port?: NftPort };

export function masqueradeRule(options: MasqueradeOptions): NftRule {
  const { family, saddr, ports } = options;
  const matches = [...interfaceMatch('oifname', options.oifname), ...addressMatch('saddr', saddr)];
  if (family !== undefined && saddr === undefined) {
    matches.push({ match: 'nfproto', value: family === 4 ? 'ipv4' : 'ipv6' });
  }
  if (ports !== undefined) matches.push({ match: 'l4proto', protocols: [ports.proto] });
  return natRule(options, matches, {
    statement: 'masquerade',
    ...(ports === undefined ? {} : { port: ports.port }),
    ...flagsOf(options),
  });
}

export function snatRule(options: SnatOptions): NftRule {
  const matches = [
    ...interfaceMatch('oifname', options.oifname),
    ...addressMatch('saddr', options.saddr),
    ...protocolMatch(options.proto, undefined),
  ];
  return natRule(options, matches, { statement: 'snat', ...options.to, ...flagsOf(options) });
}

export function dnatRule(options: DnatOptions): NftRule {
  const matches = [
    ...interfaceMatch('iifname', options.iifname),
    ...addressMatch('daddr', options.daddr),
    ...protocolMatch(options.proto, options.dport),
  ];
  return natRule(options, matches, { statement: 'dnat', ...options.to, ...flagsOf(options) });
}

function natRule(
  { counter, comment }: Common,
  matches: readonly NftMatch[],
  verdict: NftRule['statements'][number],
): NftRule {
  return {
    matches,
    statements: counter ? [{ statement: 'counter' }, verdict] : [verdict],
    ...(comment === undefined ? {} : { comment }),
  };
}

function flagsOf({ flags }: Common): { flags?: readonly NftNatFlag[] } {
  return flags === undefined ? {} : { flags };
}

function interfaceMatch(match: 'iifname' | 'oifname', name: string | undefined): NftMatch[] {
  return name === undefined ? [] : [{ match, names: [name] }];
}

function addressMatch(match: 'saddr' | 'daddr', address: NftAddress | undefined): NftMatch[] {
  if (address === undefined) return [];
  return [{ match, protocol: protocolOf(address), addresses: [address] }];
}

/** `ip` or `ip6`, as nft calls the family of an address. */
export function protocolOf(address: NftAddress | IpPrefix): 'ip' | 'ip6' {
  const text = typeof address === 'string' ? address : address.from;
  return text.includes(':') ? 'ip6' : 'ip';
}

function protocolMatch(proto: 'tcp' | 'udp' | undefined, port: NftPort | undefined): NftMatch[] {
  if (port === undefined) return proto === undefined ? [] : [{ match: 'l4proto', protocols: [proto] }];
  // A port without a protocol: checkTable refuses "th" alone.
  return [{ match: 'dport', protocol: proto ?? 'th', ports: [port] }];
}

/** Where DNAT is done: `prerouting` for what comes in, `output` for what the node itself sends. */
export function dnatChain(hook: 'prerouting' | 'output', rules: readonly NftRule[]): NftChain {
  return { name: hook, base: { type: 'nat', hook, priority: nftPriority.dstnat, policy: 'accept' }, rules };
}

/** Where SNAT and masquerading are done. */
export function snatChain(rules: readonly NftRule[]): NftChain {
  return {
    name: 'postrouting',
    base: { type: 'nat', hook: 'postrouting', priority: nftPriority.srcnat, policy: 'accept' },
    rules,
  };
}
