// `auto` addresses: which subnet an interface is in, and what is handed out there. A bridge and all bridges wired to it are
// one LAN; a wire between two other interfaces is a subnet of its own. Requests are served in the order of the links, then of
// the nodes, so that what is added at the end of a file changes nothing before it. The arithmetic is ipam.ts.

import {
  addressOf,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  ipFamily,
  prefixContains,
  prefixLength,
  subnetOf,
} from '../base/ip.ts';
import type { AddressSlot, DraftInterface, Lowering } from './draft.ts';
import { findInterface, keyPath } from './draft.ts';
import { Addresses, Pool, Subnets } from './ipam.ts';
import { addressesOf, interfaceAddress } from './lower-addresses.ts';
import { allocateNetworks } from './lower-networks.ts';
import type { Path } from './problems.ts';
import type { PoolFile } from './schema.ts';
import { members, readAddress, readPrefix } from './values.ts';

/** Where one family of a LAN, of a wire or of the loopback pool hands out addresses. */
type Range = { readonly subnet: IpPrefix; readonly addresses: Addresses; gateway?: IpAddress };
type Ranges = { readonly 4?: Range; readonly 6?: Range };
type Lan = {
  /** The bridge that is the gateway where the file names none. */
  readonly bridge: DraftInterface;
  readonly ranges: Ranges;
  opened: boolean;
};
type Pools = { readonly 4?: Pool; readonly 6?: Pool };
type PoolName = 'lan' | 'p2p' | 'loopback';

const families = [4, 6] as const;
/** Lengths of what is cut from a pool when the file does not say. */
const lengths: Readonly<Record<PoolName, Readonly<Record<IpFamily, number>>>> = {
  lan: { 4: 24, 6: 64 },
  p2p: { 4: 30, 6: 64 },
  loopback: { 4: 32, 6: 128 },
};

/** Fills the `auto` slots of all interfaces. */
export function allocate(lab: Lowering): void {
  new Allocator(lab).run();
}

class Allocator {
  private readonly lab: Lowering;
  readonly subnets = new Subnets();
  readonly taken = new Set<IpAddress>();
  private readonly pools: Readonly<Record<PoolName, Pools>>;
  private readonly lans = new Map<DraftInterface, Lan | undefined>();
  private readonly wires = new Map<number, Ranges>();
  private loopbacks: Ranges | undefined;
  private readonly order = new Map<DraftInterface, number>();

  constructor(lab: Lowering) {
    this.lab = lab;
    if (asksForAuto(lab) || lab.networks.length > 0) this.reserveExplicit();
    const read = (name: PoolName) => readPools(lab, name);
    this.pools = { lan: read('lan'), p2p: read('p2p'), loopback: read('loopback') };
    keepNestedPools(this.pools);
    for (const draft of interfacesOf(lab)) this.readSubnets(draft);
  }

  /** What the file gives away itself. Where nothing is handed out, nobody asks. */
  private reserveExplicit(): void {
    for (const draft of interfacesOf(this.lab)) {
      this.order.set(draft, this.order.size);
      for (const { ip } of addressesOf(draft)) {
        this.taken.add(addressOf(ip));
        this.subnets.reserve(subnetOf(ip));
      }
    }
  }

  run(): void {
    if (this.lab.networks.length > 0) allocateNetworks(this.lab, this);
    if (!asksForAuto(this.lab)) return;
    for (const link of this.lab.links) for (const end of link.ends) this.serve(end);
    for (const draft of interfacesOf(this.lab)) this.serve(draft);
  }

  private serve(draft: DraftInterface): void {
    for (const slot of draft.slots) {
      if (!slot.auto || slot.resolved.length > 0 || this.failed.has(slot)) continue;
      const ranges = this.rangesFor(draft, slot);
      if (ranges === undefined) this.failed.add(slot);
      else this.fill(draft, slot, ranges);
    }
  }

  /** Slots that were reported once: an interface is served again after the links. */
  private readonly failed = new Set<AddressSlot>();

