// Ops as rtnetlink requests. It opens nothing and sends nothing: indexes and descriptors come from the caller. Units change
// here, from the model's seconds and words to what the kernel's attributes hold.

import { addressOf, type IpInterface, ipFamily, prefixLength } from '../base/ip.ts';
import type { IfName } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import { bytesPerSecond, NETEM_LIMIT, type Qdisc } from '../model/impairment.ts';
import type { BridgeOptions, VxlanOptions } from '../model/interface.ts';
import type { Place } from '../model/lab.ts';
import type { Route, Rule } from '../model/route.ts';
import { type ChangeOp, HOST_PROTOCOL, type LinkData, type Op } from '../plan/op.ts';
import { delAddress, newAddress } from '../rtnl/addr.ts';
import { addPortVlans, delPortVlans, setBridgePort } from '../rtnl/bridge-port.ts';
import { addAltnames, delAltnames, newLink, setLink } from '../rtnl/link.ts';
import type { LinkInfo } from '../rtnl/linkinfo/linkinfo.ts';
import type { Request } from '../rtnl/message.ts';
import { appendFdbEntry, delFdbEntry, delNeighbour, newNeighbour } from '../rtnl/neigh.ts';
import { deleteQdisc, type Netem, replaceQdisc, type Tbf } from '../rtnl/qdisc.ts';
import { delRoute, type NewRoute, newRoute } from '../rtnl/route.ts';
import { AF_INET, AF_INET6 } from '../rtnl/rtnetlink.ts';
import { delRule, newRule, type Rule as RtnlRule } from '../rtnl/rule.ts';
import type { WireguardConfig } from '../rtnl/wireguard.ts';

export type CreateLink = Extract<Op, { kind: 'createLink' }>;
/** Ops that one message to rtnetlink carries out in the place they name. */
export type ConfigOp = Extract<
  Op,
  {
    kind:
      | 'setLink'
      | 'setPort'
      | 'addVlan'
      | 'delVlan'
      | 'addAddress'
      | 'addRoute'
      | 'addRule'
      | 'addNeighbour'
      | 'addFdb'
      | 'setQdisc';
  }
>;

/** The same for what takes things away. */
export type RemoveOp = Extract<
  ChangeOp,
  {
    kind: 'delAltname' | 'delAddress' | 'delRoute' | 'delRule' | 'delNeighbour' | 'delFdb' | 'setBridge';
  }
>;

/** What a request has to know of the machine. */
export type Lookup = {
  /** The index of a device; throws {@link NoDevice} where there is none. */
  readonly index: (place: Place, ifname: IfName) => number;
};

/** What is asked for at creation besides what the op says. */
export type Birth = {
  readonly ifindex?: number | undefined;
  readonly peerIndex?: number | undefined;
  /** A descriptor of the peer's namespace, or of the device's own when it is made from its parent's. */
  readonly fd?: number | undefined;
};

/** Of a device between its making and its naming. It carries the lab's mark, so that `down` knows it if nobody names it. */
export const PASSING_NAME = 'nslab-new' as IfName;

/** An op names a device that is not there. */
export class NoDevice extends Error {
  override readonly name = 'NoDevice';
  constructor(ifname: string) {
    super(`there is no device ${ifname}`);
  }
}

/** One queue each way: a wire of a lab needs no more, and a quarter of the time of making one goes into queues. */
const ONE_QUEUE = { numTxQueues: 1, numRxQueues: 1 } as const;
/** The kernel has times of bridges in hundredths of a second (USER_HZ). */
const HZ = 100;

/** Without the members that are undefined, which exactOptionalPropertyTypes tells from absent ones. */
function some<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  const found: Partial<T> = {};
  for (const key in members) if (members[key] !== undefined) found[key] = members[key] as T[typeof key];
  return found as T;
}

