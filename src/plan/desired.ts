// From the lab's data to the devices it asks for: each with what it needs before it can be made (a master, a device it stands
// on, the other end of its wire) and with those settings that follow from its surroundings. No order is decided here.
// The rules are the kernel's: net/core/rtnetlink.c, net/ipv6/addrconf.c, drivers/net/veth.c.

import { ipFamily } from '../base/ip.ts';
import { ownsNetns } from '../model/container.ts';
import type { Interface } from '../model/interface.ts';
import type { Lab, Node, Place, Sysctl } from '../model/lab.ts';

export type Device = {
  readonly place: Place;
  readonly iface: Interface;
  /** The sysctls of the node that name this device, in the order of the file. */
  sysctls: readonly Sysctl[];
  /** How IPv6 link-local addresses are made here, where the device's namespace would have it otherwise. */
  addrgenmode: 'none' | 'eui64' | undefined;
  /** The bridge, vrf or bond it is a port of. */
  master: Device | undefined;
  /** What has it as its master. */
  readonly ports: Device[];
  /** What it stands on (a vlan's parent), when that is the lab's as well. */
  parent: Device | undefined;
  /** What stands on it. */
  readonly children: Device[];
  /** The other end of the wire. */
  peer: Device | undefined;
};

/** A node with its devices, in the order of the file. */
export type Site = {
  readonly node: Node;
  readonly devices: readonly Device[];
  /** The sysctls that name none of its devices. */
  readonly sysctls: readonly Sysctl[];
  /** New devices of this namespace shall have no IPv6 link-local address, so that bridge ports can be born up. */
  readonly quiet: boolean;
};

/** The loopback device is born with its namespace. */
export const LOOPBACK = 'lo';

/**
 * Resolves every name of the lab's interfaces. The machine's own node comes last; containers in a network namespace that is not
 * theirs are no sites.
 */
export function desiredSites(lab: Lab): Site[] {
  const index = new Map<Place, Map<string, Device>>();
  const own = lab.nodes.filter(ownsNetns);
  const nodes = [...own.filter((n) => n.place !== null), ...own.filter((n) => n.place === null)];
  const sites = nodes.map((node) => desiredSite(node, index));
  for (const site of sites) for (const device of site.devices) resolve(device, index);
  for (const site of sites) {
    for (const device of site.devices) {
      device.addrgenmode = addrgenmode(device, site.quiet);
      device.sysctls = [...withoutDad(device), ...device.sysctls];
    }
  }
  return sites;
}

function desiredSite(node: Node, index: Map<Place, Map<string, Device>>): Site {
  const { general, byDevice } = splitSysctls(node);
  const quiet = isQuiet(node);
  const known = index.get(node.place) ?? new Map<string, Device>();
  index.set(node.place, known);
  const devices = node.interfaces.map((iface) => {
    const device: Device = {
      place: node.place,
      iface,
      sysctls: byDevice.get(iface.ifname) ?? [],
      addrgenmode: undefined,
      master: undefined,
      ports: [],
      parent: undefined,
      children: [],
      peer: undefined,
    };
    known.set(iface.ifname, device);
    return device;
  });
  return { node, devices, sysctls: general, quiet };
}

function resolve(device: Device, index: Map<Place, Map<string, Device>>): void {
  const { iface, place } = device;
  if (iface.master !== undefined) {
    device.master = index.get(place)?.get(iface.master);
    device.master?.ports.push(device);
  }
  if (iface.type === 'veth') device.peer = index.get(iface.peer.place)?.get(iface.peer.ifname);
  if ('link' in iface && iface.link !== undefined) {
    device.parent = index.get(iface.link.place)?.get(iface.link.ifname);
    device.parent?.children.push(device);
  }
}

/**
 * A namespace with a bridge: its ports are made by the message that also plugs them in and sets them up, too early for an
 * addr_gen_mode of their own (IFLA_AF_SPEC is read by RTM_SETLINK only), so the namespace's default has to say it.
 */
function isQuiet(node: Node): boolean {
  if (node.place === null) return false;
  const { interfaces } = node;
  if (!interfaces.some((i) => i.type === 'bridge')) return false;
  return interfaces.some((i) => i.type !== 'loopback' && !i.ipv6);
}

