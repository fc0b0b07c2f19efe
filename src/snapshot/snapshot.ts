// Namespaces that somebody made, as the lab that makes them: the way back of plan/, and like it pure. What no file can say becomes
// a note at its node. Of a lab that is up, what the kernel does not know (containers, names, tests) is that of its record.

import { ipFamily, parseIpAddress, subnetOf } from '../base/ip.ts';
import type { IfName, LabName, NetnsName, NodeName } from '../base/names.ts';
import { isFallback } from '../live/automatic.ts';
import type { Forwards } from '../live/details.ts';
import type { LiveDevice, LiveEnd } from '../live/netns.ts';
import { ownsNetns } from '../model/container.ts';
import { containerSysctls } from '../model/container-options.ts';
import type { EndRef, Interface } from '../model/interface.ts';
import type { Dns, HostsEntry, Impairment, Lab, Link, Node, NodeKind, Place, Sysctl } from '../model/lab.ts';
import { labGroup, tableName } from '../plan/mark.ts';
import { BRIDGE, HOST } from '../topology/lower-nodes.ts';
import { impliedSysctls } from '../topology/lower-settings.ts';
import { interfaceOf, isPlainLoopback } from './device.ts';
import { type Concerns, type Filters, filtersOf } from './filter.ts';
import { type HostPart, hostPart, uplinks } from './host.ts';
import { neighboursOf, routesOf, rulesOf } from './routing.ts';
import { Notes, type SnapshotInput, type Source } from './source.ts';
import { hostSysctlsOf, sysctlsOf } from './sysctls.ts';

export type Snapshot = {
  readonly lab: Lab;
  /** What could not be told, by the name of the node. */
  readonly notes: ReadonlyMap<string, readonly string[]>;
};

/** The lab that makes the namespaces. The same input gives the same lab. */
export function snapshotLab(input: SnapshotInput): Snapshot {
  return new Snapshotter(input).run();
}

type Known = { readonly source: Source; readonly place: Place };
type Wire = { readonly ends: readonly [EndRef, EndRef]; readonly rank: number };

class Snapshotter {
  private readonly input: SnapshotInput;
  private readonly notes = new Notes();
  /** By what the reader called the namespace. */
  private readonly known: ReadonlyMap<Place, Known>;
  private readonly host: HostPart;
  private readonly devices = new Map<Source, readonly LiveDevice[]>();

  constructor(input: SnapshotInput) {
    this.input = input;
    const { sources, host, prefix, record } = input;
    const nodes = sources.map((source): [Place, Known] => [
      source.live.place,
      { source, place: `${prefix}${source.name}` as NetnsName },
    ]);
    this.known = new Map([...nodes, [null, { source: host, place: null }]]);
    const parents = sources.flatMap((source) =>
      source.live.devices.flatMap(({ data }) => hostParent(data) ?? []),
    );
    this.host = hostPart(host.live.devices, {
      places: new Set(nodes.map(([place]) => place)),
      group: record === undefined ? undefined : labGroup(record.name),
      parents: new Set(parents),
      isNic: ({ place, ifname }) => {
        const far = place === undefined ? undefined : this.known.get(place)?.source;
        return far !== undefined && ifname !== undefined && isPhysical(far, ifname);
      },
    });
    for (const source of sources)
      this.devices.set(
        source,
        source.live.devices.filter((one) => !isFallback(one)),
      );
    this.devices.set(host, this.host.devices);
  }

  run(): Snapshot {
    const { name, prefix, record, sources, host } = this.input;
    const nodes = sources.map((source) => this.node(source));
    const machine = this.machine(nodes);
    const all = [...this.withOthers(nodes), ...(machine === undefined ? [] : [machine])];
    for (const { ifname, data } of this.host.strangers) {
      const what =
        data.type === 'veth'
          ? 'a wire to another namespace'
          : data.type === 'other'
            ? `a ${data.kind}`
            : 'a NIC';
      this.notes.add(host.name, `${ifname}, ${what}, belongs to the machine and is left out`);
    }
    const lab: Lab = {
      name: `${prefix}${name}` as LabName,
      prefix,
      ...(record?.description === undefined ? {} : { description: record.description }),
      nodes: all,
      links: this.links(all),
      tests: record?.tests ?? [],
      allocated: [],
    };
    return { lab, notes: this.notes.byNode };
  }

