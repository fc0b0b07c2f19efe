// An interface of the model as the keys that a person would have written for it: the way back of lower-interfaces.ts. What the
// file says by itself (a type's default, IPv6 where there is an IPv6 address) is left out.

import { type IpInterface, ipFamily } from '../base/ip.ts';
import { assertNever } from '../base/result.ts';
import { durationText } from '../base/units.ts';
import type {
  BridgePort,
  EndRef,
  Interface,
  InterfaceAddress,
  InterfaceType,
  WireguardPeer,
} from '../model/interface.ts';
import type { Lab, Node } from '../model/lab.ts';
import { given } from './given.ts';
import { HOST } from './lower-nodes.ts';

/** A mapping of the file, its keys in the order in which they are written. */
export type Keys = Record<string, unknown>;

/** What interfaces are called in the file; the kernel may have a shorter name. */
export class FileNames {
  private readonly byNode = new Map<string, Map<string, string>>();

  constructor(lab: Lab) {
    for (const node of lab.nodes) {
      this.byNode.set(node.name, new Map(node.interfaces.map(({ ifname, name }) => [ifname, name])));
    }
  }

  /** One that the node does not describe, or a pattern of nft, is called as it is. */
  of(node: Pick<Node, 'name'>, ifname: string): string {
    return this.byNode.get(node.name)?.get(ifname) ?? ifname;
  }
}

/** Where IPv6 has been said already for all interfaces that have no word of their own. */
export type Ipv6Said = { readonly node: boolean };

type Spot = { readonly node: Node; readonly names: FileNames; readonly ipv6: Ipv6Said };

/** The keys of an interface under its node or at the end of its link, without its name. */
export function interfaceKeys(iface: Interface, spot: Spot, shared: { readonly mtu?: number } = {}): Keys {
  const { node, names } = spot;
  const { mac, mtu, master, port, addresses } = iface;
  const ownBridge = node.kind === 'bridge' && iface.type === 'veth' ? 'br0' : undefined;
  return given({
    ...typeKeys(iface, spot),
    mac,
    mtu: mtu === shared.mtu ? undefined : mtu,
    up: iface.up ? undefined : false,
    ipv6: needsIpv6Word(iface, spot) ? true : undefined,
    master: master === undefined || master === ownBridge ? undefined : names.of(node, master),
    port: port === undefined ? undefined : portKeys(port),
    addresses: addresses.length === 0 ? undefined : addresses.map(addressEntry),
  });
}

/** True where nothing but `ipv6: true` at the interface tells that it has IPv6. */
function needsIpv6Word(iface: Interface, { node, ipv6 }: Spot): boolean {
  if (!iface.ipv6 || hasIpv6Address(iface)) return false;
  return !ipv6.node || !takesIpv6Default(iface, node);
}

function hasIpv6Address({ addresses }: Interface): boolean {
  return addresses.some(({ ip }) => ipFamily(ip) === 6);
}

/** True for an interface that `ipv6` of its node or of the file is about. */
export function takesIpv6Default(iface: Interface, node: Node): boolean {
  if (iface.type === 'loopback' || hasIpv6Address(iface)) return false;
  if (iface.master === undefined) return node.kind !== 'bridge';
  return node.interfaces.find(({ ifname }) => ifname === iface.master)?.type !== 'bridge';
}

function addressEntry({ ip, peer, scope, nodad }: InterfaceAddress): string | Keys {
  if (peer === undefined && scope === undefined && nodad) return ip;
  const far = peer === undefined ? undefined : withoutFullLength(peer);
  return given({ address: ip, peer: far, scope, dad: nodad ? undefined : true });
}

/** A subnet of one address is written as that address. */
export function withoutFullLength(ip: IpInterface | string): string {
  return ip.replace(ip.includes(':') ? /\/128$/ : /\/32$/, '');
}

function portKeys({ vlan, vlans, ...rest }: BridgePort): Keys {
  return given({
    vlan,
    vlans: vlans?.map(({ from, to }) => (from === to ? from : `${from}-${to}`)),
    ...rest,
  });
}