  private rangesFor(draft: DraftInterface, slot: AddressSlot): Ranges | undefined {
    const ranges = this.findRanges(draft);
    if (ranges !== undefined && (ranges[4] !== undefined || ranges[6] !== undefined)) return ranges;
    const bridge = bridgeOf(draft);
    // A pool that is there and gave nothing was reported as empty.
    const pools = this.pools[bridge === undefined ? 'p2p' : 'lan'];
    if (draft.keys.type !== 'loopback' && (pools[4] ?? pools[6]) !== undefined) return undefined;
    const hint =
      draft.name === 'lo'
        ? 'add `addressing: { loopback: { ipv4: 10.0.0.0/24 } }`'
        : bridge === undefined
          ? 'add `addressing: { p2p: { ipv4: 10.255.0.0/16 } }`, or write the address'
          : `add \`subnet: 10.1.1.0/24\` to ${bridge.node.kind === 'bridge' ? bridge.node.name : bridge.name}, or \`addressing: { lan: { ipv4: 10.1.0.0/16 } }\``;
    return this.lab.report.fail(
      slot.path,
      'AUTO_NO_SUBNET',
      'there is no subnet to take an address from',
      hint,
    );
  }

  private findRanges(draft: DraftInterface): Ranges | undefined {
    if (draft.keys.type === 'loopback') {
      this.loopbacks ??= this.openLoopbacks();
      return this.loopbacks;
    }
    const bridge = bridgeOf(draft);
    if (bridge !== undefined) return this.lanRanges(bridge);
    return draft.wire === undefined ? undefined : this.wireRanges(draft, draft.wire);
  }

  private fill(draft: DraftInterface, slot: AddressSlot, ranges: Ranges): void {
    for (const family of families) {
      const range = ranges[family];
      if (range === undefined) continue;
      const ip = range.addresses.next(this.taken);
      if (ip === undefined) {
        const hint = 'make the subnet bigger, or give fewer addresses';
        this.lab.report.fail(slot.path, 'POOL_EXHAUSTED', `all addresses of ${range.subnet} are taken`, hint);
        this.failed.add(slot);
        continue;
      }
      slot.resolved.push(interfaceAddress(ip, slot.path));
      const { node } = draft;
      if (draft.keys.type === 'loopback') this.lab.allocated.push(subnetOf(ip));
      // The machine keeps its own default route whatever the lab says.
      if (range.gateway === undefined || node.place === null || range.gateway === addressOf(ip)) continue;
      node.autoRoutes.push({ via: range.gateway, dev: draft, path: slot.path });
    }
  }

  /** `subnet` and `gateway` of a bridge: read for every bridge, so that mistakes show even where nothing is `auto`. */
  private readSubnets(draft: DraftInterface): void {
    if (draft.keys.type !== 'bridge') return;
    const keys = draft.keys as { subnet?: string | string[]; gateway?: string | string[] };
    const base = (key: string): Path => keyPath(draft, key);
    const ranges: { 4?: Range; 6?: Range } = {};
    for (const { value, path } of members<string>(keys.subnet, base('subnet'))) {
      const subnet = readPrefix(value, { report: this.lab.report, path });
      if (subnet === undefined) continue;
      const family = ipFamily(subnet);
      if (ranges[family] !== undefined) {
        this.lab.report.fail(path, 'SUBNET_INVALID', `a bridge has one IPv${family} subnet at most`);
        continue;
      }
      ranges[family] = { subnet, addresses: new Addresses(subnet) };
      this.subnets.reserve(subnet);
    }
    if (ranges[4] !== undefined || ranges[6] !== undefined) {
      this.lans.set(draft, { bridge: draft, ranges, opened: false });
      this.readGateways(draft, ranges);
    }
  }

  /** A gateway that the file names is nobody else's address. */
  private readGateways(draft: DraftInterface, ranges: Ranges): void {
    const keys = draft.keys as { gateway?: string | string[] };
    for (const { value, path } of members<string>(keys.gateway, keyPath(draft, 'gateway'))) {
      const gateway = readAddress(value, { report: this.lab.report, path });
      if (gateway === undefined) continue;
      const range = ranges[ipFamily(gateway)];
      if (range === undefined || !prefixContains(range.subnet, gateway)) {
        const subnets = families.flatMap((family) => ranges[family]?.subnet ?? []).join(' and ');
        const message = `the gateway ${gateway} is not in the subnet of the bridge, ${subnets}`;
        this.lab.report.fail(path, 'ROUTE_GATEWAY_UNREACHABLE', message);
        continue;
      }
      range.gateway = gateway;
      this.taken.add(gateway);
    }
  }

