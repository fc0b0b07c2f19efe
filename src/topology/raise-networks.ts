// Networks of containers as the file has them: the way back of lower-networks.ts. A network of the model is found again in its
// bridge on the machine, and its members by the names that their wires have there.

import { addressOf, type IpAddress, type IpFamily, ipFamily } from '../base/ip.ts';
import type { Interface } from '../model/interface.ts';
import type { Lab, Link, Node } from '../model/lab.ts';
import type { Network, NetworkSubnet } from '../model/network.ts';
import type { Route } from '../model/route.ts';
import { given } from './given.ts';
import { Addresses } from './ipam.ts';
import { BRIDGE_NETWORK, bridgeName, DEFAULT_NETWORK, portName } from './lower-networks.ts';
import { HOST } from './lower-nodes.ts';
import type { Keys } from './raise-interface.ts';

/** The networks that a container names, in its order. */
export type Memberships = readonly { readonly network: string; readonly keys: Keys }[];

/** What a lab has because of its networks, and what the file says instead. */
export type Lowered = {
  readonly networks: Readonly<Record<string, Keys>>;
  readonly members: ReadonlyMap<string, Memberships>;
  readonly interfaces: ReadonlySet<Interface>;
  readonly links: ReadonlySet<Link>;
  readonly routes: ReadonlySet<Route>;
  /** True where a network brings the machine into the lab. */
  readonly onHost: boolean;
};

type Member = {
  readonly network: Network;
  readonly node: Node;
  readonly iface: Interface;
  readonly port: Interface;
  readonly link: Link;
};

/** Which members have their address written out, as {@link memberKey} names them; the others get theirs in order. */
export type Written = 'all' | ReadonlySet<string>;

export function memberKey(node: Pick<Node, 'name'>, iface: Pick<Interface, 'ifname'>): string {
  return `${node.name}:${iface.ifname}`;
}

export function raiseNetworks(lab: Lab, written: Written): Lowered {
  const host = lab.nodes.find(({ place }) => place === null);
  const standard = lab.nodes.some(({ place, networks }) => place === null && networks?.some(isDefault))
    ? DEFAULT_NETWORK
    : BRIDGE_NETWORK;
  const isOwn = ({ name, bridge }: Network) =>
    host?.interfaces.some(
      (iface) => iface.ifname === bridge && iface.name === bridgeName(lab.name, name, standard),
    ) === true;
  const networks = (host?.networks ?? []).filter(isOwn);
  const members = networks.flatMap((network) => membersOf(lab, host, network));
  const bridges = (host?.interfaces ?? []).filter(({ ifname }) =>
    networks.some(({ bridge }) => bridge === ifname),
  );
  return {
    networks: Object.fromEntries(networks.map((network) => [network.name, declaration(network)])),
    members: membershipsOf(lab, { members, written, standard }),
    interfaces: new Set([...bridges, ...members.flatMap(({ iface, port }) => [iface, port])]),
    links: new Set(members.map(({ link }) => link)),
    routes: new Set(lab.nodes.flatMap((node) => defaultRoutes(node, members))),
    onHost: networks.length > 0,
  };
}

function isDefault({ name }: Network): boolean {
  return name === DEFAULT_NETWORK;
}

function membersOf(lab: Lab, host: Node | undefined, network: Network): Member[] {
  return lab.links.flatMap((link) => {
    const [near, far] = link.ends;
    if (near.node !== HOST) return [];
    const node = lab.nodes.find(({ name, container }) => name === far.node && container !== undefined);
    const iface = node?.interfaces.find(({ ifname }) => ifname === far.ifname);
    const port = host?.interfaces.find(({ ifname }) => ifname === near.ifname);
    if (node === undefined || iface === undefined || port?.master !== network.bridge) return [];
    const isWire = port.name === portName(lab.name, node.name, network.name);
    return isWire ? { network, node, iface, port, link } : [];
  });
}

function declaration({ internal, subnets }: Network): Keys {
  const config = subnets.map(({ prefix, gateway }) => {
    const first = new Addresses(prefix).next(new Set());
    return given({
      subnet: prefix,
      gateway: first !== undefined && addressOf(first) === gateway ? undefined : gateway,
    });
  });
  return given({ internal: internal ? true : undefined, ipam: { config } });
}

type Members = {
  readonly members: readonly Member[];
  readonly written: Written;
  readonly standard: string;
};

function membershipsOf(lab: Lab, { members, written, standard }: Members): Map<string, Memberships> {
  const found = new Map<string, Memberships>();
  for (const node of lab.nodes) {
    const order = node.interfaces;
    const own = members
      .filter((member) => member.node === node)
      .sort((a, b) => order.indexOf(a.iface) - order.indexOf(b.iface));
    // `network_mode: bridge` says it already, and the two exclude each other.
    if (own.length === 0 || node.container?.options['network_mode'] !== undefined) continue;
    const all = own.map((member) => ({
      network: member.network.name,
      keys: membershipKeys(member, { own, written }),
    }));
    const isAlone = all.length === 1 && all[0]?.network === standard && Object.keys(all[0].keys).length === 0;
    const isWired = order.some(
      (iface) => iface.type !== 'loopback' && own.every((member) => member.iface !== iface),
    );
    if (!isAlone || isWired) found.set(node.name, all);
  }
  return found;
}

function membershipKeys(
  { node, network, iface }: Member,
  { own, written }: { own: readonly Member[]; written: Written },
): Keys {
  const isWritten = written === 'all' || written.has(memberKey(node, iface));
  const address = (family: IpFamily) => {
    const ip = iface.addresses.find((one) => ipFamily(one.ip) === family)?.ip;
    return isWritten && ip !== undefined ? addressOf(ip) : undefined;
  };
  const isPreferred = isWayOut(node, network, own);
  return given({
    aliases: iface.aliases,
    ipv4_address: address(4),
    ipv6_address: address(6),
    mac_address: iface.mac,
    gw_priority: isPreferred ? 1 : undefined,
  });
}

/** The default route leads by this network, and without a word it would lead by one before it. */
function isWayOut(node: Node, network: Network, own: readonly Member[]): boolean {
  const ways = own.filter((member) => !member.network.internal && member.network.subnets.length > 0);
  if (ways.length < 2 || ways[0]?.network === network) return false;
  return network.subnets.some((subnet) => node.routes.some((route) => isDefaultBy(route, subnet.gateway)));
}

function isDefaultBy({ type, to, via, table, metric }: Route, gateway: IpAddress): boolean {
  const isPlain = type === 'unicast' && table === undefined && metric === undefined;
  return isPlain && (to === '0.0.0.0/0' || to === '::/0') && via === gateway;
}

/** The ways out that come with the networks: the last routes of their container. */
function defaultRoutes(node: Node, members: readonly Member[]): Route[] {
  const own = members.filter((member) => member.node === node && !member.network.internal);
  const made: Route[] = [];
  for (const route of node.routes.toReversed()) {
    const member = own.find(({ iface }) => iface.ifname === route.dev);
    const gateways: readonly NetworkSubnet[] = member?.network.subnets ?? [];
    if (made.length === 2 || !gateways.some(({ gateway }) => isDefaultBy(route, gateway))) break;
    made.push(route);
  }
  return made;
}

/** A list of names where no network has more to say. */
export function networkKeys(members: Memberships): unknown {
  const isBare = members.every(({ keys }) => Object.keys(keys).length === 0);
  if (isBare) return members.map(({ network }) => network);
  return Object.fromEntries(members.map(({ network, keys }) => [network, keys]));
}
