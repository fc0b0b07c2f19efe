// Networks of containers: what Docker calls by that name is a bridge on the machine, a wire to each container, addresses in order,
// and a default route to the bridge. Here they become interfaces and links like all others, before those get their kernel names;
// then subnets and addresses are handed out. NAT and isolation follow from the list of networks (plan/filter.ts).
// Words: the Compose specification, "networks"; the pools are Docker's (moby, libnetwork/ipamutils).

import { createHash } from 'node:crypto';
import {
  addressOf,
  type IpAddress,
  type IpFamily,
  type IpInterface,
  type IpPrefix,
  ipFamily,
  prefixContains,
  prefixesOverlap,
  prefixLength,
} from '../base/ip.ts';
import type { IfName, LabName } from '../base/names.ts';
import type { Network, OtherNetwork } from '../model/network.ts';
import type { DraftInterface, DraftNode, Lowering } from './draft.ts';
import { given } from './given.ts';
import { Addresses, Pool, type Subnets } from './ipam.ts';
import { interfaceAddress } from './lower-addresses.ts';
import { newInterface } from './lower-links.ts';
import { findNode, HOST } from './lower-nodes.ts';
import { type Path, pathText } from './problems.ts';
import type { IpamFile, MembershipFile, NetworkFile } from './schema-network.ts';
import { quote, readAddress, readPrefix } from './values.ts';

/** The network of a container that names none. A file may call it `default`, as Compose does. */
export const BRIDGE_NETWORK = 'bridge';
export const DEFAULT_NETWORK = 'default';

const families = [4, 6] as const;

/** One family of a network. */
type Range = {
  readonly subnet: IpPrefix;
  readonly addresses: Addresses;
  /** Said in the file: only then may a container ask for an address of its own choice. */
  readonly explicit: boolean;
  gateway?: IpAddress;
  readonly path: Path;
};

export type DraftNetwork = {
  readonly name: string;
  readonly file: NetworkFile;
  readonly path: Path;
  /** The machine's bridge; the one of an external network belongs to another lab. */
  readonly bridge: { readonly draft: DraftInterface } | { readonly other: OtherNetwork };
  readonly members: Member[];
  readonly ranges: { 4?: Range; 6?: Range };
};

type Member = {
  readonly node: DraftNode;
  readonly iface: DraftInterface;
  readonly file: MembershipFile;
  readonly path: Path;
};

/** Makes bridges and wires of the networks that are declared or joined. */
export function draftNetworks(lab: Lowering): void {
  new Drafter(lab).run();
}

class Drafter {
  private readonly lab: Lowering;
  private readonly declared: Readonly<Record<string, NetworkFile>>;
  private readonly networks = new Map<string, DraftNetwork | undefined>();

  constructor(lab: Lowering) {
    this.lab = lab;
    this.declared = lab.file.networks ?? {};
  }

  run(): void {
    for (const name of Object.keys(this.declared)) this.open(name, ['networks', name]);
    for (const node of this.lab.nodes) if (node.kind === 'container') this.join(node);
  }

  /** The name of the network that a container without a word joins. */
  private get standard(): string {
    return Object.hasOwn(this.declared, DEFAULT_NETWORK) ? DEFAULT_NETWORK : BRIDGE_NETWORK;
  }

  private join(node: DraftNode): void {
    const { network_mode: mode, networks } = node.file;
    const path = [...node.path, 'networks'];
    if (networks !== undefined && mode !== undefined) {
      const message = '`network_mode` and `networks` both say what the container is plugged into';
      this.lab.report.fail(path, 'INTERFACE_CONFLICT', message, 'keep one of them');
      return;
    }
    if (networks === undefined) {
      // An interface in the file says what the container is plugged into, as a link does.
      const wired = [...node.interfaces.keys()].some((name) => name !== 'lo');
      if (mode === 'bridge' || (mode === undefined && !wired)) {
        this.plug(node, { name: this.standard, file: {}, path: node.path });
      }
      return;
    }
    const entries: [string, MembershipFile, Path][] = Array.isArray(networks)
      ? (networks as readonly string[]).map((name, index) => [name, {}, [...path, index]])
      : Object.entries(networks as Record<string, MembershipFile>).map(([name, file]) => [
          name,
          file,
          [...path, name],
        ]);
    const seen = new Set<string>();
    for (const [name, file, at] of entries) {
      if (seen.has(name)) {
        this.lab.report.fail(at, 'NETWORK_INVALID', `the container is in ${quote(name)} twice`);
        continue;
      }
      seen.add(name);
      this.plug(node, { name, file, path: at });
    }
  }

