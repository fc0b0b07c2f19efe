// What a network namespace has, as plain data in the words of src/model: whoever made it, so that a lab and the kernel can be
// compared, and a lab be written down from the kernel. What the kernel makes by itself is in it as well; `automatic.ts` tells
// which that is. Only types here.

import type { IpInterface, IpPrefix } from '../base/ip.ts';
import type { IfName, MacAddress } from '../base/names.ts';
import type {
  BondOptions,
  BridgeOptions,
  BridgePort,
  GreOptions,
  InterfaceType,
  VxlanOptions,
  WireguardOptions,
} from '../model/interface.ts';
import type { Impairment, Place } from '../model/lab.ts';
import type { Neighbour, Route, RouteType, Rule } from '../model/route.ts';
import type { TableForm } from '../nfnl/read.ts';

/** A namespace to read. */
export type NetnsRef = {
  /** What the reader calls it. Null is the machine's own, and has no path. */
  readonly place: Place;
  /** A file that is the namespace: /run/netns/NAME, a pin, /proc/PID/ns/net. */
  readonly path: string | null;
};

export type LiveNetns = {
  readonly place: Place;
  /** `DEVICE:INODE` of the namespace: two paths lead to the same one where this is the same. */
  readonly identity: string;
  /** In the order of their indexes, `lo` and what the kernel made by itself among them. */
  readonly devices: readonly LiveDevice[];
  /** Of all tables. */
  readonly routes: readonly LiveRoute[];
  readonly rules: readonly LiveRule[];
  /** Those that somebody set: permanent ones, and those that answer for others. */
  readonly neighbours: readonly Omit<Neighbour, 'path'>[];
  readonly tables: readonly TableForm[];
  /** Tables of families that nslab has no rules for, `bridge NAME`. */
  readonly strangeTables: readonly string[];
  /** Those that were asked for, and whether it forwards; a key that the kernel lacks is not in it. */
  readonly sysctls: Readonly<Record<string, string>>;
};

/** The device at the other end of a wire, or the one that another stands on. */
export type LiveEnd = {
  readonly ifindex: number;
  /** Where it is; absent where that is none of the namespaces that were read. */
  readonly place?: Place;
  readonly ifname?: IfName;
};

export type LiveDevice = {
  readonly ifindex: number;
  readonly ifname: IfName;
  readonly altnames: readonly string[];
  readonly data: LiveData;
  /** Of tunnels it is an address, byte by byte. */
  readonly mac?: MacAddress;
  readonly mtu: number;
  readonly up: boolean;
  /** Up, and the other side is there. */
  readonly running: boolean;
  /** IFLA_GROUP: a lab's mark in the machine's own namespace, 0 unless somebody set it. */
  readonly group: number;
  readonly master?: IfName;
  /** Of a port of a bridge. */
  readonly port?: LivePort;
  /** Absent where the device has no IPv6. */
  readonly addrgenmode?: 'eui64' | 'none' | 'stable_secret' | 'random';
  /** Its root queueing discipline, by the kernel's name: `noqueue`, `netem`. */
  readonly qdisc?: string;
  /** What that does to packets, where it is one that a file can ask for: netem, or tbf. */
  readonly impair?: Impairment;
  readonly addresses: readonly LiveAddress[];
};

export type LiveData =
  | { readonly type: 'veth'; readonly peer: LiveEnd }
  | { readonly type: 'loopback' }
  | ({ readonly type: 'bridge' } & Partial<Required<BridgeOptions>>)
  | (Omit<Extract<InterfaceType, { type: 'vlan' }>, 'link'> & Parent)
  | ({ readonly type: 'vxlan' } & Omit<VxlanOptions, 'link'> & { readonly link?: LiveEnd })
  | (Omit<Extract<InterfaceType, { type: 'macvlan' }>, 'link'> & Parent)
  | (Omit<Extract<InterfaceType, { type: 'ipvlan' }>, 'link'> & Parent)
  | { readonly type: 'dummy' | 'ifb' }
  | { readonly type: 'vrf'; readonly table: number }
  /** Without a key where none was set. */
  | ({ readonly type: 'wireguard' } & Omit<WireguardOptions, 'private_key'> & {
        readonly private_key?: string;
      })
  | { readonly type: 'tun' | 'tap'; readonly owner?: number; readonly group?: number }
  /** `local` and `remote` are `0.0.0.0` or `::` where there are none. */
  | ({ readonly type: 'gre' | 'gretap' } & GreOptions)
  | ({ readonly type: 'bond' } & BondOptions)
  /** A NIC: the kernel has no word for its kind. */
  | { readonly type: 'physical' }
  /** A kind that nslab makes none of, by the kernel's name. */
  | { readonly type: 'other'; readonly kind: string };

type Parent = { readonly link: LiveEnd };

/** All settings of a port, and its VLANs; those that a file has no words for (tagged, yet the pvid) are `strangeVlans`. */
export type LivePort = Required<Omit<BridgePort, 'vlan' | 'vlans'>> & {
  readonly vlan?: number;
  readonly vlans: readonly { readonly from: number; readonly to: number }[];
  readonly strangeVlans: readonly { readonly from: number; readonly to: number }[];
};

export type LiveAddress = {
  readonly ip: IpInterface;
  readonly peer?: IpInterface;
  readonly scope: 'global' | 'site' | 'link' | 'host' | 'nowhere' | number;
  readonly nodad: boolean;
  /** Not for a time only. */
  readonly permanent: boolean;
  readonly noprefixroute: boolean;
  readonly tentative: boolean;
  /** IFAPROT_* of linux/if_addr.h (Linux 5.18): 1 to 3 are the kernel's own doing, absent or 0 somebody else's. */
  readonly proto?: number;
};

export type LiveRoute = Omit<Route, 'path' | 'type' | 'scope'> & {
  readonly type: RouteType | 'broadcast' | 'anycast' | 'multicast' | number;
  readonly table: number;
  readonly scope: LiveAddress['scope'];
  /** RTPROT_* of linux/rtnetlink.h: 2 is the kernel's own, 9 a router advertisement's. */
  readonly protocol: number;
  /** Only for packets from there (IPv6). */
  readonly from?: IpPrefix;
  /** Seconds until it goes. */
  readonly expires?: number;
  /** The device it leads out of is down. */
  readonly dead: boolean;
};

export type LiveRule = Omit<Rule, 'path' | 'action'> & {
  readonly action: Rule['action'] | { readonly kind: 'goto'; readonly to: number } | { readonly kind: 'nop' };
  /** RTPROT_*: 2 is the kernel's own. */
  readonly protocol: number;
  /** It has conditions for which a file has no words: a user id, a type of service, the table of a vrf. */
  readonly strange: boolean;
};