// IPV6_MIN_MTU: below it a device has no IPv6 state at all, and a mode cannot be set (EAFNOSUPPORT).
const IPV6_MIN_MTU = 1280;
const ETHERNET_MTU = 1500;

function addrgenmode(device: Device, quiet: boolean): 'none' | 'eui64' | undefined {
  const { iface } = device;
  if (iface.type === 'loopback' || iface.ipv6 === !quiet) return undefined;
  if (mtuOf(device) < IPV6_MIN_MTU) return undefined;
  // The kernel itself keeps a bond's ports free of addresses (IFF_SLAVE, IFF_NO_ADDRCONF).
  if (device.master?.iface.type === 'bond') return undefined;
  return iface.ipv6 ? 'eui64' : 'none';
}

/**
 * What a vlan and its like take their MTU of. A bridge has the smallest of its ports' until its own is set, and what stands on it keeps
 * that (NETDEV_CHANGEMTU in vlan_device_event()).
 */
function below(parent: Device): readonly Device[] {
  return parent.iface.type === 'bridge' ? [parent, ...parent.ports] : [parent];
}

/** The MTU it comes to, unless the kernel chose another default than Ethernet's. */
function mtuOf(device: Device, seen: ReadonlySet<Device> = new Set()): number {
  const { iface, parent, ports } = device;
  if (iface.mtu !== undefined) return iface.mtu;
  // A loop, which the kernel will refuse.
  if (seen.has(device)) return ETHERNET_MTU;
  const lower =
    iface.type === 'bridge' ? ports : parent === undefined || iface.type === 'vxlan' ? [] : below(parent);
  if (lower.length === 0) return ETHERNET_MTU;
  const before = new Set([...seen, device]);
  return lower.reduce((least, other) => Math.min(least, mtuOf(other, before)), Number.POSITIVE_INFINITY);
}

/**
 * A lab is usable when `up` returns. The link-local address counts too: a router needs it as the source of its neighbour
 * solicitations, and for the second or two of duplicate address detection it would forward nothing (ndisc_solicit()). The file
 * asks for detection with `dad: true` on an address.
 */
function withoutDad(device: Device): Sysctl[] {
  const { ifname, type, ipv6, addresses, path } = device.iface;
  if (!ipv6 || type === 'loopback' || mtuOf(device) < IPV6_MIN_MTU) return [];
  if (addresses.some(({ ip, nodad }) => ipFamily(ip) === 6 && !nodad)) return [];
  return [{ key: `net.ipv6.conf.${ifname.replaceAll('.', '/')}.accept_dad`, value: '0', path }];
}

/** net.ipv4.conf.IF.*, net.ipv6.neigh.IF.* and the like; a dot of the interface's name is written as a slash. */
const perDevice = /^net\.(?:ipv4|ipv6|mpls)\.(?:conf|neigh)\.([^.]+)\./;

/** The interface a sysctl names, `all` and `default` among them, or undefined. */
export function sysctlDevice(key: string): string | undefined {
  return perDevice.exec(key)?.[1]?.replaceAll('/', '.');
}

function splitSysctls(node: Node): { general: Sysctl[]; byDevice: Map<string, Sysctl[]> } {
  const general: Sysctl[] = [];
  const byDevice = new Map<string, Sysctl[]>();
  if (node.sysctls.length === 0) return { general, byDevice };
  const names = new Set<string>(node.interfaces.filter((i) => i.type !== 'loopback').map((i) => i.ifname));
  for (const sysctl of node.sysctls) {
    const device = sysctlDevice(sysctl.key);
    if (device === undefined || !names.has(device)) general.push(sysctl);
    else byDevice.set(device, [...(byDevice.get(device) ?? []), sysctl]);
  }
  return { general: [...general.filter(isForwarding), ...general.filter((s) => !isForwarding(s))], byDevice };
}

/** Writing one of these resets others of the namespace (inet_forward_change() and its like), so they are written first. */
function isForwarding(sysctl: Sysctl): boolean {
  return /^net\.(ipv4\.ip_forward|ipv[46]\.conf\.all\.forwarding)$/.test(sysctl.key);
}
