// The usual way to lay out: in layers, from one end of the network to the other, by dagre (https://github.com/dagrejs/dagre), which
// decides which box stands in which layer, in which order and where. Lines then go from slot to slot through the gaps that it left.

import dagre from '@dagrejs/dagre';
import { type Box, makeBox, makeSlot, type Point, placeSide, type Side, type Slot } from './box.ts';
import type { Port } from './graph.ts';
import {
  curve,
  type Group,
  type Line,
  measureGroup,
  placeMiddle,
  type Stroke,
  shift,
  sortSlots,
} from './group.ts';
import { firstBest, type Shape } from './shape.ts';
import { layoutStar, type Star, starsOf } from './star.ts';

type Axis = 'x' | 'y';

/** Pixels: between boxes of a layer, between lines, and between layers. */
const NODE_GAP = 36;
const EDGE_GAP = 24;
const LAYER_GAP = 76;
/** Above that many boxes the exact ranking takes longer than it is worth. */
const MANY = 400;
const WANTED = 1.7;

/** From left to right or from top to bottom, whichever has the better shape for a slide. */
export function layoutLayers(shape: Shape, part: readonly number[]): Group {
  const downwards = new Layers(shape, part, 'y').draw();
  if (starsOf(shape, part).length > 0) return downwards;
  const rightwards = new Layers(shape, part, 'x').draw();
  return cost(rightwards) < cost(downwards) ? rightwards : downwards;
}

/** How large the slide must be that it fits on. */
function cost({ width, height }: Group): number {
  return Math.max(width, height * WANTED);
}

class Layers {
  readonly #shape: Shape;
  readonly #part: readonly number[];
  readonly #axis: Axis;
  readonly #boxes = new Map<number, Box>();
  readonly #stars = new Map<number, Group & { readonly hub: Box; readonly free: 'top' | 'bottom' }>();
  /** Of every line, where it comes from and goes to. */
  readonly #slots = new Map<number, { from?: Slot; to?: Slot }>();

  constructor(shape: Shape, part: readonly number[], axis: Axis) {
    this.#shape = shape;
    this.#part = part;
    this.#axis = axis;
  }

