// One MAC address on two interfaces that hear each other: a switch sends the frames of both to whichever spoke last.

import type { PathProblem } from '../problems.ts';
import { type LabRule, label, pathOf } from './lab-view.ts';
import type { Member } from './segments.ts';

export const duplicateMac: LabRule = (view) => {
  const isSaid = view.lab.nodes.some(({ interfaces }) => interfaces.some(({ mac }) => mac !== undefined));
  if (!isSaid) return [];
  return view.segments().flatMap((segment) => {
    const firsts = new Map<string, Member>();
    return segment.members.flatMap((member): PathProblem[] => {
      const { iface, node } = member;
      // What stands on an interface shares its address by design.
      if (iface.mac === undefined || iface.type === 'vlan' || iface.type === 'ipvlan') return [];
      const first = firsts.get(iface.mac);
      if (first === undefined) {
        firsts.set(iface.mac, member);
        return [];
      }
      // A bridge or a bond often has the address of a port, and the two are one machine.
      if (first.node === node && (first.iface.master === iface.ifname || iface.master === first.iface.ifname))
        return [];
      return [
        {
          code: 'MAC_DUPLICATE',
          message: `${label(member)} and ${label(first)} are on one Ethernet and have the same MAC address`,
          hint: 'remove one of the two; the kernel then chooses a MAC address by itself',
          path: pathOf(iface, 'mac'),
          related: { message: `${label(first)} has it too`, path: pathOf(first.iface, 'mac') },
        },
      ];
    });
  });
};
