// Labs as the loader would make them, written down directly: for tests of what comes after it. Addresses and names are given
// as text and trusted.

import type { IpAddress, IpInterface, IpPrefix } from '../../src/base/ip.ts';
import type { IfName, LabName, MacAddress, NetnsName, NodeName } from '../../src/base/names.ts';
import type { EndRef, Interface, InterfaceAddress } from '../../src/model/interface.ts';
import type { Lab, Node, Place } from '../../src/model/lab.ts';
import type { Route } from '../../src/model/route.ts';

export const ifname = (text: string): IfName => text as IfName;
export const ip = (text: string): IpAddress => text as IpAddress;
export const prefix = (text: string): IpPrefix => text as IpPrefix;
export const mac = (text: string): MacAddress => text as MacAddress;

/** The place a node's name stands for: `host` is the machine's own. */
export function place(node: string): Place {
  return node === 'host' ? null : (node as NetnsName);
}

export function end(node: string, name: string): EndRef {
  return { node: node as NodeName, place: place(node), ifname: ifname(name) };
}

export function address(text: string): InterfaceAddress {
  return { ip: text as IpInterface, nodad: text.includes(':'), path: text };
}

type Kind = Interface extends infer I ? (I extends { type: string } ? Omit<I, keyof Common> : never) : never;
type Common = Pick<Interface, 'name' | 'ifname' | 'up' | 'addresses' | 'ipv6' | 'path'>;
type Extra = Partial<Pick<Interface, 'altname' | 'mac' | 'mtu' | 'master' | 'port' | 'up' | 'ipv6'>>;

/** An interface of the node that is up and has the addresses; IPv6 is on where one of them is of that family. */
export function iface(
  name: string,
  kind: Kind,
  addresses: readonly string[] = [],
  extra: Extra = {},
): Interface {
  const common: Common = {
    name,
    ifname: ifname(name),
    up: true,
    addresses: addresses.map(address),
    ipv6: addresses.some((text) => text.includes(':')),
    path: `interfaces.${name}`,
  };
  return { ...common, ...kind, ...extra } as Interface;
}

export function veth(
  name: string,
  peer: EndRef,
  addresses: readonly string[] = [],
  extra: Extra = {},
): Interface {
  return iface(name, { type: 'veth', peer }, addresses, extra);
}

export function node(name: string, interfaces: readonly Interface[], extra: Partial<Node> = {}): Node {
  return {
    name: name as NodeName,
    place: place(name),
    kind: name === 'host' ? 'host' : 'netns',
    interfaces,
    routes: [],
    rules: [],
    neighbours: [],
    nat: [],
    sysctls: [],
    hosts: [],
    exec: [],
    labels: {},
    path: `nodes.${name}`,
    ...extra,
  };
}

export function route(to: string, rest: Partial<Route> = {}): Route {
  const family = to.includes(':') ? 6 : 4;
  return { type: 'unicast', family, to: prefix(to), path: `route ${to}`, ...rest };
}

export function sysctl(key: string, value: string): Node['sysctls'][number] {
  return { key, value, path: key };
}

export function lab(name: string, nodes: readonly Node[]): Lab {
  return { name: name as LabName, prefix: '', nodes, links: [], tests: [] };
}

/** The two ends of one wire, of which one is the machine itself. */
export function twoNamespaces(): Lab {
  return lab('two-namespaces', [
    node('test_ns', [veth('veth1', end('host', 'veth0'), ['10.1.1.1/24'])]),
    node('host', [veth('veth0', end('test_ns', 'veth1'), ['10.1.1.2/24'])]),
  ]);
}

/** N hosts on one switch, each with a default route to the first address. */
export function star(n: number): Lab {
  const ports: Interface[] = [iface('br0', { type: 'bridge' })];
  const hosts: Node[] = [];
  for (let i = 1; i <= n; i++) {
    ports.push(veth(`p${i}`, end(`n${i}`, 'eth0'), [], { master: ifname('br0') }));
    const own = `10.1.${(i + 1) >> 8}.${(i + 1) & 255}/16`;
    hosts.push(
      node(`n${i}`, [veth('eth0', end('sw', `p${i}`), [own])], {
        routes: [route('0.0.0.0/0', { via: ip('10.1.0.1') })],
      }),
    );
  }
  return lab('star', [node('sw', ports, { kind: 'bridge' }), ...hosts]);
}

/** N routers in a ring, each with a /31 to the next and a default route there. */
export function ring(n: number): Lab {
  const link = (i: number, side: 0 | 1): string => {
    const k = 2 * i + side;
    return `10.2.${k >> 8}.${k & 255}`;
  };
  const routers = Array.from({ length: n }, (_, i) => {
    const next = (i + 1) % n;
    const before = (i + n - 1) % n;
    return node(
      `r${i}`,
      [
        veth('right', end(`r${next}`, 'left'), [`${link(i, 0)}/31`]),
        veth('left', end(`r${before}`, 'right'), [`${link(before, 1)}/31`]),
      ],
      {
        kind: 'router',
        sysctls: [sysctl('net.ipv4.ip_forward', '1'), sysctl('net.ipv6.conf.all.forwarding', '1')],
        routes: [route('0.0.0.0/0', { via: ip(link(i, 1)) })],
      },
    );
  });
  return lab('ring', routers);
}
