// A switch with many nodes as a bar with rows of boxes above and below. The boxes of a row stand a little further to the right than
// those of the row nearer to the bar, so that every wire can be straight and passes beside the boxes of the nearer rows.

import { type Box, GAP, makeBox, makeSlot, placeBox, rowWidth, type Slot } from './box.ts';
import { curve, type Group, type Line, measureGroup } from './group.ts';
import type { Shape } from './shape.ts';

/** Below that the usual way looks better. */
const MANY = 9;
const LANE = 16;
const COLUMN_GAP = 14;
const ROW_GAP = 26;
const BAR_GAP = 56;
const WANTED = 1.7;
/** More than that many names of ports would make the bar wider than all the rest; they are told with the wires. */
const NAMED = 60;

/** A box with many that hang on it by one wire each and on nothing else, and what else it is connected with. */
export type Star = {
  readonly hub: number;
  readonly leaves: readonly number[];
  readonly others: readonly number[];
};

export function starsOf(shape: Shape, part: readonly number[]): Star[] {
  return part.flatMap((hub) => {
    const around = shape.neighbours(hub);
    const isLeaf = (vertex: number) => vertex !== hub && shape.degree(vertex) === 1;
    const leaves = around.map(({ vertex }) => vertex).filter(isLeaf);
    if (leaves.length < MANY) return [];
    return [{ hub, leaves, others: around.filter(({ vertex }) => !isLeaf(vertex)).map(({ edge }) => edge) }];
  });
}

/** On which sides of the bar the leaves are; its other wires leave at `free`. */
type Rows = { readonly sides: readonly ('top' | 'bottom')[]; readonly free: 'top' | 'bottom' };

/** The star with its hub as a bar. The slots of the other wires are in the hub's box and have no lines yet. */
export function layoutStar(shape: Shape, star: Star, rows: Rows): Group & { readonly hub: Box } {
  const tries = [1, 2, 3, 4, 5, 6, 8, 10, 12].map((count) => drawStar(shape, star, { ...rows, count }));
  return tries.reduce((best, one) => (shapeError(one) < shapeError(best) ? one : best));
}

function shapeError({ width, height }: Group): number {
  return Math.abs(Math.log(width / height / WANTED));
}

type Leaf = { readonly box: Box; readonly slot: Slot; readonly hubSlot: Slot };

function drawStar(
  shape: Shape,
  { hub, leaves, others }: Star,
  { sides, free, count }: Rows & { readonly count: number },
): Group & { readonly hub: Box } {
  const columns = Math.ceil(leaves.length / (count * sides.length));
  const halves = sides.map((side, i) => {
    const perSide = Math.ceil(leaves.length / sides.length);
    return {
      side,
      leaves: leaves.slice(i * perSide, (i + 1) * perSide).map((leaf) => leafOf(shape, leaf, side)),
    };
  });
  const all = halves.flatMap((half) => half.leaves);
  const width = Math.max(...all.map(({ box }) => box.width));
  const height = Math.max(...all.map(({ box }) => box.height));
  const widestSlots = Math.max(...all.map(({ hubSlot }) => hubSlot.width + GAP)) * count + GAP;
  const column = Math.max(width + (count - 1) * LANE + COLUMN_GAP, widestSlots);
  const slots: Record<'top' | 'bottom', Slot[]> = { top: [], bottom: [] };
  for (const half of halves) slots[half.side] = half.leaves.map(({ hubSlot }) => hubSlot);
  slots[free].push(...others.map((edge) => slotAt(shape, hub, edge)));
  const bar = makeBox(vertexOf(shape, hub), slots);
  bar.width = Math.max(bar.width, columns * column);
  placeBox(bar, 0, 0);
  const first = (bar.width - columns * column) / 2 + COLUMN_GAP / 2;
  const lines: Line[] = [];
  for (const { side, leaves: half } of halves) {
    for (const [i, leaf] of half.entries()) {
      const row = Math.floor(i / columns);
      // Above, the first row is the one on top.
      const depth = side === 'top' ? Math.ceil(half.length / columns) - 1 - row : row;
      const x = first + (i % columns) * column + depth * LANE;
      const away = BAR_GAP + depth * (height + ROW_GAP);
      placeBox(leaf.box, x, side === 'top' ? -away - leaf.box.height : bar.height + away);
      const lane = depth === 0 ? x + leaf.box.width / 2 : x + width - LANE / 2;
      leaf.slot.at = { x: lane, y: leaf.slot.at.y };
      leaf.slot.x = Math.min(leaf.slot.x, lane);
    }
    const from = side === 'top' ? 0 : bar.height;
    placeHubSlots(bar, half, { columns, column, side });
    for (const { slot, hubSlot } of half) {
      const turn = { x: slot.at.x, y: side === 'top' ? from - BAR_GAP + 8 : from + BAR_GAP - 8 };
      lines.push({ edge: slot.edge, from: hubSlot.at, strokes: [curve(hubSlot.at, turn, 'y'), [slot.at]] });
    }
  }
  const group = measureGroup([bar, ...all.map(({ box }) => box)], lines);
  return { ...group, hub: bar };
}

/** The hub's slots of a column below or above it, in the order of the wires. */
function placeHubSlots(
  bar: Box,
  leaves: readonly Leaf[],
  {
    columns,
    column,
    side,
  }: { readonly columns: number; readonly column: number; readonly side: 'top' | 'bottom' },
): void {
  const start = bar.x + (bar.width - columns * column) / 2;
  for (let c = 0; c < columns; c++) {
    const own = leaves.filter((_, i) => i % columns === c).sort((a, b) => a.slot.at.x - b.slot.at.x);
    const slots = own.map(({ hubSlot }) => hubSlot);
    let x = start + c * column + (column - rowWidth(slots)) / 2 + GAP;
    for (const slot of slots) {
      slot.x = x;
      slot.y = side === 'top' ? bar.y + GAP : bar.y + bar.height - GAP - slot.height;
      slot.at = { x: x + slot.width / 2, y: side === 'top' ? bar.y : bar.y + bar.height };
      x += slot.width + GAP;
    }
  }
}

function leafOf(shape: Shape, leaf: number, side: 'top' | 'bottom'): Leaf {
  const [near] = shape.neighbours(leaf);
  if (near === undefined) throw new Error(`vertex ${leaf} has no edge`);
  const slot = slotAt(shape, leaf, near.edge);
  const box = makeBox(vertexOf(shape, leaf), { [side === 'top' ? 'bottom' : 'top']: [slot] });
  const { vertex: hub, edge } = near;
  const isNamed = shape.degree(hub) <= NAMED;
  const hubSlot = slotAt(shape, hub, edge);
  return { box, slot, hubSlot: isNamed ? hubSlot : { ...hubSlot, lines: [], width: 10, height: 0 } };
}

function slotAt(shape: Shape, vertex: number, edge: number): Slot {
  const end = shape.ends[edge]?.[0] === vertex ? 0 : 1;
  const port = shape.edges[edge]?.ends[end];
  if (port === undefined) throw new Error(`no edge ${edge}`);
  return makeSlot(edge, end, port);
}

function vertexOf(shape: Shape, vertex: number) {
  const found = shape.vertices[vertex];
  if (found === undefined) throw new Error(`no vertex ${vertex}`);
  return found;
}
