// A box of the picture: its size follows from what is written in it. Every line of the graph has a slot of its own at one side of
// each of its two boxes, with the interface and its addresses inside the box, so labels can neither meet each other nor a line.

import type { End, Port, Vertex } from './graph.ts';
import { boldWidth, LINE, monoWidth, noteWidth, shortened } from './measure.ts';

export type Side = 'top' | 'bottom' | 'left' | 'right';

/** What is written where a line ends, and where that is. Positions are of the picture, pixels. */
export type Slot = {
  readonly edge: number;
  readonly end: 0 | 1;
  readonly port: End;
  readonly lines: readonly string[];
  readonly width: number;
  readonly height: number;
  x: number;
  y: number;
  /** Where the line begins. */
  at: Point;
};

export type Point = { readonly x: number; readonly y: number };

export type Box = {
  readonly vertex: Vertex;
  readonly name: string;
  readonly notes: readonly string[];
  readonly devices: readonly Port[];
  readonly slots: Record<Side, Slot[]>;
  width: number;
  height: number;
  /** The upper left corner. */
  x: number;
  y: number;
};

/** Between the border and what is inside. */
export const PAD = 8;
/** Between two slots, and between a slot and the border. */
export const GAP = 6;
const NAME_LINE = 20;
const LONGEST = 48;

export function makeSlot(edge: number, end: 0 | 1, port: End): Slot {
  const lines = portLines(port);
  const width = lines.length === 0 ? 10 : Math.max(...lines.map((line) => monoWidth(line))) + 22;
  const height = lines.length === 0 ? 0 : lines.length * LINE + 6;
  return { edge, end, port, lines, width, height, x: 0, y: 0, at: { x: 0, y: 0 } };
}

/** The lines of an interface: its name, its addresses, what it does to packets. */
export function portLines({ ifname, about, addresses = [], impair = [], state }: Partial<Port>): string[] {
  if (ifname === undefined) return [];
  const wrong = state === undefined || state === 'up' ? [] : [state];
  const lines = [ifname, ...(about === undefined ? [] : [about]), ...addresses, ...impair, ...wrong];
  return lines.map((line) => shortened(line, LONGEST));
}

/** A device without a line, in one line of its box. */
export function deviceLine({ ifname, about, addresses, state }: Port): string {
  const note = about === undefined ? [] : [`(${about})`];
  const wrong = state === undefined || state === 'up' ? [] : [state];
  return shortened([ifname, ...note, ...addresses, ...wrong].join(' '), LONGEST * 2);
}

/** A box whose slots are in `slots`; it has a size, and no place yet. */
export function makeBox(
  vertex: Vertex,
  slots: Partial<Record<Side, Slot[]>>,
  loops: readonly Port[] = [],
): Box {
  const box: Box = {
    vertex,
    name: shortened(vertex.name, LONGEST),
    notes: notesOf(vertex),
    devices: [...vertex.devices, ...loops],
    slots: { top: [], bottom: [], left: [], right: [], ...slots },
    width: 0,
    height: 0,
    x: 0,
    y: 0,
  };
  const { top, bottom, left, right } = box.slots;
  const head = headSize(box);
  const middleWidth = head.width + columnWidth(left) + columnWidth(right) + 2 * PAD;
  const middleHeight = Math.max(head.height + 2 * PAD, columnHeight(left), columnHeight(right));
  box.width = Math.ceil(Math.max(middleWidth, rowWidth(top), rowWidth(bottom)));
  box.height = Math.ceil(rowHeight(top) + middleHeight + rowHeight(bottom));
  return box;
}

function notesOf({ id, name, kind, node, tags, state }: Vertex): string[] {
  const place = id === node || name === node ? '' : ` in ${node}`;
  const notes = [`${kind}${place}`, ...tags, ...(state === undefined ? [] : [state])];
  return notes.map((note) => shortened(note, LONGEST));
}

function headSize({ name, notes, devices }: Box): { readonly width: number; readonly height: number } {
  const widths = [
    boldWidth(name),
    ...notes.map((note) => noteWidth(note)),
    ...devices.map((device) => monoWidth(deviceLine(device)) + 14),
  ];
  return { width: Math.max(...widths), height: NAME_LINE + (notes.length + devices.length) * LINE };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function tallest(slots: readonly Slot[]): number {
  return Math.max(0, ...slots.map(({ height }) => height));
}

export function rowWidth(slots: readonly Slot[]): number {
  return slots.length === 0 ? 0 : sum(slots.map(({ width }) => width + GAP)) + GAP;
}

function rowHeight(slots: readonly Slot[]): number {
  const height = tallest(slots);
  return height === 0 ? 0 : height + GAP;
}

function columnWidth(slots: readonly Slot[]): number {
  return slots.length === 0 ? 0 : Math.max(...slots.map(({ width }) => width)) + GAP;
}

function columnHeight(slots: readonly Slot[]): number {
  return slots.length === 0 ? 0 : sum(slots.map(({ height }) => height + GAP)) + GAP;
}

/** Where the name, the notes and the devices are written: the middle of the first line, and the left border of the devices. */
export function headPlace(box: Box): { readonly centre: number; readonly top: number } {
  const { top, bottom, left, right } = box.slots;
  const from = box.y + rowHeight(top);
  const to = box.y + box.height - rowHeight(bottom);
  const centre = box.x + (columnWidth(left) + box.width - columnWidth(right)) / 2;
  return { centre, top: (from + to - headSize(box).height) / 2 };
}

/** Gives the box its place and every slot its own, in their order, spread evenly over their side. */
export function placeBox(box: Box, x: number, y: number): void {
  box.x = x;
  box.y = y;
  for (const side of ['top', 'bottom', 'left', 'right'] as const) placeSide(box, side);
}

/** Gives the slots of one side of a box that has its place their own. */
export function placeSide(box: Box, side: Side): void {
  const { x, y, width, height } = box;
  const slots = box.slots[side];
  if (side === 'top') placeRow(box, slots, () => ({ y: y + GAP, at: y }));
  else if (side === 'bottom') {
    placeRow(box, slots, (slot) => ({ y: y + height - GAP - slot.height, at: y + height }));
  } else if (side === 'left') placeColumn(box, slots, () => ({ x: x + GAP, at: x }));
  else placeColumn(box, slots, (slot) => ({ x: x + width - GAP - slot.width, at: x + width }));
}

function placeRow(box: Box, slots: readonly Slot[], place: (slot: Slot) => { y: number; at: number }): void {
  const gap = (box.width - sum(slots.map(({ width }) => width))) / (slots.length + 1);
  let x = box.x + gap;
  for (const slot of slots) {
    const { y, at } = place(slot);
    slot.x = x;
    slot.y = y;
    slot.at = { x: x + slot.width / 2, y: at };
    x += slot.width + gap;
  }
}

/** Between the rows of the top and the bottom. */
function placeColumn(
  box: Box,
  slots: readonly Slot[],
  place: (slot: Slot) => { x: number; at: number },
): void {
  const from = box.y + rowHeight(box.slots.top);
  const to = box.y + box.height - rowHeight(box.slots.bottom);
  const gap = (to - from - sum(slots.map(({ height }) => height))) / (slots.length + 1);
  let y = from + gap;
  for (const slot of slots) {
    const { x, at } = place(slot);
    slot.x = x;
    slot.y = y;
    slot.at = { x: at, y: y + slot.height / 2 };
    y += slot.height + gap;
  }
}
