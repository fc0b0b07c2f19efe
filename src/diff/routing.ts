// Routes, rules and neighbours of a node. What the file leaves open (the device of a gateway, a metric) the kernel fills in, so a
// route of the file can be found in more than one form. What routing daemons and DHCP made is theirs. Pure.

import type { IfName } from '../base/names.ts';
import { IPV6_METRIC, isAutomaticRoute, isAutomaticRule, MAIN_TABLE, routeTypes } from '../live/automatic.ts';
import type { LiveNetns, LiveRoute, LiveRule } from '../live/netns.ts';
import type { Node } from '../model/lab.ts';
import type { Neighbour, Nexthop, Route, Rule } from '../model/route.ts';
import { HOST_PROTOCOL } from '../plan/op.ts';
import type { Difference } from './difference.ts';
import { entryKey } from './step-key.ts';
import { neighbourWords, routeWords, ruleWords } from './words.ts';

/** What is compared, of one node. */
export type RoutingView = {
  readonly node: Node;
  /** The same node as it was made. */
  readonly before: Node | undefined;
  readonly live: LiveNetns;
  /** Devices that go, and everything on them. */
  readonly gone: ReadonlySet<string>;
  /** Devices whose routes are the lab's: all, but on the machine itself. */
  readonly isOwn: (ifname: string | undefined) => boolean;
};

/** linux/rtnetlink.h: above RTPROT_STATIC stand programs that keep routes by themselves. */
const RTPROT_STATIC = 4;

export function routeDifferences(view: RoutingView): Difference[] {
  const { node, before, live, gone } = view;
  const { place, name } = node;
  const left = new Set(live.routes.filter((route) => !isAutomaticRoute(route) && !leadsAway(route, gone)));
  const missing = node.routes.filter((route) => {
    const found = [...left].find((one) => isRoute(route, one, place === null));
    if (found !== undefined) left.delete(found);
    return found === undefined;
  });
  const extra = [...left].filter((route) => {
    if (!routeTypes.has(route.type)) return false;
    if (before?.routes.some((one) => isRoute(one, route, place === null)) === true) return true;
    if (place === null) return route.protocol === HOST_PROTOCOL && view.isOwn(route.dev);
    return route.protocol <= RTPROT_STATIC && route.expires === undefined;
  });
  return [
    ...missing.map((route): Difference => {
      const { path: _path, ...entry } = route;
      const message = `${name}: ${routeWords(route)} is missing`;
      return {
        node: name,
        place,
        about: 'route',
        state: 'missing',
        message,
        mend: { make: [entryKey('route', place, entry)] },
      };
    }),
    ...extra.map((route): Difference => {
      const message = `${name}: ${routeWords(plainRoute(route))} is too much`;
      const remove = [{ kind: 'delRoute', place, route: plainRoute(route) }] as const;
      return { node: name, place, about: 'route', state: 'extra', message, mend: { remove } };
    }),
  ];
}

function leadsAway({ dev, nexthops }: LiveRoute, gone: ReadonlySet<string>): boolean {
  if (dev !== undefined && gone.has(dev)) return true;
  return nexthops?.some((hop) => hop.dev !== undefined && gone.has(hop.dev)) ?? false;
}

/** As a file would have it: without what the kernel fills in. */
function plainRoute(live: LiveRoute): Omit<Route, 'path'> {
  const {
    dead: _dead,
    expires: _expires,
    from: _from,
    scope: _scope,
    metric,
    table,
    dev,
    type,
    ...rest
  } = live;
  const isDefault = live.family === 6 ? metric === IPV6_METRIC : metric === 0;
  return {
    ...rest,
    type: type as Route['type'],
    ...(metric === undefined || isDefault ? {} : { metric }),
    ...(table === MAIN_TABLE ? {} : { table }),
    ...(dev === undefined || nowhere(live) ? {} : { dev }),
  };
}

/** The kernel shows `lo` with IPv6 routes that lead nowhere. */
function nowhere({ type }: LiveRoute): boolean {
  return type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw';
}

function metricOf({ family, metric }: Pick<Route, 'family' | 'metric'>): number {
  return metric === undefined || metric === 0 ? (family === 6 ? IPV6_METRIC : 0) : metric;
}

function isRoute(wanted: Route, found: LiveRoute, onHost: boolean): boolean {
  const table = wanted.table ?? (wanted.type === 'local' ? 255 : MAIN_TABLE);
  if (wanted.family !== found.family || wanted.to !== found.to || wanted.type !== found.type) return false;
  if (table !== found.table || metricOf(wanted) !== metricOf(found)) return false;
  if (wanted.src !== found.src || wanted.mtu !== found.mtu) return false;
  if (wanted.scope !== undefined && wanted.family === 4 && wanted.scope !== found.scope) return false;
  const protocol = onHost ? HOST_PROTOCOL : wanted.protocol;
  if (protocol !== undefined && protocol !== found.protocol) return false;
  if (found.from !== undefined) return false;
  if (wanted.nexthops !== undefined) return sameWays(wanted.nexthops, found.nexthops ?? [found]);
  if (found.nexthops !== undefined) return false;
  return isWay(wanted, found);
}