  private lanRanges(bridge: DraftInterface): Ranges | undefined {
    const lan = this.lanOf(bridge);
    if (lan === undefined) return undefined;
    if (!lan.opened) this.openLan(lan);
    return lan.ranges;
  }

  /** The LAN of a bridge: its own subnet, or that of the first bridge wired to it, or one from the pool for all of them. */
  private lanOf(bridge: DraftInterface): Lan | undefined {
    if (this.lans.has(bridge)) return this.lans.get(bridge);
    const segment = this.segmentOf(bridge);
    const withSubnet = segment.find((member) => this.lans.get(member) !== undefined);
    const lan = withSubnet === undefined ? this.pooledLan(segment[0] ?? bridge) : this.lans.get(withSubnet);
    for (const member of segment) if (!this.lans.has(member)) this.lans.set(member, lan);
    return lan;
  }

  private pooledLan(bridge: DraftInterface): Lan | undefined {
    const ranges = this.takeSubnets(this.pools.lan);
    if (ranges[4] === undefined && ranges[6] === undefined) return undefined;
    this.readGateways(bridge, ranges);
    return { bridge, ranges, opened: false };
  }

  /** All bridges that wires join, the first of the file first. */
  private segmentOf(bridge: DraftInterface): DraftInterface[] {
    const seen = new Set([bridge]);
    for (const member of seen) {
      for (const port of this.portsOf(member)) {
        const peer = port.wire?.peer;
        const next = peer === undefined ? undefined : masterBridge(peer);
        if (next !== undefined) seen.add(next);
      }
    }
    return [...seen].sort((a, b) => (this.order.get(a) ?? 0) - (this.order.get(b) ?? 0));
  }

  private portsOf(bridge: DraftInterface): DraftInterface[] {
    return [...bridge.node.interfaces.values()].filter((port) => masterBridge(port) === bridge);
  }

  /** Where the file names no gateway, the bridge is it: with the address it has, or with the first free one. */
  private openLan(lan: Lan): void {
    lan.opened = true;
    for (const family of families) {
      const range = lan.ranges[family];
      if (range === undefined || range.gateway !== undefined) continue;
      const own = addressesOf(lan.bridge).find(
        ({ ip }) => ipFamily(ip) === family && prefixContains(range.subnet, addressOf(ip)),
      );
      const ip = own?.ip ?? range.addresses.next(this.taken);
      if (ip === undefined) continue;
      range.gateway = addressOf(ip);
      if (own !== undefined) continue;
      const path = keyPath(lan.bridge, 'subnet');
      lan.bridge.slots.push({ path, auto: false, resolved: [interfaceAddress(ip, path)] });
    }
  }

  /** A wire whose other end has addresses shares their subnets; any other takes the next of the pool. */
  private wireRanges(draft: DraftInterface, wire: NonNullable<DraftInterface['wire']>): Ranges {
    const known = this.wires.get(wire.link);
    if (known !== undefined) return known;
    const ranges: { 4?: Range; 6?: Range } = {};
    for (const { ip } of [...addressesOf(wire.peer), ...addressesOf(draft)]) {
      const subnet = subnetOf(ip);
      ranges[ipFamily(ip)] ??= { subnet, addresses: new Addresses(subnet) };
    }
    const found = (ranges[4] ?? ranges[6]) ? ranges : this.takeSubnets(this.pools.p2p);
    this.wires.set(wire.link, found);
    return found;
  }

  private takeSubnets(pools: Pools): Ranges {
    const ranges: { 4?: Range; 6?: Range } = {};
    for (const family of families) {
      const pool = pools[family];
      if (pool === undefined) continue;
      const subnet = this.subnets.next(pool);
      if (subnet === undefined) {
        this.poolEmpty(pool);
        continue;
      }
      this.lab.allocated.push(subnet);
      ranges[family] = { subnet, addresses: new Addresses(subnet) };
    }
    return ranges;
  }

  private readonly emptied = new Set<Pool>();

  private poolEmpty(pool: Pool): void {
    if (this.emptied.has(pool)) return;
    this.emptied.add(pool);
    const message = `all subnets of length ${pool.length} are taken`;
    const hint = 'make the pool bigger, or its `prefix` longer';
    this.lab.report.fail(pool.path, 'POOL_EXHAUSTED', message, hint);
  }

