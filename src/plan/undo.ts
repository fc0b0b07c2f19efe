// How a lab is taken down. The record keeps no ops, only what undoing needs to know: the names of the namespaces, and what was
// made or changed in the machine's own. Everything inside a namespace of the lab goes with the namespace, and everything on a
// device of the lab goes with the device, so neither has an inverse here.

import type { IfName, LabName, NetnsName, NodeName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';
import type { Neighbour, Route, Rule } from '../model/route.ts';
import type { NftTable } from '../nfnl/ruleset.ts';
import { sysctlDevice } from './desired.ts';
import { labGroup, tableName } from './mark.ts';
import type { LinkState, Op, UndoOp } from './op.ts';

/** Plain data, small whatever the lab's size: a name for each namespace, and what touches the machine itself. */
export type UndoFacts = {
  /** The mark of the lab's devices in the machine's own namespace. */
  readonly group: number;
  readonly netns: readonly NetnsName[];
  readonly containers: readonly NodeName[];
  /** Devices made in the machine's own namespace. */
  readonly links: readonly IfName[];
  /** NICs of the machine that were moved, where to, and what they had. */
  readonly nics: readonly { readonly place: Place; readonly ifname: IfName; readonly state: LinkState }[];
  readonly tables: readonly Pick<NftTable, 'family' | 'name'>[];
  readonly rules: readonly Omit<Rule, 'path'>[];
  readonly routes: readonly Omit<Route, 'path'>[];
  readonly neighbours: readonly Omit<Neighbour, 'path'>[];
  /** Settings of the machine: what the lab wrote, and what was there before. */
  readonly sysctls: readonly { readonly key: string; readonly value: string; readonly was: string }[];
};

/** What the machine has before the first op; the Kernel port reads both. */
export type HostBefore = {
  readonly readSysctl: (key: string) => string | undefined;
  readonly readLinkState: (ifname: IfName) => LinkState | undefined;
};

type OnHost<K extends Op['kind']> = Extract<Op, { readonly kind: K }>;

/** What the record has to keep of these ops. Asks the machine for what they will overwrite, so it must run before them. */
export function undoFacts(lab: LabName, ops: readonly Op[], before: HostBefore): UndoFacts {
  const links = new Set(ops.flatMap(hostLinks));
  const isOwn = (dev: IfName | undefined): boolean => dev !== undefined && links.has(dev);
  const host = ops.filter((op) => 'place' in op && op.place === null);
  const of = <K extends Op['kind']>(kind: K): OnHost<K>[] =>
    host.filter((op): op is OnHost<K> => op.kind === kind);
  return {
    group: labGroup(lab),
    netns: ops.flatMap((op) => (op.kind === 'createNetns' ? [op.netns] : [])),
    containers: ops.flatMap((op) => (op.kind === 'startContainer' ? [op.node] : [])),
    links: [...links],
    nics: ops.flatMap((op) => (op.kind === 'moveLink' ? movedNic(op, before) : [])),
    tables: of('addTable').map(({ table: { family, name } }) => ({ family, name })),
    rules: of('addRule').map(({ rule }) => rule),
    routes: of('addRoute')
      .map(({ route }) => route)
      .filter((route) => !isOwn(route.dev)),
    neighbours: of('addNeighbour')
      .map(({ neighbour }) => neighbour)
      .filter(({ dev }) => !isOwn(dev)),
    sysctls: hostSysctls(of('setSysctl'), isOwn, before),
  };
}

/** What can be undone when the record is lost and only names are known: of pinned namespaces, and of folders of containers. */
export function undoFactsOfNames(
  lab: LabName,
  netns: readonly NetnsName[],
  containers: readonly NodeName[] = [],
): UndoFacts {
  return {
    group: labGroup(lab),
    netns,
    containers,
    links: [],
    nics: [],
    tables: [{ family: 'inet', name: tableName(lab, null) }],
    rules: [],
    routes: [],
    neighbours: [],
    sysctls: [],
  };
}

/** The ops of `down`, in order. A fact that never became true is no obstacle: each op takes "not there" for done. */
export function planDown(facts: UndoFacts): UndoOp[] {
  const { group, netns, links } = facts;
  const ops: UndoOp[] = [];
  if (facts.containers.length > 0) ops.push({ kind: 'stopContainers', nodes: facts.containers });
  // A process that still runs in a namespace keeps it alive, and with it the wires that end there.
  if (netns.length > 0) ops.push({ kind: 'stopProcesses', netns });
  for (const { place, ifname, state } of facts.nics) ops.push({ kind: 'returnLink', place, ifname, state });
  for (const { family, name } of facts.tables) ops.push({ kind: 'deleteTable', family, name });
  for (const rule of facts.rules) ops.push({ kind: 'deleteRule', rule });
  for (const route of facts.routes) ops.push({ kind: 'deleteRoute', route });
  for (const neighbour of facts.neighbours) ops.push({ kind: 'deleteNeighbour', neighbour });
  if (links.length > 0) ops.push({ kind: 'deleteLinks', group, ifnames: links });
  for (const sysctl of facts.sysctls) ops.push({ kind: 'restoreSysctl', ...sysctl });
  if (netns.length > 0) ops.push({ kind: 'unlinkEtc', netns }, { kind: 'deleteNetns', netns });
  return ops;
}

function hostLinks(op: Op): IfName[] {
  if (op.kind !== 'createLink') return [];
  const names = op.place === null ? [op.link.ifname] : [];
  if (op.link.type === 'veth' && op.link.peer.place === null) names.push(op.link.peer.ifname);
  return names;
}

function movedNic({ device, place, ifname }: OnHost<'moveLink'>, before: HostBefore): UndoFacts['nics'] {
  const state = before.readLinkState(device);
  // Without the device the op itself will fail, and there is nothing to return.
  return state === undefined ? [] : [{ place, ifname, state }];
}

/** A setting of a device of the lab goes with the device, and did not exist before it. */
function hostSysctls(
  ops: readonly OnHost<'setSysctl'>[],
  isOwn: (dev: IfName | undefined) => boolean,
  before: HostBefore,
): UndoFacts['sysctls'] {
  // Of a key that is written twice, the last value is the one that will be found there.
  const written = new Map<string, string>();
  for (const { key, value } of ops) {
    if (!isOwn(sysctlDevice(key) as IfName | undefined)) written.set(key, value);
  }
  return [...written].flatMap(([key, value]) => {
    const was = before.readSysctl(key);
    return was === undefined ? [] : [{ key, value, was }];
  });
}
