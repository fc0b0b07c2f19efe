// A gateway that does not forward: the most common reason why a second hop stays silent. A warning, because turning it on by
// hand is an exercise of its own.

import { addressOf, type IpFamily, prefixLength } from '../../base/ip.ts';
import type { Node } from '../../model/lab.ts';
import type { Route } from '../../model/route.ts';
import type { PathProblem } from '../problems.ts';
import { type Assigned, type LabRule, type LabView, pathOf } from './lab-view.ts';

export const forwarding: LabRule = (view) => {
  const firsts = new Map<string, PathProblem>();
  for (const node of view.lab.nodes) {
    for (const route of node.routes) {
      for (const { owner, steps } of silentGateways(view, node, route)) {
        const key = `${owner.node.name} ${owner.family}`;
        if (!firsts.has(key)) firsts.set(key, problem(node, owner, pathOf(route, ...steps)));
      }
    }
  }
  return [...firsts.values()];
};

/** A gateway, and where the route has it. */
type Silent = { readonly owner: Assigned; readonly steps: readonly (string | number)[] };

function silentGateways(view: LabView, node: Node, route: Route): Silent[] {
  // The default route that an `auto` address brings is not in the file, and mostly there is nothing behind that bridge.
  if (!/\.routes\[\d+\]$/.test(route.path)) return [];
  return (route.nexthops ?? [route]).flatMap((way, index) => {
    const [owner, second] = way.via === undefined ? [] : view.ownersOf(way.via);
    // The machine's own sysctls are not in the file, and an address with two owners has no one gateway.
    if (owner === undefined || second !== undefined || owner.node.place === null || owner.node === node)
      return [];
    if (isOwnDestination(view, owner.node, route) || forwards(owner.node, owner)) return [];
    return { owner, steps: route.nexthops === undefined ? ['via'] : ['nexthops', index, 'via'] };
  });
}

/** The route leads to an address of the gateway itself, so there is nothing to forward. */
function isOwnDestination(view: LabView, gateway: Node, { to, family }: Route): boolean {
  const length = family === 4 ? 32 : 128;
  return prefixLength(to) === length && view.ownersOf(addressOf(to)).some((owner) => owner.node === gateway);
}

function forwards(gateway: Node, { family, iface }: Assigned): boolean {
  return gateway.sysctls.some(
    ({ key, value }) => value.trim() !== '0' && isForwardingKey(key, family, iface.ifname),
  );
}

function isForwardingKey(key: string, family: IpFamily, ifname: string): boolean {
  if (family === 4 && key === 'net.ipv4.ip_forward') return true;
  const name = ifname.replaceAll('.', '/');
  return ['all', 'default', name].some((word) => key === `net.ipv${family}.conf.${word}.forwarding`);
}

function problem(node: Node, owner: Assigned, path: PathProblem['path']): PathProblem {
  const gateway = owner.node;
  return {
    code: 'FORWARDING_OFF',
    severity: 'warning',
    message: `${gateway.name} is a gateway of ${node.name}, and it does not forward IPv${owner.family} packets`,
    hint: forwardingHint(owner),
    path,
    related: { message: `${gateway.name} is described here`, path: pathOf(gateway), part: 'key' },
  };
}

function forwardingHint({ node, family }: Assigned): string {
  if (node.kind === 'netns') return `give ${node.name} "kind: router"`;
  const key = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
  return `add "sysctls: { ${key}: 1 }" to ${node.name}`;
}
