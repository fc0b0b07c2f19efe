// `nslab snapshot`: namespaces that somebody made, or those of a lab that is up, as the topology file that makes them. Reads only.

import { NslabError } from '../base/error.ts';
import { type NodeName, parseNodeName } from '../base/names.ts';
import { isFallback } from '../live/automatic.ts';
import { newNetnsSysctls, readDetails, type Sysctls } from '../live/details.ts';
import type { LiveNetns } from '../live/netns.ts';
import { ownNetns, readNetns } from '../live/read.ts';
import type { Lab, Node, Place } from '../model/lab.ts';
import { type Snapshot, snapshotLab } from '../snapshot/snapshot.ts';
import type { Source } from '../snapshot/source.ts';
import { loadText } from '../topology/load.ts';
import { HOST } from '../topology/lower-nodes.ts';
import { topologyOf } from '../topology/write.ts';
import { writeYaml } from '../topology/write-yaml.ts';
import { chooseTargets, otherNamespaces, readEtc, type Target } from './snapshot-targets.ts';

export type SnapshotRequest = {
  /** Names of namespaces, labs and nodes, and paths of namespaces, each perhaps with =NAME; none are all. */
  readonly names: readonly string[];
  /** PID or PID=NAME. */
  readonly pids?: readonly string[] | undefined;
  /** What the lab is called. */
  readonly name?: string | undefined;
};

export type SnapshotFile = {
  readonly lab: Lab;
  /** The file as data, and as text with its comments. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** What could not be told, by node. */
  readonly notes: ReadonlyMap<string, readonly string[]>;
  /** Why `up` would refuse the file as it is, if it would. */
  readonly refused: readonly string[];
};

/**
 * The file that makes the namespaces. With one of them the machine's own part of its wires is in the file.
 * @throws NslabError NODE_UNKNOWN, USAGE
 */
export function takeSnapshot(request: SnapshotRequest): SnapshotFile {
  const chosen = chooseTargets(request.names, request.pids ?? []);
  const found = readTargets(chosen.targets, chosen.isAll);
  const { lab: record } = chosen;
  const sources = withNames(found, record);
  const host = found.host;
  const named = request.name ?? record?.name.slice(record.prefix.length) ?? 'snapshot';
  const defaults = new Map<string, Sysctls>();
  const snapshot = snapshotLab({
    name: named,
    prefix: record?.prefix ?? '',
    sources,
    host: { ...host, ...given(record?.nodes.find(({ place }) => place === null)) },
    ...(record === undefined ? {} : { record }),
    defaults: (forwards) => {
      const key = JSON.stringify(forwards);
      const known = defaults.get(key) ?? newNetnsSysctls(forwards);
      defaults.set(key, known);
      return known;
    },
  });
  return fileOf(snapshot, sources);
}

function given(record: Node | undefined): Pick<Source, 'record'> {
  return record === undefined ? {} : { record };
}

type Found = {
  readonly targets: readonly (Target & { readonly live: LiveNetns; readonly details: Source['details'] })[];
  readonly host: Source;
};

function readTargets(targets: readonly Target[], isAll: boolean): Found {
  const refs = targets.map(({ label, path }) => ({ place: label, path }));
  let live = readNetns([ownNetns, ...refs]);
  // Where a wire leads to can be said only of what has been read.
  if ([...live.values()].some(({ devices }) => devices.some(isOpenWire))) {
    const others = otherNamespaces(targets).map(({ label, path }) => ({ place: label, path }));
    if (others.length > 0) live = readNetns([ownNetns, ...refs, ...others]);
  }
  const own = live.get(null);
  if (own === undefined) throw new Error("the machine's own namespace was not read");
  const details = readDetails([ownNetns, ...refs]);
  const seen = new Map<string, Place>([[own.identity, null]]);
  const read = targets.flatMap((target) => {
    const netns = live.get(target.label);
    const more = details.get(target.label);
    if (netns === undefined || more === undefined) {
      throw new NslabError('NODE_UNKNOWN', `${target.path} is no network namespace`);
    }
    if (seen.has(netns.identity)) {
      if (isAll) return [];
      const same = seen.get(netns.identity) ?? "the machine's own namespace";
      const hint = 'the part of the machine is told by itself';
      throw new NslabError('USAGE', `${target.label} is the same namespace as ${same}`, { hint });
    }
    if (
      target.unnamed &&
      isAll &&
      netns.devices.every((one) => one.data.type === 'loopback' || isFallback(one))
    )
      return [];
    seen.set(netns.identity, target.label);
    return [{ ...target, live: netns, details: more }];
  });
  const hostDetails = details.get(null) ?? { sysctls: {}, macs: new Set() };
  const host = { name: HOST as NodeName, live: own, details: hostDetails, remarks: [] };
  return { targets: read, host };
}

function isOpenWire({ data }: LiveNetns['devices'][number]): boolean {
  return data.type === 'veth' && data.peer.place === undefined;
}

/** The names of the lab's nodes where all are its; otherwise those of the namespaces, as far as a node can be called so. */
function withNames({ targets }: Found, record: Lab | undefined): Source[] {
  const taken = new Set<string>([HOST]);
  return targets.map(({ live, details, label, wanted, node, remarks, unnamed }) => {
    const own = record === undefined ? (wanted ?? label) : (node?.name ?? label);
    const name = freeName(own, taken);
    taken.add(name);
    const renamed = name === own || unnamed ? [] : [`the namespace is called ${own}`];
    const etc = node === undefined && !unnamed ? readEtc(label) : undefined;
    return {
      name,
      live,
      details,
      ...given(node),
      ...(etc === undefined ? {} : { etc }),
      remarks: [...renamed, ...remarks],
    };
  });
}

function freeName(wanted: string, taken: ReadonlySet<string>): NodeName {
  const plain = wanted
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9_]+/, '')
    .slice(0, 60);
  const base = parseNodeName(plain).ok ? plain : 'node';
  let name = base;
  for (let number = 2; taken.has(name); number++) name = `${base}-${number}`;
  return name as NodeName;
}

function fileOf({ lab, notes }: Snapshot, sources: readonly Source[]): SnapshotFile {
  const file = topologyOf(lab);
  const nodes = (file['nodes'] ?? {}) as Readonly<Record<string, unknown>>;
  const top = [titleOf(sources)];
  for (const [node, lines] of notes) {
    if (!Object.hasOwn(nodes, node)) top.push(...lines.map((line) => `${node}: ${line}`));
  }
  const text = writeYaml(file, { top, nodes: notes });
  return { lab, file, text, notes, refused: whyRefused(text) };
}

/** As many names as a line has room for. */
function titleOf(sources: readonly Source[]): string {
  const names = sources.map(({ name }) => name);
  const shown = names.slice(0, 8).join(', ');
  if (names.length === 0) return 'A snapshot: there are no namespaces.';
  return `A snapshot of ${names.length > 8 ? `${shown} and ${names.length - 8} more` : shown}.`;
}

function whyRefused(text: string): string[] {
  try {
    loadText(text, { path: 'snapshot', env: {} });
    return [];
  } catch (error) {
    if (!(error instanceof NslabError)) throw error;
    const errors = error.problems
      .filter(({ severity }) => severity !== 'warning')
      .map(({ message }) => message);
    return errors.length > 0 ? errors : [error.message];
  }
}
