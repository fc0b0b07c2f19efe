// The state of the fake kernel and the rules that hold in it: namespaces, devices, what may be whose port, what is on a link.
// fake-kernel.ts carries ops out on it. The rules are the kernel's: net/core/rtnetlink.c, net/core/dev.c,
// drivers/net/{veth,macvlan,bonding}.c, net/8021q/vlan_dev.c, net/ipv4/fib_semantics.c.

import { addressOf, type IpAddress, type IpInterface, prefixContains, subnetOf } from '../../src/base/ip.ts';
import type { IfName } from '../../src/base/names.ts';
import type { Qdisc } from '../../src/model/impairment.ts';
import type { Place } from '../../src/model/lab.ts';
import type { Neighbour, Route, Rule } from '../../src/model/route.ts';
import type { NftTable } from '../../src/nfnl/ruleset.ts';
import { sysctlDevice } from '../../src/plan/desired.ts';
import type { LinkAttributes } from '../../src/plan/op.ts';

/** A refusal: the errno's name. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, why: string) {
    super(why);
    this.code = code;
  }
}

type Address = { readonly ip: IpInterface; readonly peer?: IpInterface; readonly text: string };

export type Device = {
  space: Space;
  ifname: string;
  readonly type: string;
  /** What its kind decides, without names of other devices. */
  readonly data: Readonly<Record<string, unknown>>;
  readonly altnames: string[];
  mac: string | undefined;
  mtu: number;
  /** Of a bridge: it follows its ports no longer. */
  mtuSet?: true;
  group: number;
  up: boolean;
  addrgenmode: 'none' | 'eui64';
  master: Device | undefined;
  readonly parent: Device | undefined;
  peer: Device | undefined;
  readonly addresses: Address[];
  readonly port: Record<string, unknown>;
  /** VLAN to whether it is the one of untagged frames. */
  readonly vlans: Map<number, boolean>;
  readonly fdb: IpAddress[];
  wireguard: string | undefined;
  qdisc: Qdisc | undefined;
  /** The devices that stand on it, in whichever namespace. */
  readonly children: Set<Device>;
};

type RouteEntry = { readonly route: Omit<Route, 'path'>; readonly devices: readonly Device[] };
type NeighbourEntry = { readonly neighbour: Omit<Neighbour, 'path'>; readonly device: Device };

export class Space {
  readonly place: Place;
  readonly devices = new Map<string, Device>();
  routes: RouteEntry[] = [];
  rules: Omit<Rule, 'path'>[] = [];
  neighbours: NeighbourEntry[] = [];
  readonly sysctls = new Map<string, string>();
  readonly tables = new Map<string, NftTable>();
  constructor(place: Place) {
    this.place = place;
  }
}

const MASTERS = new Set(['bridge', 'vrf', 'bond']);
export const IPV6_MIN_MTU = 1280;
const BR_MAX_PORTS = 1023;

export type Snapshot = Readonly<Record<string, SpaceSnapshot>>;
export type SpaceSnapshot = {
  readonly devices: Readonly<Record<string, DeviceSnapshot>>;
  readonly routes: readonly string[];
  readonly rules: readonly string[];
  readonly neighbours: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly tables: readonly string[];
  readonly etc: Readonly<Record<string, string>>;
};
export type DeviceSnapshot = {
  readonly type: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly group: number;
  readonly mac: string | undefined;
  readonly altnames: readonly string[];
  readonly master: string | undefined;
  readonly peer: string | undefined;
  readonly addrgenmode: 'none' | 'eui64' | undefined;
  readonly addresses: readonly string[];
  readonly data: string;
  readonly port: Readonly<Record<string, unknown>>;
  readonly vlans: readonly string[];
  readonly fdb: readonly string[];
  readonly wireguard: string | undefined;
  readonly qdisc: string | undefined;
};

export function deviceSnapshot(device: Device): DeviceSnapshot {
  const { type, up, mtu, group, mac, master, peer, port, wireguard } = device;
  return {
    type,
    up,
    mtu,
    group,
    mac,
    altnames: [...device.altnames].sort(),
    master: master?.ifname,
    peer: peer && `${peer.space.place ?? 'host'} ${peer.ifname}`,
    addrgenmode: hasOwnMode(device) ? device.addrgenmode : undefined,
    addresses: device.addresses.map(({ text }) => text),
    data: canonical(device.data),
    port: { ...port },
    vlans: [...device.vlans].sort(([a], [b]) => a - b).map(([vid, pvid]) => `${vid}${pvid ? ' pvid' : ''}`),
    fdb: [...device.fdb].sort(),
    wireguard,
    qdisc: device.qdisc === undefined ? undefined : canonical(device.qdisc),
  };
}

/** What a port of a bridge has as such goes when it is none any more. */
export function release(device: Device): void {
  device.master = undefined;
  device.vlans.clear();
  for (const key of Object.keys(device.port)) delete device.port[key];
}

/** Nobody asks for the mode of what has no IPv6, or whose addresses the kernel itself keeps away (a bond's ports). */
function hasOwnMode({ mtu, type, master }: Device): boolean {
  return mtu >= IPV6_MIN_MTU && type !== 'loopback' && master?.type !== 'bond';
}

