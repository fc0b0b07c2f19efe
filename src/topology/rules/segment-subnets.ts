// Neighbours that cannot talk: on one wire or switch, an interface whose addresses share no subnet with anybody's. A warning,
// because showing exactly this is a lesson too.

import type { IpFamily } from '../../base/ip.ts';
import type { PathProblem } from '../problems.ts';
import {
  type Assigned,
  inSubnetOf,
  isLinkLocal,
  isSingle,
  type LabRule,
  label,
  pathOf,
  subnetsOverlap,
} from './lab-view.ts';

export const segmentSubnets: LabRule = (view) =>
  view
    .segments()
    .filter((segment) => segment.members.length > 1 && !segment.open)
    .flatMap((segment) => {
      const all = segment.members.flatMap(({ node, iface }) => view.addresses(node, iface));
      return [...lonely(all, 4), ...lonely(all, 6)];
    });

function lonely(all: readonly Assigned[], family: IpFamily): PathProblem[] {
  const candidates = all.filter((one) => one.family === family && !isLinkLocal(one.address));
  if (candidates.length < 2) return [];
  const owners = new Set(candidates.map((one) => one.iface));
  // Addresses of a single machine and unnumbered wires are routed by hand.
  if (owners.size < 2 || candidates.some((one) => isSingle(one) || one.entry.peer !== undefined)) return [];
  const [first] = candidates;
  if (first !== undefined && candidates.every((one) => isSameSubnet(first, one))) return [];
  const accompanied = new Set(
    [...groupBySubnet(candidates).values()]
      .filter((group) => group.some((one) => one.iface !== group[0]?.iface))
      .flatMap((group) => group.map((one) => one.iface)),
  );
  const alone = [...owners].filter((iface) => !accompanied.has(iface));
  // Two that do not fit each other are one mistake; it is said at the second.
  const said = alone.length === owners.size ? alone.slice(1) : alone;
  return said.flatMap((iface) => {
    const one = candidates.find((candidate) => candidate.iface === iface);
    const other = candidates.find((candidate) => candidate.iface !== iface);
    if (one === undefined || other === undefined || inSubnetOf(other, one.address)) return [];
    return {
      code: 'SUBNET_MISMATCH' as const,
      severity: 'warning' as const,
      message: `${label(one)} (${one.entry.ip}) is in no subnet that anybody else on its wire is in`,
      hint: `an address in the subnet of ${other.entry.ip} can talk to ${label(other)}`,
      path: pathOf(one.entry),
      related: { message: `${label(other)} is on the same wire or switch`, path: pathOf(other.entry) },
    };
  });
}

function isSameSubnet(a: Assigned, b: Assigned): boolean {
  return a.length === b.length && subnetsOverlap(a, b);
}

function groupBySubnet(all: readonly Assigned[]): Map<string, Assigned[]> {
  const groups = new Map<string, Assigned[]>();
  for (const one of all) {
    const key = subnetKey(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

function subnetKey({ bits, family, length }: Assigned): string {
  return `${bits >> BigInt((family === 4 ? 32 : 128) - length)}/${length}`;
}
