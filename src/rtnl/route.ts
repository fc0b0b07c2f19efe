// Routes. Defaults of scope, table and protocol are those of ip-route(8), so that what nslab makes is what the same words make
// in `ip route add`. linux/rtnetlink.h, net/ipv4/fib_frontend.c, net/ipv6/route.c, iproute2 ip/iproute.c.

import type { IpAddress, IpPrefix } from '../base/ip.ts';
import { type Scope, scopeName, scopeNumber } from './addr.ts';
import { RtnlError } from './error.ts';
import { readIp } from './ip-bytes.ts';
import { defined } from './link-attributes.ts';
import {
  attributeMap,
  type MessageWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
  readU32,
} from './message.ts';
import { AF_INET, AF_INET6, familyOf, RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const RTMSG_LEN = 12;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const RTA_VIA = 18;
const RTA_EXPIRES = 23;

const RTNH_LEN = 8;
const ENOENT = 2;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;

export const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;

// linux/rtnetlink.h, RTPROT_*
const RTPROT_BOOT = 3;

// linux/rtnetlink.h, RTN_*
const types = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const;

/** What is done with a packet that the route matches. */
export type RouteType = keyof typeof types;

// linux/rtnetlink.h, RTAX_*
const metrics = { mtu: 2, window: 3, advmss: 8, hoplimit: 10, initcwnd: 11, initrwnd: 14 } as const;

/** What TCP and fragmentation do on a route. */
type RouteMetrics = { readonly [K in keyof typeof metrics]?: number };

/** One way on. */
export type Nexthop = {
  /** May be of the other family: IPv4 routes through an IPv6 gateway. */
  readonly via?: IpAddress;
  /** The ifindex of the link to go out of. */
  readonly dev?: number;
  /** The gateway is taken to be on the link even though no route says so. */
  readonly onlink?: boolean;
};

/** One of several ways on, taken in proportion to its weight, 1 to 256. */
export type WeightedNexthop = Nexthop & { readonly weight?: number };

/** A route to add, or with the members that tell it apart, one to delete. */
export type NewRoute = Nexthop & {
  readonly to: IpPrefix | 'default';
  /** Needed where `to` is default and neither gateway nor source tells; IPv4 otherwise. */
  readonly family?: typeof AF_INET | typeof AF_INET6;
  /** Only for packets from this subnet (IPv6). */
  readonly from?: IpPrefix;
  /** The source address of packets that this machine sends over the route. */
  readonly src?: IpAddress;
  readonly metric?: number;
  readonly table?: number;
  readonly scope?: Scope;
  readonly type?: RouteType;
  readonly proto?: number;
  readonly metrics?: RouteMetrics;
  readonly nexthops?: readonly WeightedNexthop[];
};

export function newRoute(route: NewRoute): Request {
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: (writer) => writeRoute(writer, route, defaultScope(route)),
  };
}

/** Adds the route, or puts it in the place of the one with the same destination, table and metric. */
export function replaceRoute(route: NewRoute): Request {
  return {
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: (writer) => writeRoute(writer, route, defaultScope(route)),
  };
}

/** Deletes the first route that has all the members given. */
export function delRoute(route: NewRoute): Request {
  return {
    type: RTM_DELROUTE,
    // RT_SCOPE_NOWHERE matches any scope, and protocol 0 any protocol.
    payload: (writer) => writeRoute(writer, { proto: 0, ...route }, deleteScope(route)),
  };
}

/** The family of the route: of its destination, or of what else it names. */
function routeFamily(route: NewRoute): number {
  if (route.to !== 'default') return familyOf(route.to);
  const named =
    route.family ?? route.from ?? route.src ?? route.via ?? route.nexthops?.find((hop) => hop.via)?.via;
  return typeof named === 'string' ? familyOf(named) : (named ?? AF_INET);
}

