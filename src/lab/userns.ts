// `userns: auto`: ids of the machine that no other container has. They come from subuid(5) and subgid(5), as podman takes them. Who
// has which is in the labs' own files under /run/nslab, so there is no list that could get out of step with them.

import { readFileSync } from 'node:fs';
import { NslabError } from '../base/error.ts';
import type { Lab, Node } from '../model/lab.ts';
import { type IdMap, usernsOf, usernsOption } from '../model/userns.ts';
import { listLabs, readLab } from '../state/store.ts';

/** Whose lines are used, in this order. */
const OWNERS = ['root', 'nslab', 'containers'];

type Range = { readonly first: number; readonly count: number };
type Kind = 'uid' | 'gid';

const files: Readonly<Record<Kind, string>> = { uid: '/etc/subuid', gid: '/etc/subgid' };

/**
 * The lab with ids in the place of every `auto`. The caller holds the host's lock until the lab is written down.
 * @throws NslabError CONTAINER_USERNS
 */
export function allocateIds(lab: Lab): Lab {
  if (!lab.nodes.some((node) => usernsOf(node).mode === 'auto')) return lab;
  const others = listLabs().filter((name) => name !== lab.name);
  const running = others.flatMap((name) => readLab(name)?.nodes ?? []);
  return giveIds(lab, running, { uid: readSubids(files.uid), gid: readSubids(files.gid) });
}

/** The lab with the ids that were found for its containers when it came up: `auto` means the same ones as long as they stay. */
export function keepIds(lab: Lab, before: Lab): Lab {
  const nodes = lab.nodes.map((node) => {
    const was = before.nodes.find(({ name }) => name === node.name);
    const wanted = usernsOf(node);
    if (wanted.mode !== 'auto' || node.container === undefined || was?.container === undefined) return node;
    const had = usernsOf(was);
    if (had.mode !== 'map' || had.maps.uid.length !== 1 || had.maps.uid[0]?.size !== wanted.size) return node;
    const options = { ...node.container.options, userns: was.container.options['userns'] };
    return { ...node, container: { ...node.container, options } };
  });
  return { ...lab, nodes };
}

function readSubids(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The same without the machine: `subids` are the texts of the two files. */
export function giveIds(lab: Lab, running: readonly Node[], subids: Readonly<Record<Kind, string>>): Lab {
  const pools = { uid: new Pool('uid', subids.uid), gid: new Pool('gid', subids.gid) };
  for (const node of [...running, ...lab.nodes]) {
    const userns = usernsOf(node);
    if (userns.mode !== 'map') continue;
    pools.uid.take(userns.maps.uid);
    pools.gid.take(userns.maps.gid);
  }
  const nodes = lab.nodes.map((node) => {
    const userns = usernsOf(node);
    if (userns.mode !== 'auto' || node.container === undefined) return node;
    const { size } = userns;
    const maps = { uid: [pools.uid.give(node, size)], gid: [pools.gid.give(node, size)] };
    const options = { ...node.container.options, userns: usernsOption(maps) };
    return { ...node, container: { ...node.container, options } };
  });
  return { ...lab, nodes };
}

/** `NAME:FIRST:COUNT` a line; what is not one is nobody's. */
export function parseSubids(text: string): { readonly owner: string; readonly range: Range }[] {
  return text.split('\n').flatMap((line) => {
    const [, owner, first, count] = /^([^:\s]+):([0-9]{1,10}):([0-9]{1,10})\s*$/.exec(line) ?? [];
    if (owner === undefined || Number(count) === 0) return [];
    return [{ owner, range: { first: Number(first), count: Number(count) } }];
  });
}

class Pool {
  readonly #kind: Kind;
  readonly #all: readonly Range[];
  readonly #ours: readonly Range[];
  readonly #taken: Range[] = [];

  constructor(kind: Kind, text: string) {
    this.#kind = kind;
    const lines = parseSubids(text);
    this.#all = lines.map(({ range }) => range);
    // root is 0 in some files.
    const nameOf = (owner: string) => (owner === '0' ? 'root' : owner);
    this.#ours = OWNERS.flatMap((name) =>
      lines.filter(({ owner }) => nameOf(owner) === name).map(({ range }) => range),
    );
  }

  take(ranges: readonly IdMap[]): void {
    this.#taken.push(...ranges.map(({ hostID, size }) => ({ first: hostID, count: size })));
  }

  give(node: Node, size: number): IdMap {
    for (const range of this.#ours) {
      const first = this.#freeIn(range, size);
      if (first === undefined) continue;
      this.#taken.push({ first, count: size });
      return { containerID: 0, hostID: first, size };
    }
    throw this.#none(node, size);
  }

  /** The lowest place with so many free ids. */
  #freeIn({ first, count }: Range, size: number): number | undefined {
    const end = first + count;
    let at = first;
    for (const taken of this.#taken.toSorted((a, b) => a.first - b.first)) {
      if (taken.first >= at + size) break;
      at = Math.max(at, taken.first + taken.count);
    }
    return at + size <= end ? at : undefined;
  }

  #none({ name }: Node, size: number): NslabError {
    const file = files[this.#kind];
    const lack =
      this.#ours.length === 0
        ? `${file} has no line for ${OWNERS.slice(0, -1).join(', ')} or ${OWNERS.at(-1)}`
        : `${file} has no ${size} ids left for ${OWNERS.slice(0, -1).join(', ')} or ${OWNERS.at(-1)}`;
    return new NslabError('CONTAINER_USERNS', `${name}: userns: auto: ${lack}`, {
      hint: `add the line containers:${this.#unused()}:1048576 to /etc/subuid and to /etc/subgid`,
    });
  }

  /** Above all that somebody has. Beginning at 2^20: ids below are of people and of what distributions give them. */
  #unused(): number {
    const ends = [...this.#all, ...this.#taken].map(({ first, count }) => first + count);
    const step = 1 << 20;
    return Math.ceil(Math.max(step, ...ends) / step) * step;
  }
}
