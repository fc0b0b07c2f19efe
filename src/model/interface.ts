// Interfaces of a node. The tag `type` is the word of the file; `kind` of what the kernel makes is the same but for
// `physical` (a NIC that exists already) and `tap` (a tun device in tap mode). Option names are those of `ip -j -d link`.

import type { IpAddress, IpInterface } from '../base/ip.ts';
import type { IfName, MacAddress, NodeName } from '../base/names.ts';
import type { Place } from './lab.ts';

/** One end of a wire, or the interface another one stands on. */
export type EndRef = { readonly node: NodeName; readonly place: Place; readonly ifname: IfName };

export type InterfaceAddress = {
  readonly ip: IpInterface;
  /** The far end of a point-to-point address (`ip addr add A peer B`). */
  readonly peer?: IpInterface;
  readonly scope?: 'global' | 'link' | 'host';
  /** True unless the file asks for duplicate address detection (`dad: true`): a lab is usable at once. IPv6 only. */
  readonly nodad: boolean;
  readonly path: string;
};

type Common = {
  /** As the file has it; may be longer than the kernel allows. */
  readonly name: string;
  /** The kernel's name: `name` where it fits, else a stable short form. Unique in its node. */
  readonly ifname: IfName;
  /** `name` when it is too long for the kernel (IFLA_ALT_IFNAME). */
  readonly altname?: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  readonly up: boolean;
  readonly addresses: readonly InterfaceAddress[];
  /** The bridge, vrf or bond of the same node that it is a port of. */
  readonly master?: IfName;
  readonly port?: BridgePort;
  /** False: no link-local address, no router solicitation (addr_gen_mode none). True where the file gives IPv6. */
  readonly ipv6: boolean;
  /** Further names of the node for those who are in the same network (`networks: { NAME: { aliases } }`). */
  readonly aliases?: readonly string[];
  readonly path: string;
};

export type Interface = Common & InterfaceType;

export type InterfaceType =
  | { readonly type: 'veth'; readonly peer: EndRef }
  /** `lo`, which every namespace has from its birth: there is nothing to make, only addresses, MTU and state to set. */
  | { readonly type: 'loopback' }
  | ({ readonly type: 'bridge' } & BridgeOptions)
  | {
      readonly type: 'vlan';
      readonly link: EndRef;
      readonly id: number;
      readonly protocol: '802.1Q' | '802.1ad';
    }
  | ({ readonly type: 'vxlan' } & VxlanOptions)
  | {
      readonly type: 'macvlan';
      readonly link: EndRef;
      readonly mode: 'private' | 'vepa' | 'bridge' | 'passthru';
    }
  | {
      readonly type: 'ipvlan';
      readonly link: EndRef;
      readonly mode: 'l2' | 'l3' | 'l3s';
      readonly flag: 'bridge' | 'private' | 'vepa';
    }
  | { readonly type: 'dummy' }
  | { readonly type: 'ifb' }
  | { readonly type: 'vrf'; readonly table: number }
  | ({ readonly type: 'wireguard' } & WireguardOptions)
  | { readonly type: 'tun' | 'tap'; readonly owner?: number; readonly group?: number }
  | ({ readonly type: 'gre' | 'gretap' } & GreOptions)
  | ({ readonly type: 'bond' } & BondOptions)
  /** `device` is the name of the NIC in the machine's own namespace. */
  | { readonly type: 'physical'; readonly device: IfName };

/** Times in seconds. */
export type BridgeOptions = {
  readonly stp?: boolean;
  readonly vlan_filtering?: boolean;
  /** 0 means none. */
  readonly vlan_default_pvid?: number;
  readonly ageing_time?: number;
  readonly forward_delay?: number;
  readonly hello_time?: number;
  readonly max_age?: number;
  readonly priority?: number;
  readonly group_fwd_mask?: number;
  readonly mcast_snooping?: boolean;
};

export type BridgePort = {
  readonly cost?: number;
  readonly priority?: number;
  readonly hairpin?: boolean;
  readonly isolated?: boolean;
  readonly learning?: boolean;
  readonly guard?: boolean;
  /** The VLAN of untagged frames (pvid, egress untagged). Replaces the bridge's default. */
  readonly vlan?: number;
  /** VLANs carried with their tag. */
  readonly vlans?: readonly { readonly from: number; readonly to: number }[];
};

export type VxlanOptions = {
  readonly id: number;
  readonly local?: IpAddress;
  /** A unicast or multicast address. */
  readonly remote?: IpAddress;
  /** Unicast peers for flooding: one fdb entry of 00:00:00:00:00:00 each. */
  readonly remotes: readonly IpAddress[];
  readonly dstport: number;
  readonly link?: EndRef;
  readonly learning: boolean;
  readonly ttl?: number;
};

export type GreOptions = {
  readonly local: IpAddress;
  readonly remote: IpAddress;
  readonly key?: number;
  readonly ttl?: number;
};

export type BondOptions = {
  readonly mode:
    | 'balance-rr'
    | 'active-backup'
    | 'balance-xor'
    | 'broadcast'
    | '802.3ad'
    | 'balance-tlb'
    | 'balance-alb';
  /** Milliseconds. */
  readonly miimon?: number;
};

export type WireguardOptions = {
  /** Base64, 32 bytes. */
  readonly private_key: string;
  readonly listen_port?: number;
  readonly fwmark?: number;
  readonly peers: readonly WireguardPeer[];
};

export type WireguardPeer = {
  readonly public_key: string;
  readonly preshared_key?: string;
  readonly endpoint?: { readonly address: IpAddress; readonly port: number };
  readonly allowed_ips: readonly IpInterface[];
  /** Seconds; 0 is off. */
  readonly persistent_keepalive?: number;
};