  private openLoopbacks(): Ranges {
    const ranges: { 4?: Range; 6?: Range } = {};
    for (const family of families) {
      const pool = this.pools.loopback[family];
      if (pool === undefined) continue;
      ranges[family] = { subnet: pool.prefix, addresses: new Addresses(pool.prefix, pool.length) };
    }
    return ranges;
  }
}

function asksForAuto(lab: Lowering): boolean {
  for (const draft of interfacesOf(lab)) for (const { auto } of draft.slots) if (auto) return true;
  return false;
}

function* interfacesOf(lab: Lowering): Generator<DraftInterface> {
  for (const node of lab.nodes) yield* node.interfaces.values();
}

/** The bridge that the interface is a port of. */
function masterBridge(draft: DraftInterface): DraftInterface | undefined {
  if (draft.keys.master === undefined) return undefined;
  const master = findInterface(draft.node, draft.keys.master);
  return master?.keys.type === 'bridge' ? master : undefined;
}

/** The bridge that the interface hears: its own, the one behind the other end of its wire, or that of its parent. */
function bridgeOf(draft: DraftInterface, depth = 0): DraftInterface | undefined {
  if (draft.keys.type === 'bridge') return draft;
  const own = masterBridge(draft);
  if (own !== undefined) return own;
  if (draft.wire !== undefined) return masterBridge(draft.wire.peer);
  const { link } = draft.keys as { link?: string };
  const stacked = draft.keys.type === 'macvlan' || draft.keys.type === 'ipvlan';
  if (link === undefined || !stacked || depth > 8) return undefined;
  const parent = findInterface(draft.node, link);
  return parent === undefined ? undefined : bridgeOf(parent, depth + 1);
}

function readPools(lab: Lowering, name: PoolName): Pools {
  const file: PoolFile | undefined = lab.file.addressing?.[name];
  if (file === undefined) return {};
  const base = ['addressing', name];
  if (file.ipv4 === undefined && file.ipv6 === undefined) {
    lab.report.fail(base, 'POOL_INVALID', `the pool ${name} has neither \`ipv4\` nor \`ipv6\``);
  }
  const pools: { 4?: Pool; 6?: Pool } = {};
  for (const family of families) {
    const pool = readPool(lab, { file, name, base }, family);
    if (pool !== undefined) pools[family] = pool;
  }
  return pools;
}

type PoolEntry = { readonly file: PoolFile; readonly name: PoolName; readonly base: Path };

function readPool(lab: Lowering, { file, name, base }: PoolEntry, family: IpFamily): Pool | undefined {
  const key = family === 4 ? 'ipv4' : 'ipv6';
  const text = file[key];
  if (text === undefined) return undefined;
  const path = [...base, key];
  const prefix = readPrefix(text, { report: lab.report, path });
  if (prefix === undefined) return undefined;
  if (ipFamily(prefix) !== family) {
    return lab.report.fail(
      path,
      'POOL_INVALID',
      `${prefix} is not IPv${family}`,
      `write it under \`${family === 4 ? 'ipv6' : 'ipv4'}\``,
    );
  }
  const lengthKey = family === 4 ? 'prefix' : 'prefix6';
  const given = file[lengthKey];
  const length = given ?? Math.max(lengths[name][family], prefixLength(prefix));
  if (length < prefixLength(prefix)) {
    const message = `a subnet of length ${length} does not fit into ${prefix}`;
    return lab.report.fail([...base, lengthKey], 'POOL_INVALID', message, `${prefixLength(prefix)} or more`);
  }
  return new Pool(prefix, { length, path });
}

/** A pool inside another is left alone by it; of two equal ones each goes around what the other has handed out. */
function keepNestedPools(pools: Readonly<Record<PoolName, Pools>>): void {
  const all = Object.values(pools).flatMap((pair) => families.flatMap((family) => pair[family] ?? []));
  for (const outer of all) {
    for (const inner of all) {
      const inside = inner.family === outer.family && prefixLength(inner.prefix) > prefixLength(outer.prefix);
      if (inside && prefixContains(outer.prefix, addressOf(inner.prefix))) outer.exclude(inner.prefix);
    }
  }
}
