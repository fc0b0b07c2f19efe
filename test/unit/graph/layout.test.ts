// What no picture may have, whatever the lab: boxes or labels that overlap, lines through boxes, wires that lie on each other.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Box, Point } from '../../../src/graph/box.ts';
import type { Group, Line } from '../../../src/graph/group.ts';
import { layoutGraph } from '../../../src/graph/layout.ts';
import { makeGraph } from '../../../src/graph/make-graph.ts';
import type { Lab } from '../../../src/model/lab.ts';
import { office, ring, star } from '../../support/drawn-labs.ts';
import { shippedTopologies } from '../../support/shipped.ts';

type Area = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

function overlap(a: Area, b: Area): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function inside(inner: Area, outer: Area): boolean {
  return (
    inner.x >= outer.x - 0.1 &&
    inner.y >= outer.y - 0.1 &&
    inner.x + inner.width <= outer.x + outer.width + 0.1 &&
    inner.y + inner.height <= outer.y + outer.height + 0.1
  );
}

/** Points of a line, close enough that no box is stepped over. */
function pointsOf({ from, strokes }: Line): Point[] {
  const points: Point[] = [];
  let at = from;
  for (const stroke of strokes) {
    const [a, b, c] = stroke.length === 1 ? [at, stroke[0], stroke[0]] : stroke;
    const to = c ?? at;
    const steps = Math.max(8, Math.ceil(Math.hypot(to.x - at.x, to.y - at.y) / 4));
    for (let i = 0; i <= steps; i++) points.push(bezier([at, a ?? at, b ?? at, to], i / steps));
    at = to;
  }
  return points;
}

function bezier([p, q, r, s]: readonly [Point, Point, Point, Point], t: number): Point {
  const mix = (axis: 'x' | 'y'): number =>
    (1 - t) ** 3 * p[axis] +
    3 * (1 - t) ** 2 * t * q[axis] +
    3 * (1 - t) * t ** 2 * r[axis] +
    t ** 3 * s[axis];
  return { x: mix('x'), y: mix('y') };
}

function slotsOf(box: Box) {
  return Object.values(box.slots).flat();
}

/** What is wrong with a picture, a line each. */
function faults(group: Group): string[] {
  const { boxes, lines, width, height } = group;
  const found: string[] = [];
  const picture = { x: 0, y: 0, width, height };
  for (const [i, box] of boxes.entries()) {
    if (!inside(box, picture)) found.push(`${box.name} is outside`);
    for (const other of boxes.slice(i + 1))
      if (overlap(box, other)) found.push(`${box.name} on ${other.name}`);
    const labels = slotsOf(box).filter((slot) => slot.lines.length > 0);
    for (const [j, slot] of labels.entries()) {
      if (!inside(slot, box)) found.push(`${box.name}:${slot.lines[0]} is outside its box`);
      for (const other of labels.slice(j + 1)) {
        if (overlap(slot, other)) found.push(`${box.name}: ${slot.lines[0]} on ${other.lines[0]}`);
      }
    }
  }
  for (const line of lines) {
    const points = pointsOf(line);
    const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    const around = { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
    for (const box of boxes) {
      const area = { x: box.x + 1, y: box.y + 1, width: box.width - 2, height: box.height - 2 };
      if (!overlap({ ...around, width: around.width + 1, height: around.height + 1 }, area)) continue;
      if (points.some((point) => overlap({ ...point, width: 0, height: 0 }, area))) {
        found.push(`line ${line.edge} through ${box.name}`);
      }
    }
  }
  return found;
}

const labs: readonly (readonly [string, () => Lab])[] = [
  ...shippedTopologies().map(({ name, load }) => [name, () => load().lab] as const),
  ...[3, 8, 9, 30, 61, 130].map((count) => [`a star of ${count}`, () => star(count)] as const),
  ...[3, 4, 5, 8, 20].map((count) => [`a ring of ${count}`, () => ring(count)] as const),
  ...[4, 12, 40].map((count) => [`an office of ${count}`, () => office(count)] as const),
];

for (const [name, load] of labs) {
  test(`nothing overlaps in the picture of ${name}`, () => {
    const graph = makeGraph(load());
    const group = layoutGraph(graph);
    assert.deepEqual(faults(group), []);
    assert.equal(group.boxes.length, graph.vertices.length);
    assert.equal(group.lines.length, graph.edges.length, 'every wire has its line');
  });
}

test('a box that is moved is seen to overlap, and to lie on a wire', () => {
  const group = layoutGraph(makeGraph(star(3)));
  const [hub, leaf] = group.boxes;
  const [line] = group.lines;
  assert.ok(hub !== undefined && leaf !== undefined && line !== undefined);
  leaf.x = line.from.x - 5;
  leaf.y = line.from.y - 5;
  const found = faults(group).join('\n');
  assert.match(found, /^\w+ on \w+$/m);
  assert.match(found, /^line 0 through \w+$/m);
});

test('two wires between the same two boxes are two lines that do not meet', () => {
  const graph = makeGraph(office(12));
  const { lines } = layoutGraph(graph);
  const pair = lines.filter(({ edge }) =>
    graph.edges[edge]?.ends.every(({ vertex }) => /^(gw|isp)$/.test(vertex)),
  );
  assert.equal(pair.length, 2);
  const [a = [], b = []] = pair.map(pointsOf);
  const nearest = Math.min(...a.flatMap((p) => b.map((q) => Math.hypot(p.x - q.x, p.y - q.y))));
  assert.ok(nearest > 20, `${nearest} pixels`);
});

test('a star of 1000 is drawn in seconds, and every box is in it', () => {
  const begin = process.cpuUsage();
  const { boxes, lines } = layoutGraph(makeGraph(star(1000)));
  const { user, system } = process.cpuUsage(begin);
  assert.equal(boxes.length, 1001);
  assert.equal(lines.length, 1000);
  assert.ok(user + system < 20e6, `${(user + system) / 1e6} s of processor time`);
});
