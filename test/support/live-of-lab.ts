// What the kernel would have of a lab that is up, made from the lab's data alone: for properties of comparing, which need no kernel.
// The ends of wires and all that the kernel fills in are filled in here as well.

import type { IfName } from '../../src/base/names.ts';
import type { Live } from '../../src/diff/difference.ts';
import type { LiveData, LiveDevice, LiveNetns, LiveRoute } from '../../src/live/netns.ts';
import { ownsNetns } from '../../src/model/container.ts';
import { impairmentOfQdisc } from '../../src/model/impairment.ts';
import type { Interface } from '../../src/model/interface.ts';
import type { Lab, Node } from '../../src/model/lab.ts';
import type { Route } from '../../src/model/route.ts';
import { formOf } from '../../src/nfnl/read.ts';
import { nodeTable } from '../../src/plan/filter.ts';
import { labGroup, tableName } from '../../src/plan/mark.ts';
import type { Op } from '../../src/plan/op.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
export type Places = Map<Node['place'], Writable<LiveNetns>>;

/** `ops` are those that made it. */
export function liveOfLab(lab: Lab, ops: readonly Op[]): Live & { readonly netns: Places } {
  const own = lab.nodes.filter(ownsNetns);
  const views = ops.flatMap((op) => (op.kind === 'linkEtc' ? [[op.netns, op.view] as const] : []));
  const files = ops.flatMap((op) => (op.kind === 'writeEtc' ? [[op.view, op.files] as const] : []));
  return {
    netns: new Map(own.map((node) => [node.place, liveNode(lab, node, ops)])),
    containers: new Map(),
    before: lab,
    views: new Map(views),
    files: new Map(files),
    nics: [],
    fresh: {},
  };
}

function liveNode(lab: Lab, node: Node, ops: readonly Op[]): LiveNetns {
  const { place } = node;
  const table = nodeTable(node, tableName(lab.name, place));
  const sysctls = ops.flatMap((op) =>
    op.kind === 'setSysctl' && op.place === place ? [[op.key, op.value]] : [],
  );
  const hasLoopback = node.interfaces.some(({ type }) => type === 'loopback');
  return {
    place,
    identity: place ?? '',
    devices: [
      ...(hasLoopback ? [] : [loopback()]),
      ...node.interfaces.map((iface, i) => ({
        ...liveDevice(lab, node, { iface, ifindex: i + 2 }),
        ...liveImpairment(ops, place, iface.ifname),
      })),
    ],
    routes: node.routes.map((route) => liveRoute(node, route)),
    rules: node.rules.map(({ path: _path, ...rule }) => ({ ...rule, protocol: 0, strange: false })),
    neighbours: node.neighbours.map(({ path: _path, ...neighbour }) => neighbour),
    tables: table === undefined ? [] : [formOf(table)],
    strangeTables: [],
    sysctls: Object.fromEntries(sysctls),
  };
}

function liveImpairment(
  ops: readonly Op[],
  place: Node['place'],
  ifname: IfName,
): Pick<LiveDevice, 'impair'> {
  const op = ops.find((one) => one.kind === 'setQdisc' && one.place === place && one.ifname === ifname);
  return op?.kind === 'setQdisc' && op.qdisc !== null ? { impair: impairmentOfQdisc(op.qdisc) } : {};
}

const nothing = { altnames: [], up: true, running: true, group: 0, addresses: [] } as const;

function loopback(): LiveDevice {
  return { ...nothing, ifindex: 1, ifname: 'lo' as IfName, data: { type: 'loopback' }, mtu: 65536 };
}

type Numbered = { readonly iface: Interface; readonly ifindex: number };

function liveDevice(lab: Lab, node: Node, { iface, ifindex }: Numbered): LiveDevice {
  const { ifname, altname, mac, mtu, up, master, ipv6, addresses } = iface;
  const bridge = node.interfaces.find((one) => one.ifname === master)?.type === 'bridge';
  const port = { cost: 2, priority: 32, hairpin: false, isolated: false, learning: true, guard: false };
  return {
    ...nothing,
    ifindex,
    ifname,
    altnames: altname === undefined ? [] : [altname],
    data: liveData(iface),
    ...(mac === undefined ? {} : { mac }),
    mtu: mtu ?? (iface.type === 'loopback' ? 65536 : 1500),
    up,
    group: node.place === null ? labGroup(lab.name) : 0,
    ...(master === undefined ? {} : { master }),
    ...(bridge ? { port: { ...port, ...iface.port, vlan: 1, vlans: [], strangeVlans: [] } } : {}),
    ...(iface.type === 'loopback' ? {} : { addrgenmode: ipv6 ? 'eui64' : 'none' }),
    addresses: addresses.map(({ ip, peer, scope, nodad }) => ({
      ip,
      ...(peer === undefined ? {} : { peer }),
      scope: scope ?? 'global',
      nodad,
      permanent: true,
      noprefixroute: false,
      tentative: false,
    })),
  };
}

function liveData(iface: Interface): LiveData {
  const { name, ifname, altname, mac, mtu, up, addresses, master, port, ipv6, path, aliases, ...data } =
    iface;
  if (data.type === 'veth') {
    const { place, ifname: far } = data.peer;
    return { type: 'veth', peer: { ifindex: 9, place, ifname: far } };
  }
  if ('link' in data && data.link !== undefined) {
    const link = { ifindex: 9, place: data.link.place, ifname: data.link.ifname };
    return { ...data, link } as LiveData;
  }
  return data as LiveData;
}

/** A gateway's device and the default metric of IPv6 are filled in, and what leads nowhere in IPv6 is shown with `lo`. */
function liveRoute(node: Node, { path: _path, ...route }: Route): LiveRoute {
  const [first] = node.interfaces;
  const nowhere = route.type !== 'unicast' && route.type !== 'local';
  const dev = route.dev ?? (route.via === undefined ? undefined : first?.ifname);
  return {
    ...route,
    ...(dev === undefined ? {} : { dev }),
    ...(nowhere && route.family === 6 ? { dev: 'lo' as IfName } : {}),
    ...(route.family === 6 ? { metric: route.metric ?? 1024 } : {}),
    table: route.table ?? 254,
    scope: route.scope ?? 'global',
    protocol: node.place === null ? 110 : (route.protocol ?? 3),
    dead: false,
  };
}
