// A lab against the kernel: everything in which the two differ. The ops of the plan say what nslab would set besides what the file
// says. Pure: what the kernel has comes as data, so that any two can be compared.

import type { IfName, NodeName } from '../base/names.ts';
import type { LiveNetns } from '../live/netns.ts';
import { ownsNetns } from '../model/container.ts';
import type { Qdisc } from '../model/impairment.ts';
import type { Interface } from '../model/interface.ts';
import type { Lab, Node, Place } from '../model/lab.ts';
import { usernsOf } from '../model/userns.ts';
import { LOOPBACK } from '../plan/desired.ts';
import { labGroup } from '../plan/mark.ts';
import type { ChangeOp, Op } from '../plan/op.ts';
import { containerDifferences } from './containers.ts';
import { findDevices, type KeptPlace } from './devices.ts';
import type { Difference, Live } from './difference.ts';
import { neighbourDifferences, type RoutingView, routeDifferences, ruleDifferences } from './routing.ts';
import { deviceDifferences } from './settings.ts';
import { deviceKey, entryKey, placeKey } from './step-key.ts';
import { sysctlDifferences } from './sysctls.ts';
import { tableDifferences } from './tables.ts';
import { fileDifferences } from './views.ts';

export type DiffRequest = {
  readonly lab: Lab;
  /** Of `up` of the lab. */
  readonly ops: readonly Op[];
  /** Of what was made, where that is known. */
  readonly opsBefore?: readonly Op[];
  readonly live: Live;
};

/** All differences, those that no reader cares for (`hidden`) among them; in the order of the file. */
export function diffLab({ lab, ops, opsBefore = [], live }: DiffRequest): Difference[] {
  const nodes = sitesOf(lab, live.before);
  const before = new Map(sitesOf(live.before, undefined).map((node) => [node.place, node]));
  const missing = nodes.filter((node) => node.place !== null && !live.netns.has(node.place));
  const anew = nodes.filter(
    (node) => live.netns.has(node.place) && isOwnedByAnother(node, before.get(node.place)),
  );
  const wanted = new Set(nodes.map(({ place }) => place));
  const extra = [...before.values()].filter(({ place }) => !wanted.has(place) && live.netns.has(place));
  const dropped = new Set<Place>([...anew, ...extra].map(({ place }) => place));
  const kept = nodes.flatMap((node): KeptPlace[] => {
    const netns = live.netns.get(node.place);
    return netns === undefined || dropped.has(node.place) ? [] : [{ node, live: netns }];
  });
  const { differences: devices, gone } = findDevices(lab, kept, live, dropped);
  const fresh = new Set([...missing, ...anew].map(({ place }) => place));
  const byPlace = new Map(kept.map((one) => [one.node.place, one.live]));
  const qdiscs = new Map(
    ops.flatMap((op) =>
      op.kind === 'setQdisc' && op.qdisc !== null ? [[deviceKey(op.place, op.ifname), op.qdisc]] : [],
    ),
  );
  const ended = [...live.containers]
    .filter(([, { status }]) => status === 'exited' || status === 'dead')
    .map(([name]) => name);
  const told = [
    ...extra.map((node) => droppedNode(node, { state: 'extra', text: 'is too much' }, live)),
    ...anew.map((node) => {
      const text = 'has another user namespace';
      return withMaking(droppedNode(node, { state: 'different', text }, live), node);
    }),
    ...missing.map((node) => withMaking(missingNode(node), node)),
    ...devices,
    ...nodes.flatMap((node) => {
      const netns = byPlace.get(node.place);
      return netns === undefined
        ? []
        : nodeDifferences({ lab, node, netns, before: before.get(node.place), gone, qdiscs, ended });
    }),
    ...sysctlDifferences({ ops, opsBefore, live, nodes, gone, fresh, dropped }),
    ...containerDifferences({ ops, opsBefore, live, nodes: lab.nodes, fresh }),
    ...fileDifferences(ops, live, (netns) => fresh.has(netns)),
  ];
  const commands = commandDifferences(lab, { told, before: live.before, fresh });
  return inFileOrder([...told, ...commands], lab);
}

/** Nodes with a namespace, and the machine itself also where only the lab as it was made has it. */
function sitesOf(lab: Lab | undefined, before: Lab | undefined): Node[] {
  const own = (lab?.nodes ?? []).filter(ownsNetns);
  if (own.some(({ place }) => place === null)) return own;
  const host = before?.nodes.find((node) => node.place === null && ownsNetns(node));
  if (host === undefined) return own;
  const { name, path, kind } = host;
  const nothing = {
    interfaces: [],
    routes: [],
    rules: [],
    neighbours: [],
    nat: [],
    sysctls: [],
    hosts: [],
    exec: [],
  };
  return [...own, { name, place: null, kind, path, ...nothing, labels: {} }];
}

/** Such a namespace is another one: who owns it cannot be changed. */
function isOwnedByAnother(node: Node, before: Node | undefined): boolean {
  if (before === undefined) return false;
  return JSON.stringify(usernsOf(node)) !== JSON.stringify(usernsOf(before));
}

function missingNode({ name, place }: Node): Difference {
  return { node: name, place, about: 'node', state: 'missing', message: `${name} is missing`, mend: {} };
}

