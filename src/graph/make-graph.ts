// A lab to its graph: which boxes there are, which lines, and what each interface has. Bridges inside a node are boxes of their own,
// because what is plugged into them is what a reader looks for. Pure.

import { addressOf } from '../base/ip.ts';
import { networkOf } from '../model/container.ts';
import { impairmentOptions } from '../model/impairment.ts';
import type { EndRef, Interface } from '../model/interface.ts';
import type { Impairment, Lab, Node } from '../model/lab.ts';
import { portLines } from '../model/network.ts';
import type { Route } from '../model/route.ts';
import type { Edge, EdgeKind, End, Graph, Port, Vertex } from './graph.ts';

/** What the kernel has of one node; undefined devices where its namespace is gone. */
export type LiveNode = {
  readonly devices: readonly LiveDevice[] | undefined;
  /** Of a container. */
  readonly status?: string;
};

export type LiveDevice = {
  readonly ifname: string;
  readonly type: string;
  readonly up: boolean;
  readonly running: boolean;
  readonly mac?: string;
  readonly mtu?: number;
  readonly addresses: readonly string[];
  readonly impair?: Impairment;
};

/** By the name of the node. */
export type Live = ReadonlyMap<string, LiveNode>;

/** The picture of the lab; with `live` as the kernel has it now. */
export function makeGraph(lab: Lab, live?: Live): Graph {
  return new Maker(lab, live).graph();
}

/** An interface and the box it is drawn at. */
type Site = { readonly node: Node; readonly iface: Interface; readonly vertex: string };

class Maker {
  readonly #lab: Lab;
  readonly #live: Live | undefined;
  readonly #sites = new Map<string, Site>();
  readonly #owners = new Map<string, Site>();
  readonly #impairs = new Map<string, Impairment>();
  readonly #edges: Edge[] = [];
  /** Interfaces at which a line ends. */
  readonly #drawn = new Set<string>();

  constructor(lab: Lab, live: Live | undefined) {
    this.#lab = lab;
    this.#live = live;
    for (const node of lab.nodes) for (const iface of node.interfaces) this.#addSite(node, iface);
    for (const { ends, impair } of lab.links) {
      for (const i of [0, 1] as const) {
        // In a lab that was read from its record there is null in the place of what is undefined.
        const given = impair[i] ?? undefined;
        if (given !== undefined) this.#impairs.set(key(ends[i].node, ends[i].ifname), given);
      }
    }
  }

