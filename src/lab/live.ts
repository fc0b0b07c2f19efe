// What the kernel has of a lab: its namespaces by name or by the pins of a lab that is up, and its containers. Reads only.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabName, NetnsName, NodeName } from '../base/names.ts';
import type { Live, LiveContainer } from '../diff/difference.ts';
import { readState } from '../kernel/container-state.ts';
import { filesOf, viewOf } from '../kernel/etc.ts';
import { readFresh } from '../live/fresh.ts';
import type { NetnsRef } from '../live/netns.ts';
import { ownNetns, readNetns } from '../live/read.ts';
import { ownsNetns } from '../model/container.ts';
import type { Lab, Place } from '../model/lab.ts';
import { isNetns, NETNS_DIR } from '../netns/pin.ts';
import type { Op } from '../plan/op.ts';
import { planLab } from '../plan/order.ts';
import type { UndoFacts } from '../plan/undo.ts';
import { containerDir, containerImage, pinOf } from '../state/paths.ts';
import { bootId, readLab, readRecord } from '../state/store.ts';

export type Made = {
  /** What was made, and the ops that made it. */
  readonly lab: Lab;
  readonly ops: readonly Op[];
  readonly undo: UndoFacts;
};

/** The lab as it was made, where it is up. */
export function madeLab(name: LabName): Made | undefined {
  const record = readRecord(name);
  if (record?.phase !== 'up' || record.boot !== bootId()) return undefined;
  const lab = readLab(name);
  return lab === undefined ? undefined : { lab, ops: planLab(lab), undo: record.undo };
}

export type LiveRequest = {
  readonly lab: Lab;
  readonly ops: readonly Op[];
  readonly made: Made | undefined;
  /** `pinned`: only namespaces that are this lab's; else whatever has the name. */
  readonly names: 'pinned' | 'any';
};

export function readLive({ lab, ops, made, names }: LiveRequest): Live {
  const nodes = [...lab.nodes, ...(made?.lab.nodes ?? [])];
  const places = [...new Set(nodes.filter(ownsNetns).map(({ place }) => place))];
  const refs = places.map((place) => refOf(lab.name, place, names));
  const keys = sysctlKeys([...ops, ...(made?.ops ?? [])]);
  const own = places.filter((place): place is NetnsName => place !== null);
  const views = new Map(made === undefined ? [] : own.flatMap((name) => viewEntry(lab.name, name)));
  return {
    netns: readNetns(refs, { sysctls: (place) => [...(keys.get(place) ?? [])], forwarding: false }),
    containers: new Map(
      nodes.flatMap((node) => (node.container === undefined ? [] : containerEntry(lab.name, node.name))),
    ),
    before: made?.lab,
    views,
    files: new Map([...new Set(views.values())].map((view) => [view, filesOf(lab.name, view)])),
    nics: made?.undo.nics ?? [],
    fresh: readFresh(droppedKeys(ops, made?.ops ?? [])),
  };
}

function refOf(lab: LabName, place: Place, names: LiveRequest['names']): NetnsRef {
  if (place === null) return ownNetns;
  const pin = pinOf(lab, place);
  return { place, path: names === 'pinned' || isNetns(pin) ? pin : join(NETNS_DIR, place) };
}

function sysctlKeys(ops: readonly Op[]): Map<Place, Set<string>> {
  const keys = new Map<Place, Set<string>>();
  for (const op of ops) {
    if (op.kind !== 'setSysctl') continue;
    const known = keys.get(op.place);
    if (known === undefined) keys.set(op.place, new Set([op.key]));
    else known.add(op.key);
  }
  return keys;
}

/** Those that are not set any more, in namespaces of the lab. */
function droppedKeys(ops: readonly Op[], before: readonly Op[]): string[] {
  const now = sysctlKeys(ops);
  const dropped = new Set<string>();
  for (const [place, keys] of sysctlKeys(before)) {
    if (place !== null) for (const key of keys) if (now.get(place)?.has(key) !== true) dropped.add(key);
  }
  return [...dropped];
}

function viewEntry(lab: LabName, netns: NetnsName): [NetnsName, string][] {
  const view = viewOf(lab, netns);
  return view === undefined ? [] : [[netns, view]];
}

function containerEntry(lab: LabName, node: NodeName): [NodeName, LiveContainer][] {
  const state = readState(containerDir(lab, node));
  if (state === undefined) return [];
  const { status, exit } = state;
  const manifest = manifestOf(lab, node);
  return [[node, { status, exit, ...(manifest === undefined ? {} : { manifest }) }]];
}

function manifestOf(lab: LabName, node: NodeName): string | undefined {
  try {
    return (JSON.parse(readFileSync(containerImage(lab, node), 'utf8')) as { manifest?: string }).manifest;
  } catch {
    return undefined;
  }
}
