// Routes, policy rules and neighbours of a namespace as those of the model: what somebody added, with what the kernel filled in
// left out. An order in which they can be added follows from their gateways (fib_check_nh()).

import {
  addressOf,
  type IpAddress,
  ipFamily,
  ipToBigInt,
  prefixContains,
  prefixLength,
  subnetOf,
} from '../base/ip.ts';
import type { IfName } from '../base/names.ts';
import { IPV6_METRIC, isAutomaticRoute, isAutomaticRule, MAIN_TABLE, routeTypes } from '../live/automatic.ts';
import type { LiveRoute, LiveRule } from '../live/netns.ts';
import type { Interface } from '../model/interface.ts';
import type { Neighbour, Nexthop, Route, RouteType, Rule } from '../model/route.ts';
import { HOST_PROTOCOL } from '../plan/op.ts';
import type { Notes, Source } from './source.ts';

export type RoutingSpot = {
  readonly source: Source;
  readonly notes: Notes;
  readonly interfaces: readonly Interface[];
  /** On the machine: only what leads out of one of the interfaces. */
  readonly isHost: boolean;
};

const RTPROT_BOOT = 3;

export function routesOf(spot: RoutingSpot): Route[] {
  const { source, notes, isHost } = spot;
  const routes = source.live.routes.flatMap((route) => {
    if (isAutomaticRoute(route) || (isHost && !leadsOut(route, spot))) return [];
    // Every interface with IPv6 has one, and a multicast route that comes with it.
    if (route.type === 'multicast' && route.to === 'ff00::/8') return [];
    const why = unsayable(route);
    if (why === undefined) return routeOf(route, spot);
    notes.add(source.name, `the route to ${route.to}${deviceText(route)} ${why}`);
    return [];
  });
  return routes.sort((a, b) => compareRoutes(a, b, spot));
}

function deviceText({ via, dev }: LiveRoute): string {
  return `${via === undefined ? '' : ` via ${via}`}${dev === undefined ? '' : ` dev ${dev}`}`;
}

function leadsOut({ dev, nexthops }: LiveRoute, { interfaces }: RoutingSpot): boolean {
  const isOurs = (name: IfName | undefined) => interfaces.some(({ ifname }) => ifname === name);
  return isOurs(dev) || (nexthops ?? []).some((hop) => isOurs(hop.dev));
}

/** Why no file can have the route. */
function unsayable({ type, from, scope }: LiveRoute): string | undefined {
  if (!routeTypes.has(type)) return `is of type ${type}, of which nslab adds none`;
  if (from !== undefined) return `is for packets from ${from} only`;
  if (scope !== 'global' && scope !== 'link' && scope !== 'host' && scope !== 'nowhere')
    return `has scope ${scope}`;
  return undefined;
}

function routeOf(route: LiveRoute, spot: RoutingSpot): Route {
  const { family, to, via, dev, src, metric, table, onlink, mtu, protocol, nexthops, expires } = route;
  const type = route.type as RouteType;
  if (expires !== undefined)
    spot.notes.add(spot.source.name, `the route to ${to} has been added for a time only`);
  const usualMetric = family === 6 ? IPV6_METRIC : 0;
  const isUsualProtocol = protocol === RTPROT_BOOT || protocol === HOST_PROTOCOL;
  const scope = unusualScope(route);
  const needsDev = !isNowhere(type) && (via === undefined || onlink === true || !isFound({ via, dev }, spot));
  return {
    type,
    family,
    to,
    ...(via === undefined ? {} : { via }),
    ...(dev === undefined || !needsDev ? {} : { dev }),
    ...(src === undefined ? {} : { src }),
    ...(metric === undefined || metric === usualMetric ? {} : { metric }),
    ...(table === MAIN_TABLE ? {} : { table }),
    ...(scope === undefined ? {} : { scope }),
    ...(onlink === true ? { onlink } : {}),
    ...(mtu === undefined ? {} : { mtu }),
    ...(isUsualProtocol ? {} : { protocol }),
    ...(nexthops === undefined ? {} : { nexthops: nexthops.map((hop) => nexthopOf(hop, spot)) }),
    path: '',
  };
}

function isNowhere(type: RouteType): boolean {
  return type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw';
}

function nexthopOf({ via, dev, weight, onlink }: Nexthop, spot: RoutingSpot): Nexthop {
  const needsDev = via === undefined || onlink === true || !isFound({ via, dev }, spot);
  return {
    ...(via === undefined ? {} : { via }),
    ...(dev === undefined || !needsDev ? {} : { dev }),
    ...(weight === undefined || weight === 1 ? {} : { weight }),
    ...(onlink === true ? { onlink } : {}),
  };
}