  /** Containers in the network of another node or of the machine have no namespace to be read. */
  private withOthers(nodes: readonly Node[]): Node[] {
    const { record } = this.input;
    if (record === undefined) return [...nodes];
    const others = record.nodes.filter((node) => !ownsNetns(node));
    const order = record.nodes.map(({ name }) => name);
    return [...nodes, ...others].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  }

  /** The end that an index means, as far as its device is in the file. */
  private end({ ifindex, place, ifname }: LiveEnd, isWire: boolean): EndRef | undefined {
    const known = place === undefined ? undefined : this.known.get(place);
    if (known === undefined) return undefined;
    const device = known.source.live.devices.find((one) => one.ifindex === ifindex);
    if (device === undefined) return undefined;
    const isThere = this.devices.get(known.source)?.includes(device) ?? false;
    // What stands on a NIC of the machine names it; a wire has both ends in the file.
    if (!isThere && (isWire || known.place !== null)) return undefined;
    return { node: known.source.name, place: known.place, ifname: ifname ?? device.ifname };
  }

  private interfaces(source: Source, place: Place): Interface[] {
    const { notes } = this;
    const found = (this.devices.get(source) ?? []).flatMap((device) => {
      const { data, ifname } = device;
      const isWire = data.type === 'veth';
      const end = (to: LiveEnd) => this.end(to, isWire);
      const isLeft = isWire && end(data.peer) === undefined && !isPhysical(source, ifname);
      if (isLeft) notes.add(source.name, `${ifname} is left out: ${this.farText(data.peer, source)}`);
      const made = interfaceOf(device, { source, notes, end, place, name: source.name });
      return made === undefined || isPlainLoopback(made) ? [] : made;
    });
    return withoutLost(inRecordOrder(source, found), (iface, master) => {
      if (place !== null) notes.add(source.name, `${iface.ifname} was a port of ${master}`);
    });
  }

  private farText(peer: LiveEnd, source: Source): string {
    const name = peer.ifname === undefined ? '' : ` to ${peer.ifname}`;
    const known = peer.place === undefined ? undefined : this.known.get(peer.place)?.source;
    if (known !== undefined && known !== source) return `its wire leads${name} of ${known.name}`;
    const place = peer.place ?? undefined;
    return place === undefined
      ? 'its wire leads into a namespace that is not among them'
      : `its wire leads${name} of ${place}, which is not among them`;
  }

  private node(source: Source): Node {
    const { record, live, details, name } = source;
    const place = `${this.input.prefix}${name}` as NetnsName;
    const interfaces = this.interfaces(source, place);
    const spot = { source, notes: this.notes, interfaces, isHost: false };
    const filters = this.filters(source, interfaces);
    const container = withoutNetwork(record?.container, interfaces);
    const forwards = this.forwards(source, interfaces, filters);
    const defaults = {
      ...this.input.defaults(forwards),
      ...(container === undefined ? {} : containerSysctls),
    };
    const changed = sysctlsOf({ sysctls: details.sysctls, defaults, devices: live.devices });
    const parts = { interfaces, nat: filters.nat };
    const routes = routesOf(spot);
    const isSwitch = isBridgeNode(interfaces) && routes.length === 0 && filters.nat.length === 0;
    const kind: NodeKind =
      container !== undefined
        ? 'container'
        : isSwitch && !forwards[4] && !forwards[6]
          ? 'bridge'
          : forwards[4] && forwards[6]
            ? 'router'
            : 'netns';
    const etc = etcOf(source, this.notes);
    for (const remark of source.remarks) this.notes.add(name, remark);
    for (const argv of record?.exec ?? [])
      this.notes.add(name, `exec of the lab, not repeated: ${argv.join(' ')}`);
    return {
      name,
      place,
      kind,
      interfaces,
      routes,
      rules: rulesOf(spot),
      neighbours: neighboursOf(spot),
      nat: filters.nat,
      ...(filters.firewall === undefined ? {} : { firewall: filters.firewall }),
      sysctls: allSysctls({ kind, place, parts, forwards, changed, record }),
      hosts: record?.hosts ?? etc.hosts,
      ...given('dns', record === undefined ? etc.dns : record.dns),
      exec: [],
      labels: record?.labels ?? {},
      ...(container === undefined ? {} : { container }),
      path: '',
    };
  }

