// Who hears a frame that leaves a link: the frame is followed over wires, bridges, VLANs and tunnels to every link that would
// take it. It is also followed past what stops it, with the first such thing remembered: so the one that was meant is found, and
// with it the reason why it hears nothing. bridge(8), ip-link(8), net/bridge/br_forward.c, net/core/dev.c is_skb_forwardable().

import type { IpAddress } from '../base/ip.ts';
import { addressOf } from '../base/ip.ts';
import { type PortVlan, parseBridgePort } from '../rtnl/bridge-port.ts';
import type { Link } from '../rtnl/link.ts';
import { type Cause, type CauseCode, linkOf, type Netns, type Port, portName, type World } from './world.ts';

/** A link that takes the frame for its own namespace. */
export type Station = Port & {
  /** The first thing on the way that stops the frame; absent where it arrives. */
  readonly cause?: Cause;
  /** Ports of bridges that it left by. */
  readonly through: readonly Port[];
  /** The narrowest link below the IP layer, where a packet that is too long vanishes. */
  readonly narrow?: Port;
};

export type Wire = {
  /** Those that the frame reaches come first. */
  readonly stations: readonly Station[];
  /** Where frames leave what can be seen: NICs of the machine, tunnels without a known end. */
  readonly leaves: readonly Port[];
  /** The first link or bridge found to stop it. */
  readonly stopped: readonly Cause[];
};

/** Asks whether packets between the ends of a tunnel arrive: what stops them, or undefined. */
export type Carrier = (from: Netns, to: IpAddress) => Cause | undefined;

type Frame = {
  readonly way: 'out' | 'in';
  readonly port: Port;
  readonly vlan?: number | undefined;
  readonly cause?: Cause | undefined;
  readonly through: readonly Port[];
  readonly narrow?: Port | undefined;
};

const parents = ['vlan', 'macvlan', 'macvtap', 'ipvlan'];

/** The links that stand on another one, by that one: vlan devices, macvlans, ipvlans, wherever they live. */
export class Uppers {
  readonly #world: World;
  #index: Map<Link, Port[]> | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  of(port: Port): readonly Port[] {
    this.#index ??= this.#build();
    return this.#index.get(port.link) ?? [];
  }

  #build(): Map<Link, Port[]> {
    const index = new Map<Link, Port[]>();
    for (const ns of this.#world.all) {
      for (const link of ns.links) {
        if (!parents.includes(link.kind ?? '')) continue;
        const lower = this.#world.lower({ ns, link });
        if (lower !== undefined) index.set(lower.link, [...(index.get(lower.link) ?? []), { ns, link }]);
      }
    }
    return index;
  }
}

function cause(code: CauseCode, ns: Netns, text: string): Cause {
  return { code, node: ns.name, text };
}

/** Follows a broadcast frame that is sent by the link. */
export function wireOf(
  from: Port,
  world: World,
  { uppers, carries }: { uppers: Uppers; carries: Carrier },
): Wire {
  return new Search(world, uppers, carries).run(from);
}

class Search {
  readonly #world: World;
  readonly #uppers: Uppers;
  readonly #carries: Carrier;
  /** Frames that arrive are followed before those that were stopped, so each link is reached in the best way there is. */
  readonly #free: Frame[] = [];
  readonly #blocked: Frame[] = [];
  readonly #seen = new Map<Link, Set<string>>();
  readonly #stations: Station[] = [];
  readonly #leaves: Port[] = [];
  readonly #stopped: Cause[] = [];

  constructor(world: World, uppers: Uppers, carries: Carrier) {
    this.#world = world;
    this.#uppers = uppers;
    this.#carries = carries;
  }

  run(from: Port): Wire {
    this.#push({ way: 'out', port: from, through: [] });
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
      if (frame.way === 'out') this.#out(frame);
      else this.#in(frame);
    }
    const stations = this.#stations.filter(({ link }) => link !== from.link);
    return { stations, leaves: this.#leaves, stopped: this.#stopped };
  }

