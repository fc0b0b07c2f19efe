// Where a packet dies: it is walked from its source to its target and back, through the answers of each namespace on the way, as
// the kernel would carry it: routing, filters, translation, neighbours, the wires between. The first thing that stops it is the
// cause. Nothing here is sent, and nothing is known of a file. ip_rcv(), ip_forward(), ip_output() of net/ipv4; their IPv6 likes.

import {
  addressOf,
  type IpAddress,
  type IpInterface,
  ipFamily,
  prefixContains,
  prefixLength,
  subnetOf,
} from '../base/ip.ts';
import type { NftHook } from '../nfnl/ruleset.ts';
import type { Link } from '../rtnl/link.ts';
import type { Route } from '../rtnl/route.ts';
import { type Passage, passHook, type Translation, translate } from './filter.ts';
import { explainNoRoute, familyName, firstMatch, ownersOf } from './no-route.ts';
import { familyOfPacket, type Packet, replyTo } from './packet.ts';
import { hasAddress, type Station, Uppers, type Wire, wireOf } from './wire.ts';
import {
  type Cause,
  type CauseCode,
  linkOf,
  type Netns,
  type Port,
  portName,
  type Wireguard,
  type World,
} from './world.ts';

export type Ask = {
  readonly from: Netns;
  readonly to: IpAddress;
  readonly proto: 'icmp' | 'tcp' | 'udp';
  /** Of tcp and udp. */
  readonly port?: number;
  /** A connection stood and then no data came: long packets are looked at, not short ones. */
  readonly long?: boolean;
};

export type Diagnosis = {
  /** Absent where the tables let it through both ways. */
  readonly cause?: Cause;
  /** It is the answer that does not arrive. */
  readonly back: boolean;
  /** Namespaces that the packet passed, up to where it died. */
  readonly path: readonly string[];
  /** What could not be seen: where packets leave what is known of the machine. */
  readonly unseen?: string;
};

/** A packet takes no more hops than its TTL. */
const HOPS = 64;
/** Of ping(8), with the headers. */
const SHORT = 84;
/** Where nothing says otherwise, and what a client may take as its own port: not one that anybody listens on. */
const CLIENT_PORT = 50_000;
/** Tunnels in tunnels in tunnels. */
const DEPTH = 3;
const IFF_NOARP = 0x80;

export function diagnose(world: World, ask: Ask): Diagnosis {
  return new Walk(world, new Uppers(world), 0).run(ask);
}

/** The packet cannot go on. */
class Stopped extends Error {
  readonly diagnosed: Cause;
  constructor(diagnosed: Cause) {
    super(diagnosed.text);
    this.diagnosed = diagnosed;
  }
}

/** It goes where nobody can look. */
class Unseen extends Error {}

function stop(code: CauseCode, ns: Netns, text: string): never {
  throw new Stopped({ code, node: ns.name, text });
}

/** A namespace that has given a connection another address. */
type Translated = {
  readonly ns: Netns;
  readonly side: 'src' | 'dst';
  readonly before: IpAddress;
  readonly after: IpAddress;
  readonly port: number;
  readonly by: string;
};

type Arrived = { readonly ns: Netns; readonly packet: Packet; readonly iif: Link };

type Lookup = {
  readonly ns: Netns;
  readonly packet: Packet;
  /** It has its source already. */
  readonly bound: boolean;
  readonly iif?: Link;
  /** The vrf whose table is asked. */
  readonly oif?: Link | undefined;
};

class Walk {
  readonly #world: World;
  readonly #uppers: Uppers;
  readonly #depth: number;
  readonly #log: Translated[] = [];
  readonly #wires = new Map<Link, Wire>();
  #path: string[] = [];
  #visited = new Set<string>();
  /** The smallest MTU that the two ends agree on: TCP sends no more than that. */
  #mtu = Number.POSITIVE_INFINITY;

  constructor(world: World, uppers: Uppers, depth: number) {
    this.#world = world;
    this.#uppers = uppers;
    this.#depth = depth;
  }

