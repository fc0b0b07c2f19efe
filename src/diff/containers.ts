// The containers of a lab: which of them run, on what image, and made from what. What a container was made from the kernel does not
// know; the record of its lab does. Pure.

import type { NodeName } from '../base/names.ts';
import type { Node, Place } from '../model/lab.ts';
import type { Op } from '../plan/op.ts';
import type { Difference, Live, LiveContainer, Mend } from './difference.ts';
import { entryKey } from './step-key.ts';

type Start = Extract<Op, { readonly kind: 'startContainer' }>;

export type ContainerView = {
  readonly ops: readonly Op[];
  /** Those that made the lab. */
  readonly opsBefore: readonly Op[];
  readonly live: Live;
  readonly nodes: readonly Node[];
  /** Places that are made, or made anew. */
  readonly fresh: ReadonlySet<Place>;
};

export function containerDifferences({ ops, opsBefore, live, nodes, fresh }: ContainerView): Difference[] {
  const starts = ops.filter((op): op is Start => op.kind === 'startContainer');
  const before = new Map(
    opsBefore.filter((op): op is Start => op.kind === 'startContainer').map((op) => [op.node, op]),
  );
  const places = new Map(nodes.map((node) => [node.name, node.place]));
  const told = new Map<NodeName, Difference>();
  for (const start of starts) {
    const place = places.get(start.node) ?? null;
    const state = live.containers.get(start.node);
    const finding = findingOf(start, { was: before.get(start.node), state, isMoved: fresh.has(start.place) });
    if (finding !== undefined) told.set(start.node, differenceOf(start.node, place, finding));
  }
  // Whoever is in the process or IPC namespace of one that is made anew has to come with it.
  for (let size = -1; size !== told.size; ) {
    size = told.size;
    for (const { node, container } of starts) {
      if (told.has(node)) continue;
      const others = [container.options['pid'], container.options['ipc']].map(sharedWith);
      const other = others.find(
        (one) => one !== undefined && told.get(one as NodeName)?.mend.make !== undefined,
      );
      if (other === undefined) continue;
      const text = `shares a namespace with ${other}, which is made anew`;
      told.set(node, { ...differenceOf(node, places.get(node) ?? null, { text, anew: true }), hidden: true });
    }
  }
  const wanted = new Set(starts.map(({ node }) => node));
  const extra = [...before.keys()].filter((node) => !wanted.has(node) && live.containers.has(node));
  return [
    ...told.values(),
    ...extra.map((node): Difference => {
      const mend = { remove: [end(node)] };
      const message = `${node} is a container, and should be none`;
      return { node, place: places.get(node) ?? null, about: 'container', state: 'extra', message, mend };
    }),
  ];
}

function sharedWith(option: unknown): string | undefined {
  return typeof option === 'string' ? /^container:(.+)$/.exec(option)?.[1] : undefined;
}

function end(node: NodeName) {
  return { kind: 'undo', undo: { kind: 'stopContainers', nodes: [node] } } as const;
}

type Finding = { readonly text: string; readonly anew: boolean; readonly missing?: true };

function differenceOf(node: NodeName, place: Place, { text, anew, missing }: Finding): Difference {
  const make = [entryKey('startContainer', null, [node])];
  const mend: Mend = anew
    ? { ...(missing === true ? {} : { remove: [end(node)] }), make }
    : { set: [{ kind: 'startAgain', node }] };
  const state = missing === true ? 'missing' : 'different';
  return { node, place, about: 'container', state, message: `${node} ${text}`, mend };
}

type Around = {
  readonly was: Start | undefined;
  readonly state: LiveContainer | undefined;
  /** Its network namespace is another one. */
  readonly isMoved: boolean;
};

function findingOf(start: Start, { was, state, isMoved }: Around): Finding | undefined {
  if (state === undefined) return { text: 'does not run: it was never made', anew: true, missing: true };
  const manifest = start.image?.manifest;
  if (manifest !== undefined && state.manifest !== undefined && manifest !== state.manifest) {
    return { text: `runs another image than ${start.image?.name}`, anew: true };
  }
  const other = was === undefined ? [] : changedOptions(was, start);
  if (other.length > 0) return { text: `was made with another ${list(other)}`, anew: true };
  if (isMoved) return { text: 'is in another network namespace', anew: true };
  switch (state.status) {
    case 'exited':
      // One that has done its work is as it should be.
      return state.exit === 0
        ? undefined
        : { text: `has ended with status ${state.exit ?? '?'}`, anew: false };
    case 'dead':
      return { text: 'does not run: its monitor was killed', anew: true };
    case 'created':
      return { text: 'was made and not started', anew: false };
    default:
      return undefined;
  }
}

function list(names: readonly string[]): string {
  return names.length === 1 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** Says nothing about what the container is, but when its image is asked for again, or who waits for whom. */
const notMade: ReadonlySet<string> = new Set(['pull_policy', 'depends_on']);

/** Keys of the file by which two containers differ. */
function changedOptions(was: Start, now: Start): string[] {
  const parts = (op: Start): ReadonlyMap<string, string> => {
    const { image, rootfs, options } = op.container;
    const sysctls = op.sysctls?.map(({ key, value }) => [key, value]);
    const all = { image, rootfs, ...options, sysctls, ports: op.ports, network_mode: op.place };
    const entries = Object.entries(all).filter(([key, value]) => value !== undefined && !notMade.has(key));
    return new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
  };
  const [before, after] = [parts(was), parts(now)];
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name));
}
