// The dumps of one namespace, with as few system calls as it takes: what only some kinds of devices have is asked for only where
// there is such a device. The calling thread is in the namespace. Nothing here changes anything.

import type { IfName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';
import { readTables } from '../nfnl/all-tables.ts';
import type { TableForm } from '../nfnl/read.ts';
import { type Address, getAddresses } from '../rtnl/addr.ts';
import { getPortVlans, type PortVlan } from '../rtnl/bridge-port.ts';
import { getLinks, type Link } from '../rtnl/link.ts';
import { type FdbEntry, getFdb, getNeighbours, type Neighbour } from '../rtnl/neigh.ts';
import { getRootQdiscs, type RootQdisc } from '../rtnl/qdisc.ts';
import { getRoutes, type Route } from '../rtnl/route.ts';
import { AF_INET, AF_INET6 } from '../rtnl/rtnetlink.ts';
import { getRules, type Rule } from '../rtnl/rule.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import { findWireguard, getWireguard, type WireguardDevice } from '../rtnl/wireguard.ts';
import { readQuietly } from '../sys/sysctl.ts';

export type RawNetns = {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly neighbours: readonly Neighbour[];
  /** Of bridges and vxlans; empty where there is no vxlan. */
  readonly fdb: readonly FdbEntry[];
  /** By the index of the port; empty where there is no bridge. */
  readonly vlans: ReadonlyMap<number, readonly PortVlan[]>;
  readonly wireguard: ReadonlyMap<number, WireguardDevice>;
  /** What is at the root of a device, by its index; empty where no device has anything that impairs. */
  readonly qdiscs: ReadonlyMap<number, RootQdisc['qdisc']>;
  readonly tables: readonly TableForm[];
  readonly strangeTables: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
};

/** What to read besides what every namespace has. */
export type Ask = {
  /** Keys as sysctl(8) prints them; a dot inside an interface name is written `/`. */
  readonly sysctls?: (place: Place) => readonly string[];
  /** False leaves out whether it forwards: a setting takes longer than a dump of rtnetlink. */
  readonly forwarding?: false;
};

/** Whether it is a router. */
export const FORWARDING = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'];

/** Everything, of the namespace where the calling thread is. */
export function readRaw(sysctls: readonly string[]): RawNetns {
  using route = Transport.open(NETLINK_ROUTE);
  const links = getLinks(route);
  const has = (kind: string) => links.some((link) => link.kind === kind);
  return {
    links,
    addresses: getAddresses(route),
    // A kernel without IPv6 answers for it with what it has.
    routes: [AF_INET, AF_INET6].flatMap((family) =>
      getRoutes(route, { family: family as typeof AF_INET }).filter((found) => found.family === family),
    ),
    rules: [AF_INET, AF_INET6].flatMap((family) =>
      getRules(route, family as typeof AF_INET).filter((found) => found.family === family),
    ),
    neighbours: [...getNeighbours(route), ...getNeighbours(route, { proxy: true })],
    fdb: has('vxlan') ? getFdb(route) : [],
    vlans: has('bridge') ? getPortVlans(route) : new Map(),
    qdiscs: links.some(({ qdisc }) => qdisc === 'netem' || qdisc === 'tbf')
      ? new Map(getRootQdiscs(route).map(({ ifindex, qdisc }) => [ifindex, qdisc]))
      : new Map(),
    wireguard: has('wireguard') ? readWireguard(links) : new Map(),
    ...readTables(),
    sysctls: readSysctls(sysctls),
  };
}

function readWireguard(links: readonly Link[]): Map<number, WireguardDevice> {
  const found = new Map<number, WireguardDevice>();
  using generic = Transport.open(NETLINK_GENERIC);
  const family = findWireguard(generic);
  if (family === undefined) return found;
  for (const { ifindex, kind } of links) {
    if (kind === 'wireguard') found.set(ifindex, getWireguard(generic, family, ifindex));
  }
  return found;
}

function readSysctls(keys: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const key of keys) {
    const value = found[key] ?? readQuietly(key);
    if (value !== undefined) found[key] = value;
  }
  return found;
}

/** Names of devices by their indexes. */
export function namesOf({ links }: Pick<RawNetns, 'links'>): Map<number, IfName> {
  return new Map(links.map((link) => [link.ifindex, link.ifname as IfName]));
}