function droppedNode(
  { name, place }: Node,
  { state, text }: { readonly state: 'extra' | 'different'; readonly text: string },
  live: Live,
): Difference {
  const remove: ChangeOp[] = [];
  if (live.containers.has(name)) {
    remove.push({ kind: 'undo', undo: { kind: 'stopContainers', nodes: [name] } });
  }
  if (place !== null) {
    remove.push({ kind: 'undo', undo: { kind: 'stopProcesses', netns: [place] } });
    for (const nic of live.nics.filter((one) => one.place === place)) {
      remove.push({ kind: 'undo', undo: { kind: 'returnLink', ...nic } });
    }
    remove.push(
      { kind: 'undo', undo: { kind: 'unlinkEtc', netns: [place] } },
      { kind: 'dropNetns', netns: place },
    );
  }
  return { node: name, place, about: 'node', state, message: `${name} ${text}`, mend: { remove } };
}

/** With everything in it. */
function withMaking(difference: Difference, { place, interfaces, name }: Node): Difference {
  const devices = interfaces.map(({ ifname }) => deviceKey(place, ifname));
  const make = [
    placeKey(place),
    deviceKey(place, LOOPBACK),
    ...devices,
    entryKey('startContainer', null, [name]),
  ];
  return { ...difference, mend: { ...difference.mend, make } };
}

type NodeView = {
  readonly lab: Lab;
  readonly node: Node;
  readonly netns: LiveNetns;
  readonly before: Node | undefined;
  readonly gone: ReadonlySet<string>;
  /** By {@link deviceKey}. */
  readonly qdiscs: ReadonlyMap<string, Qdisc>;
  /** Containers that do not run. */
  readonly ended: readonly NodeName[];
};

function nodeDifferences({ lab, node, netns, before, gone, qdiscs, ended }: NodeView): Difference[] {
  const { place } = node;
  const found = new Map(netns.devices.map((device) => [device.ifname, device]));
  const group = labGroup(lab.name);
  const own = new Set<string>(netns.devices.filter((one) => one.group === group).map(({ ifname }) => ifname));
  const view: RoutingView = {
    node,
    before,
    live: netns,
    gone: new Set(
      netns.devices.map(({ ifname }) => ifname).filter((name) => gone.has(deviceKey(place, name))),
    ),
    isOwn: (ifname) => place !== null || (ifname !== undefined && own.has(ifname)),
  };
  return [
    ...withLoopback(node).flatMap((iface) => {
      const device = found.get(iface.ifname);
      const isGone = gone.has(deviceKey(place, iface.ifname));
      if (device === undefined || isGone) return [missingDevice(node, iface, device !== undefined)];
      const qdisc = qdiscs.get(deviceKey(place, iface.ifname));
      return deviceDifferences({ node, iface, device, gone, qdisc });
    }),
    ...routeDifferences(view),
    ...ruleDifferences(view),
    ...neighbourDifferences(view),
    ...tableDifferences(node, netns, { lab: lab.name, ended }),
  ];
}

/** Every namespace has it, up, whether the file says so or not. */
function withLoopback({ place, path, interfaces }: Node): readonly Interface[] {
  if (place === null || interfaces.some(({ type }) => type === 'loopback')) return interfaces;
  const lo: Interface = {
    type: 'loopback',
    name: LOOPBACK,
    ifname: LOOPBACK as IfName,
    up: true,
    addresses: [],
    ipv6: true,
    path,
  };
  return [lo, ...interfaces];
}

/** One that is there and goes was told already. */
function missingDevice({ name, place }: Node, iface: Interface, isThere: boolean): Difference {
  return {
    node: name,
    place,
    interface: iface.name,
    about: 'interface',
    state: 'missing',
    message: `${name}:${iface.name} is missing`,
    ...(isThere ? { hidden: true } : {}),
    mend: { make: [deviceKey(place, iface.ifname)] },
  };
}

type Around = {
  readonly told: readonly Difference[];
  readonly before: Lab | undefined;
  readonly fresh: ReadonlySet<Place>;
};

/** Commands of the file run in what is new, and where they are new. */
function commandDifferences(lab: Lab, { told, before, fresh }: Around): Difference[] {
  const anew = new Set(
    told.flatMap(({ about, node, mend }) => (about === 'container' && mend.make !== undefined ? [node] : [])),
  );
  return lab.nodes.flatMap((node): Difference[] => {
    const { name, place } = node;
    const was = before?.nodes.find((one) => one.name === name);
    const known = new Set((was?.exec ?? []).map((argv) => JSON.stringify(argv)));
    const isNew = was === undefined || fresh.has(place) || anew.has(name);
    const argvs = node.exec.filter((argv) => isNew || !known.has(JSON.stringify(argv)));
    if (argvs.length === 0) return [];
    const mend = { make: argvs.map((argv) => entryKey('runCommand', null, [name, argv])) };
    const message = `${name}: commands of the file have not run`;
    return [{ node: name, place, about: 'node', state: 'missing', message, hidden: true, mend }];
  });
}

function inFileOrder(differences: readonly Difference[], lab: Lab): Difference[] {
  const order = new Map(lab.nodes.map(({ name }, i) => [name, i]));
  const at = ({ node }: Difference) => order.get(node) ?? -1;
  return differences.toSorted((a, b) => at(a) - at(b));
}