function isWay(wanted: Nexthop, found: Nexthop): boolean {
  if (wanted.via !== found.via || (wanted.onlink ?? false) !== (found.onlink ?? false)) return false;
  return wanted.dev === undefined || wanted.dev === found.dev;
}

function sameWays(wanted: readonly Nexthop[], found: readonly Nexthop[]): boolean {
  if (wanted.length !== found.length) return false;
  const left = [...found];
  return wanted.every((hop) => {
    const at = left.findIndex((one) => isWay(hop, one) && (hop.weight ?? 1) === (one.weight ?? 1));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

export function ruleDifferences({ node, before, live }: RoutingView): Difference[] {
  const { place, name } = node;
  const left = new Map(
    live.rules.filter((rule) => !isAutomaticRule(rule)).map((rule) => [rule, ruleForm(rule)]),
  );
  const take = (rule: Rule): LiveRule | undefined => {
    const form = ruleForm(rule);
    const found = [...left].find(([one, text]) => text === form && !one.strange)?.[0];
    if (found !== undefined) left.delete(found);
    return found;
  };
  const missing = node.rules.filter((rule) => take(rule) === undefined);
  const was = new Set((before?.rules ?? []).map(ruleForm));
  const extra = [...left].filter(([rule, form]) => {
    if (was.has(form)) return true;
    return place !== null && rule.protocol <= RTPROT_STATIC;
  });
  return [
    ...missing.map((rule): Difference => {
      const { path: _path, ...entry } = rule;
      const message = `${name}: ${ruleWords(rule)} is missing`;
      return {
        node: name,
        place,
        about: 'rule',
        state: 'missing',
        message,
        mend: { make: [entryKey('rule', place, entry)] },
      };
    }),
    ...extra.map(([rule]): Difference => {
      const { protocol: _protocol, strange: _strange, action, ...rest } = rule;
      const known = action.kind !== 'goto' && action.kind !== 'nop';
      const message = `${name}: ${ruleWords(rule)} is too much`;
      const remove = known ? [{ kind: 'delRule', place, rule: { ...rest, action } } as const] : [];
      return { node: name, place, about: 'rule', state: 'extra', message, mend: { remove } };
    }),
  ];
}

const everywhere = new Set(['0.0.0.0/0', '::/0']);

/** The same text for the same rule, whoever wrote it. */
function ruleForm(rule: Omit<Rule, 'path' | 'action'> & { readonly action: LiveRule['action'] }): string {
  const { family, not, from, to, iif, oif, fwmark, fwmask, ipproto, sport, dport, priority, action } = rule;
  const prefix = (value: string | undefined) => (value === undefined || everywhere.has(value) ? null : value);
  const mask = fwmark === undefined ? null : (fwmask ?? 0xffff_ffff) >>> 0;
  return JSON.stringify([
    ...[family, not ?? false, prefix(from), prefix(to), iif ?? null, oif ?? null, fwmark ?? null, mask],
    ...[ipproto ?? null, sport ?? null, dport ?? null, priority, action, rule.suppress_prefixlength ?? null],
  ]);
}

export function neighbourDifferences({ node, live, gone, isOwn }: RoutingView): Difference[] {
  const { place, name } = node;
  const form = ({ ip, dev, lladdr, proxy }: Omit<Neighbour, 'path'>) =>
    `${ip} ${dev} ${proxy === true ? 'proxy' : (lladdr ?? '')}`;
  const found = new Map(live.neighbours.filter(({ dev }) => !gone.has(dev)).map((one) => [form(one), one]));
  const missing = node.neighbours.filter((one) => !found.delete(form(one)));
  const extra = [...found.values()].filter(({ dev }) => isOwn(dev));
  const at = (dev: IfName) => `${name}:${dev}`;
  return [
    ...missing.map((one): Difference => {
      const { path: _path, ...entry } = one;
      const message = `${at(one.dev)}: ${neighbourWords(one)} is missing`;
      const mend = { make: [entryKey('neighbour', place, entry)] };
      return { node: name, place, interface: one.dev, about: 'neighbour', state: 'missing', message, mend };
    }),
    ...extra.map((neighbour): Difference => {
      const message = `${at(neighbour.dev)}: ${neighbourWords(neighbour)} is too much`;
      const mend = { remove: [{ kind: 'delNeighbour', place, neighbour } as const] };
      return {
        node: name,
        place,
        interface: neighbour.dev,
        about: 'neighbour',
        state: 'extra',
        message,
        mend,
      };
    }),
  ];
}
