// BR_MAX_PORTS: a Linux bridge numbers its ports with 10 bits (net/bridge/br_private.h), and port 0 is none.

import type { PathProblem } from '../problems.ts';
import { type LabRule, pathOf } from './lab-view.ts';

const MOST = 1023;

export const bridgePorts: LabRule = (view) =>
  view.lab.nodes.flatMap((node) => {
    const ports = new Map<string, number>();
    for (const { master } of node.interfaces) {
      if (master !== undefined) ports.set(master, (ports.get(master) ?? 0) + 1);
    }
    return [...ports].flatMap(([ifname, count]): PathProblem[] => {
      const bridge = view.find(node.place, ifname);
      if (count <= MOST || bridge?.type !== 'bridge') return [];
      const name = node.kind === 'bridge' ? node.name : `${node.name}:${bridge.name}`;
      return [
        {
          code: 'BRIDGE_PORTS',
          message: `the bridge ${name} would have ${count} ports, and the kernel allows ${MOST}`,
          hint: 'use two bridge nodes and a link between them',
          path: pathOf(bridge),
          part: 'key',
        },
      ];
    });
  });
