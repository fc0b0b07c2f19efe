// Which namespaces a snapshot is of: those that were named, by whatever name, or all of the machine. A container of somebody else
// has no name under /run/netns; it is found by its processes and called by its host name. proc(5), ip-netns(8), uts_namespaces(7).

import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { NslabError } from '../base/error.ts';
import { type LabName, type NetnsName, parseNodeName } from '../base/names.ts';
import { ownsNetns } from '../model/container.ts';
import type { Lab, Node } from '../model/lab.ts';
import { isNetns, listNetns, NETNS_DIR } from '../netns/pin.ts';
import { bootId, listLabs, readLab, readRecord } from '../state/store.ts';
import { CLONE_NEWUTS, setns } from '../sys/libc.ts';

export type Target = {
  /** Unique among the targets: its name under /run/netns, where it has one. */
  readonly label: NetnsName;
  readonly path: string;
  /** What it is to be called. */
  readonly wanted?: string;
  /** The node of the lab that made it. */
  readonly node?: Node;
  readonly lab?: Lab;
  /** It has no name under /run/netns. */
  readonly unnamed: boolean;
  readonly remarks: readonly string[];
};

export type Chosen = {
  readonly targets: readonly Target[];
  /** Nothing was named. */
  readonly isAll: boolean;
  /** The one lab of which these are all namespaces, and nothing else. */
  readonly lab?: Lab;
};

/** @throws NslabError NODE_UNKNOWN, USAGE */
export function chooseTargets(names: readonly string[], pids: readonly string[]): Chosen {
  const labs = labsUp();
  const isAll = names.length + pids.length === 0;
  const wanted = isAll
    ? everything(labs)
    : [...names.flatMap((name) => targetsOf(name, labs)), ...pids.map((word) => processTarget(word))];
  const byPath = new Map(wanted.map((target) => [target.path, target]));
  const targets = unique([...byPath.values()]);
  const lab = onlyLabOf(targets, labs);
  return { targets, isAll, ...(lab === undefined ? {} : { lab }) };
}

/** Those that have a name and are none of the targets: for saying where a wire leads. */
export function otherNamespaces(targets: readonly Target[]): Target[] {
  const known = new Set(targets.map(({ label }) => label));
  return named(labsUp()).filter(({ label }) => !known.has(label));
}

function labsUp(): Lab[] {
  return listLabs().flatMap((name) => (isOfThisBoot(name) ? (readLab(name) ?? []) : []));
}

function isOfThisBoot(lab: LabName): boolean {
  try {
    return readRecord(lab)?.boot === bootId();
  } catch {
    return false;
  }
}

function nodesOf(lab: Lab): Node[] {
  return lab.nodes.filter((node) => node.place !== null && ownsNetns(node));
}

function onlyLabOf(targets: readonly Target[], labs: readonly Lab[]): Lab | undefined {
  return labs.find((lab) => {
    const nodes = nodesOf(lab);
    return (
      nodes.length > 0 && nodes.length === targets.length && targets.every((target) => target.lab === lab)
    );
  });
}

function everything(labs: readonly Lab[]): Target[] {
  return [...named(labs), ...unnamed()];
}

/** In the order of the labs and their files, then by name. */
function named(labs: readonly Lab[]): Target[] {
  const made = labs.flatMap((lab) => nodesOf(lab).map((node) => nodeTarget(lab, node)));
  const known = new Set(made.map(({ label }) => label as string));
  const others = listNetns()
    .map(({ name }) => name)
    .filter((name) => !known.has(name) && isNetns(join(NETNS_DIR, name)));
  return [
    ...made.filter(({ path }) => isNetns(path)),
    ...others.sort(byNumber).map((name) => namedTarget(name as NetnsName)),
  ];
}

/** `pc2` before `pc10`. */
function byNumber(a: string, b: string): number {
  const parts = (text: string) => text.split(/(?<=\D)(?=\d)|(?<=\d)(?=\D)/);
  const [x, y] = [parts(a), parts(b)];
  for (const [i, part] of x.entries()) {
    const other = y[i];
    if (other === undefined) return 1;
    if (part === other) continue;
    const difference = Number(part) - Number(other);
    return Number.isNaN(difference) || difference === 0 ? (part < other ? -1 : 1) : difference;
  }
  return x.length - y.length;
}

function nodeTarget(lab: Lab, node: Node): Target {
  const label = node.place as NetnsName;
  return { label, path: join(NETNS_DIR, label), node, lab, unnamed: false, remarks: [] };
}

function namedTarget(label: NetnsName): Target {
  return { label, path: join(NETNS_DIR, label), unnamed: false, remarks: [] };
}

