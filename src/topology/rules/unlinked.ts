// A node that nothing can reach, in a lab in which others are wired: most likely a link was forgotten.

import type { Interface } from '../../model/interface.ts';
import type { Node } from '../../model/lab.ts';
import { type LabRule, pathOf } from './lab-view.ts';

export const unlinked: LabRule = (view) => {
  // Without any link the lab is about something else: one namespace, a container.
  if (view.lab.links.length === 0) return [];
  return view.lab.nodes
    .filter((node) => node.place !== null && !sharesNetwork(node) && !node.interfaces.some(reachesOut))
    .map((node) => ({
      code: 'NODE_UNLINKED' as const,
      severity: 'warning' as const,
      message: `no link ends at ${node.name}`,
      hint: `add it to an entry of "links", as "${node.name}${node.kind === 'bridge' ? '' : ':eth0'}"`,
      path: pathOf(node),
      part: 'key' as const,
    }));
};

/** Whatever frames or packets of other nodes can come in by. */
function reachesOut(iface: Interface): boolean {
  switch (iface.type) {
    case 'veth':
    case 'macvlan':
    case 'ipvlan':
    case 'vlan':
    case 'physical':
    case 'wireguard':
    case 'tun':
    case 'tap':
      return true;
    default:
      return false;
  }
}

function sharesNetwork(node: Node): boolean {
  return node.container?.options['network_mode'] !== undefined;
}