  #addSite(node: Node, iface: Interface): void {
    const own = iface.type === 'bridge' ? iface.ifname : iface.master;
    const isInner =
      node.kind !== 'bridge' && node.interfaces.some((one) => one.type === 'bridge' && one.ifname === own);
    const site = { node, iface, vertex: isInner ? `${node.name}/${own}` : node.name };
    this.#sites.set(key(node.name, iface.ifname), site);
    for (const { ip } of iface.addresses) this.#owners.set(addressOf(ip), site);
  }

  graph(): Graph {
    for (const site of this.#sites.values()) this.#innerBridge(site);
    for (const { ends } of this.#lab.links) this.#wire(...ends);
    for (const site of this.#sites.values()) {
      this.#tunnels(site);
      this.#upper(site);
    }
    for (const node of this.#lab.nodes) this.#shared(node);
    const vertices = this.#lab.nodes.flatMap((node) => this.#vertices(node));
    const { name, description } = this.#lab;
    return {
      lab: name,
      ...(description === undefined ? {} : { description }),
      source: this.#live === undefined ? 'file' : 'kernel',
      vertices,
      edges: this.#edges,
    };
  }

  #vertices(node: Node): Vertex[] {
    const live = this.#live?.get(node.name);
    const isGone = live !== undefined && live.devices === undefined;
    const state = isGone ? 'missing' : live?.status;
    const devices = node.interfaces.filter((iface) => !this.#drawn.has(key(node.name, iface.ifname)));
    const at = (vertex: string): Port[] => [
      ...devices
        .filter((iface) => this.#sites.get(key(node.name, iface.ifname))?.vertex === vertex)
        .filter((iface) => iface.type !== 'bridge' || iface.addresses.length > 0)
        .map((iface) => this.#port(node, iface)),
      ...(vertex === node.name ? this.#foreign(node) : []),
    ];
    const inner = node.interfaces.flatMap((iface): Vertex[] => {
      if (iface.type !== 'bridge' || node.kind === 'bridge') return [];
      const id = `${node.name}/${iface.ifname}`;
      const network = node.networks?.find(({ bridge }) => bridge === iface.ifname);
      const tags = network?.internal === true ? ['internal'] : [];
      const name = network?.name ?? iface.ifname;
      const kind = network === undefined ? 'bridge' : 'network';
      return [{ id, name, kind, node: node.name, tags, devices: at(id), routes: [] }];
    });
    const outer: Vertex = {
      id: node.name,
      name: node.name,
      kind: node.kind,
      node: node.name,
      tags: tagsOf(node, this.#lab),
      ...(state === undefined ? {} : { state }),
      devices: at(node.name),
      routes: node.routes.map(routeText),
    };
    return [outer, ...inner];
  }

  /** What the kernel has and the lab does not know: made by hand. Not on the machine, where most is not the lab's. */
  #foreign(node: Node): Port[] {
    if (node.place === null) return [];
    const devices = this.#live?.get(node.name)?.devices ?? [];
    const isKnown = ({ ifname, type }: LiveDevice) =>
      this.#sites.has(key(node.name, ifname)) || (type === 'loopback' && !hasOwnAddress(this.#live, node));
    return devices
      .filter((device) => !isKnown(device))
      .map((device) => ({ ...livePort(device), about: device.type }));
  }

  #port(node: Node, iface: Interface): Port {
    const about = aboutInterface(node, iface);
    const impair = this.#impairs.get(key(node.name, iface.ifname));
    const words = impair === undefined ? [] : impairmentOptions(impair).map((option) => option.join(' '));
    const file: Port = {
      ifname: iface.name,
      ...(about === undefined ? {} : { about }),
      addresses: iface.addresses.map(({ ip }) => ip),
      ...(iface.mac === undefined ? {} : { mac: iface.mac }),
      ...(iface.mtu === undefined ? {} : { mtu: iface.mtu }),
      ...(iface.up ? {} : { state: 'down' }),
      ...(words.length === 0 ? {} : { impair: words }),
    };
    const live = this.#live?.get(node.name);
    if (live === undefined) return file;
    const device = live.devices?.find(({ ifname }) => ifname === iface.ifname);
    if (device === undefined) return { ...file, state: 'missing' };
    const { impair: _planned, mac: _mac, mtu: _mtu, ...known } = file;
    return { ...known, ...livePort(device), ifname: iface.name };
  }

  #end(site: Site): End {
    const drawn = this.#drawn.has(key(site.node.name, site.iface.ifname));
    this.#drawn.add(key(site.node.name, site.iface.ifname));
    const port = this.#port(site.node, site.iface);
    // Of an interface with several lines the addresses stand at the first.
    return { vertex: site.vertex, ...port, ...(drawn ? { addresses: [], impair: [] } : {}) };
  }

  #connect(kind: EdgeKind, a: End, b: End): void {
    this.#edges.push({ kind, ends: [a, b] });
  }

  #wire(a: EndRef, b: EndRef): void {
    const from = this.#sites.get(key(a.node, a.ifname));
    const to = this.#sites.get(key(b.node, b.ifname));
    if (from !== undefined && to !== undefined) this.#connect('wire', this.#end(from), this.#end(to));
  }

  /** A bridge inside a node is plugged into it by its own device. */
  #innerBridge(site: Site): void {
    if (site.iface.type !== 'bridge' || site.node.kind === 'bridge') return;
    this.#connect('inside', { ...this.#end(site), vertex: site.node.name }, { vertex: site.vertex });
  }

  #tunnels(site: Site): void {
    for (const address of remotesOf(site.iface)) {
      const far = this.#owners.get(address);
      if (far === undefined || far.node === site.node) continue;
      const there = far.node.interfaces.find((other) => isFarEnd(site.iface, other));
      const end = there === undefined ? undefined : this.#sites.get(key(far.node.name, there.ifname));
      // Each tunnel once, from the end that comes first, unless only the other names its peer.
      const isSecond =
        end !== undefined && remotesOf(end.iface).some((one) => this.#owners.get(one)?.node === site.node);
      if (isSecond && this.#order(far.node) < this.#order(site.node)) continue;
      this.#connect('tunnel', this.#end(site), end === undefined ? { vertex: far.vertex } : this.#end(end));
    }
  }

  #order(node: Node): number {
    return this.#lab.nodes.indexOf(node);
  }

  #upper(site: Site): void {
    const { iface } = site;
    if (!('link' in iface) || iface.link === undefined || iface.link.node === site.node.name) return;
    const lower = this.#sites.get(key(iface.link.node, iface.link.ifname));
    if (lower === undefined) return;
    this.#connect('upper', this.#end(site), {
      vertex: lower.vertex,
      ifname: lower.iface.name,
      addresses: [],
    });
  }

  #shared(node: Node): void {
    const network = networkOf(node);
    if (network === 'own') return;
    const other =
      network === 'host' ? this.#lab.nodes.find(({ place }) => place === null)?.name : network.node;
    if (other !== undefined) this.#connect('shared', { vertex: node.name }, { vertex: other });
  }
}