function typeKeys(iface: InterfaceType & { readonly name: string }, spot: Spot): Keys {
  const { type } = iface;
  switch (type) {
    case 'veth':
    case 'loopback':
      return {};
    case 'bridge':
      return { type, ...bridgeKeysOf(iface) };
    case 'vlan':
      return {
        type,
        link: linkText(iface.link, spot),
        id: iface.id,
        ...unless(iface.protocol === '802.1Q', { protocol: iface.protocol }),
      };
    case 'vxlan': {
      const { id, local, remote, remotes, dstport, link, learning, ttl } = iface;
      return given({
        type,
        id,
        local,
        remote,
        remotes: remotes.length === 0 ? undefined : remotes,
        dstport: dstport === 4789 ? undefined : dstport,
        link: link === undefined ? undefined : linkText(link, spot),
        learning: learning ? undefined : false,
        ttl,
      });
    }
    case 'macvlan':
      return {
        type,
        link: linkText(iface.link, spot),
        ...unless(iface.mode === 'bridge', { mode: iface.mode }),
      };
    case 'ipvlan':
      return {
        type,
        link: linkText(iface.link, spot),
        ...unless(iface.mode === 'l2', { mode: iface.mode }),
        ...unless(iface.flag === 'bridge', { flag: iface.flag }),
      };
    case 'dummy':
    case 'ifb':
      return { type };
    case 'vrf':
      return { type, table: iface.table };
    case 'wireguard': {
      const { private_key, listen_port, fwmark, peers } = iface;
      return given({
        type,
        listen_port,
        fwmark,
        private_key,
        peers: peers.length === 0 ? undefined : peers.map(peerKeys),
      });
    }
    case 'tun':
    case 'tap':
      return given({ type, owner: iface.owner, group: iface.group });
    case 'gre':
    case 'gretap': {
      const { local, remote, key, ttl } = iface;
      return given({ type, local, remote, key, ttl });
    }
    case 'bond': {
      const { mode, miimon } = iface;
      return given({
        type,
        mode: mode === 'balance-rr' ? undefined : mode,
        miimon: miimon === undefined ? undefined : durationText(Math.round(miimon * 1e3)),
      });
    }
    case 'physical':
      return { type, ...unless(iface.device === iface.name, { device: iface.device }) };
    default:
      return assertNever(iface);
  }
}

function unless(isDefault: boolean, keys: Keys): Keys {
  return isDefault ? {} : keys;
}

/** The options of a bridge, which a bridge node has itself. */
export function bridgeKeysOf(bridge: Extract<InterfaceType, { readonly type: 'bridge' }>): Keys {
  const time = (seconds: number | undefined) =>
    seconds === undefined ? undefined : durationText(Math.round(seconds * 1e6));
  return given({
    stp: bridge.stp,
    vlan_filtering: bridge.vlan_filtering,
    vlan_default_pvid: bridge.vlan_default_pvid,
    ageing_time: time(bridge.ageing_time),
    forward_delay: time(bridge.forward_delay),
    hello_time: time(bridge.hello_time),
    max_age: time(bridge.max_age),
    priority: bridge.priority,
    group_fwd_mask: bridge.group_fwd_mask,
    mcast_snooping: bridge.mcast_snooping,
  });
}

function linkText({ node, ifname }: EndRef, { node: own, names }: Spot): string {
  const name = names.of({ name: node }, ifname);
  return node === own.name ? name : `${node}:${name}`;
}

/** The name of an interface of another node or of its own, as `NODE:NAME`. */
export function endText({ node, ifname }: EndRef, names: FileNames): string {
  return `${node}:${names.of({ name: node }, ifname)}`;
}

/** True for an end on the machine itself. */
export function isHostEnd({ node }: EndRef): boolean {
  return node === HOST;
}

function peerKeys({
  public_key,
  preshared_key,
  endpoint,
  allowed_ips,
  persistent_keepalive,
}: WireguardPeer): Keys {
  return given({
    public_key,
    preshared_key,
    endpoint: endpoint === undefined ? undefined : endpointText(endpoint),
    allowed_ips: allowed_ips.length === 0 ? undefined : allowed_ips,
    persistent_keepalive:
      persistent_keepalive === undefined ? undefined : durationText(persistent_keepalive * 1e6),
  });
}

function endpointText({ address, port }: NonNullable<WireguardPeer['endpoint']>): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