  draw(): Group {
    const all = new Set(this.#part);
    const stars = this.#axis === 'y' ? starsOf(this.#shape, this.#part) : [];
    const bare = new Set(this.#part);
    for (const { leaves } of stars) for (const leaf of leaves) bare.delete(leaf);
    const depths = this.#shape.distances(this.#root([...bare], bare), bare);
    const drawn = stars.filter((star) => this.#drawStar(star, depths));
    const hidden = new Set(drawn.flatMap(({ leaves }) => leaves));
    for (const { hub, leaves } of stars) {
      for (const leaf of leaves) depths.set(leaf, (depths.get(hub) ?? 0) + 1);
    }
    for (const vertex of all) {
      if (!hidden.has(vertex) && !this.#stars.has(vertex)) this.#makeBox(vertex, depths);
    }
    return this.#place(depths, hidden);
  }

  /**
   * Where the first layer is: an end of the network, so that it does not hang down on both sides. The machine rather than a node, a
   * router rather than others, and one that stands alone rather than one of many beside each other.
   */
  #root(vertices: readonly number[], within: ReadonlySet<number>): number {
    const [first = 0] = vertices;
    if (vertices.length > MANY) {
      const far = [...this.#shape.distances(first, within).keys()].at(-1) ?? first;
      return far;
    }
    const reach = new Map(
      vertices.map((vertex) => [vertex, Math.max(...this.#shape.distances(vertex, within).values())]),
    );
    const longest = Math.max(...reach.values());
    const host = vertices.find((vertex) => this.#shape.vertices[vertex]?.kind === 'host');
    // The networks of its containers hang on it.
    if (host !== undefined && this.#shape.degree(host) > 2) return host;
    const hubs = new Set(starsOf(this.#shape, this.#part).map(({ hub }) => hub));
    if (longest <= 2 && hubs.size === 0) {
      return firstBest(vertices, (vertex) => this.#shape.degree(vertex) - (reach.get(vertex) ?? 0));
    }
    const ends = vertices.filter((vertex) => reach.get(vertex) === longest);
    return firstBest(ends, (vertex) => {
      const kind = this.#shape.vertices[vertex]?.kind;
      const [near] = this.#shape.neighbours(vertex);
      const beside = this.#shape
        .neighbours(near?.vertex ?? vertex)
        .filter(({ vertex: other }) => this.#shape.degree(other) === 1).length;
      const rank = hubs.has(vertex) ? -1000 : kind === 'host' ? 1000 : kind === 'router' ? 500 : 0;
      return rank - beside;
    });
  }

  /** True where the line leads from end 0 to end 1. */
  #isForward(edge: number, depths: ReadonlyMap<number, number>): boolean {
    const [a, b] = this.#shape.ends[edge] ?? [0, 0];
    const [near = 0, far = 0] = [depths.get(a), depths.get(b)];
    return near < far || (near === far && a <= b);
  }

  /** The leaves go where no other wire of the hub does; with wires on both sides they are boxes like all others. */
  #drawStar(star: Star, depths: ReadonlyMap<number, number>): boolean {
    const leaving = star.others.filter((edge) => {
      const isFirst = this.#shape.ends[edge]?.[0] === star.hub;
      return this.#isForward(edge, depths) === isFirst;
    });
    if (leaving.length > 0 && leaving.length < star.others.length) return false;
    const free = leaving.length > 0 ? 'bottom' : 'top';
    const sides =
      star.others.length === 0
        ? (['top', 'bottom'] as const)
        : ([free === 'top' ? 'bottom' : 'top'] as const);
    const group = layoutStar(this.#shape, star, { sides, free });
    this.#stars.set(star.hub, { ...group, free });
    for (const slot of group.hub.slots[free]) this.#remember(slot, free === 'bottom');
    return true;
  }

  #remember(slot: Slot, isFrom: boolean): void {
    const known = this.#slots.get(slot.edge) ?? {};
    this.#slots.set(slot.edge, isFrom ? { ...known, from: slot } : { ...known, to: slot });
  }

  #makeBox(vertex: number, depths: ReadonlyMap<number, number>): void {
    const [before, after]: [Side, Side] = this.#axis === 'y' ? ['top', 'bottom'] : ['left', 'right'];
    const slots: Record<Side, Slot[]> = { top: [], bottom: [], left: [], right: [] };
    const loops: Port[] = [];
    for (const { vertex: other, edge, end } of this.#shape.neighbours(vertex)) {
      const ends = this.#shape.edges[edge]?.ends;
      const port = ends?.[end];
      if (ends === undefined || port === undefined) continue;
      if (other === vertex) {
        loops.push(...ends.map((one) => ({ addresses: [], ifname: '', about: 'wire to itself', ...one })));
        continue;
      }
      const isFrom = this.#isForward(edge, depths) === (end === 0);
      const slot = makeSlot(edge, end, port);
      slots[isFrom ? after : before].push(slot);
      this.#remember(slot, isFrom);
    }
    const found = this.#shape.vertices[vertex];
    if (found !== undefined) this.#boxes.set(vertex, makeBox(found, slots, loops));
  }

  #place(depths: ReadonlyMap<number, number>, hidden: ReadonlySet<number>): Group {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({
      rankdir: this.#axis === 'y' ? 'TB' : 'LR',
      nodesep: NODE_GAP,
      edgesep: EDGE_GAP,
      ranksep: LAYER_GAP,
      ranker: this.#part.length > MANY ? 'longest-path' : 'network-simplex',
    });
    for (const [vertex, { width, height }] of [...this.#boxes, ...this.#stars]) {
      graph.setNode(String(vertex), { width, height });
    }
    const edges = [...this.#slots.keys()].filter((edge) =>
      this.#shape.ends[edge]?.every((end) => !hidden.has(end)),
    );
    for (const edge of edges) {
      const [a, b] = this.#shape.ends[edge] ?? [0, 0];
      const [from, to] = this.#isForward(edge, depths) ? [a, b] : [b, a];
      const weight = this.#shape.edges[edge]?.kind === 'wire' ? 4 : 1;
      graph.setEdge(String(from), String(to), { weight }, String(edge));
    }
    dagre.layout(graph);
    const middles = new Map<number, Point>();
    const ways = new Map<number, Point[]>();
    for (const id of graph.nodes()) middles.set(Number(id), pointOf(graph.node(id)));
    const turn = this.#isReversed(middles) ? -1 : 1;
    const turned = ({ x, y }: Point): Point => (this.#axis === 'y' ? { x: turn * x, y } : { x, y: turn * y });
    for (const [vertex, middle] of middles) middles.set(vertex, turned(middle));
    for (const edge of graph.edges()) {
      // The first and the last are where it would meet the middles of the borders.
      const points = graph.edge(edge).points?.slice(1, -1) ?? [];
      ways.set(Number(edge.name), points.map(pointOf).map(turned));
    }
    this.#settle(middles, ways);
    const lines = edges.flatMap((edge) => this.#line(edge, { middles, way: ways.get(edge) ?? [], depths }));
    const stars = [...this.#stars.values()];
    return measureGroup(
      [...this.#boxes.values(), ...stars.flatMap((star) => star.boxes)],
      [...lines, ...stars.flatMap((star) => star.lines)],
    );
  }

  /** Most boxes of a layer stand against the order of the file. */
  #isReversed(middles: ReadonlyMap<number, Point>): boolean {
    const across = this.#axis === 'y' ? 'x' : 'y';
    const last = new Map<number, Point>();
    let right = 0;
    for (const [, middle] of [...middles].sort(([a], [b]) => a - b)) {
      const layer = Math.round(middle[this.#axis]);
      const before = last.get(layer);
      if (before !== undefined) right += Math.sign(middle[across] - before[across]);
      last.set(layer, middle);
    }
    return right < 0;
  }

  /** Boxes to their places, and their slots in the order of where the lines go. */
  #settle(middles: ReadonlyMap<number, Point>, ways: ReadonlyMap<number, readonly Point[]>): void {
    const across = this.#axis === 'y' ? 'x' : 'y';
    const sort = (box: Box, side: Side): void => {
      const isAfter = side === 'bottom' || side === 'right';
      sortSlots(
        box.slots[side],
        ({ edge }) => (isAfter ? ways.get(edge)?.at(0) : ways.get(edge)?.at(-1))?.[across] ?? 0,
      );
    };
    for (const [vertex, box] of this.#boxes) {
      for (const side of Object.keys(box.slots) as Side[]) sort(box, side);
      placeMiddle(box, middles.get(vertex) ?? { x: 0, y: 0 });
    }
    for (const [vertex, star] of this.#stars) {
      const { x, y } = middles.get(vertex) ?? { x: 0, y: 0 };
      shift(star, x - star.width / 2, y - star.height / 2);
      sort(star.hub, star.free);
      placeSide(star.hub, star.free);
    }
  }

  /** Straight beside the boxes of a layer, curved between two layers. */
  #line(edge: number, { middles, way, depths }: Placed): Line[] {
    const { from, to } = this.#slots.get(edge) ?? {};
    if (from === undefined || to === undefined) return [];
    const axis = this.#axis;
    const [a, b] = this.#shape.ends[edge] ?? [0, 0];
    const [source, target] = this.#isForward(edge, depths) ? [a, b] : [b, a];
    const layerAt = (point: Point | undefined) => this.#layer(middles, point?.[axis] ?? 0);
    const strokes: Stroke[] = [];
    let at = from.at;
    const straightTo = (main: number): void => {
      if (Math.abs(main - at[axis]) < 0.5) return;
      at = { ...at, [axis]: main };
      strokes.push([at]);
    };
    const curveTo = (point: Point): void => {
      strokes.push(curve(at, point, axis));
      at = point;
    };
    straightTo(layerAt(middles.get(source))?.end ?? at[axis]);
    for (const point of way) {
      const layer = layerAt(point);
      if (layer === undefined) continue;
      curveTo({ ...point, [axis]: layer.begin });
      straightTo(layer.end);
    }
    curveTo({ ...to.at, [axis]: layerAt(middles.get(target))?.begin ?? to.at[axis] });
    straightTo(to.at[axis]);
    return [{ edge, from: from.at, strokes }];
  }

  readonly #layers = new Map<number, { begin: number; end: number }>();

  /** The layer whose middle is there, from the first border of a box in it to the last. */
  #layer(middles: ReadonlyMap<number, Point>, main: number): { begin: number; end: number } | undefined {
    const size = this.#axis === 'y' ? 'height' : 'width';
    if (this.#layers.size === 0) {
      for (const [vertex, middle] of middles) {
        const half = ((this.#boxes.get(vertex) ?? this.#stars.get(vertex))?.[size] ?? 0) / 2;
        const at = Math.round(middle[this.#axis]);
        const known = this.#layers.get(at) ?? {
          begin: Number.POSITIVE_INFINITY,
          end: Number.NEGATIVE_INFINITY,
        };
        this.#layers.set(at, {
          begin: Math.min(known.begin, middle[this.#axis] - half),
          end: Math.max(known.end, middle[this.#axis] + half),
        });
      }
    }
    return this.#layers.get(Math.round(main));
  }
}

type Placed = {
  readonly middles: ReadonlyMap<number, Point>;
  readonly way: readonly Point[];
  readonly depths: ReadonlyMap<number, number>;
};

function pointOf({ x = 0, y = 0 }: { readonly x?: number; readonly y?: number }): Point {
  return { x, y };
}