  /**
   * Whether it forwards. Where the machine does, each new namespace does so as well (devconf_inherit_init_net in
   * Documentation/admin-guide/sysctl/net.rst), and that is told only of what has somewhere to forward to.
   */
  private forwards({ live }: Source, interfaces: readonly Interface[], filters: Filters): Forwards {
    const addressed = interfaces.filter(
      ({ type, addresses }) => type !== 'loopback' && addresses.length > 0,
    ).length;
    const isRouter = addressed > 1 || filters.nat.length > 0 || filters.firewall?.forward !== undefined;
    const fresh = this.input.defaults({ 4: false, 6: false });
    const tells = (key: string) => live.sysctls[key] === '1' && (isRouter || fresh[key] !== '1');
    return { 4: tells(forwardKeys[4]), 6: tells(forwardKeys[6]) };
  }

  /** The machine, where a wire or a device of it belongs to the others. */
  private machine(nodes: readonly Node[]): Node | undefined {
    const { host } = this.input;
    if (this.host.devices.length === 0) return undefined;
    const interfaces = this.interfaces(host, null);
    if (interfaces.length === 0) return undefined;
    const spot = { source: host, notes: this.notes, interfaces, isHost: true };
    const subnets = [...nodes.flatMap((node) => node.interfaces), ...interfaces].flatMap(({ addresses }) =>
      addresses.map(({ ip }) => subnetOf(ip)),
    );
    const names = new Set<string>(interfaces.map(({ ifname }) => ifname));
    const filters = this.filters(host, interfaces, { interfaces: names, subnets });
    const parts = { interfaces, nat: filters.nat, networks: filters.networks, ports: filters.ports };
    const own = host.record?.sysctls ?? [];
    const implied = impliedSysctls({ place: null, path: [], file: {} }, parts, own);
    const changed = [
      ...this.hostSysctls(interfaces),
      ...own.map(({ key, value }): [string, string] => [key, value]),
    ];
    const isImplied = (key: string, value: string) =>
      implied.some((one) => one.key === key && one.value === value);
    const later = new Map(changed.filter(([key, value]) => !isImplied(key, value)));
    return {
      name: HOST as NodeName,
      place: null,
      kind: 'host',
      interfaces,
      routes: routesOf(spot),
      rules: rulesOf(spot),
      neighbours: neighboursOf(spot),
      nat: filters.nat,
      ...(filters.firewall === undefined ? {} : { firewall: filters.firewall }),
      ...given('networks', filters.networks),
      ...given('ports', filters.ports),
      sysctls: [
        ...implied.filter(({ key }) => !later.has(key)),
        ...[...later].map(([key, value]) => ({ key, value, path: '' })),
      ],
      hosts: [],
      exec: [],
      labels: host.record?.labels ?? {},
      path: '',
    };
  }

  /** Forwarding of the machine is told where there is something to forward between, whatever the machine's default is. */
  private hostSysctls(interfaces: readonly Interface[]): [string, string][] {
    const { sysctls } = this.input.host.details;
    const names = new Set(interfaces.map(({ ifname }) => ifname));
    const routed = interfaces.filter(
      ({ master, addresses }) => master === undefined && addresses.some(({ ip }) => ipFamily(ip) === 4),
    );
    const forwarding =
      routed.length < 2
        ? []
        : routed.map(({ ifname }) => `net.ipv4.conf.${ifname.replaceAll('.', '/')}.forwarding`);
    const told = forwarding.filter((key) => sysctls[key] === '1').map((key): [string, string] => [key, '1']);
    const others = hostSysctlsOf(sysctls, names).filter(([key]) => !/\.(force_)?forwarding$/.test(key));
    return [...told, ...others];
  }

