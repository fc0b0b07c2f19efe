// Which devices of the machine belong to namespaces: the other ends of their wires, what those are ports of, and what stands on
// them. NICs never do, nor what has nothing to do with the namespaces.

import type { IfName } from '../base/names.ts';
import type { LiveDevice, LiveEnd } from '../live/netns.ts';
import type { Place } from '../model/lab.ts';

export type HostPart = {
  readonly devices: readonly LiveDevice[];
  /** NICs of the machine, and ends of wires that lead elsewhere, at bridges that belong to the namespaces. */
  readonly strangers: readonly LiveDevice[];
};

export type HostAsk = {
  readonly places: ReadonlySet<Place>;
  /** The mark of the lab's own devices, if the namespaces are a lab's. */
  readonly group: number | undefined;
  /** Indexes of those that devices of the namespaces stand on. */
  readonly parents: ReadonlySet<number>;
  /** True for the far end of what is a NIC to the file, whatever it is to the machine. */
  readonly isNic: (end: LiveEnd) => boolean;
};

/** Which devices of the machine are part of the file. */
export function hostPart(
  devices: readonly LiveDevice[],
  { places, group, parents, isNic }: HostAsk,
): HostPart {
  const byName = new Map(devices.map((device) => [device.ifname, device]));
  const byIndex = new Map(devices.map((device) => [device.ifindex, device]));
  const ours = new Set<LiveDevice>();
  const strangers = new Set<LiveDevice>();
  const open: LiveDevice[] = [];
  const take = (device: LiveDevice | undefined): void => {
    if (device === undefined || ours.has(device)) return;
    if (isStranger(device, places)) {
      strangers.add(device);
      return;
    }
    ours.add(device);
    open.push(device);
  };
  for (const device of devices) {
    const { data, group: mark, ifindex } = device;
    const far = data.type === 'veth' && !isNic(data.peer) ? data.peer.place : undefined;
    const isWire = far !== undefined && far !== null && places.has(far);
    const isMarked = group !== undefined && mark === group;
    if (isWire || isMarked || (parents.has(ifindex) && !isStranger(device, places))) take(device);
  }
  for (let device = open.pop(); device !== undefined; device = open.pop()) {
    const { data, ifname } = device;
    if (device.master !== undefined) take(byName.get(device.master));
    if (data.type === 'bridge' || data.type === 'bond' || data.type === 'vrf') {
      for (const port of devices) if (port.master === ifname) take(port);
    }
    if (data.type === 'veth' && data.peer.place === null) take(byIndex.get(data.peer.ifindex));
    for (const other of devices) if (standsOn(other, device)) take(other);
  }
  return { devices: devices.filter((device) => ours.has(device)), strangers: [...strangers] };
}

function isStranger({ data, ifname }: LiveDevice, places: ReadonlySet<Place>): boolean {
  if (data.type === 'physical' || data.type === 'loopback' || data.type === 'other') return true;
  if (data.type !== 'veth' || ifname === '') return false;
  return data.peer.place === undefined || (data.peer.place !== null && !places.has(data.peer.place));
}

function standsOn({ data }: LiveDevice, lower: LiveDevice): boolean {
  if (data.type === 'vlan' || data.type === 'macvlan' || data.type === 'ipvlan') {
    return data.link.place === null && data.link.ifindex === lower.ifindex;
  }
  return false;
}

/** The names of the devices that lead out of the machine: the NICs, and whatever a default route leads out of. */
export function uplinks(
  devices: readonly LiveDevice[],
  routes: readonly { readonly to: string; readonly dev?: IfName }[],
): IfName[] {
  const out = new Set(routes.filter(({ to }) => to === '0.0.0.0/0' || to === '::/0').map(({ dev }) => dev));
  return devices
    .filter(({ ifname, data }) => data.type === 'physical' || out.has(ifname))
    .map(({ ifname }) => ifname);
}
