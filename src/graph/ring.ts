// Routers in a circle as a rectangle: one row above, one below, columns at the sides, and every wire straight or nearly so.

import { type Box, makeBox, makeSlot, placeBox, type Side, type Slot } from './box.ts';
import { curve, type Group, type Line, measureGroup } from './group.ts';
import type { Shape } from './shape.ts';

const COLUMN_GAP = 70;
const ROW_GAP = 60;
/** Width to height that a picture should have. */
const WANTED = 1.7;

/** The vertices in the order of the circle, or undefined where they are none. */
export function circleOf(shape: Shape, part: readonly number[]): number[] | undefined {
  if (part.length < 3 || part.some((vertex) => shape.degree(vertex) !== 2)) return undefined;
  const [first = 0] = part;
  const order: number[] = [];
  let vertex = first;
  let came = -1;
  do {
    const next = shape.neighbours(vertex).find(({ edge }) => edge !== came);
    // Two wires between the same two boxes.
    if (next === undefined || order.includes(vertex)) return undefined;
    order.push(vertex);
    came = next.edge;
    vertex = next.vertex;
  } while (vertex !== first);
  return order.length === part.length ? order : undefined;
}

type Seat = { readonly row: 'above' | 'below' | 'right' | 'left'; readonly at: number };

/** Draws a circle of wires. */
export function layoutRing(shape: Shape, order: readonly number[]): Group {
  const tries = Array.from({ length: Math.floor((order.length - 3) / 2) + 1 }, (_, side) =>
    drawRing(shape, order, side),
  );
  return tries.reduce((best, one) => (shapeError(one) < shapeError(best) ? one : best));
}

function shapeError({ width, height }: Group): number {
  return Math.abs(Math.log(width / height / WANTED));
}

/** With that many boxes at each side between the rows. */
function drawRing(shape: Shape, order: readonly number[], side: number): Group {
  const above = Math.ceil((order.length - 2 * side) / 2);
  const below = order.length - 2 * side - above;
  const seats: Seat[] = [
    ...seatsOf('above', above),
    ...seatsOf('right', side),
    ...seatsOf('below', below).reverse(),
    ...seatsOf('left', side).reverse(),
  ];
  const sides = order.map(() => new Map<number, Side>());
  const isRow = (seat: Seat | undefined) => seat?.row === 'above' || seat?.row === 'below';
  for (const [i, vertex] of order.entries()) {
    const j = (i + 1) % order.length;
    const edge = edgeBetween(shape, vertex, order[j] ?? 0);
    const [from, to] = [seats[i], seats[j]];
    const isAlong = isRow(from) && from?.row === to?.row;
    // Clockwise: to the right above, down, to the left below, up.
    const isDown = !isAlong && i < above + side;
    sides[i]?.set(edge, isAlong ? (from?.row === 'above' ? 'right' : 'left') : isDown ? 'bottom' : 'top');
    sides[j]?.set(edge, isAlong ? (from?.row === 'above' ? 'left' : 'right') : isDown ? 'top' : 'bottom');
  }
  const boxes = order.map((vertex, i) => boxOf(shape, vertex, sides[i] ?? new Map()));
  placeSeats(boxes, seats, { above, below, side });
  return measureGroup(boxes, linesOf(boxes));
}

function seatsOf(row: Seat['row'], count: number): Seat[] {
  return Array.from({ length: count }, (_, at) => ({ row, at }));
}

function edgeBetween(shape: Shape, a: number, b: number): number {
  return shape.neighbours(a).find(({ vertex }) => vertex === b)?.edge ?? -1;
}

function boxOf(shape: Shape, vertex: number, sides: ReadonlyMap<number, Side>): Box {
  const slots: Record<Side, Slot[]> = { top: [], bottom: [], left: [], right: [] };
  for (const { edge, end } of shape.neighbours(vertex)) {
    const port = shape.edges[edge]?.ends[end];
    if (port !== undefined) slots[sides.get(edge) ?? 'top'].push(makeSlot(edge, end, port));
  }
  const found = shape.vertices[vertex];
  if (found === undefined) throw new Error(`no vertex ${vertex}`);
  return makeBox(found, slots);
}

function placeSeats(
  boxes: readonly Box[],
  seats: readonly Seat[],
  { above, below, side }: { readonly above: number; readonly below: number; readonly side: number },
): void {
  const width = Math.max(...boxes.map((box) => box.width));
  const height = Math.max(...boxes.map((box) => box.height));
  const columns = Math.max(above, below, 2);
  const across = width + COLUMN_GAP;
  const down = height + ROW_GAP;
  for (const [i, box] of boxes.entries()) {
    const { row, at } = seats[i] ?? { row: 'above', at: 0 };
    const count = row === 'above' ? above : below;
    const spread = count === 1 ? (columns - 1) / 2 : (at * (columns - 1)) / (count - 1);
    const column = row === 'left' ? 0 : row === 'right' ? columns - 1 : spread;
    const line = row === 'above' ? 0 : row === 'below' ? side + 1 : at + 1;
    placeBox(box, column * across + (width - box.width) / 2, line * down + (height - box.height) / 2);
  }
}

/** A line for each edge, from slot to slot. */
function linesOf(boxes: readonly Box[]): Line[] {
  const slots = new Map<number, Slot[]>();
  const axes = new Map<number, 'x' | 'y'>();
  for (const box of boxes) {
    for (const side of Object.keys(box.slots) as Side[]) {
      for (const slot of box.slots[side]) {
        slots.set(slot.edge, [...(slots.get(slot.edge) ?? []), slot]);
        axes.set(slot.edge, side === 'top' || side === 'bottom' ? 'y' : 'x');
      }
    }
  }
  return [...slots].flatMap(([edge, [a, b]]) =>
    a === undefined || b === undefined
      ? []
      : [{ edge, from: a.at, strokes: [curve(a.at, b.at, axes.get(edge) ?? 'y')] }],
  );
}