  #next(): Frame | undefined {
    return this.#free.shift() ?? this.#blocked.shift();
  }

  #push(frame: Frame): void {
    (frame.cause === undefined ? this.#free : this.#blocked).push(frame);
  }

  /** The same frame, somewhere else; the first thing that stopped it stays. */
  #pass(frame: Frame, to: Partial<Frame> & { readonly port: Port; readonly way: Frame['way'] }): void {
    const next = { ...frame, ...to };
    if (frame.cause === undefined && to.cause !== undefined) this.#stopped.push(to.cause);
    this.#push({ ...next, cause: frame.cause ?? to.cause });
  }

  #isNew({ port, way, vlan }: Frame): boolean {
    let seen = this.#seen.get(port.link);
    if (seen === undefined) {
      seen = new Set();
      this.#seen.set(port.link, seen);
    }
    const key = `${way} ${vlan ?? ''}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  }

  #out(frame: Frame): void {
    if (!this.#isNew(frame)) return;
    const { port } = frame;
    const { ns, link } = port;
    const down = link.up ? undefined : cause('link-down', ns, `${portName(port)} is down`);
    const here: Frame = { ...frame, cause: frame.cause ?? down };
    if (frame.cause === undefined && down !== undefined) this.#stopped.push(down);
    const lower = this.#world.lower(port);
    switch (link.kind) {
      case 'veth':
        if (lower === undefined) this.#leaves.push(port);
        else this.#pass(here, { way: 'in', port: lower, narrow: narrower(here.narrow, lower) });
        return;
      case 'vlan':
        if (lower !== undefined) this.#pass(here, { way: 'out', port: lower, vlan: vlanId(link) });
        return;
      case 'macvlan':
      case 'macvtap':
      case 'ipvlan':
        if (lower === undefined) return;
        this.#pass(here, { way: 'out', port: lower });
        for (const sibling of this.#uppers.of(lower))
          if (sibling.link !== link && sibling.link.kind === link.kind)
            this.#pass(here, { way: 'in', port: sibling });
        return;
      case 'bridge':
        this.#flood(here, port, undefined);
        return;
      case 'bond':
        this.#outOfBond(here);
        return;
      case 'vxlan':
      case 'gre':
      case 'gretap':
      case 'ip6gre':
      case 'ip6gretap':
      case 'ipip':
      case 'sit':
      case 'ip6tnl':
        this.#tunnel(here);
        return;
      case 'dummy':
      case 'ifb':
      case 'vrf':
        return;
      default:
        if (link.ifname !== 'lo') this.#leaves.push(port);
    }
  }

  #outOfBond(frame: Frame): void {
    const { ns, link } = frame.port;
    const slaves = ns.links.filter(({ master }) => master === link.ifindex);
    const good = slaves.find((slave) => slave.up && slave.lowerUp);
    if (good !== undefined) {
      this.#pass(frame, { way: 'out', port: { ns, link: good } });
      return;
    }
    const why = cause('link-down', ns, `${portName(frame.port)}: none of its ports is up`);
    for (const slave of slaves) this.#pass(frame, { way: 'out', port: { ns, link: slave }, cause: why });
  }

  /** To the other ends: links of the same kind in the namespaces that have the remote address. */
  #tunnel(frame: Frame): void {
    const { ns, link } = frame.port;
    let found = false;
    for (const remote of remotesOf(ns, link)) {
      for (const other of this.#world.all) {
        if (other === ns || !hasAddress(other, remote)) continue;
        for (const end of other.links) {
          if (end.kind !== link.kind || tunnelKey(end) !== tunnelKey(link)) continue;
          found = true;
          const why = frame.cause === undefined ? this.#carries(ns, remote) : undefined;
          this.#pass(frame, {
            way: 'in',
            port: { ns: other, link: end },
            ...(why === undefined ? {} : { cause: why }),
          });
        }
      }
    }
    if (!found) this.#leaves.push(frame.port);
  }

  #in(frame: Frame): void {
    if (!this.#isNew(frame)) return;
    const { port, vlan } = frame;
    const { ns, link } = port;
    const down = link.up ? undefined : cause('link-down', ns, `${portName(port)} is down`);
    const here: Frame = { ...frame, cause: frame.cause ?? down };
    if (frame.cause === undefined && down !== undefined) this.#stopped.push(down);
    const uppers = this.#uppers.of(port);
    if (vlan !== undefined) {
      const own = uppers.filter((upper) => upper.link.kind === 'vlan' && vlanId(upper.link) === vlan);
      for (const upper of own) this.#pass(here, { way: 'in', port: upper, vlan: undefined });
    }
    for (const upper of uppers) if (upper.link.kind !== 'vlan') this.#pass(here, { way: 'in', port: upper });
    const master = linkOf(ns, link.master);
    if (master?.kind === 'bridge') {
      this.#flood(here, { ns, link: master }, link);
      return;
    }
    if (master?.kind === 'bond') {
      this.#pass(here, { way: 'in', port: { ns, link: master } });
      return;
    }
    if (vlan === undefined) this.#stations.push(stationOf(here));
    if (link.kind !== 'bridge') this.#intoBridges(here);
  }

  /** A link that is in no bridge, in a namespace that has some, and has nothing to do by itself: it was meant to be a port. */
  #intoBridges(frame: Frame): void {
    const { ns, link } = frame.port;
    if (!isIdle(ns, link)) return;
    for (const bridge of ns.links.filter(({ kind }) => kind === 'bridge')) {
      const why = cause('not-in-bridge', ns, `${ns.name}: port ${link.ifname} is not in ${bridge.ifname}`);
      this.#flood({ ...frame, cause: frame.cause ?? why }, { ns, link: bridge }, link);
      if (frame.cause === undefined) this.#stopped.push(why);
    }
  }

  #flood(frame: Frame, bridge: Port, from: Link | undefined): void {
    const { ns, link } = bridge;
    const down = link.up ? undefined : cause('bridge-down', ns, `${ns.name}: bridge ${link.ifname} is down`);
    if (frame.cause === undefined && down !== undefined) this.#stopped.push(down);
    const filtering = link.info?.kind === 'bridge' && link.info.vlan_filtering === true;
    const at: Frame = { ...frame, cause: frame.cause ?? down ?? portState(ns, link, from) };
    const entry = filtering
      ? entryVlan(ns, { name: (from ?? link).ifname, index: (from ?? link).ifindex }, frame.vlan)
      : {};
    const inside: Frame = { ...at, cause: at.cause ?? entry.cause };
    const vid = entry.vid ?? frame.vlan;
    const ports = ns.links.filter(
      ({ master, ifindex }) => master === link.ifindex && ifindex !== from?.ifindex,
    );
    for (const port of ports) {
      const exit: Exit = filtering ? exitVlan(ns, port, vid) : { vlan: vid };
      const why = isolatedFrom(ns, from, port) ?? portState(ns, link, port) ?? exit.cause;
      const to = { ns, link: port };
      this.#pass(inside, {
        way: 'out',
        port: to,
        vlan: exit.vlan,
        through: [...inside.through, to],
        narrow: narrower(inside.narrow, to),
        ...(why === undefined ? {} : { cause: why }),
      });
    }
    if (from !== undefined) {
      const self: Exit = filtering ? exitVlan(ns, link, vid) : { vlan: vid };
      this.#pass(inside, {
        way: 'in',
        port: bridge,
        vlan: self.vlan,
        ...(self.cause === undefined ? {} : { cause: self.cause }),
      });
    }
    this.#besides(inside, bridge, from);
  }

  /** What the frame would meet if it were in this bridge as well. */
  #besides(frame: Frame, { ns, link: bridge }: Port, from: Link | undefined): void {
    for (const link of ns.links) {
      if (link === from || link === bridge || link.master === bridge.ifindex) continue;
      const other = linkOf(ns, link.master);
      const text =
        other?.kind === 'bridge'
          ? `${ns.name}: port ${link.ifname} is in ${other.ifname}, and ${from?.ifname ?? bridge.ifname} in ${bridge.ifname}`
          : `${ns.name}: port ${link.ifname} is not in ${bridge.ifname}`;
      if (other?.kind !== 'bridge' && !isIdle(ns, link)) continue;
      const why = cause('not-in-bridge', ns, text);
      this.#push({ ...frame, way: 'out', port: { ns, link }, cause: frame.cause ?? why });
    }
  }
}

function stationOf({ port, cause: why, through, narrow }: Frame): Station {
  return {
    ...port,
    through,
    ...(why === undefined ? {} : { cause: why }),
    ...(narrow === undefined ? {} : { narrow }),
  };
}

function narrower(before: Port | undefined, port: Port): Port {
  return before !== undefined && (before.link.mtu ?? 0) <= (port.link.mtu ?? 0) ? before : port;
}

function vlanId(link: Link): number | undefined {
  return link.info?.kind === 'vlan' ? link.info.id : undefined;
}

/** A wire without a master and without an address that others could ask for. */
function isIdle(ns: Netns, link: Link): boolean {
  if (link.master !== undefined && link.master !== 0) return false;
  if (link.kind !== 'veth' && link.kind !== 'tap' && link.kind !== 'vxlan') return false;
  return !ns.addresses.some(({ ifindex, scope }) => ifindex === link.ifindex && scope === 'global');
}

/** Addresses to which a tunnel sends what is for everybody. */
function remotesOf(ns: Netns, link: Link): IpAddress[] {
  const info = link.info;
  const own =
    info !== undefined && 'remote' in info && info.remote !== undefined ? [info.remote as IpAddress] : [];
  if (link.kind !== 'vxlan') return own;
  const listed = ns.fdb.filter(({ ifindex, dst }) => ifindex === link.ifindex && dst !== undefined);
  return [...new Set([...own, ...listed.flatMap(({ dst }) => dst ?? [])])];
}

/** What both ends of a tunnel have in common. */
function tunnelKey({ info }: Link): string {
  if (info?.kind === 'vxlan') return `${info.id} ${info.port ?? ''}`;
  return info !== undefined && 'ikey' in info ? String(info.ikey ?? '') : '';
}

export function hasAddress(ns: Netns, address: IpAddress): boolean {
  return ns.addresses.some((entry) => addressOf(entry.address) === address);
}

function portState(ns: Netns, bridge: Link, port: Link | undefined): Cause | undefined {
  // A link that is down is a disabled port, and has been named as what it is.
  if (port?.slaveData === undefined || !port.up || !port.lowerUp || !bridge.up) return undefined;
  const { state } = parseBridgePort(port.slaveData);
  if (state === undefined || state === 'forwarding') return undefined;
  return cause('port-blocked', ns, `${ns.name}: port ${port.ifname} of ${bridge.ifname} is ${state}`);
}

function isolatedFrom(ns: Netns, from: Link | undefined, to: Link): Cause | undefined {
  const isolated = (link: Link | undefined): boolean =>
    link?.slaveData !== undefined && parseBridgePort(link.slaveData).isolated === true;
  if (!isolated(from) || !isolated(to)) return undefined;
  return cause('isolated', ns, `${ns.name}: ports ${from?.ifname} and ${to.ifname} are both isolated`);
}

function includes(vlans: readonly PortVlan[], vid: number): PortVlan | undefined {
  return vlans.find((one) => vid >= one.vid && vid <= (one.vidEnd ?? one.vid));
}

type Named = { readonly name: string; readonly index: number };

/** The VLAN that a frame is in once it is inside a bridge that filters. */
function entryVlan(ns: Netns, port: Named, tag: number | undefined): { vid?: number; cause?: Cause } {
  const vlans = ns.vlans.get(port.index) ?? [];
  if (tag === undefined) {
    const pvid = vlans.find((one) => one.pvid === true)?.vid;
    if (pvid !== undefined) return { vid: pvid };
    return {
      cause: cause(
        'vlan',
        ns,
        `${ns.name}: port ${port.name} takes no frames without a tag (it has no PVID)`,
      ),
    };
  }
  if (includes(vlans, tag) !== undefined) return { vid: tag };
  return { vid: tag, cause: cause('vlan', ns, `${ns.name}: port ${port.name} is not in VLAN ${tag}`) };
}

/** The tag with which a frame goes out, if with one, or why it does not. */
type Exit = { readonly vlan?: number | undefined; readonly cause?: Cause };

function exitVlan(ns: Netns, port: Link, vid: number | undefined): Exit {
  if (vid === undefined) return {};
  const found = includes(ns.vlans.get(port.ifindex) ?? [], vid);
  if (found !== undefined) return found.untagged === true ? {} : { vlan: vid };
  return { cause: cause('vlan', ns, `${ns.name}: port ${port.ifname} is not in VLAN ${vid}`) };
}
