// Gateways of routes. A gateway must be a neighbour: fib_check_nh() in net/ipv4/fib_semantics.c and ip6_route_check_nh() in
// net/ipv6/route.c refuse others. That nobody has its address, or that its owner does not forward, the kernel cannot see.

import { type IpAddress, ipFamily, prefixContains } from '../../base/ip.ts';
import { listWords } from '../../base/suggest.ts';
import type { Node } from '../../model/lab.ts';
import type { Route } from '../../model/route.ts';
import type { Path, PathProblem } from '../problems.ts';
import { type Assigned, inSubnetOf, isLinkLocal, type LabRule, type LabView, pathOf } from './lab-view.ts';

export const gateway: LabRule = (view) =>
  view.lab.nodes.flatMap((node) =>
    node.routes.flatMap((route) => hopsOf(node, route).flatMap((hop) => check(view, hop))),
  );

type Hop = {
  readonly node: Node;
  readonly route: Route;
  readonly via: IpAddress;
  readonly dev: string | undefined;
  readonly onlink: boolean;
  /** Where the gateway stands in the route. A path is made of it only for a problem: there are many routes. */
  readonly steps: readonly (string | number)[];
};

function viaPath({ route, steps }: Hop): Path {
  return pathOf(route, ...steps);
}

function hopsOf(node: Node, route: Route): Hop[] {
  const ways = route.nexthops ?? [route];
  return ways.flatMap((way, index) => {
    if (way.via === undefined) return [];
    const steps = route.nexthops === undefined ? ['via'] : ['nexthops', index, 'via'];
    return { node, route, via: way.via, dev: way.dev, onlink: way.onlink === true, steps };
  });
}

function check(view: LabView, hop: Hop): PathProblem[] {
  const own = view.addressesOfNode(hop.node).find((one) => one.address === hop.via);
  if (own !== undefined) return [itself(view, hop, own)];
  if (hop.onlink) return [];
  if (isLinkLocal(hop.via)) return hop.dev === undefined ? [needsDev(hop)] : [];
  const subnets = view.addressesOfNode(hop.node).filter((one) => inSubnetOf(one, hop.via));
  const onDev = hop.dev === undefined ? subnets : subnets.filter((one) => one.iface.ifname === hop.dev);
  const usable = onDev.filter((one) => one.iface.up);
  if (usable.length === 0) {
    // The machine has addresses of its own that the file does not know.
    if (hop.node.place === null || hasLinkRoute(hop)) return [];
    return [unreachable(view, hop, { subnets, onDev })];
  }
  return nobodyThere(view, hop, usable);
}

function itself(view: LabView, hop: Hop, own: Assigned): PathProblem {
  const { node, via } = hop;
  const segment = view.segmentOf(own.iface);
  const far = segment?.members.find(
    (member) => member.node !== node && view.addresses(member.node, member.iface).length > 0,
  );
  const other = far === undefined ? undefined : view.addresses(far.node, far.iface)[0];
  return {
    code: 'ROUTE_GATEWAY_SELF',
    message: `the gateway ${via} is an address of ${node.name} itself`,
    hint:
      other === undefined
        ? 'name the address of the router at the other end of the wire'
        : `name the other end of the wire, perhaps ${other.address} (${other.node.name})`,
    path: viaPath(hop),
    related: { message: `${own.iface.name} has this address`, path: pathOf(own.entry) },
  };
}

function needsDev(hop: Hop): PathProblem {
  return {
    code: 'ROUTE_GATEWAY_UNREACHABLE',
    message: `${hop.via} is a link-local address, which every wire has`,
    hint: 'say on which wire the gateway is, with "dev"',
    path: viaPath(hop),
  };
}

/** `10.9.9.9 dev eth0` makes a machine a neighbour that no subnet contains. */
function hasLinkRoute({ node, via, dev }: Hop): boolean {
  return node.routes.some(
    (route) =>
      route.type === 'unicast' &&
      route.via === undefined &&
      route.dev !== undefined &&
      (dev === undefined || route.dev === dev) &&
      prefixContains(route.to, via),
  );
}

type Near = { readonly subnets: readonly Assigned[]; readonly onDev: readonly Assigned[] };

function unreachable(view: LabView, hop: Hop, { subnets, onDev }: Near): PathProblem {
  const { node, via, dev } = hop;
  const base = { code: 'ROUTE_GATEWAY_UNREACHABLE', path: viaPath(hop) } as const;
  const [down] = onDev;
  if (down !== undefined) {
    const message = `the gateway ${via} is behind ${down.iface.name} of ${node.name}, which is not up`;
    return { ...base, message, hint: `remove "up: false" from ${down.iface.name}`, related: declared(down) };
  }
  const [elsewhere] = subnets;
  if (elsewhere !== undefined) {
    const message = `the gateway ${via} is behind ${elsewhere.iface.name}, and the route says dev ${dev}`;
    return {
      ...base,
      message,
      hint: `write "dev ${elsewhere.iface.name}", or leave dev out`,
      related: declared(elsewhere),
    };
  }
  const own = view
    .addressesOfNode(node)
    .filter((one) => one.family === ipFamily(via) && !isLinkLocal(one.address));
  const listed = listWords(
    own.map((one) => `${one.entry.ip} (${one.iface.name})`),
    'and',
    4,
  );
  return {
    ...base,
    message: `the gateway ${via} is in no subnet of ${node.name}`,
    hint: own.length === 0 ? `${node.name} has no IPv${ipFamily(via)} address` : `${node.name} has ${listed}`,
  };
}

function declared(one: Assigned): { message: string; path: Path } {
  return { message: `${one.iface.name} has ${one.entry.ip}`, path: pathOf(one.entry) };
}

/** The kernel would take the route and every packet would end in "Destination Host Unreachable". */
function nobodyThere(view: LabView, hop: Hop, usable: readonly Assigned[]): PathProblem[] {
  const { via, node } = hop;
  const segments = usable.map((one) => view.segmentOf(one.iface));
  if (segments.some((segment) => segment === undefined || segment.open)) return [];
  const owners = view.ownersOf(via);
  // An address of the node's other interfaces is answered for as well (the kernel's weak host model, arp_ignore 0).
  const isHeard = (owner: Assigned) =>
    owner.node.interfaces.some((iface) => segments.includes(view.segmentOf(iface)));
  if (owners.some(isHeard)) return [];
  const [one] = usable;
  const [owner] = owners;
  const where =
    owner === undefined ? 'no node has that address' : `only ${owner.node.name} has it, elsewhere`;
  return [
    {
      code: 'ROUTE_GATEWAY_NOBODY',
      severity: 'warning',
      message: `nobody on the wire of ${one?.iface.name} has the gateway's address ${via}: ${where}`,
      hint: `give ${via} to the router that ${node.name} should use, or name that router's address`,
      path: viaPath(hop),
    },
  ];
}
