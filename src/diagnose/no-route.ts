// Why a namespace has no route for a packet: the tables that its rules lead to, and what would have made the route.
// ip-rule(8), ip-route(8), net/ipv4/fib_trie.c, net/core/fib_rules.c.

import { addressOf, type IpAddress, ipFamily, prefixContains, prefixLength, subnetOf } from '../base/ip.ts';
import type { Link } from '../rtnl/link.ts';
import type { Route } from '../rtnl/route.ts';
import { RT_TABLE_MAIN } from '../rtnl/route.ts';
import { AF_INET, AF_INET6 } from '../rtnl/rtnetlink.ts';
import type { Rule } from '../rtnl/rule.ts';
import { hasAddress } from './wire.ts';
import { type Cause, type CauseCode, linkOf, type Netns, type Port, portName, type World } from './world.ts';

export type Unrouted = {
  readonly ns: Netns;
  readonly to: IpAddress;
  readonly from?: IpAddress | undefined;
  readonly iif?: Link | undefined;
  /** The vrf whose table was asked. */
  readonly vrf?: Link | undefined;
  readonly mark: number;
};

const RT_TABLE_DEFAULT = 253;
const RT_TABLE_LOCAL = 255;
const RTNH_F_DEAD = 1;
const names: Readonly<Record<number, string>> = {
  [RT_TABLE_MAIN]: 'main',
  [RT_TABLE_DEFAULT]: 'default',
  [RT_TABLE_LOCAL]: 'local',
};
const refusing: readonly unknown[] = ['blackhole', 'unreachable', 'prohibit'];

function familyNumber(address: IpAddress): number {
  return ipFamily(address) === 4 ? AF_INET : AF_INET6;
}

export function familyName(address: IpAddress): string {
  return `IPv${ipFamily(address)}`;
}

/** `main`, or the number of a table that has no name of the kernel's. */
function tableName(table: number): string {
  return names[table] ?? String(table);
}

export function explainNoRoute(unrouted: Unrouted, world: World): Cause {
  const { ns, to } = unrouted;
  const tables = visitedTables(unrouted);
  const { route, rule: refused } = firstMatch(unrouted);
  const cause = (code: CauseCode, text: string): Cause => ({ code, node: ns.name, text });
  if (route !== undefined && refusing.includes(route.type))
    return cause(
      'bad-route',
      `${ns.name}: ${route.type} route ${route.to} in table ${tableName(route.table)}`,
    );
  if (refused !== undefined)
    return cause('bad-route', `${ns.name}: rule ${refused.priority ?? 0} says ${refused.action}`);
  const dead = route === undefined ? undefined : deadLink(ns, route);
  if (dead !== undefined) return cause('link-down', `${ns.name}:${dead.ifname} is down`);
  const missing = `no route to ${targetOf(to, world)} in ${tablesText(tables)}`;
  const down = downLink(ns, to);
  if (down !== undefined)
    return cause('link-down', `${portName({ ns, link: down })} is down, and ${ns.name} has ${missing}`);
  const bare = withoutAddress(ns, to);
  if (bare !== undefined) return cause('no-address', bare);
  return cause('no-route', `${ns.name}: ${missing}${besides(ns, to, world)}`);
}

/** The route that the rules lead to first, or the rule that refuses before there is one. */
export function firstMatch(asked: Unrouted): { readonly route?: Route; readonly rule?: Rule } {
  for (const { rule } of visitedTables(asked)) {
    if (refusing.includes(rule.action)) return { rule };
    const route = bestRoute(asked.ns, asked.to, rule.table ?? 0);
    if (route !== undefined) return { route };
  }
  return {};
}

type Visited = { readonly rule: Rule };

/** The rules that the packet meets, without the one for the namespace's own addresses. */
function visitedTables({ ns, to, from, iif, vrf, mark }: Unrouted): Visited[] {
  const family = familyNumber(to);
  const fits = (rule: Rule): boolean => {
    const conditions = [
      rule.to === undefined || prefixContains(rule.to, to),
      rule.from === undefined || (from !== undefined && prefixContains(rule.from, from)),
      rule.iif === undefined || rule.iif === (iif?.ifname ?? 'lo'),
      rule.oif === undefined,
      rule.fwmark === undefined || ((mark ^ rule.fwmark) & (rule.fwmask ?? 0xffff_ffff)) === 0,
    ];
    return conditions.every(Boolean) !== (rule.not === true);
  };
  return ns.rules
    .filter((rule) => rule.family === family && rule.table !== RT_TABLE_LOCAL && fits(rule))
    .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))
    .map((rule) =>
      rule.l3mdev === true
        ? { rule: { ...rule, table: vrfTable(vrf ?? linkOf(ns, iif?.master)) } }
        : { rule },
    )
    .filter(({ rule }) => rule.l3mdev !== true || rule.table !== 0);
}

function vrfTable(vrf: Link | undefined): number {
  return vrf?.info?.kind === 'vrf' ? (vrf.info.table ?? 0) : 0;
}

function bestRoute(ns: Netns, to: IpAddress, table: number): Route | undefined {
  const family = familyNumber(to);
  const length = (route: Route): number => (route.to === 'default' ? 0 : prefixLength(route.to));
  return ns.routes
    .filter((route) => route.family === family && route.table === table && route.type !== 'throw')
    .filter((route) => route.to === 'default' || prefixContains(route.to, to))
    .sort((a, b) => length(b) - length(a) || (a.metric ?? 0) - (b.metric ?? 0))[0];
}

