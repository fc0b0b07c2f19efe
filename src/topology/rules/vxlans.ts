// vxlan: the identifier has 24 bits (RFC 7348); one port and one identifier once per node (vxlan_vni_in_use()); a multicast
// group needs the interface it is joined on (vxlan_config_validate() in drivers/net/vxlan/vxlan_core.c).

import type { Interface, VxlanOptions } from '../../model/interface.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, label, pathOf } from './lab-view.ts';

type Vxlan = Interface & VxlanOptions;

export const vxlans: LabRule = (view) =>
  view.lab.nodes.flatMap((node) => {
    const tunnels = node.interfaces.filter(
      (iface): iface is Vxlan & { type: 'vxlan' } => iface.type === 'vxlan',
    );
    if (tunnels.length === 0) return [];
    return [
      ...tunnels.flatMap((iface) => [...vni(node, iface), ...ends(view, node, iface)]),
      ...duplicates(tunnels),
    ];
  });

function vni(node: Node, iface: Vxlan): PathProblem[] {
  if (Number.isInteger(iface.id) && iface.id >= 0 && iface.id < 2 ** 24) return [];
  const message = `the identifier (vni) of ${label({ node, iface })} is ${iface.id}, and it has 24 bits: 0 to 16777215`;
  return [{ code: 'VNI_INVALID', message, path: pathOf(iface, 'id') }];
}

function ends(view: LabView, node: Node, iface: Vxlan): PathProblem[] {
  const base = { code: 'VXLAN_INVALID' } as const;
  const { remote, local, link } = iface;
  if (remote !== undefined && isGroup(remote) && link === undefined) {
    const message = `${iface.name} sends to the multicast group ${remote}, and the kernel must know by which interface`;
    return [{ ...base, message, hint: 'add "link: eth0"', path: pathOf(iface, 'remote') }];
  }
  if (node.place === null) return [];
  const own = new Set<string>(view.addressesOfNode(node).map((one) => one.address));
  if (remote !== undefined && own.has(remote)) {
    const message = `the far end of ${iface.name} is ${remote}, an address of ${node.name} itself`;
    return [
      { ...base, message, hint: 'name an address of the other machine', path: pathOf(iface, 'remote') },
    ];
  }
  if (local !== undefined && !own.has(local)) {
    const message = `the near end of ${iface.name} is ${local}, which is no address of ${node.name}`;
    return [
      {
        ...base,
        message,
        hint: 'packets from a foreign address get no answer',
        path: pathOf(iface, 'local'),
      },
    ];
  }
  return [];
}

function isGroup(address: string): boolean {
  return address.startsWith('ff') || /^(22[4-9]|23[0-9])\./.test(address);
}

function duplicates(tunnels: readonly Vxlan[]): PathProblem[] {
  const firsts = new Map<string, Vxlan>();
  return tunnels.flatMap((iface): PathProblem[] => {
    const key = `${iface.id} ${iface.dstport}`;
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, iface);
      return [];
    }
    return [
      {
        code: 'VXLAN_DUPLICATE',
        message: `${first.name} and ${iface.name} both have the identifier ${iface.id} on UDP port ${iface.dstport}`,
        hint: 'give the second another id or dstport; several far ends of one network are "remotes" of one interface',
        path: pathOf(iface, 'id'),
        related: { message: `${first.name} has it already`, path: pathOf(first, 'id') },
      },
    ];
  });
}
