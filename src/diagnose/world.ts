// What the walk asks, and what it says in the end. A namespace is only known by its answers: ask.ts gets them from the kernel,
// and a test makes them up, so that the walk itself is a function of plain data.

import type { IpAddress, IpInterface } from '../base/ip.ts';
import type { TableForm } from '../nfnl/read.ts';
import type { Address } from '../rtnl/addr.ts';
import type { PortVlan } from '../rtnl/bridge-port.ts';
import type { Link } from '../rtnl/link.ts';
import type { FdbEntry, Neighbour } from '../rtnl/neigh.ts';
import type { Route } from '../rtnl/route.ts';
import type { Rule } from '../rtnl/rule.ts';

/** Why a packet does not arrive, or its answer does not come back. */
export type Cause = {
  readonly code: CauseCode;
  /** The namespace it lies in. */
  readonly node: string;
  /** One line that begins with the place: `r1: no route to 10.0.3.1 in table main`. */
  readonly text: string;
};

export type CauseCode =
  | 'link-down'
  | 'no-carrier'
  | 'no-address'
  | 'duplicate-address'
  | 'no-route'
  | 'bad-route'
  | 'no-neighbour'
  | 'wrong-neighbour'
  | 'forwarding-off'
  | 'rp-filter'
  | 'martian'
  | 'loop'
  | 'not-in-bridge'
  | 'bridge-down'
  | 'port-blocked'
  | 'isolated'
  | 'vlan'
  | 'wrong-fdb'
  | 'mtu'
  | 'tunnel'
  | 'dropped'
  | 'rejected'
  | 'nobody-listens'
  | 'ignored';

/** A question to the routing tables, as `ip route get` asks it. */
export type Question = {
  readonly to: IpAddress;
  readonly from?: IpAddress;
  /** As if the packet came in by this link; its ifindex. */
  readonly iif?: number;
  /** Only by this link, or by the table of this vrf. */
  readonly oif?: number;
  readonly mark?: number;
};

/** The kernel's answer: the route, or the errno's name where there is none. */
export type Answer = { readonly route: Route } | { readonly code: string };

/** A socket that waits for others: an address of the family, any of them where it is 0.0.0.0 or ::. */
export type Listener = { readonly address: IpAddress; readonly port: number };

/** A WireGuard link, without its secrets. */
export type Wireguard = {
  readonly publicKey?: string;
  readonly peers: readonly {
    readonly publicKey: string;
    readonly endpoint?: { readonly address: IpAddress };
    readonly allowedIps: readonly IpInterface[];
  }[];
};

/** One network namespace, as it answers now. */
export interface Netns {
  /** What a person calls it: the node's name, or that of the namespace. */
  readonly name: string;
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly neighbours: readonly Neighbour[];
  readonly fdb: readonly (FdbEntry & { readonly master?: number })[];
  /** VLANs of bridges and their ports, by ifindex. */
  readonly vlans: ReadonlyMap<number, readonly PortVlan[]>;
  readonly tables: readonly TableForm[];
  lookup(question: Question): Answer;
  /** A sysctl as sysctl(8) spells it; undefined where the kernel has none of that name. */
  sysctl(key: string): string | undefined;
  listeners(proto: 'tcp' | 'udp'): readonly Listener[];
  wireguard(link: Link): Wireguard | undefined;
}

/** A link and the namespace it is in. */
export type Port = { readonly ns: Netns; readonly link: Link };

/** All namespaces that are known, so that a wire can be followed from one to another. */
export interface World {
  readonly all: readonly Netns[];
  /** Those in which an address of the packet means what it says: two copies of a lab have the same addresses. */
  readonly own: readonly Netns[];
  /** The link that `link` of this one means (the peer of a veth, the parent of a vlan), wherever it is. */
  lower(port: Port): Port | undefined;
}

/** `r1:eth1`, as nslab writes an interface of a node. */
export function portName({ ns, link }: Port): string {
  return `${ns.name}:${link.ifname}`;
}

export function linkOf(ns: Netns, ifindex: number | undefined): Link | undefined {
  return ns.links.find((link) => link.ifindex === ifindex);
}
