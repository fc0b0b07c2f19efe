// NAT and firewall: ports belong to TCP or UDP, and connections are sent to somebody who is there.

import { type IpAddress, prefixContains, subnetOf } from '../../base/ip.ts';
import type { Firewall, FirewallRule, NatRule } from '../../model/filter.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, pathOf } from './lab-view.ts';

export const nat: LabRule = (view) =>
  view.lab.nodes
    .filter((node) => node.nat.length > 0 || node.firewall !== undefined)
    .flatMap((node) => [
      ...node.nat.flatMap((rule) => [...dnatPort(rule), ...dnatTarget(view, node, rule)]),
      ...firewallPorts(node.firewall),
    ]);

function dnatPort(rule: NatRule): PathProblem[] {
  if (rule.kind !== 'dnat' || rule.proto !== undefined) return [];
  if (rule.port === undefined && rule.to.port === undefined) return [];
  return [noProto(pathOf(rule, rule.port === undefined ? 'to' : 'port'))];
}

function firewallPorts(firewall: Firewall | undefined): PathProblem[] {
  const chains = [firewall?.input, firewall?.forward, firewall?.output];
  return chains.flatMap((chain) =>
    (chain?.rules ?? []).flatMap((rule) => [...firewallPort(rule), ...icmpType(rule)]),
  );
}

/** nft would add the protocol by itself, so that the rule could never match. */
function icmpType(rule: FirewallRule): PathProblem[] {
  const { icmp_type, proto } = rule;
  if (icmp_type === undefined || proto === undefined || proto === 'icmp' || proto === 'icmpv6') return [];
  if (proto === 1 || proto === 58) return [];
  const message = `icmp_type says what ICMP message it is, and the rule is about ${proto}`;
  return [
    {
      code: 'FIREWALL_INVALID',
      message,
      hint: 'write proto: icmp, or remove icmp_type',
      path: pathOf(rule, 'icmp_type'),
    },
  ];
}

/** 6, 17, 132, 33 and 136: TCP, UDP, SCTP, DCCP and UDP-Lite have ports (IANA protocol numbers). */
const numbersWithPorts = new Set<FirewallRule['proto']>([6, 17, 33, 132, 136]);

function firewallPort(rule: FirewallRule): PathProblem[] {
  if (rule.port === undefined && rule.sport === undefined) return [];
  const path = pathOf(rule, rule.port === undefined ? 'sport' : 'port');
  if (rule.proto === undefined) return [noProto(path)];
  if (rule.proto === 'tcp' || rule.proto === 'udp' || numbersWithPorts.has(rule.proto)) return [];
  const message = `${rule.proto} has no ports`;
  return [
    { code: 'PORT_NO_PROTO', message, hint: 'write proto: tcp or proto: udp, or remove the port', path },
  ];
}

function noProto(path: PathProblem['path']): PathProblem {
  return {
    code: 'PORT_NO_PROTO',
    message: 'a port without a protocol',
    hint: 'add proto: tcp or proto: udp',
    path,
  };
}

function dnatTarget(view: LabView, node: Node, rule: NatRule): PathProblem[] {
  const address = rule.kind === 'dnat' ? rule.to.address?.from : undefined;
  if (address === undefined || view.ownersOf(address).length > 0 || leadsOutside(view, node)) return [];
  const near = subnetHolder(view, address);
  return [
    {
      code: 'NAT_TARGET_NOWHERE',
      severity: 'warning',
      message: `connections are sent to ${address}, and no node has that address`,
      hint:
        near === undefined
          ? 'check the address'
          : `the subnet is right (${near}), the last part may be wrong`,
      path: pathOf(rule, 'to'),
    },
  ];
}

function subnetHolder(view: LabView, address: IpAddress): string | undefined {
  for (const node of view.lab.nodes) {
    for (const one of view.addressesOfNode(node)) {
      if (prefixContains(subnetOf(one.entry.ip), address)) return subnetOf(one.entry.ip);
    }
  }
  return undefined;
}

/** The machine and what is behind its NICs have addresses that the file does not know. */
function leadsOutside(view: LabView, node: Node): boolean {
  if (node.place === null) return true;
  return node.interfaces.some((iface) => view.segmentOf(iface)?.open === true);
}
