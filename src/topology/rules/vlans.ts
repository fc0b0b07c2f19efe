// VLANs: ids (IEEE 802.1Q, 12 bits without 0 and 4095), twice the same one on one parent (EEXIST, vlan_newlink()), and port
// settings that a bridge without vlan_filtering ignores.

import type { Interface } from '../../model/interface.ts';
import type { Node } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, label, pathOf } from './lab-view.ts';

export const vlans: LabRule = (view) =>
  view.lab.nodes.flatMap((node) => {
    const tagged = node.interfaces.filter((iface) => iface.type === 'vlan' || iface.port !== undefined);
    if (tagged.length === 0) return [];
    return [
      ...tagged.flatMap((iface) => [...ids(node, iface), ...withoutFiltering(view, node, iface)]),
      ...duplicates(tagged),
    ];
  });

function isVlan(id: number): boolean {
  return Number.isInteger(id) && id >= 1 && id <= 4094;
}

function ids(node: Node, iface: Interface): PathProblem[] {
  const wrong = (id: number, path: PathProblem['path']): PathProblem[] =>
    isVlan(id)
      ? []
      : [
          {
            code: 'VLAN_INVALID',
            message: `the VLAN id of ${label({ node, iface })} is ${id}, and ids are 1 to 4094`,
            path,
          },
        ];
  return [
    ...(iface.type === 'vlan' ? wrong(iface.id, pathOf(iface, 'id')) : []),
    ...(iface.port?.vlan === undefined ? [] : wrong(iface.port.vlan, pathOf(iface, 'port', 'vlan'))),
    ...(iface.port?.vlans ?? []).flatMap(({ from, to }, index) =>
      wrong(isVlan(from) ? to : from, pathOf(iface, 'port', 'vlans', index)),
    ),
  ];
}

function withoutFiltering(view: LabView, node: Node, iface: Interface): PathProblem[] {
  const { port, master } = iface;
  if (master === undefined || (port?.vlan === undefined && port?.vlans === undefined)) return [];
  const bridge = view.find(node.place, master);
  if (bridge?.type !== 'bridge' || bridge.vlan_filtering === true) return [];
  return [
    {
      code: 'VLAN_NO_FILTERING',
      message: `${label({ node, iface })} has VLANs, and its bridge does not look at them`,
      hint: `add "vlan_filtering: true" to ${node.kind === 'bridge' ? node.name : bridge.name}`,
      path: pathOf(iface, 'port', port.vlan === undefined ? 'vlans' : 'vlan'),
      related: { message: 'the bridge', path: pathOf(bridge), part: 'key' },
    },
  ];
}

function duplicates(tagged: readonly Interface[]): PathProblem[] {
  const firsts = new Map<string, Interface>();
  return tagged.flatMap((iface): PathProblem[] => {
    if (iface.type !== 'vlan') return [];
    const key = JSON.stringify([iface.link.place, iface.link.ifname, iface.protocol, iface.id]);
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, iface);
      return [];
    }
    return [
      {
        code: 'VLAN_DUPLICATE',
        message: `${first.name} and ${iface.name} are both VLAN ${iface.id} on ${iface.link.ifname}`,
        hint: 'a VLAN has one interface per parent; give the second another id, or both addresses to one',
        path: pathOf(iface, 'id'),
        related: { message: `${first.name} is it already`, path: pathOf(first, 'id') },
      },
    ];
  });
}