/** The message that makes a device, sent in the place where {@link bornFrom} says. */
export function createLinkRequest({ place, link }: CreateLink, birth: Birth, lookup: Lookup): Request {
  const peer = link.type === 'veth' ? link.peer : undefined;
  const parent = parentOf(link);
  return newLink({
    ...some({
      ifname: link.ifname,
      ifindex: birth.ifindex,
      mac: link.mac,
      mtu: link.mtu,
      master: link.master === undefined ? undefined : lookup.index(place, link.master),
      link:
        parent === undefined || link.type === 'vxlan' ? undefined : lookup.index(parent.place, parent.ifname),
      group: link.group,
      up: link.up,
      netnsFd: peer === undefined ? birth.fd : undefined,
    }),
    ...(peer === undefined ? {} : ONE_QUEUE),
    info:
      peer === undefined
        ? linkInfo(link, lookup)
        : {
            kind: 'veth',
            peer: {
              ...some({
                ifname: peer.ifname,
                ifindex: birth.peerIndex,
                mac: peer.mac,
                mtu: peer.mtu,
                group: peer.group,
                netnsFd: birth.fd,
              }),
              ...ONE_QUEUE,
            },
          },
  } as Parameters<typeof newLink>[0]);
}

/** What a device stands on, if anything. */
export function parentOf(link: LinkData): { readonly place: Place; readonly ifname: IfName } | undefined {
  return 'link' in link ? link.link : undefined;
}

/** The namespace whose socket makes the device: its parent's, where it has one elsewhere. */
export function bornFrom({ place, link }: CreateLink): Place {
  return parentOf(link)?.place !== undefined && parentOf(link)?.place !== place
    ? (parentOf(link)?.place ?? null)
    : place;
}

function linkInfo(link: LinkData, lookup: Lookup): LinkInfo {
  switch (link.type) {
    case 'bridge':
      return bridgeInfo(link);
    case 'vlan':
      return { kind: 'vlan', id: link.id, protocol: link.protocol };
    case 'vxlan':
      return vxlanInfo(link, lookup);
    case 'macvlan':
      return { kind: 'macvlan', mode: link.mode };
    case 'ipvlan':
      return { kind: 'ipvlan', mode: link.mode, flag: link.flag };
    case 'vrf':
      return { kind: 'vrf', table: link.table };
    case 'gre':
    case 'gretap':
      return greInfo(link);
    case 'bond':
      return { kind: 'bond', ...some({ mode: link.mode, miimon: link.miimon }) };
    case 'dummy':
    case 'ifb':
    case 'wireguard':
      return { kind: link.type };
    case 'veth':
    case 'tun':
    case 'tap':
      throw new Error(`a ${link.type} is not made like this`);
    default:
      return assertNever(link);
  }
}

/** The defaults that `ip link add type ip6gre` sends; without them the kernel has 0 for both. */
const IP6GRE_DEFAULTS = { encap_limit: 4, ttl: 64 } as const;

function greInfo(link: Extract<LinkData, { type: 'gre' | 'gretap' }>): LinkInfo {
  const { type, local, remote, key, ttl } = link;
  const given = some({ local, remote, ikey: key, okey: key, ttl });
  if (ipFamily(local) === 4) return { kind: type, ...given };
  return { kind: `ip6${type}`, ...IP6GRE_DEFAULTS, ...given };
}

function bridgeInfo(options: BridgeOptions): LinkInfo {
  return {
    kind: 'bridge',
    ...some({
      stp_state: options.stp === undefined ? undefined : Number(options.stp),
      vlan_filtering: options.vlan_filtering,
      vlan_default_pvid: options.vlan_default_pvid,
      ageing_time: hundredths(options.ageing_time),
      forward_delay: hundredths(options.forward_delay),
      hello_time: hundredths(options.hello_time),
      max_age: hundredths(options.max_age),
      priority: options.priority,
      group_fwd_mask: options.group_fwd_mask,
      mcast_snooping: options.mcast_snooping,
    }),
  };
}

function hundredths(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * HZ);
}

function vxlanInfo(options: VxlanOptions, lookup: Lookup): LinkInfo {
  return {
    kind: 'vxlan',
    ...some({
      id: options.id,
      local: options.local,
      remote: options.remote,
      port: options.dstport,
      link: options.link === undefined ? undefined : lookup.index(options.link.place, options.link.ifname),
      learning: options.learning,
      ttl: options.ttl,
    }),
  };
}