  private plug(
    node: DraftNode,
    { name, file, path }: Omit<Member, 'node' | 'iface'> & { name: string },
  ): void {
    const network = this.open(name, path);
    if (network === undefined) return;
    const iface = newInterface(node, freeName(node), path);
    const { lab } = this;
    const host = findNode(lab, HOST, path);
    if (host === undefined) return;
    const port = newInterface(host, portName(lab.name, node.name, name), path);
    port.keys.master = 'draft' in network.bridge ? network.bridge.draft.name : network.bridge.other.bridge;
    // Where frames on a bridge meet nf_tables (br_netfilter), DNAT turns one that the container sends to its own published port
    // around at the port of the bridge, and that takes hairpin mode.
    if ((node.file.ports ?? []).length > 0) port.keys.port = { hairpin: true };
    if (file.mac_address !== undefined) {
      iface.keys.mac = file.mac_address;
      iface.keyHomes.set('mac', path);
    }
    if (file.aliases !== undefined) iface.aliases = readAliases(lab, file.aliases, [...path, 'aliases']);
    const link = lab.links.length;
    lab.links.push({ file: { endpoints: [] }, path, ends: [port, iface] });
    port.wire = { peer: iface, link };
    iface.wire = { peer: port, link };
    network.members.push({ node, iface, file, path });
  }

  /** The network of that name, made at its first mention. */
  private open(name: string, path: Path): DraftNetwork | undefined {
    if (this.networks.has(name)) return this.networks.get(name);
    const network = this.make(name, path);
    this.networks.set(name, network);
    if (network !== undefined) this.lab.networks.push(network);
    return network;
  }

  private make(name: string, path: Path): DraftNetwork | undefined {
    const { lab } = this;
    const isDeclared = Object.hasOwn(this.declared, name);
    const file = isDeclared ? (this.declared[name] ?? {}) : {};
    if (!isDeclared && name !== this.standard) {
      const names = () => [...Object.keys(this.declared), this.standard];
      const hint = lab.report.nearName(name, names) ?? 'add it to `networks` at the top of the file';
      return lab.report.fail(path, 'NETWORK_UNDEFINED', `there is no network ${quote(name)}`, hint);
    }
    const own: Path = isDeclared ? ['networks', name] : path;
    if (isDeclared && !checkFile(lab, file, own)) return undefined;
    if (isDeclared && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(name)) {
      const message = `network name ${quote(name)}: letters, digits, "-", "_" and "."`;
      lab.report.add({ code: 'NAME_INVALID', message, path: own, part: 'key' });
      return undefined;
    }
    const base = { name, file, path: own, members: [], ranges: {} };
    if (file.external === true) {
      const other = this.other(file, own);
      return other === undefined ? undefined : { ...base, bridge: { other } };
    }
    const host = findNode(lab, HOST, own);
    if (host === undefined) return undefined;
    const draft = newInterface(host, bridgeName(lab.name, name, this.standard), own);
    draft.keys.type = 'bridge';
    return { ...base, bridge: { draft } };
  }

  private other(file: NetworkFile, path: Path): OtherNetwork | undefined {
    const { lab } = this;
    const { name } = file;
    if (name === undefined || !/^[^/]+\/[^/]+$/.test(name)) {
      const hint = 'as `name: default/bridge`';
      return lab.report.fail(path, 'MISSING_KEY', 'an external network has a `name`, LAB/NETWORK', hint);
    }
    const other = lab.machine()?.network(name);
    if (other !== undefined) return other;
    const message = `no lab with a network ${quote(name)} is up`;
    return lab.report.fail([...path, 'name'], 'NETWORK_UNDEFINED', message, 'bring that lab up first');
  }
}

