// What interfaces stand on: a master of the same node that can have ports, no circle, not more of them
// than the kernel nests, and no addresses on what has become a port. br_add_if() in net/bridge/br_if.c, vrf_add_slave() in drivers/net/vrf.c,
// __netdev_upper_dev_link() in net/core/dev.c.

import { didYouMean } from '../../base/suggest.ts';
import type { Interface } from '../../model/interface.ts';
import type { Node, Place } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
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
  return [...problems, ...stacks(view)];
};

function checkMaster(view: LabView, node: Node, iface: Interface): PathProblem[] {
  if (iface.master === undefined) return [];
  const master = view.find(node.place, iface.master);
  if (master !== undefined && fits(iface, master)) return [];
  const base = { code: 'MASTER_INVALID', path: pathOf(iface, 'master') } as const;
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
  const message = `${iface.name} is a ${iface.type}, and a ${iface.type} cannot be a port of another one`;
  const hint = iface.type === 'bridge' ? 'join two bridges by a link (a veth pair)' : 'remove "master"';
  return [{ ...base, message, hint }];
}

/** An interface that is its own master is a circle, and said as one. */
function fits(iface: Interface, master: Interface): boolean {
  if (!withPorts.has(master.type)) return false;
  return master === iface || master.type !== iface.type || (iface.type !== 'bridge' && iface.type !== 'vrf');
}

/** MAX_NEST_DEV of linux/netdevice.h. */
const DEEPEST = 8;
/** How many names of a circle a message has. */
const SHOWN = 8;

/** An interface on the way down to what carries it. */
type Step = {
  readonly place: Place;
  readonly iface: Interface;
  readonly below: readonly Below[];
  turn: number;
  /** How many interfaces stand on each other up to this one; Infinity above a circle. */
  level: number;
};
type Below = { readonly place: Place; readonly iface: Interface };

function hasNeeds(iface: Interface): boolean {
  return iface.master !== undefined || ('link' in iface && iface.link !== undefined);
}

/** What must exist before an interface: its master, and what it stands on. */
function stepTo(view: LabView, { place, iface }: Below): Step {
  const below: Below[] = [];
  const master = iface.master === undefined ? undefined : view.find(place, iface.master);
  if (master !== undefined) below.push({ place, iface: master });
  if ('link' in iface && iface.link !== undefined) {
    const parent = view.find(iface.link.place, iface.link.ifname);
    if (parent !== undefined) below.push({ place: iface.link.place, iface: parent });
  }
  return { place, iface, below, turn: 0, level: below.length === 0 ? 1 : 2 };
}

function stacks(view: LabView): PathProblem[] {
  const levels = new Map<Interface, number>();
  const problems: PathProblem[] = [];
  for (const { place, interfaces } of view.lab.nodes) {
    for (const iface of interfaces) {
      if (hasNeeds(iface) && !levels.has(iface)) problems.push(...stack(view, { place, iface }, levels));
    }
  }
  return problems;
}

/** Walks down from one interface. No recursion: a hostile file may stack interfaces ten thousand deep. */
function stack(view: LabView, top: Below, levels: Map<Interface, number>): PathProblem[] {
  const problems: PathProblem[] = [];
  const trail = [stepTo(view, top)];
  const open = new Map([[top.iface, 0]]);
  for (let step = trail.at(-1); step !== undefined; step = trail.at(-1)) {
    const next = step.below[step.turn++];
    if (next === undefined) {
      if (step.level === DEEPEST + 1) problems.push(tooDeep(step.iface));
      levels.set(step.iface, step.level);
      open.delete(step.iface);
      trail.pop();
      raiseAbove(trail.at(-1), step.iface, step.level);
      continue;
    }
    const begun = open.get(next.iface);
    const known = levels.get(next.iface);
    if (begun !== undefined) {
      problems.push(circle(trail, begun));
      raise(step, Number.POSITIVE_INFINITY);
    } else if (known !== undefined) raiseAbove(step, next.iface, known);
    else if (hasNeeds(next.iface)) {
      open.set(next.iface, trail.length);
      trail.push(stepTo(view, next));
    }
  }
  return problems;
}

/**
 * The level of what stands on an interface. The kernel puts a macvlan of a macvlan on the device below both, as a neighbour
 * (macvlan_common_newlink(), ipvlan_link_new()).
 */
function raiseAbove(step: Step | undefined, below: Interface, level: number): void {
  const beside = step?.iface.type === below.type && (below.type === 'macvlan' || below.type === 'ipvlan');
  raise(step, beside ? level : level + 1);
}

function raise(step: Step | undefined, level: number): void {
  if (step !== undefined && level > step.level) step.level = level;
}

function tooDeep(iface: Interface): PathProblem {
  return {
    code: 'MASTER_INVALID',
    message: `${iface.name} would be number ${DEEPEST + 1} of interfaces that stand on each other, and ${DEEPEST} is the most`,
    hint: `the kernel nests devices ${DEEPEST} deep; take one of them out`,
    path: pathOf(iface, 'link' in iface && iface.link !== undefined ? 'link' : 'master'),
  };
}

/** The circle of the trail's steps from `start` to its end. */
function circle(trail: readonly Step[], start: number): PathProblem {
  const names = trail.slice(start, start + SHOWN).map(({ iface }) => iface.name);
  const more = trail.length - start - names.length;
  const [first] = names;
  const round = [...names, ...(more === 0 ? [] : [`... (${more} more)`]), first].join(' -> ');
  const iface = trail[start]?.iface;
  return {
    code: 'MASTER_LOOP',
    message:
      trail.length - start === 1
        ? `${first} stands on itself`
        : `these interfaces stand on each other in a circle: ${round}`,
    hint: 'remove "master" or "link" from one of them',
    path: iface === undefined ? [] : pathOf(iface, iface.master === undefined ? 'link' : 'master'),
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