/** iproute_modify() of iproute2: a route without a gateway leads to the link, a local one ends at the host. */
function defaultScope(route: NewRoute): number {
  if (routeFamily(route) === AF_INET6) return scopeNumber('global');
  const type = route.type ?? 'unicast';
  if (type === 'local') return scopeNumber('host');
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return scopeNumber('link');
  const direct = type === 'unicast' && route.via === undefined && route.nexthops === undefined;
  return scopeNumber(direct ? 'link' : 'global');
}

function deleteScope(route: NewRoute): number {
  const type = route.type ?? 'unicast';
  return routeFamily(route) === AF_INET && type === 'unicast' ? scopeNumber('nowhere') : defaultScope(route);
}

function defaultTable(type: RouteType): number {
  return type === 'local' || type === 'broadcast' || type === 'anycast' ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}

function writeRoute(writer: MessageWriter, route: NewRoute, scope: number): void {
  const { to, from, type = 'unicast' } = route;
  const family = routeFamily(route);
  const table = route.table ?? defaultTable(type);
  writer.u8(family);
  writer.u8(to === 'default' ? 0 : lengthOf(to));
  writer.u8(from === undefined ? 0 : lengthOf(from));
  writer.u8(0);
  // The header has a byte for the table; RT_TABLE_UNSPEC where the attribute has it.
  writer.u8(table < 256 ? table : 0);
  writer.u8(route.proto ?? RTPROT_BOOT);
  writer.u8(route.scope === undefined ? scope : scopeNumber(route.scope));
  writer.u8(types[type]);
  writer.u32(route.onlink === true ? RTNH_F_ONLINK : 0);
  if (to !== 'default' && lengthOf(to) > 0) writer.attrIp(RTA_DST, bare(to));
  if (from !== undefined && lengthOf(from) > 0) writer.attrIp(RTA_SRC, bare(from));
  if (route.via !== undefined) writeGateway(writer, family, route.via);
  if (route.dev !== undefined) writer.attrU32(RTA_OIF, route.dev);
  if (route.src !== undefined) writer.attrIp(RTA_PREFSRC, route.src);
  if (route.metric !== undefined) writer.attrU32(RTA_PRIORITY, route.metric);
  if (table > 255) writer.attrU32(RTA_TABLE, table);
  if (route.metrics !== undefined) writeMetrics(writer, route.metrics);
  if (route.nexthops !== undefined) writeNexthops(writer, family, route.nexthops);
}

function bare(prefix: IpPrefix): string {
  return prefix.slice(0, prefix.indexOf('/'));
}

function lengthOf(prefix: IpPrefix): number {
  return Number(prefix.slice(prefix.indexOf('/') + 1));
}

function writeGateway(writer: MessageWriter, family: number, via: IpAddress): void {
  const viaFamily = familyOf(via);
  if (viaFamily === family) {
    writer.attrIp(RTA_GATEWAY, via);
    return;
  }
  // struct rtvia: the family and the address of a gateway of the other family.
  const other = writer.nest(RTA_VIA);
  writer.u16(viaFamily);
  writer.ip(via);
  writer.endNest(other);
}

function writeMetrics(writer: MessageWriter, values: RouteMetrics): void {
  const list = writer.nest(RTA_METRICS);
  for (const name of Object.keys(metrics) as (keyof typeof metrics)[]) {
    const value = values[name];
    if (value !== undefined) writer.attrU32(metrics[name], value);
  }
  writer.endNest(list);
}

function writeNexthops(writer: MessageWriter, family: number, hops: readonly WeightedNexthop[]): void {
  const list = writer.nest(RTA_MULTIPATH);
  for (const hop of hops) {
    // struct rtnexthop: length, flags, weight less one, ifindex; attributes follow.
    const start = writer.nest(0);
    writer.patch8(start + 2, hop.onlink === true ? RTNH_F_ONLINK : 0);
    writer.patch8(start + 3, (hop.weight ?? 1) - 1);
    writer.u32(hop.dev ?? 0);
    if (hop.via !== undefined) writeGateway(writer, family, hop.via);
    writer.endNest(start);
  }
  writer.endNest(list);
}

