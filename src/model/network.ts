// Networks of containers and the ports that they publish, as they hold on the machine itself: plan/filter.ts makes nft rules of
// them, the container's monitor listens where no rule can serve. Bridges, wires, addresses and routes are those of nodes.

import { type IpAddress, type IpPrefix, ipFamily } from '../base/ip.ts';
import type { IfName, NodeName } from '../base/names.ts';
import type { PortRange } from './filter.ts';

export type Network = {
  readonly name: string;
  /** The bridge of the machine that its containers are plugged into. */
  readonly bridge: IfName;
  /** One of each family at most. */
  readonly subnets: readonly NetworkSubnet[];
  /** No way out, and no way in but from the machine. */
  readonly internal: boolean;
  readonly path: string;
};

/** The gateway is the address of the bridge. */
export type NetworkSubnet = { readonly prefix: IpPrefix; readonly gateway: IpAddress };

/** Ports of the machine that lead to a container. Both ranges have the same length. */
export type PublishedPort = {
  readonly node: NodeName;
  readonly proto: 'tcp' | 'udp';
  /** Of the machine; `0.0.0.0` and `::` are all of a family. */
  readonly address: IpAddress;
  readonly port: PortRange;
  /** Of another family than `address` only where the container has none of that one. */
  readonly to: { readonly address: IpAddress; readonly subnet: IpPrefix; readonly port: PortRange };
  /** The file left the port open: nslab chose it. */
  readonly chosen?: true;
  readonly path: string;
};

/** What lowering asks of the machine, and only where the file leaves something open. */
export type MachineFacts = {
  /** Subnets that it reaches without this lab. */
  readonly subnets: readonly IpPrefix[];
  /** The subnets of this lab's bridges where it is up: they stay as they are. */
  readonly kept: ReadonlyMap<string, readonly IpPrefix[]>;
  /** The ports that were chosen for this lab where it is up, by {@link portKey}. */
  readonly keptPorts: ReadonlyMap<string, number>;
  /** True where nobody listens at the port on any address, and no other lab publishes it. */
  readonly isFree: (proto: 'tcp' | 'udp', port: number) => boolean;
  /** A network of another lab that is up, by `LAB/NETWORK`. */
  readonly network: (name: string) => OtherNetwork | undefined;
};

export type OtherNetwork = Pick<Network, 'bridge' | 'subnets' | 'internal'> & {
  /** Addresses in it that others have. */
  readonly taken: ReadonlySet<IpAddress>;
  /** Those that this lab has where it is up, by node. */
  readonly kept: ReadonlyMap<string, readonly IpAddress[]>;
};

type Left = Pick<PublishedPort, 'node' | 'proto' | 'address'> & { readonly inside: number };

/** Which of a container's ports was left open. */
export function portKey({ node, proto, address, inside }: Left): string {
  return `${node} ${address} ${inside}/${proto}`;
}

/** True for `0.0.0.0` and `::`. */
export function isAnyAddress(address: IpAddress): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** 127.0.0.0/8 and ::1, which the kernel takes from no interface but `lo` (route_localnet is off). */
export function isLoopbackAddress(address: IpAddress): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** How many ports a range has. */
export function portCount({ from, to = from }: PortRange): number {
  return to - from + 1;
}

export function hasPort({ from, to = from }: PortRange, port: number): boolean {
  return port >= from && port <= to;
}

type Ports = Pick<PublishedPort, 'proto' | 'address' | 'port'>;

/** True where one socket could not have the ports of the other. */
export function portsMeet(a: Ports, b: Ports): boolean {
  if (a.proto !== b.proto || ipFamily(a.address) !== ipFamily(b.address)) return false;
  if (a.address !== b.address && !isAnyAddress(a.address) && !isAnyAddress(b.address)) return false;
  return hasPort(a.port, b.port.from) || hasPort(b.port, a.port.from);
}

/** `80`, `8000-8010`. */
export function portRangeText({ from, to }: PortRange): string {
  return to === undefined ? String(from) : `${from}-${to}`;
}

/** An IPv6 address as it stands before a port. */
export function bracketed(address: IpAddress): string {
  return ipFamily(address) === 6 ? `[${address}]` : address;
}

/** Published ports in one line each, `0.0.0.0:8080->80/tcp`; both families of all addresses are one. */
export function portLines(ports: readonly PublishedPort[]): string[] {
  const lines = ports.map(({ proto, address, port, to }) => {
    const any =
      address === '::' && ports.some((one) => one.address === '0.0.0.0' && isSame(one, { proto, port }));
    return any ? [] : `${bracketed(address)}:${portRangeText(port)}->${portRangeText(to.port)}/${proto}`;
  });
  return lines.flat();
}

function isSame(one: PublishedPort, { proto, port }: Pick<PublishedPort, 'proto' | 'port'>): boolean {
  return one.proto === proto && one.port.from === port.from && one.port.to === port.to;
}