/** The scope that ip-route(8) and nslab give a route without a word: `link` where there is no gateway. */
function unusualScope({ family, type, scope, via, nexthops }: LiveRoute): Route['scope'] {
  if (family === 6) return undefined;
  const usual =
    type === 'local'
      ? 'host'
      : type === 'unicast' && via === undefined && nexthops === undefined
        ? 'link'
        : 'global';
  return scope === usual || typeof scope === 'number' || scope === 'site' || scope === 'nowhere'
    ? undefined
    : scope;
}

type Way = { readonly via: IpAddress; readonly dev: IfName | undefined };

/** True where the gateway lies in a subnet of that interface and of no other: then nobody needs to name the interface. */
function isFound({ via, dev }: Way, { interfaces, isHost }: RoutingSpot): boolean {
  if (isHost || /^fe[89ab]/.test(via)) return false;
  const near = interfaces.filter(({ addresses }) =>
    addresses.some(
      ({ ip, peer }) => ipFamily(ip) === ipFamily(via) && prefixContains(subnetOf(peer ?? ip), via),
    ),
  );
  const [only, ...more] = near;
  if (only === undefined || more.length > 0 || only.ifname !== dev) return false;
  // The table of a vrf is another one than that in which a gateway is looked up.
  const vrf = interfaces.find(({ ifname }) => ifname === only.master);
  return vrf?.type !== 'vrf';
}

function compareRoutes(a: Route, b: Route, spot: RoutingSpot): number {
  return (
    rankOf(a, spot) - rankOf(b, spot) ||
    a.family - b.family ||
    tableRank(a) - tableRank(b) ||
    Number(isNowhere(a.type)) - Number(isNowhere(b.type)) ||
    prefixLength(a.to) - prefixLength(b.to) ||
    compareAddresses(a, b) ||
    (a.metric ?? 0) - (b.metric ?? 0)
  );
}

/** A gateway that only another route leads to comes after that one. */
function rankOf({ via, nexthops, onlink }: Route, { interfaces }: RoutingSpot): number {
  const gateways = [via, ...(nexthops ?? []).map((hop) => hop.via)].filter((one) => one !== undefined);
  const isNear = (gateway: IpAddress) =>
    /^fe[89ab]/.test(gateway) ||
    interfaces.some(({ addresses }) =>
      addresses.some(({ ip, peer }) => prefixContains(subnetOf(peer ?? ip), gateway)),
    );
  return onlink === true || gateways.every(isNear) ? 0 : 1;
}

function tableRank({ table = MAIN_TABLE }: Route): number {
  return table === MAIN_TABLE ? 0 : table;
}

function compareAddresses(a: Route, b: Route): number {
  const [x, y] = [ipToBigInt(addressOf(a.to)), ipToBigInt(addressOf(b.to))];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function rulesOf({ source, notes, interfaces, isHost }: RoutingSpot): Rule[] {
  const isOurs = ({ iif, oif }: LiveRule) =>
    interfaces.some(({ ifname }) => ifname === iif || ifname === oif);
  return source.live.rules.flatMap((rule) => {
    if (
      isAutomaticRule(rule) ||
      isBornWith(rule) ||
      (isHost && !isOurs(rule) && rule.protocol !== HOST_PROTOCOL)
    )
      return [];
    const { action, protocol: _protocol, strange, ...rest } = rule;
    if (action.kind !== 'goto' && action.kind !== 'nop' && !strange) return { ...rest, action, path: '' };
    const why = strange ? 'has conditions that a file has no words for' : `is of type ${action.kind}`;
    notes.add(source.name, `the rule of priority ${rule.priority} ${why}`);
    return [];
  });
}

/** Those of a new namespace, on kernels that do not say whose a rule is. */
function isBornWith({ priority, action, protocol }: LiveRule): boolean {
  if (protocol !== 0 || action.kind !== 'lookup') return false;
  return (
    (priority === 0 && action.table === 255) ||
    (priority === 32_766 && action.table === MAIN_TABLE) ||
    (priority === 32_767 && action.table === 253)
  );
}

export function neighboursOf({ source, interfaces, isHost }: RoutingSpot): Neighbour[] {
  const isOurs = (dev: IfName) => interfaces.some(({ ifname }) => ifname === dev);
  return source.live.neighbours.flatMap((entry) =>
    isHost && !isOurs(entry.dev) ? [] : { ...entry, path: '' },
  );
}