/** A route as the kernel shows it. */
export type Route = {
  readonly family: number;
  readonly to: IpPrefix | 'default';
  readonly from?: IpPrefix;
  readonly via?: IpAddress;
  readonly dev?: number;
  readonly onlink: boolean;
  readonly src?: IpAddress;
  readonly metric?: number;
  readonly table: number;
  readonly scope: Scope | number;
  readonly type: RouteType | number;
  readonly proto: number;
  readonly metrics?: RouteMetrics;
  readonly nexthops?: readonly WeightedNexthop[];
  /** RTNH_F_* and RTM_F_*: 1 dead, 16 linkdown. */
  readonly flags: number;
  /** Seconds until an IPv6 route expires. */
  readonly expires?: number;
};

/** Reads the payload of an RTM_NEWROUTE; undefined where it is none of IPv4 or IPv6, or one of the cache. */
export function parseRoute(payload: Buffer): Route | undefined {
  if (payload.length < RTMSG_LEN) return undefined;
  const family = payload.readUInt8(0);
  const flags = payload.readUInt32LE(8);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  const attributes = attributeMap(payload, RTMSG_LEN);
  const dst = readIp(attributes.get(RTA_DST));
  const src = readIp(attributes.get(RTA_SRC));
  const multipath = attributes.get(RTA_MULTIPATH);
  const fields = attributes.get(RTA_METRICS);
  const to = dst === undefined ? 'default' : (`${dst}/${payload.readUInt8(1)}` as IpPrefix);
  return {
    family,
    // A destination may be there with length 0.
    to: payload.readUInt8(1) === 0 ? 'default' : to,
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    table: readU32(attributes.get(RTA_TABLE)) ?? payload.readUInt8(4),
    scope: scopeName(payload.readUInt8(6)),
    type: typeName(payload.readUInt8(7)),
    proto: payload.readUInt8(5),
    flags,
    ...defined<Pick<Route, 'from' | 'via' | 'dev' | 'src' | 'metric' | 'metrics' | 'nexthops' | 'expires'>>({
      from: src === undefined ? undefined : (`${src}/${payload.readUInt8(2)}` as IpPrefix),
      via: readGateway(attributes),
      dev: readU32(attributes.get(RTA_OIF)),
      src: readIp(attributes.get(RTA_PREFSRC)),
      metric: readU32(attributes.get(RTA_PRIORITY)),
      metrics: fields === undefined ? undefined : readMetrics(fields),
      nexthops: multipath === undefined ? undefined : readNexthops(multipath),
      expires: readU32(attributes.get(RTA_EXPIRES)),
    }),
  };
}

function typeName(number: number): RouteType | number {
  return (Object.keys(types) as RouteType[]).find((name) => types[name] === number) ?? number;
}

function readGateway(attributes: ReadonlyMap<number, Buffer>): IpAddress | undefined {
  return readIp(attributes.get(RTA_GATEWAY)) ?? readIp(attributes.get(RTA_VIA)?.subarray(2));
}