  run({ from, to, proto, port = 0, long = false }: Ask): Diagnosis {
    const sport = proto === 'icmp' ? 0 : CLIENT_PORT;
    const any = (ipFamily(to) === 4 ? '0.0.0.0' : '::') as IpAddress;
    const packet: Packet = {
      proto,
      src: any,
      dst: to,
      sport,
      dport: port,
      bytes: SHORT,
      reply: false,
      mark: 0,
    };
    let back = false;
    let there: string[] = [];
    try {
      const arrived = this.#leg(from, packet);
      checkService(arrived, this.#log);
      there = this.#path;
      back = true;
      this.#backTo(arrived, from, SHORT, there);
      // With the sizes that the two ends have told each other.
      if (long) this.#backTo(arrived, from, this.#mtu, there);
      return { back: false, path: there };
    } catch (error) {
      const path = back ? [...there, ...this.#path.slice(1)] : this.#path;
      if (error instanceof Stopped) return { cause: error.diagnosed, back, path };
      if (error instanceof Unseen) return { back, path, unseen: error.message };
      throw error;
    }
  }

  #backTo(arrived: Arrived, source: Netns, bytes: number, there: readonly string[]): void {
    const answer = { ...replyTo(arrived.packet), bytes };
    try {
      const end = this.#leg(arrived.ns, answer, vrfOf(arrived.ns, arrived.iif));
      if (end.ns === source) return;
      stop(
        'duplicate-address',
        end.ns,
        `${end.ns.name} has ${end.packet.dst} as well as ${source.name}, and gets the answer`,
      );
    } catch (error) {
      if (!(error instanceof Stopped) || error.diagnosed.code !== 'no-route') throw error;
      const routers = there.slice(1, -1);
      if (routers.length === 0 || this.#log.some(({ side }) => side === 'src')) throw error;
      const none = ` (on the way there, ${routers.join(' and ')} gave it no other source address)`;
      throw new Stopped({ ...error.diagnosed, text: error.diagnosed.text + none });
    }
  }

  /** From the namespace that sends it to the one that takes it. */
  #leg(from: Netns, packet: Packet, vrf?: Link): Arrived {
    this.#path = [from.name];
    this.#visited = new Set();
    let now: Arrived | Hop = this.#send(from, packet, vrf);
    for (let hops = 0; 'station' in now; hops++) {
      if (hops >= HOPS) stop('loop', now.station.ns, `${now.station.ns.name}: the packet ran out of hops`);
      this.#path.push(now.station.ns.name);
      now = this.#receive(now);
    }
    return now;
  }

  #send(ns: Netns, given: Packet, vrf: Link | undefined): Arrived | Hop {
    const bound = given.reply;
    const route = this.#lookup({ ns, packet: given, bound, oif: vrf });
    const src = bound ? given.src : (route.src ?? sourceOf(ns, route, given.dst));
    if (src === undefined)
      return stop('no-address', ns, `${ns.name}: no interface has an ${familyName(given.dst)} address`);
    let packet = { ...given, src };
    const before = packet.dst;
    packet = this.#hook('output', { ns, packet, oif: linkOf(ns, route.dev)?.ifname }, src);
    const again = packet.dst !== before || packet.mark !== 0;
    const final = again ? this.#lookup({ ns, packet, bound: true, oif: vrf }) : route;
    if (final.type === 'local') return this.#toItself(ns, packet);
    this.#checkSource(ns, final, packet);
    return this.#transmit(ns, packet, final, undefined);
  }