  private filters(source: Source, interfaces: readonly Interface[], concerns?: Concerns): Filters {
    const { record } = this.input;
    const { tables, strangeTables, devices, routes } = source.live;
    const isHost = concerns !== undefined;
    // A packet leaves by a bridge, not by its ports.
    const isPort = ({ master }: Interface) =>
      interfaces.some((one) => one.ifname === master && one.type !== 'vrf');
    const routed = interfaces.filter((iface) => iface.type !== 'loopback' && !isPort(iface));
    const own = routed.map(({ ifname }) => ifname as string);
    const exits = isHost ? [...own, ...uplinks(devices, routes).filter((name) => !own.includes(name))] : own;
    const filters = filtersOf({
      tables: tables.filter(
        ({ name }) => !isHost || !name.startsWith('nslab-') || name === ownName(record, null),
      ),
      strangeTables,
      ownTable: ownName(record, isHost ? null : source.live.place),
      record: source.record,
      exits,
      concerns,
    });
    for (const note of filters.notes) this.notes.add(source.name, note);
    return filters;
  }

  /** What the kernel does to what leaves there. */
  private impairAt({ node, ifname }: EndRef): Impairment | undefined {
    for (const [source, devices] of this.devices) {
      const device = devices.find((one) => source.name === node && one.ifname === ifname);
      if (device !== undefined) return device.impair;
    }
    return undefined;
  }

  /** Each wire once, in the order of the lab that it belongs to, else in that of the nodes. */
  private links(nodes: readonly Node[]): Link[] {
    const { record } = this.input;
    const order = new Map(nodes.map((node, i) => [node.name, i]));
    const isBridge = new Set(nodes.filter(({ kind }) => kind === 'bridge').map(({ name }) => name));
    const seen = new Set<string>();
    const wires = nodes.flatMap((node) =>
      node.interfaces.flatMap((iface): Wire[] => {
        if (iface.type !== 'veth') return [];
        const near = { node: node.name, place: node.place, ifname: iface.ifname };
        const far = iface.peer;
        if (seen.has(endKey(far))) return [];
        seen.add(endKey(near));
        const known =
          record?.links.findIndex(({ ends }) => ends.some((end) => endKey(end) === endKey(near))) ?? -1;
        const ends = record?.links[known]?.ends ?? inOrder([near, far], { order, isBridge });
        return [{ ends, rank: known < 0 ? Number.POSITIVE_INFINITY : known }];
      }),
    );
    return wires
      .map((wire, at) => ({ ...wire, at }))
      .sort((a, b) => (a.rank === b.rank ? a.at - b.at : a.rank - b.rank))
      .map(({ ends }) => ({
        ends,
        impair: [this.impairAt(ends[0]), this.impairAt(ends[1])] as const,
        path: '',
      }));
  }
}

function given<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: T });
}

/** A container that has lost its wires would join the network of its lab. */
function withoutNetwork(container: Node['container'], interfaces: readonly Interface[]): Node['container'] {
  const isWired = interfaces.some(({ type }) => type !== 'loopback');
  if (container === undefined || isWired || container.options['network_mode'] !== undefined) return container;
  return { ...container, options: { ...container.options, network_mode: 'none' } };
}

function ownName(record: Lab | undefined, place: Place): string {
  return record === undefined ? (place === null ? '' : 'nslab') : tableName(record.name, place);
}

function endKey({ node, ifname }: EndRef): string {
  return `${node}:${ifname}`;
}

/** The machine first and a switch last, as one would say it. */
function inOrder(
  ends: readonly [EndRef, EndRef],
  { order, isBridge }: { order: ReadonlyMap<NodeName, number>; isBridge: ReadonlySet<NodeName> },
): readonly [EndRef, EndRef] {
  const rank = ({ node }: EndRef) =>
    node === HOST ? -1 : isBridge.has(node) ? order.size : (order.get(node) ?? 0);
  const [a, b] = ends;
  return rank(a) <= rank(b) ? [a, b] : [b, a];
}

function hostParent(data: LiveDevice['data']): number | undefined {
  if (!('link' in data) || data.link === undefined) return undefined;
  return data.link.place === null ? data.link.ifindex : undefined;
}

function isPhysical({ record }: Source, ifname: IfName): boolean {
  return record?.interfaces.some((iface) => iface.ifname === ifname && iface.type === 'physical') === true;
}

/** In the order of the lab's own file, then in that of their making. */
function inRecordOrder({ record }: Source, interfaces: readonly Interface[]): Interface[] {
  const names = record?.interfaces.map(({ ifname }) => ifname) ?? [];
  const rank = ({ ifname, type }: Interface) => {
    const at = names.indexOf(ifname);
    return at >= 0 ? at : type === 'loopback' ? -1 : names.length;
  };
  return interfaces
    .map((iface, at) => ({ iface, at }))
    .sort((a, b) => rank(a.iface) - rank(b.iface) || a.at - b.at)
    .map(({ iface }) => iface);
}