function checkFile(lab: Lowering, file: NetworkFile, path: Path): boolean {
  const { driver = 'bridge', ipam, external, name } = file;
  const fail = (key: string, message: string, hint?: string): false => {
    lab.report.fail([...path, key], 'KEY_UNSUPPORTED', message, hint);
    return false;
  };
  if (driver !== 'bridge') {
    const hint = 'an interface of the node can have `type: macvlan` or `type: ipvlan`';
    return fail('driver', `the driver ${quote(driver)} is not supported`, hint);
  }
  if (ipam?.driver !== undefined && ipam.driver !== 'default') {
    return fail('ipam', `the IPAM driver ${quote(ipam.driver)} is not supported`, 'remove it');
  }
  if (external === true) {
    const other = Object.keys(file).find((key) => !['external', 'name', 'driver', 'labels'].includes(key));
    if (other === undefined) return true;
    return fail(other, `an external network is described where it is made, so \`${other}\` says nothing`);
  }
  return name === undefined || fail('name', '`name` is of external networks', 'the key is the name');
}

function readAliases(lab: Lowering, aliases: readonly string[], path: Path): string[] {
  return aliases.flatMap((alias, index) => {
    if (/^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(alias) && alias.length <= 253) return alias;
    return lab.report.fail([...path, index], 'HOSTS_INVALID', `${quote(alias)} is not a host name`) ?? [];
  });
}

/** `eth0`, or the next that no link of the container has. */
function freeName(node: DraftNode): string {
  let number = 0;
  while (node.interfaces.has(`eth${number}`)) number++;
  return `eth${number}`;
}

/** `br-LAB` of the network that needs no name, `br-LAB-NAME` of the others. */
export function bridgeName(lab: string, network: string, standard: string): string {
  return network === standard ? `br-${lab}` : `br-${lab}-${network}`;
}

/** Of the end on the machine: a hash of everything is part of it, so that it differs from those of all labs. */
export function portName(lab: string, node: string, network: string): string {
  const hash = createHash('sha256').update(`${lab}/${node}/${network}`).digest('hex');
  return `ve-${node.slice(0, 6)}-${hash.slice(0, 5)}`;
}

/** Hands out the subnets of networks and the addresses in them, after the file's own are known. */
export function allocateNetworks(
  lab: Lowering,
  state: { readonly subnets: Subnets; readonly taken: Set<IpAddress> },
): void {
  for (const network of lab.networks) readSubnets(lab, network, state.subnets);
  for (const network of lab.networks) openRanges(lab, network, state.subnets);
  for (const network of lab.networks) {
    for (const family of families) fillRange(lab, { network, family }, state.taken);
  }
  defaultRoutes(lab);
}

function readSubnets(lab: Lowering, network: DraftNetwork, subnets: Subnets): void {
  const { report } = lab;
  for (const [index, file] of (network.file.ipam?.config ?? []).entries()) {
    const path = [...network.path, 'ipam', 'config', index];
    if (file.subnet === undefined) {
      report.fail(path, 'MISSING_KEY', 'the entry has no `subnet`', 'add subnet: 10.5.0.0/24');
      continue;
    }
    const subnet = readPrefix(file.subnet, { report, path: [...path, 'subnet'] });
    if (subnet === undefined) continue;
    const family = ipFamily(subnet);
    if (network.ranges[family] !== undefined) {
      report.fail(path, 'SUBNET_INVALID', `a network has one IPv${family} subnet at most`);
      continue;
    }
    if (prefixLength(subnet) > (family === 4 ? 30 : 126)) {
      const message = `${subnet} has no room for a bridge and a container`;
      report.fail([...path, 'subnet'], 'SUBNET_INVALID', message);
      continue;
    }
    const range = ipRange(lab, { file, subnet, path });
    const gateway = inside(lab, file.gateway, { subnet, path: [...path, 'gateway'] });
    network.ranges[family] = {
      subnet,
      addresses: range === undefined ? new Addresses(subnet) : new Addresses(range, prefixLength(subnet)),
      explicit: true,
      path: [...path, 'subnet'],
      ...given({ gateway }),
    };
    subnets.reserve(subnet);
  }
}

type IpamSpot = { readonly file: IpamFile; readonly subnet: IpPrefix; readonly path: Path };

function ipRange(lab: Lowering, { file, subnet, path }: IpamSpot): IpPrefix | undefined {
  if (file.ip_range === undefined) return undefined;
  const at = [...path, 'ip_range'];
  const range = readPrefix(file.ip_range, { report: lab.report, path: at });
  if (range === undefined) return undefined;
  if (prefixContains(subnet, addressOf(range)) && prefixLength(range) >= prefixLength(subnet)) return range;
  return lab.report.fail(at, 'SUBNET_INVALID', `${range} is not in the subnet of the network, ${subnet}`);
}