  #toItself(ns: Netns, packet: Packet): Arrived {
    const lo = ns.links.find(({ ifname }) => ifname === 'lo');
    if (lo === undefined || !lo.up) return stop('link-down', ns, `${ns.name}:lo is down`);
    const after = this.#hook('input', { ns, packet, iif: 'lo' }, packet.dst);
    return { ns, packet: after, iif: lo };
  }

  /** Somebody else on the wire has the address that the packet is from: answers may go there. */
  #checkSource(ns: Netns, route: Route, packet: Packet): void {
    const link = linkOf(ns, route.dev);
    if (link === undefined || (link.flags & IFF_NOARP) !== 0) return;
    const rival = this.#wire({ ns, link }).stations.find(
      (station) => station.cause === undefined && station.ns !== ns && isOn(station, packet.src),
    );
    if (rival === undefined || !hasAddress(ns, packet.src)) return;
    stop(
      'duplicate-address',
      rival.ns,
      `${packet.src} is on ${portName({ ns, link })} and on ${portName(rival)} as well`,
    );
  }

  #lookup({ ns, packet, bound, iif, oif }: Lookup): Route {
    const question = {
      to: packet.dst,
      ...(bound ? { from: packet.src } : {}),
      ...(iif === undefined ? {} : { iif: iif.ifindex }),
      ...(oif === undefined ? {} : { oif: oif.ifindex }),
      ...(packet.mark === 0 ? {} : { mark: packet.mark }),
    };
    const answer = ns.lookup(question);
    if ('route' in answer && !isRefusing(answer.route)) return answer.route;
    const from = bound ? packet.src : undefined;
    throw new Stopped(
      explainNoRoute({ ns, to: packet.dst, from, iif, vrf: oif, mark: packet.mark }, this.#world),
    );
  }

  #receive({ station, packet: given }: Hop): Arrived | Hop {
    const { ns, link: iif } = station;
    const device = vrfOf(ns, iif) ?? iif;
    let packet = this.#undo(ns, given, 'src');
    packet = this.#hook('prerouting', { ns, packet, iif: device.ifname }, firstAddress(ns, iif, packet.dst));
    const route = this.#routeIn(ns, iif, packet);
    if (route.type === 'local') {
      packet = this.#hook('input', { ns, packet, iif: device.ifname }, undefined);
      return { ns, packet, iif };
    }
    const key = `${ns.name} ${iif.ifindex} ${packet.dst}`;
    if (this.#visited.has(key)) {
      const round = [...new Set(this.#path.slice(this.#path.indexOf(ns.name)))];
      stop('loop', ns, `${ns.name}: packets to ${packet.dst} go round in a loop: ${round.join(', ')}`);
    }
    this.#visited.add(key);
    return this.#transmit(ns, packet, route, device);
  }

  /** The route of a packet that came in, with what else can keep it from being taken. */
  #routeIn(ns: Netns, iif: Link, packet: Packet): Route {
    const answer = ns.lookup({
      to: packet.dst,
      from: packet.src,
      iif: iif.ifindex,
      ...(packet.mark === 0 ? {} : { mark: packet.mark }),
    });
    const route = 'route' in answer && !isRefusing(answer.route) ? answer.route : undefined;
    if (route?.type === 'local') return route;
    if (hasAddress(ns, packet.src))
      return stop(
        'martian',
        ns,
        `${ns.name} has the address ${packet.src} itself, and drops packets that come from it`,
      );
    if (route === undefined && familyOfPacket(packet) === 4) this.#checkReturnPath(ns, iif, packet);
    if (!forwards(ns, iif, packet)) return stop('forwarding-off', ns, forwardingText(ns, iif, packet));
    return route ?? this.#lookup({ ns, packet, bound: true, iif });
  }

  /** Source validation, ip-sysctl.rst rp_filter: the larger of the two values counts. */
  #checkReturnPath(ns: Netns, iif: Link, packet: Packet): void {
    const values = ['all', sysctlName(iif)].map((name) =>
      Number(ns.sysctl(`net.ipv4.conf.${name}.rp_filter`) ?? 0),
    );
    const mode = Math.max(...values);
    if (mode === 0) return;
    const vrf = vrfOf(ns, iif);
    const answer = ns.lookup({ to: packet.src, ...(vrf === undefined ? {} : { oif: vrf.ifindex }) });
    if (!('route' in answer) || isRefusing(answer.route)) {
      // Without the filter the answer would die here.
      const missing = explainNoRoute({ ns, to: packet.src, vrf, mark: 0 }, this.#world);
      const text = `${missing.text}, and rp_filter on ${iif.ifname} drops what comes from there`;
      throw new Stopped({ ...missing, text });
    }
    if (mode !== 1 || answer.route.dev === iif.ifindex) return;
    const out = linkOf(ns, answer.route.dev)?.ifname ?? 'another link';
    const text = `${ns.name}: rp_filter on ${iif.ifname} drops packets from ${packet.src}: the way back leads out of ${out}`;
    stop('rp-filter', ns, text);
  }

  #transmit(ns: Netns, given: Packet, route: Route, iif: Link | undefined): Arrived | Hop {
    const link = linkOf(ns, route.dev);
    if (link === undefined) return stop('no-route', ns, `${ns.name}: the route to ${given.dst} has no link`);
    const oif = vrfOf(ns, link)?.ifname ?? link.ifname;
    let packet = given;
    if (iif !== undefined)
      packet = this.#hook('forward', { ns, packet, iif: iif.ifname, oif: link.ifname }, undefined);
    packet = this.#hook('postrouting', { ns, packet, oif }, firstAddress(ns, link, packet.src));
    packet = this.#undo(ns, packet, 'dst');
    const mtu = route.metrics?.mtu ?? link.mtu ?? 1500;
    if (iif === undefined) this.#mtu = Math.min(this.#mtu, mtu);
    else if (packet.bytes > mtu) this.#checkTooBig({ ns, link }, packet, mtu);
    const station = this.#stationOf({ ns, link }, route, packet);
    if (station.narrow !== undefined) checkNarrow(station.narrow, packet);
    return { station, packet };
  }

  /** A router says that a packet is too long for the next link, and the one who sent it has to hear that. */
  #checkTooBig(port: Port, packet: Packet, mtu: number): void {
    const word: Packet = {
      ...packet,
      proto: 'icmp',
      // Destination unreachable, fragmentation needed (RFC 1191), and packet too big (RFC 8201).
      icmpType: familyOfPacket(packet) === 4 ? 3 : 2,
      src: firstAddress(port.ns, port.link, packet.src) ?? packet.dst,
      dst: packet.src,
      sport: 0,
      dport: 0,
      bytes: SHORT,
    };
    const walk = new Walk(this.#world, this.#uppers, this.#depth + 1);
    const lost = this.#depth >= DEPTH ? undefined : walk.oneWay(port.ns, word);
    if (lost === undefined) return;
    const text = `${portName(port)} has MTU ${mtu}, packets of ${packet.bytes} bytes do not fit, and the message that says so is lost (${lost.text})`;
    stop('mtu', port.ns, text);
  }

  /** What stops a packet, without an answer to it. */
  oneWay(from: Netns, packet: Packet): Cause | undefined {
    try {
      this.#leg(from, packet);
      return undefined;
    } catch (error) {
      if (error instanceof Stopped) return error.diagnosed;
      if (error instanceof Unseen) return undefined;
      throw error;
    }
  }

  #hook(hook: NftHook, passage: Passage, own: IpAddress | undefined): Packet {
    const { ns, packet } = passage;
    const at = this.#log.filter((one) => one.ns === ns);
    const status = {
      snat: at.some(({ side }) => side === 'src'),
      dnat: at.some(({ side }) => side === 'dst'),
    };
    const fate = passHook(hook, { ...passage, status });
    if (fate.verdict !== 'accept') {
      const word = fate.verdict === 'drop' ? 'dropped' : 'rejected';
      return stop(word, ns, `${ns.name}: ${word} by ${fate.by}`);
    }
    const marked = { ...packet, mark: fate.mark };
    return fate.nat === undefined ? marked : this.#translate(ns, marked, fate.nat, own);
  }

  #translate(ns: Netns, packet: Packet, nat: Translation, own: IpAddress | undefined): Packet {
    const after = translate(packet, nat, own);
    if (after[nat.side] !== packet[nat.side] || after.dport !== packet.dport) {
      const [before, port] = [packet[nat.side], nat.side === 'dst' ? packet.dport : packet.sport];
      this.#log.push({ ns, side: nat.side, before, after: after[nat.side], port, by: nat.by });
    }
    return after;
  }

  /** An answer gets back the addresses that the question had. */
  #undo(ns: Netns, packet: Packet, side: 'src' | 'dst'): Packet {
    if (!packet.reply) return packet;
    const field = side === 'src' ? 'dst' : 'src';
    const done = this.#log.find((one) => one.ns === ns && one.side === side && one.after === packet[field]);
    if (done === undefined) return packet;
    const port = side === 'src' ? { dport: done.port } : { sport: done.port };
    return { ...packet, [field]: done.before, ...(packet.proto === 'icmp' ? {} : port) };
  }

  #wire(port: Port): Wire {
    const known = this.#wires.get(port.link);
    if (known !== undefined) return known;
    const carries = (from: Netns, to: IpAddress): Cause | undefined => this.#carries(from, to);
    const found = wireOf(port, this.#world, { uppers: this.#uppers, carries });
    this.#wires.set(port.link, found);
    return found;
  }

  /** What stops the packets of a tunnel. */
  #carries(from: Netns, to: IpAddress): Cause | undefined {
    if (this.#depth >= DEPTH) return undefined;
    const any = (ipFamily(to) === 4 ? '0.0.0.0' : '::') as IpAddress;
    const outer: Packet = {
      proto: 'udp',
      src: any,
      dst: to,
      sport: CLIENT_PORT,
      dport: 4789,
      bytes: SHORT,
      reply: false,
      mark: 0,
    };
    return new Walk(this.#world, this.#uppers, this.#depth + 1).oneWay(from, outer);
  }

  /** Who gets a packet that leaves by the link: the one that has the address of the next hop. */
  #stationOf(port: Port, route: Route, packet: Packet): Station {
    const { ns, link } = port;
    const next = route.via ?? packet.dst;
    if (link.kind === 'wireguard') return this.#throughWireguard(port, packet);
    const wire = this.#wire(port);
    if ((link.flags & IFF_NOARP) !== 0) return this.#farEnd(port, wire, next);
    const owners = wire.stations.filter((station) => answersFor(station, next));
    const [first] = sortOwners(owners, next);
    const entry = ns.neighbours.find(
      (one) => one.ifindex === link.ifindex && one.address === next && !one.proxy,
    );
    if (first === undefined) {
      if (wire.leaves.length > 0) throw new Unseen(`packets leave by ${portName(wire.leaves[0] ?? port)}`);
      throw new Stopped(this.#nobody(port, wire, { next, route, packet }));
    }
    if (first.cause !== undefined) throw new Stopped(first.cause);
    const rival = owners.find((one) => one.ns !== first.ns && one.cause === undefined && isOn(one, next));
    if (rival !== undefined && isOn(first, next))
      stop(
        'duplicate-address',
        rival.ns,
        `${next} is on ${portName(first)} and on ${portName(rival)} as well`,
      );
    if (entry?.state === 'permanent' && entry.lladdr !== undefined && entry.lladdr !== first.link.mac) {
      const text = `${ns.name}: the neighbour entry of ${next} on ${link.ifname} has ${entry.lladdr}, and ${portName(first)} is ${first.link.mac}`;
      stop('wrong-neighbour', ns, text);
    }
    checkDad(first, next);
    checkFdb(first);
    return first;
  }

  /** To the peer that has the destination among its allowed_ips; the peer must take packets from the source by us. */
  #throughWireguard(port: Port, packet: Packet): Station {
    const { ns, link } = port;
    if (!link.up) return stop('link-down', ns, `${portName(port)} is down`);
    const own = ns.wireguard(link);
    const peer = peerFor(own?.peers ?? [], packet.dst);
    if (peer === undefined)
      return stop('tunnel', ns, `${ns.name}: no peer of ${link.ifname} has ${packet.dst} in its allowed_ips`);
    const far = this.#world.all
      .flatMap((other) => other.links.map((one) => ({ ns: other, link: one })))
      .find(
        (one) => one.link.kind === 'wireguard' && one.ns.wireguard(one.link)?.publicKey === peer.publicKey,
      );
    if (far === undefined) throw new Unseen(`packets leave by ${portName(port)}`);
    if (!far.link.up) return stop('link-down', far.ns, `${portName(far)} is down`);
    const theirs = far.ns.wireguard(far.link)?.peers ?? [];
    const us = theirs.find(({ publicKey }) => publicKey === own?.publicKey);
    if (us === undefined)
      return stop(
        'tunnel',
        far.ns,
        `${far.ns.name}: no peer of ${far.link.ifname} has the key of ${portName(port)}`,
      );
    if (peerFor([us], packet.src) === undefined)
      return stop(
        'tunnel',
        far.ns,
        `${far.ns.name}: the peer of ${far.link.ifname} that is ${portName(port)} has not ${packet.src} in its allowed_ips`,
      );
    // Who has no address of the other waits to be called.
    const under =
      peer.endpoint === undefined
        ? us.endpoint && this.#carries(far.ns, us.endpoint.address)
        : this.#carries(ns, peer.endpoint.address);
    if (under !== undefined) throw new Stopped(under);
    if (peer.endpoint === undefined && us.endpoint === undefined)
      return stop('tunnel', ns, `${portName(port)} and ${portName(far)} do not know each other's endpoint`);
    return { ...far, through: [] };
  }

  #farEnd(port: Port, wire: Wire, next: IpAddress): Station {
    const [end] = sortOwners(wire.stations, next);
    if (end?.cause !== undefined) throw new Stopped(end.cause);
    if (end !== undefined) return end;
    if (!port.link.up) return stop('link-down', port.ns, `${portName(port)} is down`);
    throw new Unseen(`packets leave by ${portName(wire.leaves[0] ?? port)}`);
  }

  /** Nobody on the wire has the address. */
  #nobody(port: Port, wire: Wire, asked: { next: IpAddress; route: Route; packet: Packet }): Cause {
    const { ns, link } = port;
    const { next, route, packet } = asked;
    const family = ipFamily(next);
    const down = wire.stopped.find(({ code }) => code === 'link-down' || code === 'bridge-down');
    // An IPv4 address stays on a link that is down, and its owner was looked for.
    if (down !== undefined && (family === 6 || wire.stations.every(({ cause }) => cause !== undefined)))
      return down;
    const listed = firstMatch({ ns, to: packet.dst, from: packet.src, mark: packet.mark }).route;
    const gateway = route.via === undefined ? '' : `, the gateway of ${listed?.to ?? packet.dst},`;
    const translated = this.#log.find(
      ({ ns: by, side, after }) => by === ns && side === 'dst' && after === packet.dst,
    );
    const why = translated === undefined ? '' : ` (to which ${translated.by} sends)`;
    const elsewhere = ownersOf(next, this.#world).find((one) => one.ns !== ns);
    const there = elsewhere === undefined ? '' : `; ${portName(elsewhere)} has it, on another wire`;
    const bare = wire.stations.find(
      (station) => isPlainHost(station) && station.ns !== ns && !hasFamily(station, family),
    );
    if (
      bare !== undefined &&
      elsewhere === undefined &&
      route.via === undefined &&
      translated === undefined
    ) {
      const text = `${portName(bare)} has no ${familyName(next)} address, and nobody on the wire of ${portName(port)} has ${next}`;
      return { code: 'no-address', node: bare.ns.name, text };
    }
    const others = wire.stations
      .filter((station) => station.cause === undefined && station.ns !== ns)
      .flatMap((station) => addressesOn(station, family).map((address) => `${portName(station)} ${address}`));
    const seen =
      others.length === 0 || there !== '' ? there : ` (there are ${others.slice(0, 3).join(', ')})`;
    const text = `${ns.name}: nobody has ${next}${gateway}${why} on the wire of ${link.ifname}${seen}`;
    return { code: 'no-neighbour', node: ns.name, text };
  }
}

