// The same address twice where both can be heard. The same address in two places that no wire joins is what NAT labs do.

import type { PathProblem } from '../problems.ts';
import { type Assigned, type LabRule, label, pathOf } from './lab-view.ts';

export const duplicateAddress: LabRule = (view) => [
  ...view.segments().flatMap((segment) =>
    sameAddress(
      segment.members.flatMap(({ node, iface }) => view.addresses(node, iface)),
      (first, again) =>
        first.iface === again.iface
          ? undefined
          : `${label(again)} and ${label(first)} are on the same wire or switch and both have the address ${again.address}`,
    ),
  ),
  ...view.lab.nodes.flatMap((node) =>
    node.interfaces.flatMap((iface) =>
      iface.addresses.length < 2
        ? []
        : sameAddress(view.addresses(node, iface), (first, again) =>
            first.entry.ip === again.entry.ip
              ? `${label(again)} has the address ${again.entry.ip} twice`
              : undefined,
          ),
    ),
  ),
];

function sameAddress(
  all: readonly Assigned[],
  word: (first: Assigned, again: Assigned) => string | undefined,
): PathProblem[] {
  if (all.length < 2) return [];
  const firsts = new Map<string, Assigned>();
  return all.flatMap((again) => {
    const first = firsts.get(again.address);
    if (first === undefined) {
      firsts.set(again.address, again);
      return [];
    }
    const message = word(first, again);
    if (message === undefined) return [];
    return {
      code: 'ADDRESS_DUPLICATE' as const,
      message,
      hint: 'give one of the two another address',
      path: pathOf(again.entry),
      related: { message: `${first.entry.ip} is used here first`, path: pathOf(first.entry) },
    };
  });
}