/** As JSON, with the keys in order. */
export function canonical(data: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1))));
}

export function addLoopback(space: Space): Device {
  return newDevice(space, { ifname: 'lo' as IfName, mtu: 65536 }, 'loopback');
}

export function defaultMode(space: Space): 'none' | 'eui64' {
  return space.sysctls.get('net.ipv6.conf.default.addr_gen_mode') === '1' ? 'none' : 'eui64';
}

// biome-ignore lint/complexity/useMaxParams: a parent is the rare case
export function newDevice(
  space: Space,
  link: LinkAttributes,
  type: string,
  data: Readonly<Record<string, unknown>> = {},
  parent?: Device,
): Device {
  const device: Device = {
    space,
    ifname: link.ifname,
    type,
    data,
    altnames: [],
    mac: link.mac,
    mtu: link.mtu ?? parent?.mtu ?? 1500,
    group: link.group ?? 0,
    up: type === 'nic',
    addrgenmode: defaultMode(space),
    master: undefined,
    parent,
    peer: undefined,
    addresses: [],
    port: {},
    vlans: new Map(),
    fdb: [],
    qdisc: undefined,
    wireguard: undefined,
    children: new Set(),
  };
  parent?.children.add(device);
  space.devices.set(device.ifname, device);
  return device;
}

/** What refers to a device that goes away or moves. */
export function forget(device: Device): void {
  device.parent?.children.delete(device);
  const { space } = device;
  space.routes = space.routes.filter(({ devices }) => !devices.includes(device));
  space.neighbours = space.neighbours.filter((entry) => entry.device !== device);
  for (const key of space.sysctls.keys()) if (sysctlDevice(key) === device.ifname) space.sysctls.delete(key);
}

export function checkParent(type: string, parent: Device | undefined, link: LinkAttributes): void {
  if (parent === undefined) return;
  const tooLarge = link.mtu !== undefined && link.mtu > parent.mtu;
  if (tooLarge && (type === 'vlan' || type === 'macvlan')) throw new Refused('EINVAL', 'mtu');
  if (type === 'macvlan' && parent.master?.type === 'bridge')
    throw new Refused('EBUSY', 'a port of a bridge');
}

export function setMtu(device: Device, mtu: number): void {
  if (mtu < 68) throw new Refused('EINVAL', `mtu ${mtu}`);
  if (device.mtu === mtu) return;
  device.mtu = mtu;
  device.mtuSet = true;
  mtuChanged(device);
}

/** NETDEV_CHANGEMTU: what stands on it comes down with it, and its bridge follows. */
function mtuChanged(device: Device): void {
  for (const other of device.children) {
    if (other.mtu <= device.mtu) continue;
    other.mtu = device.mtu;
    mtuChanged(other);
  }
  if (device.master !== undefined) adjustMtu(device.master);
}

/** br_mtu_auto_adjust() */
function adjustMtu(bridge: Device): void {
  if (bridge.type !== 'bridge' || bridge.mtuSet) return;
  const ports = [...bridge.space.devices.values()].filter(({ master }) => master === bridge);
  const least = Math.min(...ports.map(({ mtu }) => mtu));
  if (ports.length === 0 || least === bridge.mtu) return;
  bridge.mtu = least;
  mtuChanged(bridge);
}

export function enslave(device: Device, master: Device): void {
  if (!MASTERS.has(master.type)) throw new Refused('EOPNOTSUPP', `${master.ifname} takes no ports`);
  for (let m: Device | undefined = master; m !== undefined; m = m.master) {
    if (m === device) throw new Refused('ELOOP', device.ifname);
  }
  // do_set_master(): out of the one it has first.
  release(device);
  if (master.type === 'bridge') {
    if (device.type === 'bridge') throw new Refused('ELOOP', 'a bridge is no port of a bridge');
    const ports = [...master.space.devices.values()].filter((d) => d.master === master).length;
    if (ports >= BR_MAX_PORTS) throw new Refused('EXFULL', master.ifname);
    const pvid = master.data['vlan_default_pvid'] ?? 1;
    if (typeof pvid === 'number' && pvid !== 0) device.vlans.set(pvid, true);
  }
  if (master.type === 'bond' && device.up) throw new Refused('EPERM', 'a bond takes no port that is up');
  device.master = master;
  adjustMtu(master);
}

export function raise(device: Device): void {
  if (device.type === 'vlan' && device.parent?.up === false)
    throw new Refused('ENETDOWN', 'the parent is down');
  device.up = true;
}

export function hasAddress(space: Space, address: IpAddress): boolean {
  return [...space.devices.values()].some((d) => d.addresses.some(({ ip }) => addressOf(ip) === address));
}

/** The devices that are up on whose link the address is: by a subnet, or by a route without a gateway. */
export function onLink(space: Space, address: IpAddress): Device[] {
  const bySubnet = [...space.devices.values()].filter(
    (d) => d.up && d.addresses.some(({ ip, peer }) => prefixContains(subnetOf(peer ?? ip), address)),
  );
  const byRoute = space.routes
    .filter(
      ({ route }) =>
        route.via === undefined && route.nexthops === undefined && prefixContains(route.to, address),
    )
    .flatMap(({ devices }) => devices);
  return [...bySubnet, ...byRoute];
}
