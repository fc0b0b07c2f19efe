// The lab as a list of ops, in the order in which they can run: all namespaces, then all devices, then the configuration node by
// node. Consecutive ops share their place as far as may be, because the executor sends those of one place as one batch.
// Pure: the same lab gives the same list. What the kernel demands of the order is said where it is met.

import type { IfName } from '../base/names.ts';
import { containerSysctls } from '../model/container-options.ts';
import { qdiscOf } from '../model/impairment.ts';
import type { Impairment, Lab, Place } from '../model/lab.ts';
import type { Route } from '../model/route.ts';
import { usernsOf } from '../model/userns.ts';
import { planContainers } from './containers.ts';
import { desiredSites, LOOPBACK, type Site } from './desired.ts';
import { DevicePlan } from './devices.ts';
import { nodeTable } from './filter.ts';
import { labGroup, tableName } from './mark.ts';
import { planEtc } from './names.ts';
import type { Op } from './op.ts';

/** Everything that makes the lab, from nothing. */
export function planLab(lab: Lab): Op[] {
  const sites = desiredSites(lab);
  const ops: Op[] = [];
  const impairments = impairmentsOf(lab);
  for (const { node } of sites) {
    if (node.place === null) continue;
    const userns = usernsOf(node);
    const owner = userns.mode === 'host' ? {} : { userns };
    ops.push({ kind: 'createNetns', netns: node.place, node: node.name, ...owner });
  }
  for (const site of sites) if (site.node.place !== null) planSysctls(site, ops);
  const devices = new DevicePlan(ops, labGroup(lab.name));
  devices.make(sites);
  for (const site of sites) {
    planInterfaces(site, devices, ops);
    planQdiscs(site, impairments, ops);
    planRouting(site, ops);
    const table = nodeTable(site.node, tableName(lab.name, site.node.place));
    if (table !== undefined) ops.push({ kind: 'addTable', place: site.node.place, table });
  }
  planEtc(lab, ops);
  planContainers(lab, ops);
  for (const node of lab.nodes) {
    const { name, place, container, execMayFail } = node;
    const where = container === undefined ? { place } : { place, container: true as const };
    const how = execMayFail === true ? { mayFail: true as const } : {};
    for (const argv of node.exec) ops.push({ kind: 'runCommand', node: name, ...where, argv, ...how });
  }
  return ops;
}

function planSysctls({ node: { place, container }, quiet, sysctls }: Site, ops: Op[]): void {
  // 1 is none: no link-local address, so no router solicitation, no duplicate address detection, no multicast report.
  if (quiet) ops.push({ kind: 'setSysctl', place, key: 'net.ipv6.conf.default.addr_gen_mode', value: '1' });
  // Whoever enters only the network namespace would set the others' in the machine: a container sets its own (container/build.ts).
  const own = sysctls.filter(({ key }) => container === undefined || key.startsWith('net.'));
  // Those are there for `ip netns exec` and in `explain` as well, so they are set with the namespace's others.
  if (container !== undefined && place !== null) {
    for (const [key, value] of Object.entries(containerSysctls)) {
      if (own.every((given) => given.key !== key)) ops.push({ kind: 'setSysctl', place, key, value });
    }
  }
  for (const { key, value } of own) ops.push({ kind: 'setSysctl', place, key, value });
}

function planInterfaces(site: Site, devices: DevicePlan, ops: Op[]): void {
  const { place } = site.node;
  if (place === null) planSysctls(site, ops);
  else planLoopback(site, ops);
  for (const device of site.devices) devices.configure(device);
  for (const { ifname, addresses } of site.node.interfaces) {
    for (const address of addresses) {
      ops.push({ kind: 'addAddress', place, ifname, address: withoutPath(address) });
    }
  }
}

type Impairments = ReadonlyMap<Place, ReadonlyMap<IfName, Impairment>>;

/** What happens to packets that leave an interface, by its place and name. */
function impairmentsOf({ links }: Lab): Impairments {
  const found = new Map<Place, Map<IfName, Impairment>>();
  for (const { ends, impair } of links) {
    for (const [i, { place, ifname }] of ends.entries()) {
      const given = impair[i] ?? undefined;
      if (given === undefined) continue;
      const own = found.get(place) ?? new Map<IfName, Impairment>();
      found.set(place, own.set(ifname, given));
    }
  }
  return found;
}

function planQdiscs({ node: { place, interfaces } }: Site, impairments: Impairments, ops: Op[]): void {
  const own = impairments.get(place);
  if (own === undefined) return;
  for (const { ifname, mtu } of interfaces) {
    const impairment = own.get(ifname);
    const qdisc = impairment === undefined ? undefined : qdiscOf(impairment, mtu);
    if (qdisc !== undefined) ops.push({ kind: 'setQdisc', place, ifname, qdisc });
  }
}

/** Born with its namespace, and down. */
function planLoopback({ node: { place }, devices }: Site, ops: Op[]): void {
  const iface = devices.find((device) => device.iface.type === 'loopback')?.iface;
  const ifname = LOOPBACK as IfName;
  if (iface?.mtu !== undefined) ops.push({ kind: 'setLink', place, ifname, mtu: iface.mtu });
  if (iface?.up !== false) ops.push({ kind: 'setLink', place, ifname, up: true });
}

function planRouting({ node }: Site, ops: Op[]): void {
  const { place } = node;
  for (const route of inOrder(node.routes)) ops.push({ kind: 'addRoute', place, route: withoutPath(route) });
  for (const rule of node.rules) ops.push({ kind: 'addRule', place, rule: withoutPath(rule) });
  for (const neighbour of node.neighbours) {
    ops.push({ kind: 'addNeighbour', place, neighbour: withoutPath(neighbour) });
  }
  for (const iface of node.interfaces) {
    if (iface.type !== 'vxlan') continue;
    for (const dst of iface.remotes) ops.push({ kind: 'addFdb', place, ifname: iface.ifname, dst });
  }
}

/**
 * A gateway must be on a link (fib_check_nh(), ip6_route_check_nh()): on a subnet of an interface or behind a route that has no
 * gateway itself. So those without come first, and the order of the file holds among the others.
 */
function inOrder(routes: readonly Route[]): readonly Route[] {
  if (routes.length < 2) return routes;
  return [...routes.filter((r) => !hasGateway(r)), ...routes.filter(hasGateway)];
}

function hasGateway(route: Route): boolean {
  return route.via !== undefined || (route.nexthops?.some((nexthop) => nexthop.via !== undefined) ?? false);
}

function withoutPath<T extends { readonly path: string }>(entry: T): Omit<T, 'path'> {
  const { path, ...rest } = entry;
  return rest;
}