function readMetrics(payload: Buffer): RouteMetrics | undefined {
  const attributes = attributeMap(payload);
  const found: { -readonly [K in keyof RouteMetrics]: number } = {};
  for (const name of Object.keys(metrics) as (keyof typeof metrics)[]) {
    const value = readU32(attributes.get(metrics[name]));
    if (value !== undefined) found[name] = value;
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

function readNexthops(payload: Buffer): WeightedNexthop[] {
  const hops: WeightedNexthop[] = [];
  let at = 0;
  while (at + RTNH_LEN <= payload.length) {
    const length = payload.readUInt16LE(at);
    if (length < RTNH_LEN || at + length > payload.length) break;
    const attributes = attributeMap(payload.subarray(at + RTNH_LEN, at + length));
    const via = readGateway(attributes);
    const dev = payload.readUInt32LE(at + 4);
    hops.push({
      ...(via === undefined ? {} : { via }),
      ...(dev === 0 ? {} : { dev }),
      ...((payload.readUInt8(at + 2) & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
      weight: payload.readUInt8(at + 3) + 1,
    });
    at += (length + 3) & ~3;
  }
  return hops;
}

/** Narrows a dump in the kernel (NETLINK_GET_STRICT_CHK). */
type RouteFilter = {
  readonly family?: typeof AF_INET | typeof AF_INET6;
  readonly table?: number;
  /** The ifindex of the link the route goes out of. */
  readonly dev?: number;
  readonly proto?: number;
};

/** All routes but those of the cache, of all tables unless one is named. */
export function getRoutes(transport: Transport, filter: RouteFilter = {}): Route[] {
  const families = filter.family === undefined ? [AF_INET, AF_INET6] : [filter.family];
  return families.flatMap((family) => dumpRoutes(transport, family, filter));
}

function dumpRoutes(transport: Transport, family: number, filter: RouteFilter): Route[] {
  return dumpTable(transport, family, filter)
    .map(parseRoute)
    .filter((route) => route !== undefined)
    .filter((route) => (route.flags & RTM_F_CLONED) === 0);
}

/** The routes as payloads of RTM_NEWROUTE, to be put back word for word with {@link rawRoute}. */
export function getRoutePayloads(
  transport: Transport,
  filter: RouteFilter & { readonly family: typeof AF_INET | typeof AF_INET6 },
): Buffer[] {
  return dumpTable(transport, filter.family, filter);
}

/** RTM_NEWROUTE with a payload that a dump gave. */
export function rawRoute(payload: Uint8Array): Request {
  return { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE, payload };
}

function dumpTable(transport: Transport, family: number, filter: RouteFilter): Buffer[] {
  try {
    return transport.dump({
      type: RTM_GETROUTE,
      payload(writer) {
        writer.u32(family);
        writer.u8(0);
        writer.u8(filter.proto ?? 0);
        writer.u16(0);
        writer.u32(0);
        if (filter.table !== undefined) writer.attrU32(RTA_TABLE, filter.table);
        if (filter.dev !== undefined) writer.attrU32(RTA_OIF, filter.dev);
      },
    });
  } catch (error) {
    // A table that never had a route is "FIB table does not exist".
    if (error instanceof RtnlError && error.errno === ENOENT && filter.table !== undefined) return [];
    throw error;
  }
}

/** What to ask of the routing tables, as `ip route get` does. */
type RouteQuery = {
  readonly to: IpAddress;
  readonly from?: IpAddress;
  /** As if the packet came in on this link. */
  readonly iif?: number;
  readonly oif?: number;
  readonly mark?: number;
};

/** The route a packet would take; refused with ENETUNREACH, EHOSTUNREACH, EACCES where it would go nowhere. */
export function lookupRoute(transport: Transport, query: RouteQuery): Route {
  const family = familyOf(query.to);
  const full = family === AF_INET ? 32 : 128;
  const answer = parseRoute(
    transport.get({
      type: RTM_GETROUTE,
      payload(writer) {
        writer.u8(family);
        writer.u8(full);
        writer.u8(query.from === undefined ? 0 : full);
        writer.zeros(9);
        writer.attrIp(RTA_DST, query.to);
        if (query.from !== undefined) writer.attrIp(RTA_SRC, query.from);
        if (query.iif !== undefined) writer.attrU32(RTA_IIF, query.iif);
        if (query.oif !== undefined) writer.attrU32(RTA_OIF, query.oif);
        if (query.mark !== undefined) writer.attrU32(RTA_MARK, query.mark);
      },
    }),
  );
  if (answer === undefined) throw new Error('the kernel answered RTM_GETROUTE with no route');
  return answer;
}