/** An address of the file that has to lie in a subnet. */
function inside(
  lab: Lowering,
  text: string | undefined,
  { subnet, path }: { subnet: IpPrefix; path: Path },
): IpAddress | undefined {
  if (text === undefined) return undefined;
  const address = readAddress(text, { report: lab.report, path });
  if (address === undefined || prefixContains(subnet, address)) return address;
  const message = `${address} is not in the subnet of the network, ${subnet}`;
  return lab.report.fail(path, 'NETWORK_INVALID', message);
}

/** IPv4 always, IPv6 where it is asked for: of the file, of before, of the other lab, or the next of the pool. */
function openRanges(lab: Lowering, network: DraftNetwork, subnets: Subnets): void {
  const { bridge, ranges, path } = network;
  if ('other' in bridge) {
    for (const { prefix, gateway } of bridge.other.subnets) {
      const range = { subnet: prefix, addresses: new Addresses(prefix), explicit: true, gateway, path };
      ranges[ipFamily(prefix)] ??= range;
    }
    return;
  }
  for (const family of families) {
    if (ranges[family] !== undefined || (family === 6 && network.file.enable_ipv6 !== true)) continue;
    const subnet = freeSubnet(lab, { name: bridge.draft.ifname, family }, subnets);
    if (subnet !== undefined) {
      ranges[family] = { subnet, addresses: new Addresses(subnet), explicit: false, path };
      continue;
    }
    const hint = 'give the network a subnet: ipam: { config: [ { subnet: 10.5.0.0/24 } ] }';
    lab.report.fail(path, 'POOL_EXHAUSTED', 'all subnets for networks are taken', hint);
  }
}

function freeSubnet(
  lab: Lowering,
  { name, family }: { name: IfName; family: IpFamily },
  subnets: Subnets,
): IpPrefix | undefined {
  const machine = lab.machine();
  const kept = machine?.kept.get(name)?.find((prefix) => ipFamily(prefix) === family);
  if (kept !== undefined && subnets.take(kept)) return kept;
  for (const pool of networkPools(lab, family)) {
    for (let subnet = subnets.next(pool); subnet !== undefined; subnet = subnets.next(pool)) {
      const found = subnet;
      if (machine?.subnets.some((taken) => prefixesOverlap(taken, found)) !== true) return found;
    }
  }
  return undefined;
}

/** Docker's: 172.18.0.0/16 to 172.31.0.0/16, then 192.168.0.0/16 in sixteenths; of IPv6 a /64 of the lab's own (RFC 4193). */
function networkPools(lab: Lowering, family: IpFamily): readonly Pool[] {
  if (lab.pools[family] !== undefined) return lab.pools[family];
  const path: Path = ['networks'];
  const pool = (prefix: string, length: number) => new Pool(prefix as IpPrefix, { length, path });
  const made =
    family === 4
      ? [
          ...Array.from({ length: 14 }, (_, i) => pool(`172.${18 + i}.0.0/16`, 16)),
          pool('192.168.0.0/16', 20),
        ]
      : [pool(uniqueLocal(lab.name), 64)];
  lab.pools[family] = made;
  return made;
}

function uniqueLocal(name: LabName): string {
  const hash = createHash('sha256').update(name).digest('hex');
  const group = (at: number) => hash.slice(at, at + 4).replace(/^0+(?=.)/, '');
  return `fd${hash.slice(0, 2)}:${group(2)}:${group(6)}::/48`;
}

type OneFamily = { readonly network: DraftNetwork; readonly family: IpFamily };

/** The addresses that the file chose first, then that of the bridge, then the containers in order. */
function fillRange(lab: Lowering, { network, family }: OneFamily, taken: Set<IpAddress>): void {
  const range = network.ranges[family];
  const other = 'other' in network.bridge ? network.bridge.other : undefined;
  for (const address of other?.taken ?? []) taken.add(address);
  if (range?.gateway !== undefined) taken.add(range.gateway);
  const chosen = new Map<Member, IpAddress>();
  for (const member of network.members) {
    const address = chosenAddress(lab, { network, family }, member);
    if (address === undefined) continue;
    chosen.set(member, address);
    taken.add(address);
  }
  if (range === undefined) return;
  const length = prefixLength(range.subnet);
  if (other === undefined) giveGateway(lab, { network, range }, taken);
  for (const member of network.members) {
    const fixed = chosen.get(member);
    const kept = other?.kept.get(member.node.name)?.find((address) => prefixContains(range.subnet, address));
    const address = fixed ?? (kept !== undefined && !taken.has(kept) ? kept : undefined);
    const ip = address === undefined ? range.addresses.next(taken) : (`${address}/${length}` as IpInterface);
    if (ip === undefined) {
      const message = `all addresses of ${range.subnet} are taken`;
      lab.report.fail(member.path, 'POOL_EXHAUSTED', message, 'make the subnet bigger');
      continue;
    }
    taken.add(addressOf(ip));
    member.iface.slots.push({
      path: member.path,
      auto: false,
      resolved: [interfaceAddress(ip, member.path)],
    });
  }
}

