// What `nslab test` looks at: the nodes of a lab, each with the namespace it is in, and the addresses their names mean. The lab is
// one that is up, by its record, or that of a file, whose namespaces somebody may have made by hand under the same names.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../base/error.ts';
import { type IpAddress, parseIpAddress } from '../base/ip.ts';
import type { NodeName } from '../base/names.ts';
import { didYouMean } from '../base/suggest.ts';
import type { NetnsPath } from '../diagnose/ask.ts';
import { helperExec } from '../kernel/helper.ts';
import type { Lab, Node } from '../model/lab.ts';
import { listNetns, NETNS_DIR } from '../netns/pin.ts';
import { placeOf } from '../plan/containers.ts';
import { planEtc } from '../plan/names.ts';
import type { Op } from '../plan/op.ts';
import { readLab, readRecord } from '../state/store.ts';
import { onlyLab } from './list.ts';
import { load } from './load.ts';

export type Subject = {
  readonly lab: Lab;
  /** Made by `up`: commands run in its nodes as `exec` runs them. */
  readonly isUp: boolean;
  /** The topology file, or null where none is known. */
  readonly file: string | null;
};

export type SubjectRequest = {
  /** A lab that is up or a topology file; the only lab that is up when absent. */
  readonly name?: string | undefined;
  readonly prefix?: string | undefined;
  readonly vars?: readonly string[] | undefined;
};

/**
 * The lab that is meant. A name is that of a lab that is up, else that of a file.
 * @throws NslabError LAB_UNKNOWN, LAB_AMBIGUOUS, STATE_BROKEN; all problems of a file
 */
export function findSubject({ name, prefix, vars }: SubjectRequest): Subject {
  const isFile = name !== undefined && (name === '-' || name.includes('/') || existsSync(name));
  const isOfFile = prefix !== undefined || vars !== undefined;
  if (isFile && (isOfFile || !isLab(name))) {
    const { lab, file } = load({ path: name, prefix, vars });
    return { lab, file, isUp: readLab(lab.name) !== undefined };
  }
  if (isOfFile) throw new NslabError('USAGE', '--prefix and --var belong to a file, and none is named');
  return subjectOf(onlyLab(name));
}

function isLab(name: string): boolean {
  return !name.includes('/') && readLab(name as Lab['name']) !== undefined;
}

/** @throws NslabError STATE_BROKEN */
export function subjectOf(name: Lab['name']): Subject {
  const lab = readLab(name);
  if (lab !== undefined) return { lab, isUp: true, file: readRecord(name)?.file ?? null };
  throw new NslabError('STATE_BROKEN', `the record of lab ${name} is not whole`, {
    hint: `nslab down ${name} removes what is left`,
  });
}

/** The file of the namespace that the node is in; null is the machine's own. */
export function netnsOf(node: Node, lab: Lab): string | null {
  const place = placeOf(node, new Map(lab.nodes.map((one) => [one.name, one])));
  return place === null ? null : join(NETNS_DIR, place);
}

/**
 * The node of that name; `host` is the machine also where the file does not use it.
 * @throws NslabError NODE_UNKNOWN
 */
export function netnsNamed(name: NodeName, lab: Lab): string | null {
  const node = lab.nodes.find((one) => one.name === name);
  if (node !== undefined) return netnsOf(node, lab);
  if (name === 'host') return null;
  const names = lab.nodes.map((one) => one.name);
  throw new NslabError('NODE_UNKNOWN', `lab ${lab.name} has no node ${name}`, {
    hint: didYouMean(name, names),
  });
}

/** Every namespace of the machine that has a name; those of the lab come first and have the names of its nodes. */
export function allNetns(lab: Lab): NetnsPath[] {
  const own = lab.nodes.map((node) => ({ name: node.name as string, path: netnsOf(node, lab), own: true }));
  const others = listNetns().map(({ name }) => ({ name, path: join(NETNS_DIR, name), own: false }));
  const host = own.some(({ path }) => path === null);
  return [...own.filter(({ path }) => path !== null), { name: 'host', path: null, own: host }, ...others];
}

/** What the names of a lab mean to each of its nodes: the hosts files that `up` writes. */
export class AddressBook {
  readonly #subject: Subject;
  readonly #views = new Map<string, ReadonlyMap<string, IpAddress[]>>();
  readonly #viewOf = new Map<string, string>();
  readonly #asked = new Map<string, Promise<IpAddress | undefined>>();

  constructor(subject: Subject) {
    this.#subject = subject;
    const ops: Op[] = [];
    planEtc(subject.lab, ops);
    for (const op of ops) {
      if (op.kind === 'writeEtc') this.#views.set(op.view, parseHosts(op.files['hosts'] ?? ''));
      else if (op.kind === 'linkEtc') this.#viewOf.set(join(NETNS_DIR, op.netns), op.view);
    }
  }

  /** The addresses of a name of the lab, the nearest first; none where it is not one of the lab's. */
  known(name: string, reader: string | null): readonly IpAddress[] {
    const view = reader === null ? undefined : this.#viewOf.get(reader);
    // The machine's own hosts file is not nslab's, so there any view will do.
    const hosts = view === undefined ? [...this.#views.values()][0] : this.#views.get(view);
    return hosts?.get(name) ?? [];
  }

  /** An address as it is, a name of the lab, or what the C library of the node makes of another name. */
  async find(target: string, from: NodeName): Promise<IpAddress | undefined> {
    const address = parseIpAddress(target.replace(/%.*$/, ''));
    if (address.ok) return target as IpAddress;
    const [known] = this.known(target, netnsNamed(from, this.#subject.lab));
    if (known !== undefined || !this.#subject.isUp) return known;
    const key = `${from} ${target}`;
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = askLibrary(this.#subject.lab, from, target);
      this.#asked.set(key, asked);
    }
    return await asked;
  }
}

function parseHosts(text: string): Map<string, IpAddress[]> {
  const found = new Map<string, IpAddress[]>();
  for (const line of text.split('\n')) {
    const [address, ...names] = line.split(/\s+/).filter((word) => word !== '');
    for (const name of address === undefined ? [] : names)
      found.set(name, [...(found.get(name) ?? []), address as IpAddress]);
  }
  return found;
}

/** getent(1) in the node: its resolv.conf, its own hosts file. */
async function askLibrary(lab: Lab, node: NodeName, name: string): Promise<IpAddress | undefined> {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) return undefined;
  const [file, ...words] = helperExec(lab.name, node, ['getent', 'ahosts', name]);
  const child = spawn(file, words, { stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  await new Promise((resolve) => child.on('close', resolve).on('error', resolve));
  const address = parseIpAddress(text.split(/\s/)[0] ?? '');
  return address.ok ? address.value : undefined;
}
