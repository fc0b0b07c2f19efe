// Routes, policy rules and neighbours of a namespace, in the words of src/model: names for indexes, `0.0.0.0/0` for default. Pure.

import type { IpFamily, IpPrefix } from '../base/ip.ts';
import type { IfName } from '../base/names.ts';
import type { Neighbour } from '../model/route.ts';
import { defined } from '../rtnl/link-attributes.ts';
import type { Neighbour as RtnlNeighbour } from '../rtnl/neigh.ts';
import type { Route as RtnlRoute } from '../rtnl/route.ts';
import { AF_INET6 } from '../rtnl/rtnetlink.ts';
import type { Rule as RtnlRule } from '../rtnl/rule.ts';
import type { LiveRoute, LiveRule } from './netns.ts';

/** Names of devices by their indexes. */
export type Names = ReadonlyMap<number, IfName>;

/** linux/rtnetlink.h: RTNH_F_DEAD, RTNH_F_LINKDOWN */
const NO_WAY = 1 | 16;

function familyOf(family: number): IpFamily {
  return family === AF_INET6 ? 6 : 4;
}

function nameOf(index: number | undefined, names: Names): IfName | undefined {
  return index === undefined ? undefined : names.get(index);
}

export function liveRoute(route: RtnlRoute, names: Names): LiveRoute {
  const { type, table, scope, proto, flags, nexthops } = route;
  const family = familyOf(route.family);
  const everywhere = (family === 4 ? '0.0.0.0/0' : '::/0') as IpPrefix;
  return defined<LiveRoute>({
    type,
    family,
    to: route.to === 'default' ? everywhere : route.to,
    via: route.via,
    dev: nameOf(route.dev, names),
    src: route.src,
    metric: route.metric,
    table,
    scope,
    onlink: route.onlink ? true : undefined,
    mtu: route.metrics?.mtu,
    protocol: proto,
    nexthops: nexthops?.map(({ via, dev, weight = 1, onlink }) =>
      defined({ via, dev: nameOf(dev, names), weight, onlink }),
    ),
    from: route.from,
    expires: route.expires,
    dead: (flags & NO_WAY) !== 0,
  });
}

// linux/in.h, as far as a file has words for them
const protocols: Readonly<Record<number, 'icmp' | 'tcp' | 'udp'>> = { 1: 'icmp', 6: 'tcp', 17: 'udp' };

export function liveRule(rule: RtnlRule): LiveRule {
  const range = (ports: RtnlRule['sport']) =>
    ports === undefined ? undefined : { from: ports.start, to: ports.end };
  const { ipproto } = rule;
  return defined<LiveRule>({
    family: familyOf(rule.family),
    not: rule.not,
    from: rule.from,
    to: rule.to,
    iif: rule.iif as IfName | undefined,
    oif: rule.oif as IfName | undefined,
    fwmark: rule.fwmark,
    fwmask: rule.fwmask,
    ipproto: ipproto === undefined ? undefined : (protocols[ipproto] ?? ipproto),
    sport: range(rule.sport),
    dport: range(rule.dport),
    priority: rule.priority ?? 0,
    action: liveAction(rule),
    suppress_prefixlength: rule.suppressPrefixlength,
    protocol: rule.proto ?? 0,
    strange: rule.l3mdev === true || rule.tos !== undefined || rule.uidrange !== undefined,
  });
}

function liveAction({ action, table = 0, goto = 0 }: RtnlRule): LiveRule['action'] {
  if (action === 'table') return { kind: 'lookup', table };
  return action === 'goto' ? { kind: 'goto', to: goto } : { kind: action };
}

/** Undefined for what the kernel found out by itself, which it forgets again. */
export function liveNeighbour(entry: RtnlNeighbour, names: Names): Omit<Neighbour, 'path'> | undefined {
  const dev = names.get(entry.ifindex);
  if (dev === undefined || (!entry.proxy && entry.state !== 'permanent')) return undefined;
  if (entry.proxy) return { ip: entry.address, dev, proxy: true };
  return { ip: entry.address, dev, ...(entry.lladdr === undefined ? {} : { lladdr: entry.lladdr }) };
}