function key(node: string, ifname: string): string {
  return `${node}:${ifname}`;
}

function hasOwnAddress(live: Live | undefined, node: Node): boolean {
  const lo = live?.get(node.name)?.devices?.find(({ type }) => type === 'loopback');
  return lo?.addresses.some((address) => !isKernels(address)) ?? false;
}

/** What the kernel gives by itself says nothing. */
function isKernels(address: string): boolean {
  return /^(127\.0\.0\.1\/8|::1\/128|fe80:.*)$/i.test(address);
}

function livePort({ ifname, up, running, mac, mtu, addresses, impair }: LiveDevice): Port {
  const words = impair === undefined ? [] : impairmentOptions(impair).map((option) => option.join(' '));
  return {
    ifname,
    addresses: addresses.filter((address) => !isKernels(address)),
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    state: up ? (running ? 'up' : 'no carrier') : 'down',
    ...(words.length === 0 ? {} : { impair: words }),
  };
}

function tagsOf(node: Node, lab: Lab): string[] {
  const { image, rootfs } = node.container ?? {};
  const files = image ?? (rootfs === 'host' ? "the machine's files" : rootfs);
  const published = lab.nodes.flatMap(({ ports = [] }) => ports.filter((port) => port.node === node.name));
  return [
    ...(files === undefined ? [] : [files]),
    ...portLines(published),
    ...(node.nat.length > 0 ? ['NAT'] : []),
    ...(node.firewall === undefined ? [] : ['firewall']),
  ];
}

function routeText({ type, to, via, dev, nexthops = [] }: Route): string {
  const target = to === '0.0.0.0/0' || to === '::/0' ? 'default' : to;
  const way = (hop: { readonly via?: string; readonly dev?: string }): string =>
    [
      ...(hop.via === undefined ? [] : ['via', hop.via]),
      ...(hop.dev === undefined ? [] : ['dev', hop.dev]),
    ].join(' ');
  const words = [type === 'unicast' ? '' : type, target, way({ ...(via && { via }), ...(dev && { dev }) })];
  return [...words, ...nexthops.map((hop) => `nexthop ${way(hop)}`)].filter((word) => word !== '').join(' ');
}

function aboutInterface(node: Node, iface: Interface): string | undefined {
  const ports = () => node.interfaces.filter((one) => one.master === iface.ifname).map(({ name }) => name);
  switch (iface.type) {
    case 'veth':
      return iface.port?.vlan === undefined && iface.port?.vlans === undefined
        ? undefined
        : vlanText(iface.port.vlan, iface.port.vlans ?? []);
    case 'loopback':
    case 'bridge':
      return undefined;
    case 'vlan':
      return `vlan ${iface.id} on ${iface.link.ifname}`;
    case 'vxlan':
      return `vxlan ${iface.id}`;
    case 'macvlan':
    case 'ipvlan':
      return `${iface.type} ${iface.mode} on ${iface.link.ifname}`;
    case 'vrf':
      return `vrf ${iface.table}: ${ports().join(' ')}`;
    case 'bond':
      return `bond ${iface.mode}: ${ports().join(' ')}`;
    case 'physical':
      return `NIC ${iface.device}`;
    default:
      return iface.type;
  }
}

function vlanText(
  untagged: number | undefined,
  tagged: readonly { readonly from: number; readonly to: number }[],
): string {
  const ranges = tagged.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`));
  const words = [
    ...(untagged === undefined ? [] : [`vlan ${untagged}`]),
    ...(ranges.length === 0 ? [] : [`tagged ${ranges.join(',')}`]),
  ];
  return words.join(', ');
}

/** Addresses of other nodes that a tunnel leads to. */
function remotesOf(iface: Interface): string[] {
  switch (iface.type) {
    case 'vxlan':
      return [...(iface.remote === undefined ? [] : [iface.remote]), ...iface.remotes];
    case 'gre':
    case 'gretap':
      return [iface.remote];
    case 'wireguard':
      return iface.peers.flatMap(({ endpoint }) => (endpoint === undefined ? [] : [endpoint.address]));
    default:
      return [];
  }
}

function isFarEnd(near: Interface, far: Interface): boolean {
  if (near.type !== far.type) return false;
  if (near.type === 'vxlan') return far.type === 'vxlan' && far.id === near.id;
  if (near.type === 'gre' || near.type === 'gretap') return 'local' in far && far.local === near.remote;
  return near.type === 'wireguard';
}