function chosenAddress(lab: Lowering, { network, family }: OneFamily, member: Member): IpAddress | undefined {
  const key = family === 4 ? 'ipv4_address' : 'ipv6_address';
  const text = member.file[key];
  if (text === undefined) return undefined;
  const path = [...member.path, key];
  const range = network.ranges[family];
  if (range?.explicit === true) return inside(lab, text, { subnet: range.subnet, path });
  const hint = `networks: { ${network.name}: { ipam: { config: [ { subnet: 10.5.0.0/24 } ] } } }`;
  const message = `the network ${quote(network.name)} has no IPv${family} subnet in the file to choose an address from`;
  return lab.report.fail(path, 'NETWORK_INVALID', message, family === 4 ? hint : undefined);
}

function giveGateway(
  lab: Lowering,
  { network, range }: { network: DraftNetwork; range: Range },
  taken: Set<IpAddress>,
): void {
  if (!('draft' in network.bridge)) return;
  const length = prefixLength(range.subnet);
  const ip =
    range.gateway === undefined ? range.addresses.next(taken) : (`${range.gateway}/${length}` as IpInterface);
  if (ip === undefined) {
    lab.report.fail(range.path, 'POOL_EXHAUSTED', `all addresses of ${range.subnet} are taken`);
    return;
  }
  range.gateway = addressOf(ip);
  taken.add(range.gateway);
  const slot = { path: range.path, auto: false, resolved: [interfaceAddress(ip, range.path)] };
  network.bridge.draft.slots.push(slot);
}

/** True where no packet leaves the network or comes in through the machine. */
export function isInternal({ bridge, file }: DraftNetwork): boolean {
  return 'other' in bridge ? bridge.other.internal : file.internal === true;
}

/** The way out of each container: by the network that leads out, of several by the one that the file prefers. */
function defaultRoutes(lab: Lowering): void {
  for (const family of families) {
    const best = new Map<DraftNode, { member: Member; via: IpAddress }>();
    for (const network of inOrderOf(lab)) {
      const via = network.ranges[family]?.gateway;
      if (via === undefined || isInternal(network.network)) continue;
      const { member } = network;
      const before = best.get(member.node);
      const priority = ({ file }: Member) => file.gw_priority ?? 0;
      if (before !== undefined && priority(before.member) >= priority(member)) continue;
      best.set(member.node, { member, via });
    }
    for (const [node, { member, via }] of best) {
      node.autoRoutes.push({ via, dev: member.iface, path: member.path });
    }
  }
  for (const { network, member, ranges } of inOrderOf(lab)) {
    for (const family of families) {
      const gateway = ranges[family]?.gateway;
      if (gateway !== undefined && 'draft' in network.bridge) member.node.gateways.push(gateway);
    }
  }
}

/** All members, those of one node in the order in which it names its networks. */
function inOrderOf(lab: Lowering) {
  const all = lab.networks.flatMap((network) =>
    network.members.map((member) => ({ network, member, ranges: network.ranges })),
  );
  const place = new Map<DraftInterface, number>();
  for (const node of lab.nodes) for (const iface of node.interfaces.values()) place.set(iface, place.size);
  return all.sort((a, b) => (place.get(a.member.iface) ?? 0) - (place.get(b.member.iface) ?? 0));
}

/** The networks that the lab makes itself, for the model. */
export function lowerNetworks(lab: Lowering): Network[] {
  return lab.networks.flatMap(({ name, bridge, file, ranges, path }) => {
    if (!('draft' in bridge)) return [];
    const subnets = families.flatMap((family) => {
      const range = ranges[family];
      return range?.gateway === undefined ? [] : { prefix: range.subnet, gateway: range.gateway };
    });
    const internal = file.internal === true;
    return { name, bridge: bridge.draft.ifname, subnets, internal, path: pathText(path) };
  });
}
