// What interfaces stand on: a master of the same node that can have ports, no circle, and no addresses on what has become a
// port. br_add_if() in net/bridge/br_if.c, vrf_add_slave() in drivers/net/vrf.c, netdev_master_upper_dev_link().

import type { Interface } from '../../model/interface.ts';
import type { Node, Place } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { didYouMean } from '../suggest.ts';
import { type LabRule, type LabView, label, pathOf } from './lab-view.ts';

const withPorts = new Set<Interface['type']>(['bridge', 'vrf', 'bond']);

export const masters: LabRule = (view) => {
  const problems: PathProblem[] = [];
  for (const node of view.lab.nodes) {
    for (const iface of node.interfaces) {
      if (iface.master === undefined) continue;
      problems.push(...checkMaster(view, node, iface), ...addressOnPort(view, node, iface));
    }
  }
  return [...problems, ...circles(view)];
};

function checkMaster(view: LabView, node: Node, iface: Interface): PathProblem[] {
  if (iface.master === undefined) return [];
  const base = { code: 'MASTER_INVALID', path: pathOf(iface, 'master') } as const;
  const master = view.find(node.place, iface.master);
  if (master === undefined) {
    // A bridge of the machine itself, docker0 for example.
    if (node.place === null) return [];
    const possible = node.interfaces.filter(({ type }) => withPorts.has(type)).map(({ name }) => name);
    const message = `${node.name} has no interface "${iface.master}" that ${iface.name} could be a port of`;
    const hint =
      didYouMean(iface.master, possible) ?? `add "${iface.master}: { type: bridge }" to its interfaces`;
    return [{ ...base, message, hint }];
  }
  if (!withPorts.has(master.type)) {
    const message = `${master.name} is a ${master.type}, and only a bridge, a vrf or a bond has ports`;
    return [
      {
        ...base,
        message,
        related: { message: `${master.name} is described here`, path: pathOf(master), part: 'key' },
      },
    ];
  }
  if (master === iface) return [];
  if (master.type === iface.type && (iface.type === 'bridge' || iface.type === 'vrf')) {
    const message = `${iface.name} is a ${iface.type}, and a ${iface.type} cannot be a port of another one`;
    const hint = iface.type === 'bridge' ? 'join two bridges by a link (a veth pair)' : 'remove "master"';
    return [{ ...base, message, hint }];
  }
  return [];
}

type Spot = { readonly place: Place; readonly ifname: string };

function hasNeeds(iface: Interface): boolean {
  return iface.master !== undefined || ('link' in iface && iface.link !== undefined);
}

/** What must exist before an interface: its master, and what it stands on. */
function needs(node: Node, iface: Interface): Spot[] {
  const master = iface.master === undefined ? [] : [{ place: node.place, ifname: iface.master }];
  const link = 'link' in iface && iface.link !== undefined ? [iface.link] : [];
  return [...master, ...link];
}

function circles(view: LabView): PathProblem[] {
  const problems: PathProblem[] = [];
  const nodeAt = new Map(view.lab.nodes.map((node) => [node.place, node]));
  const state = new Map<Interface, 'open' | 'done'>();
  const visit = (node: Node, iface: Interface, trail: readonly Interface[]): void => {
    if (!hasNeeds(iface) || state.get(iface) === 'done') return;
    if (state.get(iface) === 'open') {
      problems.push(circle(trail.slice(trail.indexOf(iface))));
      return;
    }
    state.set(iface, 'open');
    for (const need of needs(node, iface)) {
      const next = view.find(need.place, need.ifname);
      const at = nodeAt.get(need.place);
      if (next !== undefined && at !== undefined) visit(at, next, [...trail, iface]);
    }
    state.set(iface, 'done');
  };
  for (const node of view.lab.nodes) {
    for (const iface of node.interfaces) if (hasNeeds(iface)) visit(node, iface, []);
  }
  return problems;
}

function circle(members: readonly Interface[]): PathProblem {
  const [first] = members;
  const names = members.map(({ name }) => name);
  const key = first?.master === undefined ? 'link' : 'master';
  return {
    code: 'MASTER_LOOP',
    message:
      names.length === 1
        ? `${names[0]} stands on itself`
        : `these interfaces stand on each other in a circle: ${[...names, names[0]].join(' -> ')}`,
    hint: 'remove "master" or "link" from one of them',
    path: first === undefined ? [] : pathOf(first, key),
  };
}

/** The bridge takes every frame that comes in before IP sees it: the address is there, and nothing answers for it. */
function addressOnPort(view: LabView, node: Node, iface: Interface): PathProblem[] {
  const [address] = iface.addresses;
  if (iface.master === undefined || address === undefined) return [];
  const master = view.find(node.place, iface.master);
  if (master?.type !== 'bridge' && master?.type !== 'bond') return [];
  return [
    {
      code: 'ADDRESS_ON_PORT',
      severity: 'warning',
      message: `${label({ node, iface })} is a port of ${master.name} and has an address of its own`,
      hint: `give the address to ${master.name}: what comes in by a port is taken by the ${master.type}`,
      path: pathOf(address),
    },
  ];
}