function targetsOf(word: string, labs: readonly Lab[]): Target[] {
  if (word.includes('/')) return [pathTarget(word)];
  const lab = labs.find(({ name }) => name === word);
  if (lab !== undefined) return nodesOf(lab).map((node) => nodeTarget(lab, node));
  const all = named(labs);
  const netns = all.find(({ label }) => label === word) ?? all.find(({ node }) => node?.name === word);
  if (netns !== undefined) return [netns];
  const container = unnamed().find(({ wanted }) => wanted === word);
  if (container !== undefined) return [container];
  if (word === 'host') {
    const hint = 'name the namespaces; the part of the machine that belongs to them is told by itself';
    throw new NslabError('USAGE', 'the machine as a whole is no part of a lab', { hint });
  }
  const known = [...labs.map(({ name }) => name), ...all.map(({ label }) => label)];
  const hint =
    known.length === 0
      ? '`ip netns` lists those that have a name'
      : `there are ${known.slice(0, 12).join(', ')}`;
  throw new NslabError('NODE_UNKNOWN', `there is no namespace, lab or node ${word}`, { hint });
}

/** `PATH` or `PATH=NAME`. */
function pathTarget(word: string): Target {
  const equals = word.lastIndexOf('=');
  const path = equals < 0 ? word : word.slice(0, equals);
  if (!isNetns(path)) throw new NslabError('NODE_UNKNOWN', `${path} is no network namespace`);
  const pid = /^\/proc\/(\d+)\/ns\/net$/.exec(path)?.[1];
  const wanted =
    equals < 0 ? (pid === undefined ? basename(path) : nameOfProcess(pid)) : word.slice(equals + 1);
  assertName(wanted);
  return { label: path as NetnsName, path, wanted, unnamed: true, remarks: [] };
}

/** `PID` or `PID=NAME`. */
function processTarget(word: string): Target {
  const [, pid, name] = /^(\d+)(?:=(.*))?$/.exec(word) ?? [];
  if (pid === undefined) throw new NslabError('USAGE', `--pid ${word}: PID or PID=NAME is needed`);
  const path = `/proc/${pid}/ns/net`;
  if (!isNetns(path)) throw new NslabError('NODE_UNKNOWN', `there is no process ${pid}`);
  if (name !== undefined) assertName(name);
  return { label: path as NetnsName, path, wanted: name ?? nameOfProcess(pid), unnamed: true, remarks: [] };
}

function assertName(name: string): void {
  const parsed = parseNodeName(name);
  if (!parsed.ok) throw new NslabError('USAGE', `the name ${JSON.stringify(name)} ${parsed.error}`);
}

/** The namespaces of processes that have no name, in the order of their oldest process. */
function unnamed(): Target[] {
  const seen = new Set(listNetns().map(({ name }) => identityOf(join(NETNS_DIR, name))));
  seen.add(identityOf('/proc/self/ns/net'));
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .sort((a, b) => Number(a) - Number(b))
    .flatMap((pid) => {
      const path = `/proc/${pid}/ns/net`;
      const identity = identityOf(path);
      if (identity === undefined || seen.has(identity)) return [];
      seen.add(identity);
      const what = commOf(pid);
      const remarks = [
        `a namespace without a name, found by its process${what === undefined ? '' : ` ${what}`}`,
      ];
      return [{ label: path as NetnsName, path, wanted: nameOfProcess(pid), unnamed: true, remarks }];
    });
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

function commOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** The host name of a container, which is its own or its id; of another process what it is called. */
function nameOfProcess(pid: string): string {
  const name = hostNameOf(pid) ?? commOf(pid) ?? 'netns';
  return parseNodeName(name).ok ? name : 'netns';
}

function hostNameOf(pid: string): string | undefined {
  const path = `/proc/${pid}/ns/uts`;
  try {
    if (identityOf(path) === identityOf('/proc/self/ns/uts')) return undefined;
    const home = openSync('/proc/thread-self/ns/uts', 'r');
    const there = openSync(path, 'r');
    try {
      setns(there, CLONE_NEWUTS);
      return hostname();
    } finally {
      setns(home, CLONE_NEWUTS);
      closeSync(there);
      closeSync(home);
    }
  } catch {
    return undefined;
  }
}

/** Two that would be called the same are told apart by what the reader calls them, which is unique. */
function unique(targets: readonly Target[]): Target[] {
  return [...new Map(targets.map((target) => [target.label, target])).values()];
}

const ETC_DIR = '/etc/netns';
const MOST_BYTES = 65_536;

/** What ip-netns(8) binds over /etc in the namespace. A folder that nslab made belongs to its lab. */
export function readEtc(name: string): Readonly<Record<string, string>> | undefined {
  const folder = join(ETC_DIR, name);
  try {
    if (lstatSync(folder).isSymbolicLink() && readlinkSync(folder).startsWith('/run/nslab/'))
      return undefined;
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    const small = files.filter((entry) => statSync(join(folder, entry.name)).size <= MOST_BYTES);
    return Object.fromEntries(
      small.map((entry) => [entry.name, readFileSync(join(folder, entry.name), 'utf8')]),
    );
  } catch {
    return undefined;
  }
}