/** A packet that somebody gets. */
type Hop = { readonly station: Station; readonly packet: Packet };

function isRefusing({ type }: Route): boolean {
  return type === 'blackhole' || type === 'unreachable' || type === 'prohibit';
}

function isOn({ ns, link }: Port, address: IpAddress): boolean {
  return ns.addresses.some((entry) => entry.ifindex === link.ifindex && addressOf(entry.address) === address);
}

function addressesOn({ ns, link }: Port, family: 4 | 6): string[] {
  return ns.addresses
    .filter(
      (entry) =>
        entry.ifindex === link.ifindex && ipFamily(entry.address) === family && entry.scope === 'global',
    )
    .map((entry) => entry.address);
}

/** Not a switch, which needs no address. */
function isPlainHost({ cause, link }: Station): boolean {
  return cause === undefined && link.kind !== 'bridge';
}

function hasFamily(port: Port, family: 4 | 6): boolean {
  return addressesOn(port, family).length > 0;
}

/** Linux answers ARP for all of its addresses on each of its links; NDP only for those of the link, and who is told to, for others. */
function answersFor(station: Station, address: IpAddress): boolean {
  if (isOn(station, address)) return true;
  if (ipFamily(address) === 6) return false;
  const names = ['all', sysctlName(station.link)];
  const ignores = names.some(
    (name) => Number(station.ns.sysctl(`net.ipv4.conf.${name}.arp_ignore`) ?? 0) > 0,
  );
  if (
    !ignores &&
    station.ns.addresses.some((entry) => addressOf(entry.address) === address && entry.scope !== 'host')
  )
    return true;
  return ['all', sysctlName(station.link)].some(
    (name) => station.ns.sysctl(`net.ipv4.conf.${name}.proxy_arp`) === '1',
  );
}

