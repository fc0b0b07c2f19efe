// `src` of a route: the kernel refuses an address that the node does not have (fib_valid_prefsrc(), ip6_route_info_create()).

import { listWords } from '../../base/suggest.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, pathOf } from './lab-view.ts';

export const routeSource: LabRule = (view) =>
  view.lab.nodes.flatMap((node) =>
    // The machine has addresses that the file does not know.
    (node.place === null ? [] : node.routes).flatMap((route): PathProblem[] => {
      if (route.src === undefined) return [];
      const own = view.addressesOfNode(node).filter((one) => one.family === route.family);
      if (own.some((one) => one.address === route.src)) return [];
      return [
        {
          code: 'ROUTE_SRC_FOREIGN',
          message: `src ${route.src} is no address of ${node.name}`,
          hint:
            own.length === 0
              ? `${node.name} has no IPv${route.family} address`
              : `${node.name} has ${listWords(
                  own.map((one) => one.address),
                  'and',
                  6,
                )}`,
          path: pathOf(route, 'src'),
        },
      ];
    }),
  );
