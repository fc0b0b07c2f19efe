// Two routes that the kernel takes for one: it refuses the second with EEXIST (fib_table_insert() in net/ipv4/fib_trie.c,
// fib6_add_rt2node() in net/ipv6/ip6_fib.c). It makes one by itself for the subnet of every IPv4 address.

import { addressOf, type IpPrefix, subnetOf } from '../../base/ip.ts';
import type { Node } from '../../model/lab.ts';
import type { Route } from '../../model/route.ts';
import type { PathProblem } from '../problems.ts';
import { type Assigned, isSingle, type LabRule, type LabView, pathOf } from './lab-view.ts';

const MAIN = 254;

export const duplicateRoute: LabRule = (view) =>
  view.lab.nodes.filter((node) => node.routes.length > 0).flatMap((node) => check(view, node));

function check(view: LabView, node: Node): PathProblem[] {
  const firsts = new Map<string, Route>();
  // Default routes are what most nodes have, and no address brings one.
  const connected = node.routes.every(({ to }) => to.endsWith('/0'))
    ? undefined
    : connectedRoutes(view, node);
  return node.routes.flatMap((route) => {
    const key = routeKey(route);
    const first = firsts.get(key);
    if (first !== undefined) return [twice(node, first, route)];
    firsts.set(key, route);
    const made = connected?.get(key);
    return made === undefined ? [] : [madeByKernel(route, made)];
  });
}

/** The kernel's default metric of an IPv6 route is 1024 (IP6_RT_PRIO_USER); of an IPv4 one 0. */
function routeKey({ family, to, table, metric }: Route): string {
  return `${table ?? MAIN} ${to} ${metric ?? (family === 6 ? 1024 : 0)}`;
}

function connectedRoutes(view: LabView, node: Node): Map<string, Assigned> {
  const routes = new Map<string, Assigned>();
  for (const one of view.addressesOfNode(node)) {
    if (one.family === 6 || isSingle(one) || !one.iface.up || one.entry.peer !== undefined) continue;
    const master = one.iface.master === undefined ? undefined : view.find(node.place, one.iface.master);
    const table = master?.type === 'vrf' ? master.table : MAIN;
    routes.set(`${table} ${subnetOf(one.entry.ip)} 0`, one);
  }
  return routes;
}

function destination(to: IpPrefix): string {
  return to.endsWith('/0') && /^(0\.0\.0\.0|::)\//.test(to) ? 'default' : to;
}

function twice(node: Node, first: Route, again: Route): PathProblem {
  const table = again.table === undefined ? '' : ` in table ${again.table}`;
  return {
    code: 'ROUTE_DUPLICATE',
    message: `${node.name} has a second route to ${destination(again.to)}${table} with the same metric`,
    hint: 'give the second one a higher metric (a fallback), or put both gateways under "nexthops" (load sharing)',
    path: pathOf(again),
    related: { message: 'the first route', path: pathOf(first) },
  };
}

function madeByKernel(route: Route, one: Assigned): PathProblem {
  return {
    code: 'ROUTE_DUPLICATE',
    message: `the kernel makes the route to ${route.to} by itself, from the address ${addressOf(one.entry.ip)} of ${one.iface.name}`,
    hint: 'remove the route, or give it a metric',
    path: pathOf(route),
    related: { message: `${one.iface.name} has this address`, path: pathOf(one.entry) },
  };
}