/** Ports of what is not in the file stand alone. */
function withoutLost(
  interfaces: readonly Interface[],
  lost: (iface: Interface, master: IfName) => void,
): Interface[] {
  const names = new Set(interfaces.map(({ ifname }) => ifname));
  return interfaces.map((iface) => {
    const { master, port: _port, ...rest } = iface;
    if (master === undefined || names.has(master)) return iface;
    lost(iface, master);
    return rest;
  });
}

/** True where `kind: bridge` makes the same: one bridge by the name that it gives, and wires that are its ports. */
function isBridgeNode(interfaces: readonly Interface[]): boolean {
  const bridge = interfaces.find(({ name, type }) => name === BRIDGE && type === 'bridge');
  if (bridge === undefined || bridge.addresses.length > 0 || !bridge.up) return false;
  const isPort = (iface: Interface) => iface.type === 'veth' && iface.master === BRIDGE;
  return interfaces.every((iface) => iface === bridge || iface.type === 'loopback' || isPort(iface));
}

type SysctlParts = {
  readonly kind: NodeKind;
  readonly place: Place;
  readonly parts: Parameters<typeof impliedSysctls>[1];
  readonly forwards: { readonly 4: boolean; readonly 6: boolean };
  readonly changed: readonly (readonly [string, string])[];
  readonly record: Node | undefined;
};

const forwardKeys = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const;

/** Those that follow from the kind and from NAT first, as lowering has them, then what somebody set. */
function allSysctls({ kind, place, parts, forwards, changed, record }: SysctlParts): Sysctl[] {
  const file = kind === 'router' ? ({ kind } as const) : {};
  const implied = impliedSysctls({ place, path: [], file }, parts, []);
  const own = new Map<string, string>();
  for (const family of [4, 6] as const) {
    const key = forwardKeys[family];
    const said = implied.some((one) => one.key === key);
    if (said !== forwards[family]) own.set(key, forwards[family] ? '1' : '0');
  }
  for (const [key, value] of changed) own.set(key, value);
  // Of the IPC namespace, which no network namespace shows.
  for (const { key, value } of record?.sysctls ?? []) if (!key.startsWith('net.')) own.set(key, value);
  return [
    ...implied.filter(({ key }) => !own.has(key)),
    ...[...own].map(([key, value]) => ({ key, value, path: '' })),
  ];
}

type Etc = { readonly hosts: readonly HostsEntry[]; readonly dns?: Dns };

/** hosts(5) and resolv.conf(5) of a namespace that is no lab's; a lab's are those of all of its nodes. */
function etcOf({ etc = {}, name }: Source, notes: Notes): Etc {
  const { hosts, 'resolv.conf': resolv, ...others } = etc;
  for (const file of Object.keys(others).sort())
    notes.add(name, `/etc/netns has ${file} for it, which is not told`);
  const dns = resolv === undefined ? undefined : dnsOf(resolv);
  return { hosts: hosts === undefined ? [] : hostsOf(hosts), ...(dns === undefined ? {} : { dns }) };
}

function wordsOf(text: string): string[][] {
  const lines = text.split('\n').map((line) => line.replace(/[#;].*/, '').trim());
  return lines.filter((line) => line !== '').map((line) => line.split(/\s+/));
}

function hostsOf(text: string): HostsEntry[] {
  return wordsOf(text).flatMap(([address = '', ...names]) => {
    const parsed = parseIpAddress(address);
    const isOwn = /^(127\.|::1$|f[ef]0)/.test(address);
    return parsed.ok && names.length > 0 && !isOwn ? { address: parsed.value, names } : [];
  });
}

function dnsOf(text: string): Dns | undefined {
  const lines = wordsOf(text);
  const after = (word: string) => lines.filter(([first]) => first === word).flatMap(([, ...rest]) => rest);
  const servers = after('nameserver').flatMap((address) => {
    const parsed = parseIpAddress(address);
    return parsed.ok ? parsed.value : [];
  });
  const dns = { servers, search: [...after('search'), ...after('domain')], options: after('options') };
  return servers.length + dns.search.length + dns.options.length === 0 ? undefined : dns;
}
