// A node's NAT and firewall as one nft table: the chains that are needed and no other. The words of a rule are nfnl's.

import type { Firewall, FirewallChain, FirewallRule, NatRule } from '../model/filter.ts';
import type { Node } from '../model/lab.ts';
import { type FilterRuleOptions, filterChain } from '../nfnl/firewall.ts';
import { dnatChain, dnatRule, masqueradeRule, snatChain, snatRule } from '../nfnl/nat.ts';
import type { NftChain, NftRule, NftTable } from '../nfnl/ruleset.ts';

/** The table of a node, or undefined when the file asks for none. */
export function nodeTable(node: Node, name: string): NftTable | undefined {
  if (node.nat.length === 0 && node.firewall === undefined) return undefined;
  const chains = [...natChains(node.nat), ...firewallChains(node.firewall)];
  return chains.length === 0 ? undefined : { family: 'inet', name, chains };
}

function natChains(nat: readonly NatRule[]): NftChain[] {
  const before: NftRule[] = [];
  const after: NftRule[] = [];
  for (const rule of nat) {
    if (rule.kind === 'dnat') before.push(dnat(rule));
    else after.push(rule.kind === 'snat' ? snat(rule) : masquerade(rule));
  }
  return [
    ...(before.length > 0 ? [dnatChain('prerouting', before)] : []),
    ...(after.length > 0 ? [snatChain(after)] : []),
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
