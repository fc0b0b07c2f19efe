// A node's NAT and firewall as one nft table: the chains that are needed and no other. The words of a rule are nfnl's.

import { type IpAddress, type IpPrefix, ipFamily } from '../base/ip.ts';
import type { NodeName } from '../base/names.ts';
import type { Firewall, FirewallChain, FirewallRule, NatRule, PortRange } from '../model/filter.ts';
import type { Node } from '../model/lab.ts';
import {
  isAnyAddress,
  isLoopbackAddress,
  type Network,
  type PublishedPort,
  portCount,
} from '../model/network.ts';
import { type FilterRuleOptions, filterChain } from '../nfnl/firewall.ts';
import { dnatChain, dnatRule, masqueradeRule, protocolOf, snatChain, snatRule } from '../nfnl/nat.ts';
import {
  type NftChain,
  type NftMatch,
  type NftPort,
  type NftRule,
  type NftTable,
  nftPriority,
} from '../nfnl/ruleset.ts';

/**
 * The table of a node, or undefined when the file asks for none. `rests` tells which chains of published ports are empty because
 * nobody serves them.
 */
export function nodeTable(
  node: Node,
  name: string,
  rests: (chain: string) => boolean = () => false,
): NftTable | undefined {
  const published = publishedChains(node.ports).map((chain) =>
    rests(chain.name) ? { ...chain, rules: [] } : chain,
  );
  const chains = [
    ...natChains(node, published),
    ...firewallChains(node.firewall),
    ...networkChains(node.networks),
  ];
  return chains.length === 0 ? undefined : { family: 'inet', name, chains };
}

function natChains({ nat, networks = [], ports = [] }: Node, published: readonly NftChain[]): NftChain[] {
  const before: NftRule[] = [];
  const after: NftRule[] = [];
  for (const rule of nat) {
    if (rule.kind === 'dnat') before.push(dnat(rule));
    else after.push(rule.kind === 'snat' ? snat(rule) : masquerade(rule));
  }
  after.push(...hairpinRules(ports), ...networks.flatMap(outsideRules));
  return [
    ...(before.length > 0 ? [dnatChain('prerouting', before)] : []),
    ...published,
    ...(after.length > 0 ? [snatChain(after)] : []),
  ];
}

/**
 * Published ports, in chains of their own for each container: its monitor empties them when it has ended and fills them when it
 * starts again (helper/publish.c), so that a port is somebody else's meanwhile.
 */
export function publishedChains(ports: readonly Omit<PublishedPort, 'path'>[] = []): NftChain[] {
  const nodes = new Set(ports.map(({ node }) => node));
  return [...nodes].flatMap((node) => {
    const rules = ports.filter((port) => port.node === node).flatMap(publishedRules);
    if (rules.length === 0) return [];
    // What the machine itself sends meets no prerouting.
    return publishedHooks.map((hook) => ({ ...dnatChain(hook, rules), name: publishedChain(hook, node) }));
  });
}

const publishedHooks = ['prerouting', 'output'] as const;

function publishedChain(hook: (typeof publishedHooks)[number], node: NodeName): string {
  return `${hook}-${node}`;
}

/** The names of the chains that a container may have. */
export function publishedChainNames(node: NodeName): string[] {
  return publishedHooks.map((hook) => publishedChain(hook, node));
}

const loopback = { 4: '127.0.0.0/8' as IpPrefix, 6: '::1' as IpAddress } as const;
const protocols = { 4: 'ip', 6: 'ip6' } as const;

/**
 * A published port, for packets to any address of the machine or to the one that was named. Packets to a loopback address cannot
 * be sent out again (route_localnet is off), nor can one family become the other: for those somebody listens (helper/publish.c).
 */
function publishedRules({ proto, address, port, to }: Omit<PublishedPort, 'path'>): NftRule[] {
  const family = ipFamily(address);
  if (isLoopbackAddress(address) || family !== ipFamily(to.address)) return [];
  const protocol = protocols[family];
  const destination: NftMatch[] = isAnyAddress(address)
    ? [
        { match: 'daddr', protocol, op: '!=', addresses: [loopback[family]] },
        { match: 'fib daddr type', types: ['local'] },
      ]
    : [{ match: 'daddr', protocol, addresses: [address] }];
  const rule = (outside: PortRange, inside: PortRange | undefined): NftRule => ({
    matches: [...destination, { match: 'dport', protocol: proto, ports: [portOf(outside)] }],
    statements: [
      {
        statement: 'dnat',
        address: { from: to.address },
        ...(inside === undefined ? {} : { port: portOf(inside) }),
      },
    ],
  });
  // Without a port it stays as it is, which is how a range keeps its order.
  if (port.from === to.port.from) return [rule(port, port.to === undefined ? to.port : undefined)];
  return Array.from({ length: portCount(port) }, (_, i) =>
    rule({ from: port.from + i }, { from: to.port.from + i }),
  );
}

