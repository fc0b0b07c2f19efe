// The devices of a lab, made and set up: which end a wire is made from, what rides in the message that makes a device, and what
// has to follow it. Every rule here is one of the kernel's (net/core/rtnetlink.c: rtnl_newlink_create(), do_setlink()).

import { assertNever } from '../base/result.ts';
import type { Interface } from '../model/interface.ts';
import type { Place } from '../model/lab.ts';
import { type Device, LOOPBACK, type Site } from './desired.ts';
import type { LinkAttributes, LinkData, Op } from './op.ts';

type SetLink = Extract<Op, { readonly kind: 'setLink' }>;
type SetPort = Extract<Op, { readonly kind: 'setPort' }>;

/** What making a device has settled; the rest is for `configure`. */
type Made = {
  readonly altname: boolean;
  readonly attributes: boolean;
  readonly master: boolean;
  readonly up: boolean;
};

const NOTHING: Made = { altname: false, attributes: false, master: false, up: false };

export class DevicePlan {
  private readonly ops: Op[];
  private readonly group: number;
  private readonly begun = new Set<Device>();
  private readonly made = new Map<Device, Made>();

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
    if (made === undefined) return;
    this.made.delete(device);
    const { place, iface } = device;
    this.push(lateSettings(device, made));
    for (const { key, value } of device.sysctls) this.ops.push({ kind: 'setSysctl', place, key, value });
    this.configurePort(device);
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

  private makeDevice(device: Device): void {
    if (this.begun.has(device) || device.iface.ifname === LOOPBACK) return;
    this.begun.add(device);
    this.makeNeeds(device);
    if (device.iface.type === 'veth') this.makeWire(device);
    else if (device.iface.type === 'physical') this.moveIn(device, device.iface);
    else this.makeSingle(device, device.iface);
    // A device that is down cannot carry a vlan that is up (ENETDOWN), and its own node's turn may come too late.
    if (device.carriesOther) this.configure(device);
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
    this.ops.push({
      kind: 'createLink',
      place: near.place,
      link: {
        ...this.attributes(near),
        ...(near.iface.altname !== undefined && { altname: near.iface.altname }),
        ...(near.master !== undefined && { master: near.master.iface.ifname }),
        ...(up && { up }),
        type: 'veth',
        // The peer's part of the message knows neither IFLA_MASTER nor, before the pair exists, IFF_UP (ENOTCONN).
        peer: { ...this.attributes(far), place: far.place },
      },
    });
    this.made.set(near, { altname: true, attributes: true, master: true, up });
    this.made.set(far, { ...NOTHING, attributes: true });
    if (near !== device && near.carriesOther) this.configure(near);
    if (far !== device && far.carriesOther) this.configure(far);
  }

  private moveIn(device: Device, iface: Extract<Interface, { readonly type: 'physical' }>): void {
    const { place } = device;
    this.ops.push({ kind: 'moveLink', device: iface.device, place, ifname: iface.ifname });
    this.setBasics(device);
  }

  private makeSingle(
    device: Device,
    iface: Exclude<Interface, { readonly type: 'veth' | 'physical' }>,
  ): void {
    const data = linkData(iface);
    const { ifname, altname } = iface;
    if (data.type === 'tun' || data.type === 'tap') {
      // Made by an ioctl of /dev/net/tun, which takes a name and nothing else.
      this.ops.push({
        kind: 'createLink',
        place: device.place,
        link: { ifname, ...this.mark(device.place), ...data },
      });
      this.setBasics(device);
      return;
    }
    const up = canBeBornUp(device);
    this.ops.push({
      kind: 'createLink',
      place: device.place,
      link: {
        ...this.attributes(device),
        ...(altname !== undefined && { altname }),
        ...(device.master !== undefined && { master: device.master.iface.ifname }),
        ...(up && { up }),
        ...data,
      },
    });
    this.made.set(device, { altname: true, attributes: true, master: true, up });
  }

  /** MAC and MTU of a device whose making could not carry them; at once, since what stands on it takes its MTU over. */
  private setBasics(device: Device): void {
    const { place, iface } = device;
    this.push({
      kind: 'setLink',
      place,
      ifname: iface.ifname,
      ...(iface.altname !== undefined && { altname: iface.altname }),
      ...(iface.mac !== undefined && { mac: iface.mac }),
      ...(iface.mtu !== undefined && { mtu: iface.mtu }),
    });
    this.made.set(device, { ...NOTHING, altname: true, attributes: true });
  }

  /** Leaves out a request that would set nothing. */
  private push(op: SetLink): void {
    if (Object.keys(op).length > 3) this.ops.push(op);
  }

  private attributes({ place, iface }: Device): LinkAttributes {
    return {
      ifname: iface.ifname,
      ...(iface.mac !== undefined && { mac: iface.mac }),
      ...(iface.mtu !== undefined && { mtu: iface.mtu }),
      ...this.mark(place),
    };
  }

  private mark(place: Place): { readonly group?: number } {
    return place === null ? { group: this.group } : {};
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
function canBeBornUp({ iface, addrgenmode, sysctls, master }: Device): boolean {
  if (!iface.up || addrgenmode !== undefined || sysctls.length > 0 || iface.port !== undefined) return false;
  // A bond takes no port that is up; a vrf would take it down and up again.
  if (master !== undefined && master.iface.type !== 'bridge') return false;
  return iface.type === 'veth' || iface.type === 'bridge' || iface.type === 'dummy' || iface.type === 'ifb';
}

function lateSettings({ place, iface, master, addrgenmode }: Device, made: Made): SetLink {
  return {
    kind: 'setLink',
    place,
    ifname: iface.ifname,
    ...(!made.altname && iface.altname !== undefined && { altname: iface.altname }),
    ...(!made.master && master !== undefined && { master: master.iface.ifname }),
    ...(addrgenmode !== undefined && { addrgenmode }),
  };
}

type SingleData = Exclude<LinkData, { readonly type: 'veth' }>;

/** The part of an interface that its kind alone decides. */
function linkData(iface: Exclude<Interface, { readonly type: 'veth' | 'physical' }>): SingleData {
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
