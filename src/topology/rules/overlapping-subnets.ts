// Two interfaces of one node in subnets that have addresses in common: the kernel uses one of the two for those. Interfaces in
// different vrfs have routing tables of their own and may overlap.

import { subnetOf } from '../../base/ip.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import {
  type Assigned,
  isLinkLocal,
  isSingle,
  type LabRule,
  type LabView,
  pathOf,
  subnetsOverlap,
} from './lab-view.ts';

export const overlappingSubnets: LabRule = (view) =>
  view.lab.nodes.filter((node) => node.interfaces.length > 1).flatMap((node) => overlapsOf(view, node));

function overlapsOf(view: LabView, node: Node): PathProblem[] {
  const candidates = view
    .addressesOfNode(node)
    .filter((one) => !isSingle(one) && !isLinkLocal(one.address) && one.entry.peer === undefined)
    .filter((one) => one.iface.up && one.iface.ifname !== 'lo');
  const [a, b, third] = candidates;
  if (a === undefined || b === undefined || (third === undefined && !subnetsOverlap(a, b))) return [];
  // Sorted by address, with the wider subnet first, what encloses an address is on the stack when its turn comes.
  const enclosing: Assigned[] = [];
  const problems: PathProblem[] = [];
  for (const one of [...candidates].sort(byFirstAddress)) {
    while (enclosing.length > 0 && !overlapsLast(enclosing, one)) enclosing.pop();
    const nearest = enclosing.findLast((other) => collide(view, other, one));
    if (nearest !== undefined) problems.push(problem(node, inFileOrder(candidates, nearest, one)));
    enclosing.push(one);
  }
  return problems;
}

function overlapsLast(enclosing: readonly Assigned[], one: Assigned): boolean {
  const last = enclosing.at(-1);
  return last !== undefined && subnetsOverlap(last, one);
}

function byFirstAddress(a: Assigned, b: Assigned): number {
  if (a.family !== b.family) return a.family - b.family;
  const [x, y] = [first(a), first(b)];
  if (x !== y) return x < y ? -1 : 1;
  return a.length - b.length;
}

function first({ bits, family, length }: Assigned): bigint {
  const shift = BigInt((family === 4 ? 32 : 128) - length);
  return (bits >> shift) << shift;
}

function collide(view: LabView, a: Assigned, b: Assigned): boolean {
  if (a.iface === b.iface || !subnetsOverlap(a, b)) return false;
  return routingDomain(view, a) === routingDomain(view, b);
}

/** The vrf that an interface belongs to, directly or through the bridge or bond it is a port of. */
function routingDomain(view: LabView, one: Assigned): string {
  const master = one.iface.master === undefined ? undefined : view.find(one.node.place, one.iface.master);
  return master?.type === 'vrf' ? master.ifname : '';
}

function inFileOrder(all: readonly Assigned[], a: Assigned, b: Assigned): readonly [Assigned, Assigned] {
  return all.indexOf(a) <= all.indexOf(b) ? [a, b] : [b, a];
}

function problem(node: Node, [one, again]: readonly [Assigned, Assigned]): PathProblem {
  const [a, b] = [subnetOf(one.entry.ip), subnetOf(again.entry.ip)];
  const same = a === b;
  // The longer prefix wins where the two differ (proxy ARP labs live by it), and tables of rules can tell equal ones apart.
  const byDesign = !same || node.rules.length > 0;
  return {
    code: 'SUBNET_OVERLAP',
    ...(byDesign ? { severity: 'warning' as const } : {}),
    message: same
      ? `${node.name} has two interfaces in the subnet ${a}: ${one.iface.name} and ${again.iface.name}`
      : `${node.name} has overlapping subnets: ${a} on ${one.iface.name} and ${b} on ${again.iface.name}`,
    hint: same
      ? `each wire needs a subnet of its own; the kernel would send everything for ${a} out of one of the two`
      : 'check the lengths after the slash; each wire needs a subnet of its own',
    path: pathOf(again.entry),
    related: { message: `${one.iface.name} is in ${a}`, path: pathOf(one.entry) },
  };
}
