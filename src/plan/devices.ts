// The devices of a lab, made and set up: which end a wire is made from, what rides in the message that makes a device, and what
// has to follow it. Every rule here is one of the kernel's (net/core/rtnetlink.c: rtnl_newlink_create(), do_setlink()).

import { assertNever } from '../base/result.ts';
import type { Interface } from '../model/interface.ts';
import type { Place } from '../model/lab.ts';
import type { Device, Site } from './desired.ts';
import type { LinkAttributes, LinkData, Op } from './op.ts';

type SetLink = Extract<Op, { readonly kind: 'setLink' }>;
type SetPort = Extract<Op, { readonly kind: 'setPort' }>;

/** Built field by field: most are absent, and spreading conditional parts costs several times as much. */
type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** What making a device has settled; the rest is for `configure`. */
type Made = {
  readonly altname: boolean;
  readonly master: boolean;
  readonly up: boolean;
};

const NOTHING: Made = { altname: false, master: false, up: false };

export class DevicePlan {
  private readonly ops: Op[];
  private readonly group: number;
  private readonly begun = new Set<Device>();
  private readonly made = new Map<Device, Made>();
  private readonly settled = new Set<Device>();
  private readonly configured = new Set<Device>();

  /** `group` marks what is made in the machine's own namespace. */
  constructor(ops: Op[], group: number) {
    this.ops = ops;
    this.group = group;
  }

  /** Masters first, then wires by the place they are made from, then the rest; each after the devices it needs. */
  make(sites: readonly Site[]): void {
    const devices = sites.flatMap((site) => site.devices);
    for (const device of devices) if (isMaster(device.iface)) this.makeDevice(device);
    for (const wires of wiresByPlace(devices)) for (const near of wires) this.makeDevice(near);
    for (const device of devices) this.makeDevice(device);
  }

  /** The settings of a device that must be there before it carries traffic, and then up. */
  configure(device: Device): void {
    const made = this.made.get(device);
    if (made === undefined || this.configured.has(device)) return;
    this.configured.add(device);
    const { place, iface, parent } = device;
    // A vlan cannot be up before the device it stands on (ENETDOWN), even where that is another node's.
    if (parent !== undefined) this.configure(parent);
    // A bridge takes its MTU over from its ports, so all of them are plugged in before it is told its own.
    if (iface.type === 'bridge') for (const port of device.ports) this.configure(port);
    this.settle(device, made);
    if (iface.type === 'wireguard') {
      const { private_key, listen_port, fwmark, peers, ifname } = iface;
      this.ops.push({
        kind: 'setWireguard',
        place,
        ifname,
        private_key,
        ...(listen_port !== undefined && { listen_port }),
        ...(fwmark !== undefined && { fwmark }),
        peers,
      });
    }
    if (iface.up && !made.up) this.ops.push({ kind: 'setLink', place, ifname: iface.ifname, up: true });
  }

  /** What comes before up; of its vlans too, since the kernel sets them up with it (vlan_device_event(), NETDEV_UP). */
  private settle(device: Device, made: Made): void {
    if (this.settled.has(device)) return;
    this.settled.add(device);
    const { place } = device;
    if (!made.altname) this.addAltname(device);
    this.push(lateSettings(device, made));
    for (const { key, value } of device.sysctls) this.ops.push({ kind: 'setSysctl', place, key, value });
    this.configurePort(device);
    for (const child of device.children) {
      const own = this.made.get(child);
      if (own !== undefined && child.iface.type === 'vlan') this.settle(child, own);
    }
  }

  private makeDevice(device: Device): void {
    const { iface } = device;
    if (this.begun.has(device) || iface.type === 'loopback') return;
    this.begun.add(device);
    this.makeNeeds(device);
    if (iface.type === 'veth') this.makeWire(device);
    else if (iface.type === 'physical') this.moveIn(device, iface);
    else this.makeSingle(device, iface);
  }

  private makeNeeds({ master, parent }: Device): void {
    if (master !== undefined) this.makeDevice(master);
    if (parent !== undefined) this.makeDevice(parent);
  }

