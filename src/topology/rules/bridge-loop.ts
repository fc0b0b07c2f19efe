// A broadcast storm: switches wired in a circle with spanning tree off. One switch with STP in the circle is enough to cut it
// (the others pass its messages on), and VLANs may cut it too, so only bridges with neither are looked at.

import type { Interface } from '../../model/interface.ts';
import type { Place } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, type LabView, pathOf } from './lab-view.ts';

export const bridgeLoop: LabRule = (view) => {
  const groups = new Groups();
  return view.lab.links.flatMap((link): PathProblem[] => {
    const [a, b] = link.ends.map((end) => plainBridge(view, end.place, end.ifname));
    if (a === undefined || b === undefined || groups.join(a, b)) return [];
    const [x, y] = link.ends;
    return [
      {
        code: 'LINK_LOOP',
        severity: 'warning',
        message:
          a === b
            ? `this link joins ${x.node} to itself: every broadcast goes round for ever`
            : `this link closes a circle of bridges (${x.node} and ${y.node} are joined already): every broadcast goes round for ever`,
        hint: 'remove the link, or add "stp: true" to the bridges',
        path: pathOf(link),
      },
    ];
  });
};

function plainBridge(view: LabView, place: Place, ifname: string): Interface | undefined {
  const port = view.find(place, ifname);
  const bridge = port?.master === undefined ? undefined : view.find(place, port.master);
  if (bridge?.type !== 'bridge' || bridge.stp === true || bridge.vlan_filtering === true) return undefined;
  return port?.up === true && bridge.up ? bridge : undefined;
}

/** Which bridges are joined already. */
class Groups {
  private readonly parents = new Map<Interface, Interface>();

  /** False when the two were joined before. */
  join(a: Interface, b: Interface): boolean {
    const [x, y] = [this.root(a), this.root(b)];
    if (x === y) return false;
    this.parents.set(x, y);
    return true;
  }

  private root(of: Interface): Interface {
    let at = of;
    for (let parent = this.parents.get(at); parent !== undefined; parent = this.parents.get(at)) {
      const grand = this.parents.get(parent);
      if (grand !== undefined) this.parents.set(at, grand);
      at = parent;
    }
    return at;
  }
}
