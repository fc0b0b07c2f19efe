// Which devices of the lab are there, which have to go, and which have to be made anew. To make a device anew takes others with it:
// the other end of its wire, and what stands on it. Pure.

import { isFallback } from '../live/automatic.ts';
import type { LiveDevice, LiveNetns } from '../live/netns.ts';
import type { Interface } from '../model/interface.ts';
import type { Lab, Node, Place } from '../model/lab.ts';
import { LOOPBACK } from '../plan/desired.ts';
import { labGroup } from '../plan/mark.ts';
import type { ChangeOp } from '../plan/op.ts';
import type { Difference, Live } from './difference.ts';
import { wrongKind } from './kinds.ts';
import { deviceKey } from './step-key.ts';

/** A place that stays, with the node of the file and what the kernel has. */
export type KeptPlace = { readonly node: Node; readonly live: LiveNetns };

export type DeviceFindings = {
  readonly differences: readonly Difference[];
  /** {@link deviceKey} of what is or will be gone before anything is made. */
  readonly gone: ReadonlySet<string>;
};

/** `dropped` are the places that go, with all in them. */
export function findDevices(
  lab: Lab,
  kept: readonly KeptPlace[],
  live: Live,
  dropped: ReadonlySet<Place>,
): DeviceFindings {
  const gone = new Set<string>();
  const roots = new Map<string, Root>();
  for (const { node, live: netns } of kept) {
    const wanted = new Map<string, Interface>(node.interfaces.map((iface) => [iface.ifname, iface]));
    for (const device of netns.devices) {
      const root = rootOf(lab, node, { device, wanted: wanted.get(device.ifname) });
      if (root === undefined) continue;
      roots.set(deviceKey(node.place, device.ifname), root);
      gone.add(deviceKey(node.place, device.ifname));
    }
  }
  for (const place of dropped) {
    for (const { ifname } of live.netns.get(place)?.devices ?? []) gone.add(deviceKey(place, ifname));
  }
  spread(live, gone);
  // The kernel destroys a namespace in its own time; what hangs on its wires is in the way until then.
  const swept = kept.flatMap(({ node, live: netns }) => sweep(node, netns, { gone, dropped }));
  const differences = [...roots.values()].map((root) => differenceOf(root, live.nics));
  return { differences: [...differences, ...swept], gone };
}

type Root = {
  readonly node: Node;
  readonly device: LiveDevice;
  readonly wanted: Interface | undefined;
  readonly why: string;
};

type Pair = { readonly device: LiveDevice; readonly wanted: Interface | undefined };

function rootOf(lab: Lab, node: Node, { device, wanted }: Pair): Root | undefined {
  if (device.ifname === LOOPBACK) return undefined;
  if (wanted !== undefined) {
    const why = wrongKind(wanted, device.data);
    return why === undefined ? undefined : { node, device, wanted, why };
  }
  if (isFallback(device)) return undefined;
  // On the machine itself only what carries the mark is the lab's; a program in a container may make devices for itself.
  if (node.place === null && device.group !== labGroup(lab.name)) return undefined;
  if (node.container !== undefined && device.data.type !== 'veth') return undefined;
  return { node, device, wanted, why: 'is too much' };
}

function differenceOf({ node, device, wanted, why }: Root, nics: Live['nics']): Difference {
  const { place, name } = node;
  const { ifname } = device;
  const nic = nics.find((one) => one.place === place && one.ifname === ifname);
  const remove: ChangeOp =
    nic === undefined
      ? { kind: 'delLinks', place, ifnames: [ifname] }
      : { kind: 'undo', undo: { kind: 'returnLink', ...nic } };
  return {
    node: name,
    place,
    interface: wanted?.name ?? ifname,
    about: 'interface',
    state: wanted === undefined ? 'extra' : 'different',
    message: `${name}:${wanted?.name ?? ifname} ${why}`,
    mend: { remove: [remove] },
  };
}

/** What goes with what is gone. */
function spread(live: Live, gone: Set<string>): void {
  for (let before = -1; before !== gone.size; ) {
    before = gone.size;
    for (const [place, { devices }] of live.netns) {
      for (const { ifname, data } of devices) {
        const end = data.type === 'veth' ? data.peer : 'link' in data ? data.link : undefined;
        if (end?.place === undefined || end.ifname === undefined) continue;
        if (gone.has(deviceKey(end.place, end.ifname))) gone.add(deviceKey(place, ifname));
      }
    }
  }
}

type Going = { readonly gone: ReadonlySet<string>; readonly dropped: ReadonlySet<Place> };

function sweep(node: Node, { devices }: LiveNetns, { gone, dropped }: Going): Difference[] {
  const { place, name } = node;
  const swept = devices.filter(({ ifname, data }) => {
    if (data.type !== 'veth' || data.peer.place === undefined) return false;
    return gone.has(deviceKey(place, ifname)) && dropped.has(data.peer.place);
  });
  return swept.map(({ ifname }): Difference => {
    const remove = [{ kind: 'delLinks', place, ifnames: [ifname] } as const];
    const message = `${name}:${ifname} leads to a node that goes`;
    return {
      node: name,
      place,
      interface: ifname,
      about: 'interface',
      state: 'extra',
      message,
      hidden: true,
      mend: { remove },
    };
  });
}
