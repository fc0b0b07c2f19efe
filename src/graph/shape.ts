// What shape a graph has: its neighbours, its parts that hang together, distances. Nothing here knows of positions.

import type { Edge, Graph, Vertex } from './graph.ts';

/** An edge as one of its vertices sees it. */
export type Neighbour = { readonly vertex: number; readonly edge: number; readonly end: 0 | 1 };

/** Vertices and edges by number, which is what algorithms want. */
export class Shape {
  readonly vertices: readonly Vertex[];
  readonly edges: readonly Edge[];
  readonly ends: readonly (readonly [number, number])[];
  readonly #neighbours: readonly Neighbour[][];

  constructor(graph: Pick<Graph, 'vertices' | 'edges'>) {
    const index = new Map(graph.vertices.map(({ id }, i) => [id, i]));
    const at = (id: string): number => index.get(id) ?? -1;
    this.vertices = graph.vertices;
    this.edges = graph.edges;
    this.ends = graph.edges.map(({ ends: [a, b] }) => [at(a.vertex), at(b.vertex)]);
    this.#neighbours = graph.vertices.map(() => []);
    for (const [edge, [a, b]] of this.ends.entries()) {
      this.#neighbours[a]?.push({ vertex: b, edge, end: 0 });
      if (a !== b) this.#neighbours[b]?.push({ vertex: a, edge, end: 1 });
    }
  }

  /** All edges of a vertex, each as seen from it: `end` is its own. */
  neighbours(vertex: number): readonly Neighbour[] {
    return this.#neighbours[vertex] ?? [];
  }

  degree(vertex: number): number {
    return this.neighbours(vertex).length;
  }

  /** The parts that hang together, in the order of their first vertices. */
  components(): number[][] {
    const seen = new Set<number>();
    return this.vertices.flatMap((_, start) => {
      if (seen.has(start)) return [];
      const part = [...this.distances(start).keys()];
      for (const vertex of part) seen.add(vertex);
      return [part.sort((a, b) => a - b)];
    });
  }

  /** How many edges away each vertex is that can be reached, the nearest first; only through those of the set, if one is given. */
  distances(from: number, within?: ReadonlySet<number>): Map<number, number> {
    const found = new Map([[from, 0]]);
    for (const [vertex, distance] of found) {
      for (const { vertex: next } of this.neighbours(vertex)) {
        if (!found.has(next) && within?.has(next) !== false) found.set(next, distance + 1);
      }
    }
    return found;
  }
}

/** The first of the numbers that has the greatest rank. */
export function firstBest(from: readonly number[], rank: (vertex: number) => number): number {
  let best = from[0] ?? 0;
  for (const vertex of from) if (rank(vertex) > rank(best)) best = vertex;
  return best;
}
