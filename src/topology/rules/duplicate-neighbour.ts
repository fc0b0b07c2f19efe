// Two neighbours of one interface with the same address: the kernel refuses the second with EEXIST (neigh_add() in
// net/core/neighbour.c). A proxy entry stands in a table of its own, and may be there twice (pneigh_lookup()).

import type { Node } from '../../model/lab.ts';
import type { Neighbour } from '../../model/route.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, pathOf } from './lab-view.ts';

export const duplicateNeighbour: LabRule = (view) =>
  view.lab.nodes.filter(({ neighbours }) => neighbours.length > 1).flatMap(check);

function check({ name, neighbours }: Node): PathProblem[] {
  const firsts = new Map<string, Neighbour>();
  return neighbours.flatMap((neighbour): PathProblem[] => {
    const { dev, ip, proxy } = neighbour;
    if (proxy === true) return [];
    const key = `${dev} ${ip}`;
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, neighbour);
      return [];
    }
    return [
      {
        code: 'NEIGHBOUR_DUPLICATE',
        message: `${name} has a second neighbour ${ip} on ${dev}`,
        hint: 'remove one of the two: an address has one MAC address on an interface',
        path: pathOf(neighbour),
        related: { message: 'the first one', path: pathOf(first) },
      },
    ];
  });
}