function portOf({ from, to }: PortRange): NftPort {
  return to === undefined ? from : { from, to };
}

/**
 * A neighbour, or the container itself, that comes by a published port: without another source the answer would go to it
 * directly, from an address that it did not ask.
 */
function hairpinRules(ports: readonly PublishedPort[]): NftRule[] {
  const subnets = new Set(ports.filter((port) => publishedRules(port).length > 0).map(({ to }) => to.subnet));
  return [...subnets].map((subnet) => {
    const protocol = protocolOf(subnet);
    return {
      matches: [
        { match: 'saddr', protocol, addresses: [subnet] },
        { match: 'daddr', protocol, addresses: [subnet] },
        { match: 'ct status', status: ['dnat'] },
      ],
      statements: [{ statement: 'masquerade' }],
    };
  });
}

function outsideRules({ bridge, subnets, internal }: Network): NftRule[] {
  if (internal) return [];
  return subnets.map(({ prefix }) => ({
    matches: [
      { match: 'saddr', protocol: protocolOf(prefix), addresses: [prefix] },
      { match: 'oifname', op: '!=', names: [bridge] },
    ],
    statements: [{ statement: 'masquerade' }],
  }));
}

/**
 * Who may pass through the machine into a network of containers: answers, and what a published port sends there. Everything else
 * is refused, from the outside as from the other networks, and nothing leaves an internal one.
 */
function networkChains(networks: readonly Network[] = []): NftChain[] {
  if (networks.length === 0) return [];
  const reject = { statement: 'reject', with: { type: 'icmpx', code: 'admin-prohibited' } } as const;
  const rules = networks.flatMap(({ bridge, internal }): NftRule[] => {
    const into: readonly NftMatch[] = [
      { match: 'oifname', names: [bridge] },
      { match: 'iifname', op: '!=', names: [bridge] },
    ];
    const out: readonly NftMatch[] = [
      { match: 'iifname', names: [bridge] },
      { match: 'oifname', op: '!=', names: [bridge] },
    ];
    if (internal) {
      return [
        { matches: into, statements: [reject] },
        { matches: out, statements: [reject] },
      ];
    }
    return [
      {
        matches: [...into, { match: 'ct state', states: ['established', 'related'] }],
        statements: [{ statement: 'accept' }],
      },
      { matches: [...into, { match: 'ct status', status: ['dnat'] }], statements: [{ statement: 'accept' }] },
      { matches: into, statements: [reject] },
    ];
  });
  return [
    {
      name: 'networks',
      base: { type: 'filter', hook: 'forward', priority: nftPriority.filter, policy: 'accept' },
      rules,
    },
  ];
}

function masquerade({ family, out, source }: Extract<NatRule, { readonly kind: 'masquerade' }>): NftRule {
  return masqueradeRule({
    oifname: out,
    ...(family !== undefined && { family }),
    ...(source !== undefined && { saddr: source }),
  });
}

function snat({ out, source, to }: Extract<NatRule, { readonly kind: 'snat' }>): NftRule {
  return snatRule({ oifname: out, ...(source !== undefined && { saddr: source }), to });
}

function dnat(rule: Extract<NatRule, { readonly kind: 'dnat' }>): NftRule {
  const { in: iifname, destination, proto, port, to } = rule;
  return dnatRule({
    ...(iifname !== undefined && { iifname }),
    ...(destination !== undefined && { daddr: destination }),
    ...(proto !== undefined && { proto }),
    ...(port !== undefined && { dport: port }),
    to,
  });
}

function firewallChains(firewall: Firewall | undefined): NftChain[] {
  if (firewall === undefined) return [];
  return (['input', 'forward', 'output'] as const).flatMap((hook) => {
    const chain: FirewallChain | undefined = firewall[hook];
    return chain === undefined
      ? []
      : [filterChain(hook, { policy: chain.policy, rules: chain.rules.map(filterRule) })];
  });
}

function filterRule(rule: FirewallRule): FilterRuleOptions {
  const { in: iifname, out, source, destination, proto, sport, port, icmp_type, ct, log, comment } = rule;
  return {
    ...(iifname !== undefined && { iifname }),
    ...(out !== undefined && { oifname: out }),
    ...(source !== undefined && { saddr: source }),
    ...(destination !== undefined && { daddr: destination }),
    ...(proto !== undefined && { proto }),
    ...(sport !== undefined && { sport }),
    ...(port !== undefined && { dport: port }),
    ...(icmp_type !== undefined && { icmpType: icmp_type }),
    ...(ct !== undefined && { ct }),
    ...(log !== undefined && { log }),
    ...(comment !== undefined && { comment }),
    counter: rule.counter,
    action: rule.action,
  };
}