  private makeWire(device: Device): void {
    const { near, far } = wireEnds(device);
    const up = canBeBornUp(near);
    this.begun.add(far);
    if (near !== device) this.begun.add(near);
    this.makeNeeds(near);
    this.makeNeeds(far);
    const link: Writable<LinkAttributes> = this.attributes(near);
    if (near.iface.altname !== undefined) link.altname = near.iface.altname;
    if (near.iface.master !== undefined) link.master = near.iface.master;
    if (up) link.up = true;
    // The peer's part of the message knows neither IFLA_MASTER nor, before the pair exists, IFF_UP (ENOTCONN).
    const peer = Object.assign(this.attributes(far), { place: far.place });
    this.ops.push({
      kind: 'createLink',
      place: near.place,
      link: Object.assign(link, { type: 'veth' as const, peer }),
    });
    this.made.set(near, { altname: true, master: true, up });
    this.made.set(far, NOTHING);
  }

  private moveIn(device: Device, iface: Extract<Interface, { readonly type: 'physical' }>): void {
    const { place } = device;
    this.ops.push({ kind: 'moveLink', device: iface.device, place, ifname: iface.ifname });
    this.setBasics(device);
  }

  private makeSingle(device: Device, iface: Exclude<Interface, { readonly type: Special }>): void {
    const data = linkData(iface);
    const { ifname, altname } = iface;
    if (data.type === 'tun' || data.type === 'tap') {
      // Made by an ioctl of /dev/net/tun, which takes a name and nothing else.
      this.ops.push({
        kind: 'createLink',
        place: device.place,
        link: { ifname, ...(device.place === null && { group: this.group }), ...data },
      });
      this.setBasics(device);
      return;
    }
    const up = canBeBornUp(device);
    // Made from its parent's place, where the name of a master would mean another device.
    const local = !('link' in iface) || iface.link === undefined || iface.link.place === device.place;
    const master = local ? iface.master : undefined;
    this.ops.push({
      kind: 'createLink',
      place: device.place,
      link: {
        ...this.attributes(device),
        ...(altname !== undefined && { altname }),
        ...(master !== undefined && { master }),
        ...(up && { up }),
        ...data,
      },
    });
    this.made.set(device, { altname: true, master: local, up });
  }

  /** MAC and MTU of a device whose making could not carry them; at once, since what stands on it takes its MTU over. */
  private setBasics(device: Device): void {
    const { place, iface } = device;
    const op: Writable<SetLink> = { kind: 'setLink', place, ifname: iface.ifname };
    if (iface.mac !== undefined) op.mac = iface.mac;
    if (iface.mtu !== undefined) op.mtu = iface.mtu;
    this.push(op);
    this.made.set(device, NOTHING);
  }

  /** A request of its own: RTM_NEWLINKPROP. */
  private addAltname({ place, iface }: Device): void {
    const { ifname, altname } = iface;
    if (altname !== undefined) this.ops.push({ kind: 'setLink', place, ifname, altname });
  }

  /** Leaves out a request that would set nothing. */
  private push(op: SetLink): void {
    if (Object.keys(op).length > 3) this.ops.push(op);
  }

  private attributes({ place, iface }: Device): Writable<LinkAttributes> {
    const attributes: Writable<LinkAttributes> = { ifname: iface.ifname };
    if (iface.mac !== undefined) attributes.mac = iface.mac;
    if (iface.mtu !== undefined) attributes.mtu = iface.mtu;
    if (place === null) attributes.group = this.group;
    return attributes;
  }

  private configurePort({ place, iface, master }: Device): void {
    const { ifname, port } = iface;
    if (port === undefined) return;
    const { vlan, vlans, ...settings } = port;
    const op: SetPort = { kind: 'setPort', place, ifname, ...settings };
    if (Object.keys(settings).length > 0) this.ops.push(op);
    for (const { from, to } of vlans ?? []) {
      this.ops.push({ kind: 'addVlan', place, ifname, from, to, pvid: false });
    }
    if (vlan === undefined) return;
    // The bridge put every new port into its default VLAN; the one of the file takes its place.
    const before = master?.iface.type === 'bridge' ? (master.iface.vlan_default_pvid ?? 1) : 0;
    const kept = vlans?.some(({ from, to }) => from <= before && before <= to) ?? false;
    if (before !== 0 && before !== vlan && !kept)
      this.ops.push({ kind: 'delVlan', place, ifname, vid: before });
    this.ops.push({ kind: 'addVlan', place, ifname, from: vlan, to: vlan, pvid: true });
  }
}

