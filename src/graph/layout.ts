// Where everything of a picture stands. Each part of the graph that hangs together is laid out as suits its shape, and the parts are
// put beside each other in rows.

import type { Graph } from './graph.ts';
import { type Group, moveGroup } from './group.ts';
import { layoutLayers } from './layered.ts';
import { circleOf, layoutRing } from './ring.ts';
import { Shape } from './shape.ts';
import { layoutStar, starsOf } from './star.ts';

const PART_GAP = 50;
const WANTED = 1.7;

/** The picture without its frame; pixels, from 0, 0 on. */
export function layoutGraph(graph: Graph): Group {
  const shape = new Shape(graph);
  return pack(shape.components().map((part) => layoutPart(shape, part)));
}

function layoutPart(shape: Shape, part: readonly number[]): Group {
  const circle = circleOf(shape, part);
  if (circle !== undefined) return layoutRing(shape, circle);
  const [star] = starsOf(shape, part);
  if (star !== undefined && star.others.length === 0 && star.leaves.length === part.length - 1) {
    return layoutStar(shape, star, { sides: ['top', 'bottom'], free: 'bottom' });
  }
  return layoutLayers(shape, part);
}

/** In rows that are about as long as all of them together are to look good. */
function pack(groups: readonly Group[]): Group {
  const area = groups.reduce((sum, { width, height }) => sum + (width + PART_GAP) * (height + PART_GAP), 0);
  const most = Math.max(Math.sqrt(area * WANTED), ...groups.map(({ width }) => width));
  const all: Group = { boxes: [], lines: [], width: 0, height: 0 };
  let [x, y, row] = [0, 0, 0];
  for (const group of groups) {
    if (x > 0 && x + group.width > most) {
      y += row + PART_GAP;
      x = 0;
      row = 0;
    }
    moveGroup(group, x, y);
    all.boxes.push(...group.boxes);
    all.lines.push(...group.lines);
    all.width = Math.max(all.width, x + group.width);
    row = Math.max(row, group.height);
    all.height = y + row;
    x += group.width + PART_GAP;
  }
  return all;
}