/** The one message of a configuring op. */
export function configRequest(op: ConfigOp, lookup: Lookup): Request {
  switch (op.kind) {
    case 'setLink':
      return setLinkRequest(op, lookup);
    case 'setPort': {
      const { kind: _kind, place, ifname, ...port } = op;
      return setBridgePort(lookup.index(place, ifname), port);
    }
    case 'addVlan':
      return addPortVlans({ ifindex: lookup.index(op.place, op.ifname) }, [
        {
          vid: op.from,
          ...(op.to === op.from ? {} : { vidEnd: op.to }),
          ...(op.pvid ? { pvid: true, untagged: true } : {}),
        },
      ]);
    case 'delVlan':
      return delPortVlans({ ifindex: lookup.index(op.place, op.ifname) }, [{ vid: op.vid }]);
    case 'addAddress':
      return addressRequest(op, lookup);
    case 'addRoute':
      return newRoute(rtnlRoute(op.place, op.route, lookup));
    case 'addRule':
      return newRule(rtnlRule(op.place, op.rule));
    case 'addNeighbour': {
      const { dev, ip, lladdr, proxy } = op.neighbour;
      const ifindex = lookup.index(op.place, dev);
      return newNeighbour({
        ifindex,
        address: ip,
        ...some({ lladdr, proxy: proxy === true ? (true as const) : undefined }),
      });
    }
    case 'addFdb':
      return appendFdbEntry({
        ifindex: lookup.index(op.place, op.ifname),
        lladdr: '00:00:00:00:00:00',
        in: 'self',
        state: 'permanent',
        dst: op.dst,
      });
    case 'setQdisc': {
      const ifindex = lookup.index(op.place, op.ifname);
      return op.qdisc === null ? deleteQdisc(ifindex) : replaceQdisc(ifindex, rtnlQdisc(op.qdisc));
    }
    default:
      return assertNever(op);
  }
}

/** A discipline of the model for rtnetlink: nanoseconds, and bytes per second. */
function rtnlQdisc(qdisc: Qdisc): Netem | Tbf {
  const rate = qdisc.rate === undefined ? 0 : bytesPerSecond(qdisc.rate);
  if (qdisc.kind === 'tbf') return { ...qdisc, rate };
  const {
    delay = 0,
    jitter = 0,
    loss = 0,
    corrupt = 0,
    duplicate = 0,
    reorder = 0,
    limit = NETEM_LIMIT,
  } = qdisc;
  const times = { latency: delay * 1000, jitter: jitter * 1000 };
  return { kind: 'netem', ...times, limit, loss, corrupt, duplicate, reorder, rate };
}

/** The one message of an op that takes something away, or sets it anew. */
export function removeRequest(op: RemoveOp, lookup: Lookup): Request {
  switch (op.kind) {
    case 'delAltname':
      return delAltnames({ ifindex: lookup.index(op.place, op.ifname) }, [op.altname]);
    case 'delAddress': {
      const { ip, peer } = op.address;
      return delAddress({ ifindex: lookup.index(op.place, op.ifname), ...nearAndFar(ip, peer) });
    }
    case 'delRoute':
      return delRoute(rtnlRoute(op.place, op.route, lookup));
    case 'delRule':
      return delRule(rtnlRule(op.place, op.rule));
    case 'delNeighbour': {
      const { dev, ip, proxy } = op.neighbour;
      const ifindex = lookup.index(op.place, dev);
      return delNeighbour({ ifindex, address: ip, ...some({ proxy: proxy === true ? true : undefined }) });
    }
    case 'delFdb':
      return delFdbEntry({
        ifindex: lookup.index(op.place, op.ifname),
        lladdr: '00:00:00:00:00:00',
        in: 'self',
        state: 'permanent',
        dst: op.dst,
      });
    case 'setBridge':
      return setLink({ ifindex: lookup.index(op.place, op.ifname) }, { info: bridgeInfo(op.options) });
    default:
      return assertNever(op);
  }
}