/** Those that hear it first, and of them the one that has the address on this very link. */
function sortOwners(owners: readonly Station[], address: IpAddress): Station[] {
  const rank = (one: Station): number => {
    const has = isOn(one, address) ? 0 : hasAddress(one.ns, address) ? 1 : 2;
    return (one.cause === undefined ? 0 : 3) + has;
  };
  return [...owners].sort((a, b) => rank(a) - rank(b));
}

/** The longest prefix decides, as in a routing table. */
function peerFor(peers: Wireguard['peers'], address: IpAddress): Wireguard['peers'][number] | undefined {
  const best = (allowed: readonly IpInterface[]): number =>
    Math.max(-1, ...allowed.filter((one) => prefixContains(subnetOf(one), address)).map(prefixLength));
  const [first] = [...peers].sort((a, b) => best(b.allowedIps) - best(a.allowedIps));
  return first !== undefined && best(first.allowedIps) >= 0 ? first : undefined;
}

function sysctlName(link: Link): string {
  return link.ifname.replaceAll('.', '/');
}

function vrfOf(ns: Netns, link: Link): Link | undefined {
  const master = linkOf(ns, link.master);
  return master?.kind === 'vrf' ? master : undefined;
}

/** An address of the link, of the family of another one. */
function firstAddress(ns: Netns, link: Link, like: IpAddress): IpAddress | undefined {
  const entry = ns.addresses.find(
    (one) =>
      one.ifindex === link.ifindex && ipFamily(one.address) === ipFamily(like) && one.scope === 'global',
  );
  return entry === undefined ? undefined : addressOf(entry.address);
}

