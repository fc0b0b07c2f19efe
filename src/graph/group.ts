// Boxes with places and the lines between them, of one part of the graph: what each way of laying out makes, and what is moved as
// one when the parts are put beside each other.

import { type Box, type Point, placeBox, type Slot } from './box.ts';

/** A straight stroke, or a Bézier curve with its two control points. */
export type Stroke = readonly [Point] | readonly [Point, Point, Point];

/** From `from` on; the last point of each stroke is where it leads. */
export type Line = { readonly edge: number; from: Point; strokes: Stroke[] };

export type Group = { readonly boxes: Box[]; readonly lines: Line[]; width: number; height: number };

/** Moves everything so that the upper left corner is there. */
export function moveGroup(group: Group, x: number, y: number): void {
  const left = Math.min(...edgesOf(group, 'x'));
  const top = Math.min(...edgesOf(group, 'y'));
  shift(group, x - left, y - top);
}

function edgesOf({ boxes, lines }: Group, axis: 'x' | 'y'): number[] {
  let least = Number.POSITIVE_INFINITY;
  for (const box of boxes) least = Math.min(least, box[axis]);
  for (const { from, strokes } of lines) {
    least = Math.min(least, from[axis]);
    for (const stroke of strokes) for (const point of stroke) least = Math.min(least, point[axis]);
  }
  return [least];
}

export function shift({ boxes, lines }: Pick<Group, 'boxes' | 'lines'>, dx: number, dy: number): void {
  const moved = ({ x, y }: Point): Point => ({ x: x + dx, y: y + dy });
  for (const box of boxes) {
    box.x += dx;
    box.y += dy;
    for (const slot of Object.values(box.slots).flat()) {
      slot.x += dx;
      slot.y += dy;
      slot.at = moved(slot.at);
    }
  }
  for (const line of lines) {
    line.from = moved(line.from);
    line.strokes = line.strokes.map((stroke) => stroke.map(moved) as unknown as Stroke);
  }
}

/** Width and height of what the boxes and lines cover. */
export function measureGroup(boxes: Box[], lines: Line[]): Group {
  const group: Group = { boxes, lines, width: 0, height: 0 };
  if (boxes.length === 0) return group;
  moveGroup(group, 0, 0);
  for (const box of boxes) {
    group.width = Math.max(group.width, box.x + box.width);
    group.height = Math.max(group.height, box.y + box.height);
  }
  for (const { strokes } of lines) {
    for (const stroke of strokes) {
      for (const { x, y } of stroke) {
        group.width = Math.max(group.width, x);
        group.height = Math.max(group.height, y);
      }
    }
  }
  return group;
}

/** A curve that leaves and arrives along one axis; straight where it can be. */
export function curve(from: Point, to: Point, axis: 'x' | 'y'): Stroke {
  const across = axis === 'y' ? 'x' : 'y';
  if (Math.abs(from[across] - to[across]) < 0.5) return [to];
  const middle = (from[axis] + to[axis]) / 2;
  const at = (point: Point): Point => (axis === 'y' ? { x: point.x, y: middle } : { x: middle, y: point.y });
  return [at(from), at(to), to];
}

/** Slots of a side in the order of where their lines go, so that none crosses another at once. */
export function sortSlots(slots: Slot[], where: (slot: Slot) => number): void {
  const keys = new Map(slots.map((slot) => [slot, where(slot)]));
  slots.sort((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0) || a.edge - b.edge);
}

/** Places the box with its middle there. */
export function placeMiddle(box: Box, { x, y }: Point): void {
  placeBox(box, x - box.width / 2, y - box.height / 2);
}