/** With a peer the length is that of the peer's subnet, as in `ip address add 10.0.0.1 peer 10.0.0.2/30`. */
function nearAndFar(ip: IpInterface, peer: IpInterface | undefined) {
  if (peer === undefined) return { address: ip };
  return { address: `${addressOf(ip)}/${prefixLength(peer)}` as IpInterface, peer: addressOf(peer) };
}

function setLinkRequest(op: Extract<Op, { kind: 'setLink' }>, lookup: Lookup): Request {
  const ref = { ifindex: lookup.index(op.place, op.ifname) };
  if (op.altname !== undefined) return addAltnames(ref, [op.altname]);
  return setLink(
    ref,
    some({
      mac: op.mac,
      mtu: op.mtu,
      master:
        op.master === null ? 0 : op.master === undefined ? undefined : lookup.index(op.place, op.master),
      addrGenMode: op.addrgenmode,
      up: op.up,
    }),
  );
}

function addressRequest(op: Extract<Op, { kind: 'addAddress' }>, lookup: Lookup): Request {
  const { ip, peer, scope, nodad } = op.address;
  return newAddress({
    ifindex: lookup.index(op.place, op.ifname),
    ...nearAndFar(ip, peer),
    ...(scope === undefined ? {} : { scope }),
    ...(nodad && ipFamily(ip) === 6 ? { nodad } : {}),
  });
}

/** A route of the model for rtnetlink, to add or to delete. */
export function rtnlRoute(place: Place, route: Omit<Route, 'path'>, lookup: Lookup): NewRoute {
  const dev = (ifname: IfName | undefined) =>
    ifname === undefined ? undefined : lookup.index(place, ifname);
  return {
    to: route.to,
    type: route.type,
    ...some({
      via: route.via,
      dev: dev(route.dev),
      src: route.src,
      metric: route.metric,
      table: route.table,
      scope: route.scope,
      onlink: route.onlink,
      metrics: route.mtu === undefined ? undefined : { mtu: route.mtu },
      proto: place === null ? HOST_PROTOCOL : route.protocol,
      nexthops: route.nexthops?.map((hop) =>
        some({ via: hop.via, dev: dev(hop.dev), weight: hop.weight, onlink: hop.onlink }),
      ),
    }),
  } as NewRoute;
}

// linux/in.h
const protocols = { icmp: 1, tcp: 6, udp: 17 } as const;

/** A rule of the model for rtnetlink, to add or to delete. */
export function rtnlRule(place: Place, rule: Omit<Rule, 'path'>): RtnlRule {
  const range = (ports: Rule['sport']) =>
    ports === undefined ? undefined : { start: ports.from, end: ports.to };
  return {
    family: rule.family === 4 ? AF_INET : AF_INET6,
    action: rule.action.kind === 'lookup' ? 'table' : rule.action.kind,
    priority: rule.priority,
    ...some({
      table: rule.action.kind === 'lookup' ? rule.action.table : undefined,
      not: rule.not === true ? (true as const) : undefined,
      from: rule.from,
      to: rule.to,
      iif: rule.iif,
      oif: rule.oif,
      fwmark: rule.fwmark,
      fwmask: rule.fwmask,
      ipproto: typeof rule.ipproto === 'string' ? protocols[rule.ipproto] : rule.ipproto,
      sport: range(rule.sport),
      dport: range(rule.dport),
      suppressPrefixlength: rule.suppress_prefixlength,
      proto: place === null ? HOST_PROTOCOL : undefined,
    }),
  } as RtnlRule;
}

/** The configuration of a WireGuard device for generic netlink. */
export function wireguardConfig(op: Extract<Op, { kind: 'setWireguard' }>, ifindex: number): WireguardConfig {
  return {
    ifindex,
    privateKey: op.private_key,
    ...some({ listenPort: op.listen_port, fwmark: op.fwmark }),
    peers: op.peers.map((peer) => ({
      publicKey: peer.public_key,
      allowedIps: peer.allowed_ips,
      ...some({
        presharedKey: peer.preshared_key,
        endpoint: peer.endpoint,
        persistentKeepalive: peer.persistent_keepalive,
      }),
    })),
  } as WireguardConfig;
}