function sourceOf(ns: Netns, route: Route, to: IpAddress): IpAddress | undefined {
  const link = linkOf(ns, route.dev);
  if (route.type === 'local') return to;
  const own = link === undefined ? undefined : firstAddress(ns, link, to);
  const any = ns.addresses.find((one) => ipFamily(one.address) === ipFamily(to) && one.scope === 'global');
  return own ?? (any === undefined ? undefined : addressOf(any.address));
}

function forwards(ns: Netns, iif: Link, packet: Packet): boolean {
  if (familyOfPacket(packet) === 4) return ns.sysctl(`net.ipv4.conf.${sysctlName(iif)}.forwarding`) !== '0';
  if (ns.sysctl(`net.ipv6.conf.${sysctlName(iif)}.force_forwarding`) === '1') return true;
  return ns.sysctl('net.ipv6.conf.all.forwarding') !== '0';
}

function forwardingText(ns: Netns, iif: Link, packet: Packet): string {
  if (familyOfPacket(packet) === 6) return `${ns.name}: forwarding is off (net.ipv6.conf.all.forwarding)`;
  const all = ns.sysctl('net.ipv4.ip_forward') === '0';
  return `${ns.name}: forwarding is off (${all ? 'net.ipv4.ip_forward' : `net.ipv4.conf.${sysctlName(iif)}.forwarding`})`;
}