function isMaster(iface: Interface): boolean {
  return iface.type === 'bridge' || iface.type === 'vrf' || iface.type === 'bond';
}

/** The end a wire is made from, each wire once, those of one place together. */
function wiresByPlace(devices: readonly Device[]): Iterable<Device[]> {
  const byPlace = new Map<Place, Device[]>();
  const seen = new Set<Device>();
  for (const device of devices) {
    if (device.iface.type !== 'veth' || seen.has(device)) continue;
    const { near, far } = wireEnds(device);
    seen.add(near).add(far);
    const wires = byPlace.get(near.place);
    if (wires === undefined) byPlace.set(near.place, [near]);
    else wires.push(near);
  }
  return byPlace.values();
}

/**
 * A wire is made from the end that is a bridge's port, so that the ports of a switch are one batch and are plugged in by the
 * message that makes them; else from the machine's end, else from the first.
 */
function wireEnds(device: Device): { near: Device; far: Device } {
  const { peer } = device;
  if (peer === undefined)
    throw new Error(`${device.iface.path}: the other end of the wire is not in the lab`);
  if (isPort(peer) !== isPort(device))
    return isPort(device) ? { near: device, far: peer } : { near: peer, far: device };
  if (peer.place === null && device.place !== null) return { near: peer, far: device };
  return { near: device, far: peer };
}

function isPort(device: Device): boolean {
  return device.master?.iface.type === 'bridge';
}

/** True where nothing has to be set between making and up. What has a parent waits for its turn, after the parent's. */
function canBeBornUp(device: Device): boolean {
  const { iface, addrgenmode, sysctls, master } = device;
  if (losesMtu(device)) return false;
  if (!iface.up || addrgenmode !== undefined || sysctls.length > 0 || iface.port !== undefined) return false;
  // A bond takes no port that is up; a vrf would take it down and up again.
  if (iface.master !== undefined && master?.iface.type !== 'bridge') return false;
  return iface.type === 'veth' || iface.type === 'bridge' || iface.type === 'dummy' || iface.type === 'ifb';
}

function lateSettings(device: Device, made: Made): SetLink {
  const { place, iface, addrgenmode } = device;
  const op: Writable<SetLink> = { kind: 'setLink', place, ifname: iface.ifname };
  if (iface.mtu !== undefined && losesMtu(device)) op.mtu = iface.mtu;
  if (!made.master && iface.master !== undefined) op.master = iface.master;
  if (addrgenmode !== undefined) op.addrgenmode = addrgenmode;
  return op;
}

/**
 * A bridge follows the smallest MTU of its ports until one is set that differs from what it has (br_mtu_auto_adjust(),
 * BROPT_MTU_SET_BY_USER): the one it was made with does not count.
 */
function losesMtu({ iface, ports }: Device): boolean {
  if (iface.type !== 'bridge' || iface.mtu === undefined) return false;
  return ports.some((port) => port.iface.mtu !== iface.mtu);
}

/** Made otherwise than by a message of their own kind. */
type Special = 'veth' | 'physical' | 'loopback';
type SingleData = Exclude<LinkData, { readonly type: 'veth' }>;

/** The part of an interface that its kind alone decides. */
function linkData(iface: Exclude<Interface, { readonly type: Special }>): SingleData {
  const { name, ifname, altname, mac, mtu, up, addresses, master, port, ipv6, path, ...data } = iface;
  switch (data.type) {
    case 'tun':
    case 'tap': {
      const { type, owner, group } = data;
      return { type, ...(owner !== undefined && { uid: owner }), ...(group !== undefined && { gid: group }) };
    }
    case 'wireguard':
      return { type: 'wireguard' };
    case 'bridge':
    case 'vlan':
    case 'vxlan':
    case 'macvlan':
    case 'ipvlan':
    case 'dummy':
    case 'ifb':
    case 'vrf':
    case 'gre':
    case 'gretap':
    case 'bond':
      return data;
    default:
      return assertNever(data);
  }
}
