// The graph for a terminal: each part as a tree from its best connected box, one line for each wire with what is at its two ends.
// A wire that closes a circle is shown where its second end is met, and leads back.

import type { Edge, End, Graph, Port, Vertex } from './graph.ts';
import { firstBest, Shape } from './shape.ts';

/** What a part of the text is, for whoever wants to colour it. */
export type Part = 'name' | 'faint' | 'good' | 'bad' | 'warning';
export type Paint = (part: Part, text: string) => string;

/** The whole graph as lines of text. */
export function treeText(graph: Graph, paint: Paint = (_, text) => text): string {
  const shape = new Shape(graph);
  const trees = shape.components().map((part) => new Tree(shape, paint).lines(part));
  const said = graph.source === 'kernel' ? 'as the kernel has it' : 'as the file has it';
  const description = graph.description?.trim() ?? '';
  const head = [`lab ${graph.lab}, ${said}`, ...(description === '' ? [] : description.split('\n'))];
  return `${[head, ...trees].map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

const STROKES: Readonly<Record<Edge['kind'], string>> = {
  wire: '───',
  inside: '───',
  tunnel: '═══',
  upper: '┄┄┄',
  shared: '≡≡≡',
};

class Tree {
  readonly #shape: Shape;
  readonly #paint: Paint;
  readonly #seen = new Set<number>();
  /** The edge by which each vertex is first reached. */
  readonly #way = new Map<number, number>();
  readonly #lines: string[] = [];

  constructor(shape: Shape, paint: Paint) {
    this.#shape = shape;
    this.#paint = paint;
  }

  lines(part: readonly number[]): readonly string[] {
    const root = firstBest(part, (vertex) => this.#shape.degree(vertex));
    this.#findWays(root);
    const vertex = this.#vertex(root);
    this.#lines.push(`${this.#paint('name', vertex.name)} ${this.#nature(vertex)}`);
    this.#below(root, '');
    return this.#lines;
  }

  /** The nearest first, and by wires wherever wires lead there. */
  #findWays(root: number): void {
    const found = new Set([root]);
    const take = (from: number, kinds: 'wires' | 'all'): void => {
      for (const { vertex, edge } of this.#shape.neighbours(from)) {
        const kind = this.#shape.edges[edge]?.kind;
        if (found.has(vertex) || (kinds === 'wires' && kind !== 'wire' && kind !== 'inside')) continue;
        found.add(vertex);
        this.#way.set(vertex, edge);
      }
    };
    let size = 0;
    while (size < found.size) {
      size = found.size;
      // A set hands out what is added while it is walked through.
      for (const from of found) take(from, 'wires');
      for (const from of [...found]) if (found.size === size) take(from, 'all');
    }
  }

  #vertex(index: number): Vertex {
    const vertex = this.#shape.vertices[index];
    if (vertex === undefined) throw new Error(`no vertex ${index}`);
    return vertex;
  }

  #below(index: number, indent: string): void {
    this.#seen.add(index);
    const edges = this.#shape.neighbours(index).filter(({ vertex, edge }) => {
      if (this.#way.get(index) === edge) return false;
      return this.#way.get(vertex) === edge || this.#seen.has(vertex);
    });
    const { devices } = this.#vertex(index);
    const bar = edges.length > 0 ? '│' : ' ';
    for (const device of devices) this.#lines.push(`${indent}${bar}    ${this.#port(device)}`);
    for (const [i, { vertex, edge, end }] of edges.entries()) {
      const isLast = i === edges.length - 1;
      const isNew = this.#way.get(vertex) === edge;
      this.#lines.push(`${indent}${isLast ? '└' : '├'}─${this.#wire(edge, end, isNew)}`);
      if (isNew) this.#below(vertex, `${indent}${isLast ? ' ' : '│'}  `);
    }
  }

  #wire(index: number, near: 0 | 1, isNew: boolean): string {
    const edge = this.#shape.edges[index];
    const [a, b] = edge?.ends ?? [];
    if (edge === undefined || a === undefined || b === undefined) throw new Error(`no edge ${index}`);
    const [here, there] = near === 0 ? [a, b] : [b, a];
    const far = this.#shape.vertices.find(({ id }) => id === there.vertex);
    if (far === undefined) throw new Error(`no vertex ${there.vertex}`);
    const about = isNew ? this.#nature(far) : this.#paint('faint', '(see above)');
    const ifname = there.ifname === undefined ? '' : `:${there.ifname}`;
    const target = `${this.#paint('name', far.name)}${ifname}${this.#facts(there)}`;
    return `${this.#near(here)}${this.#stroke(edge)} ${target} ${about}`;
  }

  #near(end: End): string {
    return end.ifname === undefined ? '' : ` ${end.ifname}${this.#facts(end)} `;
  }

  #stroke({ kind, ends }: Edge): string {
    const isDown = ends.some(({ state }) => state !== undefined && state !== 'up');
    return isDown ? this.#paint('bad', '─╳─') : STROKES[kind];
  }

  #port(port: Port): string {
    return `${this.#paint('faint', '·')} ${port.ifname}${this.#facts(port)}`;
  }

  #facts({ about, addresses = [], state, impair = [] }: Partial<Port>): string {
    const words = [
      ...(about === undefined ? [] : [this.#paint('faint', `[${about}]`)]),
      ...addresses,
      ...(impair.length === 0 ? [] : [this.#paint('warning', `{${impair.join(' ')}}`)]),
      ...(state === undefined || state === 'up' ? [] : [this.#paint('bad', state)]),
    ];
    return words.map((word) => ` ${word}`).join('');
  }

  #nature({ id, name, kind, node, state, tags }: Vertex): string {
    const place = id === node || name === node ? '' : ` in ${node}`;
    const text = this.#paint('faint', `(${[`${kind}${place}`, ...tags].join(', ')})`);
    if (state === undefined) return text;
    return `${text} ${this.#paint(state === 'running' ? 'good' : 'bad', state)}`;
  }
}