/** VLAN_HLEN: the kernel lets a tag's worth more pass. */
const TAG = 4;

function checkNarrow(narrow: Port, packet: Packet): void {
  const mtu = narrow.link.mtu ?? 1500;
  if (packet.bytes <= mtu + TAG) return;
  stop(
    'mtu',
    narrow.ns,
    `${portName(narrow)} has MTU ${mtu}, and drops packets of ${packet.bytes} bytes that come over its wire`,
  );
}

function checkDad(station: Station, address: IpAddress): void {
  const entry = station.ns.addresses.find(
    (one) => one.ifindex === station.link.ifindex && addressOf(one.address) === address,
  );
  if (entry?.dadfailed !== true) return;
  stop(
    'duplicate-address',
    station.ns,
    `${portName(station)}: somebody else has ${address} already (duplicate address detection failed)`,
  );
}

/** An entry that somebody made by hand sends the frame out of another port. */
function checkFdb(station: Station): void {
  for (const { ns, link } of station.through) {
    const wrong = ns.fdb.find(
      (entry) =>
        entry.lladdr === station.link.mac &&
        entry.state !== 'dynamic' &&
        entry.master === link.master &&
        entry.ifindex !== link.ifindex,
    );
    if (wrong === undefined) continue;
    const other = linkOf(ns, wrong.ifindex)?.ifname;
    const text = `${ns.name}: the fdb has ${wrong.lladdr} at port ${other}, and ${portName(station)} is behind ${link.ifname}`;
    stop('wrong-fdb', ns, text);
  }
}

/** What takes the packet in the end. */
function checkService({ ns, packet }: Arrived, log: readonly Translated[]): void {
  if (packet.proto === 'icmp') {
    const family = familyOfPacket(packet);
    const key = family === 4 ? 'net.ipv4.icmp_echo_ignore_all' : 'net.ipv6.icmp.echo_ignore_all';
    if (ns.sysctl(key) === '1') stop('ignored', ns, `${ns.name}: ${key} is on`);
    return;
  }
  const listening = ns.listeners(packet.proto).filter(({ port }) => port === packet.dport);
  const any = (address: IpAddress): boolean => address === '0.0.0.0' || address === '::';
  if (listening.some(({ address }) => any(address) || address === packet.dst)) return;
  const by = log.find((one) => one.side === 'dst' && one.after === packet.dst)?.by;
  const why = by === undefined ? '' : `, to which ${by} sends`;
  const [other] = listening;
  const text =
    other === undefined
      ? `${ns.name}: nobody listens on ${packet.proto} port ${packet.dport}${why}`
      : `${ns.name}: who listens on ${packet.proto} port ${packet.dport} does so on ${other.address}, not on ${packet.dst}${why}`;
  stop('nobody-listens', ns, text);
}