function deadLink(ns: Netns, route: Route): Link | undefined {
  const hops = route.nexthops ?? [route];
  const links = hops.map(({ dev }) => linkOf(ns, dev));
  return (route.flags & RTNH_F_DEAD) === 0 ? links.find((link) => link?.up === false) : links[0];
}

/** The link whose routes went when it went down: the one in whose subnet the target is, or else one that has addresses. */
function downLink(ns: Netns, to: IpAddress): Link | undefined {
  const family = ipFamily(to);
  const down = ns.links.filter((link) => !link.up && link.ifname !== 'lo' && !isFallback(link));
  const addressed = down.filter(({ ifindex }) =>
    ns.addresses.some((entry) => entry.ifindex === ifindex && ipFamily(entry.address) === family),
  );
  const covering = addressed.find(({ ifindex }) =>
    ns.addresses.some(
      (entry) =>
        entry.ifindex === ifindex &&
        ipFamily(entry.address) === family &&
        prefixContains(subnetOf(entry.address), to),
    ),
  );
  // IPv6 addresses go with the link (net.ipv6.conf.IF.keep_addr_on_down).
  return covering ?? addressed[0] ?? (family === 6 ? down.find(({ kind }) => kind === 'veth') : undefined);
}

/** What tunnel modules put into every namespace. */
function isFallback({ ifname }: Link): boolean {
  return /^(tunl|sit|gre|gretap|erspan|ip6tnl|ip6gre|ip_vti|ip6_vti)0$/.test(ifname);
}

function withoutAddress(ns: Netns, to: IpAddress): string | undefined {
  const family = ipFamily(to);
  const has = ns.addresses.some(({ address, scope }) => ipFamily(address) === family && scope === 'global');
  if (has) return undefined;
  const links = ns.links.filter((link) => link.ifname !== 'lo' && !isFallback(link) && !link.master);
  const [only] = links;
  if (only !== undefined && links.length === 1)
    return `${portName({ ns, link: only })} has no ${familyName(to)} address`;
  return `${ns.name}: no interface has an ${familyName(to)} address`;
}

/** The subnet in which somebody has the address, or the address where nobody has. */
function targetOf(to: IpAddress, world: World): string {
  const owner = world.own
    .flatMap((ns) => ns.addresses)
    .find(({ address, scope }) => addressOf(address) === to && scope === 'global');
  if (owner === undefined) return to;
  const full = ipFamily(to) === 4 ? 32 : 128;
  return prefixLength(owner.address) === full ? to : subnetOf(owner.address);
}

function tablesText(tables: readonly Visited[]): string {
  const plain = tables.filter(({ rule }) => rule.table !== RT_TABLE_DEFAULT && rule.action === 'table');
  const last = plain.at(-1);
  if (last === undefined) return 'any table, for no rule leads to one';
  const others = plain.slice(0, -1);
  const text = (table: number | undefined): string => `table ${tableName(table ?? 0)}`;
  if (others.length === 0) {
    const own = last.rule.table === RT_TABLE_MAIN;
    return own
      ? text(last.rule.table)
      : `${text(last.rule.table)}, to which rule ${last.rule.priority ?? 0} leads`;
  }
  const each = others.map(({ rule }) => `${text(rule.table)}, to which rule ${rule.priority ?? 0} leads`);
  return `${each.join(', nor in ')}, nor in ${text(last.rule.table)}`;
}

/** Somebody at the other end of the same wire has the address: then one of the two has the wrong subnet. */
function besides(ns: Netns, to: IpAddress, world: World): string {
  for (const link of ns.links) {
    if (link.kind !== 'veth') continue;
    const other = world.lower({ ns, link });
    const near = other === undefined ? [] : neighboursOf(other);
    for (const port of near) {
      const theirs = port.ns.addresses.find(
        (entry) => entry.ifindex === port.link.ifindex && addressOf(entry.address) === to,
      );
      const ours = ns.addresses.find(
        (entry) => entry.ifindex === link.ifindex && ipFamily(entry.address) === ipFamily(to),
      );
      if (theirs === undefined || ours === undefined) continue;
      return `: ${portName(port)} has ${theirs.address}, and ${portName({ ns, link })} on the same wire ${ours.address}`;
    }
  }
  return '';

  function neighboursOf(port: Port): Port[] {
    const bridge = linkOf(port.ns, port.link.master);
    if (bridge === undefined) return [port];
    const ports = port.ns.links.filter(({ master }) => master === bridge.ifindex);
    return [
      { ns: port.ns, link: bridge },
      ...ports.flatMap((link) => world.lower({ ns: port.ns, link }) ?? []),
    ];
  }
}

/** Who of those that are looked at has the address, wherever it is. */
export function ownersOf(address: IpAddress, world: World): Port[] {
  return world.own
    .filter((ns) => hasAddress(ns, address))
    .flatMap((ns) => {
      const entry = ns.addresses.find((one) => addressOf(one.address) === address);
      const link = linkOf(ns, entry?.ifindex);
      return link === undefined ? [] : [{ ns, link }];
    });
}
