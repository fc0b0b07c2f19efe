// MTUs: what the kernel takes (ETH_MIN_MTU 68 and ETH_MAX_MTU 65535, linux/if_ether.h; IPV6_MIN_MTU 1280, linux/ipv6.h), that
// nothing is bigger than what it stands on, and that both ends of a wire agree.

import type { Interface } from '../../model/interface.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, label, pathOf } from './lab-view.ts';

const SMALLEST = 68;
const BIGGEST = 65535;
const SMALLEST_IPV6 = 1280;
/** Of an Ethernet, when the file says nothing (ETH_DATA_LEN). */
const USUAL = 1500;

export const mtu: LabRule = (view) => {
  const given = view.lab.nodes.flatMap((node) =>
    node.interfaces.filter((iface) => iface.mtu !== undefined).map((iface) => ({ node, iface })),
  );
  if (given.length === 0) return [];
  return [...given.flatMap(({ node, iface }) => limits(view, node, iface)), ...wires(view), ...bridges(view)];
};

function limits(view: LabView, node: Node, iface: Interface): PathProblem[] {
  const { mtu: value } = iface;
  if (value === undefined || iface.ifname === 'lo') return [];
  const base = { code: 'MTU_INVALID', path: pathOf(iface, 'mtu') } as const;
  const what = `the MTU of ${label({ node, iface })} is ${value}`;
  if (value < SMALLEST) return [{ ...base, message: `${what}, and ${SMALLEST} is the smallest possible` }];
  if (value > BIGGEST) return [{ ...base, message: `${what}, and ${BIGGEST} is the biggest possible` }];
  const ipv6 = iface.ipv6 || iface.addresses.some(({ ip }) => ip.includes(':'));
  if (ipv6 && value < SMALLEST_IPV6) {
    const message = `${what}, and IPv6 needs ${SMALLEST_IPV6} at least`;
    return [{ ...base, message, hint: 'the kernel turns IPv6 off on an interface with a smaller MTU' }];
  }
  return biggerThanParent(view, { node, iface, value });
}

/** An MTU that is wrong in itself is no news a second time. */
function isPossible({ mtu: value = USUAL, ipv6 }: Interface): boolean {
  return value >= (ipv6 ? SMALLEST_IPV6 : SMALLEST) && value <= BIGGEST;
}

type Sized = { readonly node: Node; readonly iface: Interface; readonly value: number };

function biggerThanParent(view: LabView, { node, iface, value }: Sized): PathProblem[] {
  if (iface.type !== 'vlan' && iface.type !== 'macvlan') return [];
  const parent = view.find(iface.link.place, iface.link.ifname);
  if (parent === undefined || iface.link.place === null || value <= (parent.mtu ?? USUAL)) return [];
  return [
    {
      code: 'MTU_INVALID',
      message: `the MTU of ${label({ node, iface })} is ${value}, more than that of ${parent.name} on which it stands`,
      hint: `give ${parent.name} an MTU of ${value}, or take ${parent.mtu ?? USUAL} here`,
      path: pathOf(iface, 'mtu'),
      ...(parent.mtu === undefined
        ? {}
        : { related: { message: `${parent.name} has ${parent.mtu}`, path: pathOf(parent, 'mtu') } }),
    },
  ];
}

function wires(view: LabView): PathProblem[] {
  return view.lab.links.flatMap((link): PathProblem[] => {
    const [a, b] = link.ends.map((end) => ({ end, iface: view.find(end.place, end.ifname) }));
    if (a?.iface === undefined || b?.iface === undefined) return [];
    const [x, y] = [a.iface.mtu ?? USUAL, b.iface.mtu ?? USUAL];
    if (x === y || !isPossible(a.iface) || !isPossible(b.iface)) return [];
    const said = b.iface.mtu === undefined ? a.iface : b.iface;
    const names = `${a.end.node}:${a.iface.name} has ${x}, ${b.end.node}:${b.iface.name} has ${y}`;
    return [mismatch(`the two ends of this wire have different MTUs: ${names}`, said)];
  });
}

/** Ports of one bridge. Wires with two different ends are said already. */
function bridges(view: LabView): PathProblem[] {
  return view.lab.nodes.flatMap((node) => {
    const firsts = new Map<string, Interface>();
    return node.interfaces.flatMap((port): PathProblem[] => {
      if (port.master === undefined || view.find(node.place, port.master)?.type !== 'bridge') return [];
      const first = firsts.get(port.master);
      if (first === undefined) {
        firsts.set(port.master, port);
        return [];
      }
      const [x, y] = [first.mtu ?? USUAL, port.mtu ?? USUAL];
      if (x === y) return [];
      const said = port.mtu === undefined ? first : port;
      const names = `${first.name} has ${x}, ${port.name} has ${y}`;
      return [mismatch(`two ports of the bridge in ${node.name} have different MTUs: ${names}`, said)];
    });
  });
}

function mismatch(message: string, said: Interface): PathProblem {
  return {
    code: 'MTU_MISMATCH',
    severity: 'warning',
    message,
    hint: 'bigger packets vanish there without a message; "mtu" of the link sets both ends',
    path: pathOf(said, 'mtu'),
  };
}
