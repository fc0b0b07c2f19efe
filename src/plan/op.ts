// The list of things a lab is made of, in the order in which they are made. One list is executed (apply), undone (`down`) and
// printed (`plan`, `explain`). An op is plain data; `place` is the network namespace it happens in, null the machine's own.
//
// Undo. What lies inside a namespace of the lab vanishes with it, so only what touches the machine's own namespace has an
// inverse of its own (see undo.ts); everything there is made with a mark that is set by the message which makes it.

import type { IpAddress, IpInterface } from '../base/ip.ts';
import type { IfName, MacAddress, NetnsName, NodeName } from '../base/names.ts';
import type { Condition, ContainerSpec } from '../model/container.ts';
import type { ContainerImage } from '../model/image-settings.ts';
import type { Qdisc } from '../model/impairment.ts';
import type { BridgeOptions, InterfaceAddress, InterfaceType, WireguardPeer } from '../model/interface.ts';
import type { Place, Sysctl } from '../model/lab.ts';
import type { PublishedPort } from '../model/network.ts';
import type { Neighbour, Route, Rule } from '../model/route.ts';
import type { Userns } from '../model/userns.ts';
import type { NftTable } from '../nfnl/ruleset.ts';

/** The attributes of a new device that do not depend on its kind. */
export type LinkAttributes = {
  readonly ifname: IfName;
  readonly altname?: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  /** Set together with the creation, so that the port is in its bridge when it first appears. */
  readonly master?: IfName;
  /** Only where nothing has to be set between creation and up; else a `setLink` follows. */
  readonly up?: boolean;
  /** IFLA_GROUP: the lab's mark, in the machine's own namespace only. */
  readonly group?: number;
};

/** What kind of device to make. Of a wire both ends are made by one op, the far end in its own place. */
export type LinkData =
  | { readonly type: 'veth'; readonly peer: LinkAttributes & { readonly place: Place } }
  | Exclude<InterfaceType, { readonly type: 'veth' | 'physical' | 'loopback' | 'wireguard' | 'tun' | 'tap' }>
  | { readonly type: 'wireguard' }
  /** Who may open it (TUNSETOWNER, TUNSETGROUP): ids, and other words than the link group's above. */
  | { readonly type: 'tun' | 'tap'; readonly uid?: number; readonly gid?: number };

export type Op =
  | {
      readonly kind: 'createNetns';
      readonly netns: NetnsName;
      readonly node: NodeName;
      /** The user namespace that owns it; without one it is the machine's. */
      readonly userns?: Exclude<Userns, { readonly mode: 'host' }>;
    }
  | { readonly kind: 'createLink'; readonly place: Place; readonly link: LinkAttributes & LinkData }
  /** A NIC of the machine's own namespace, moved in and renamed. Its state there is recorded first. */
  | { readonly kind: 'moveLink'; readonly device: IfName; readonly place: Place; readonly ifname: IfName }
  | {
      readonly kind: 'setLink';
      readonly place: Place;
      readonly ifname: IfName;
      /** Added to those it has, by a request of its own (RTM_NEWLINKPROP): such an op sets nothing else. */
      readonly altname?: string;
      readonly mac?: MacAddress;
      readonly mtu?: number;
      /** Null takes it out of the one it is in. */
      readonly master?: IfName | null;
      readonly addrgenmode?: 'none' | 'eui64';
      readonly up?: boolean;
    }
  /** What happens to packets that leave; null takes it away, which fails with ENOENT where nothing is set. */
  | {
      readonly kind: 'setQdisc';
      readonly place: Place;
      readonly ifname: IfName;
      readonly qdisc: Qdisc | null;
    }
  | {
      readonly kind: 'setPort';
      readonly place: Place;
      readonly ifname: IfName;
      readonly cost?: number;
      readonly priority?: number;
      readonly hairpin?: boolean;
      readonly isolated?: boolean;
      readonly learning?: boolean;
      readonly guard?: boolean;
    }
  | {
      readonly kind: 'addVlan';
      readonly place: Place;
      readonly ifname: IfName;
      readonly from: number;
      readonly to: number;
      /** The VLAN of untagged frames, both ways. */
      readonly pvid: boolean;
    }
  | { readonly kind: 'delVlan'; readonly place: Place; readonly ifname: IfName; readonly vid: number }
  | {
      readonly kind: 'addAddress';
      readonly place: Place;
      readonly ifname: IfName;
      readonly address: Omit<InterfaceAddress, 'path'>;
    }
  | { readonly kind: 'addRoute'; readonly place: Place; readonly route: Omit<Route, 'path'> }
  | { readonly kind: 'addRule'; readonly place: Place; readonly rule: Omit<Rule, 'path'> }
  | { readonly kind: 'addNeighbour'; readonly place: Place; readonly neighbour: Omit<Neighbour, 'path'> }
  /** A peer of a vxlan device that floods to it: `bridge fdb append 00:00:00:00:00:00 dev D dst A`. */
  | { readonly kind: 'addFdb'; readonly place: Place; readonly ifname: IfName; readonly dst: IpAddress }
  | {
      readonly kind: 'setWireguard';
      readonly place: Place;
      readonly ifname: IfName;
      readonly private_key: string;
      readonly listen_port?: number;
      readonly fwmark?: number;
      readonly peers: readonly WireguardPeer[];
    }
  | { readonly kind: 'setSysctl'; readonly place: Place; readonly key: string; readonly value: string }
  /** `replace`: in the place of the table of that name, in one transaction. */
  | { readonly kind: 'addTable'; readonly place: Place; readonly table: NftTable; readonly replace?: true }
  /** A folder of files for /etc, shared by all nodes that see the lab alike. */
  | { readonly kind: 'writeEtc'; readonly view: string; readonly files: Readonly<Record<string, string>> }
  /** /etc/netns/NETNS -> that folder, which ip-netns(8) and nslab bind over /etc inside the node. */
  | { readonly kind: 'linkEtc'; readonly netns: NetnsName; readonly view: string }
  | {
      readonly kind: 'startContainer';
      readonly node: NodeName;
      /** The network namespace it joins; null is the machine's own. */
      readonly place: Place;
      readonly container: ContainerSpec;
      /** Of a container with `image`: found when the lab comes up. */
      readonly image?: ContainerImage;
      /** The files that it sees in /etc; without one it sees those of the machine. */
      readonly view?: string;
      /** Of the node; those of its network namespace have ops of their own. */
      readonly sysctls?: readonly Sysctl[];
      /** Ports of the machine that its monitor listens at, for those whom no nft rule can serve. */
      readonly ports?: readonly Omit<PublishedPort, 'path'>[];
      /** Of the lab's own table of the machine, the chains that lead to `ports` while the container is there. */
      readonly published?: NftTable;
      /** Made, and not started yet. */
      readonly hold?: true;
      /** Removed when it has ended, with its lab. */
      readonly remove?: true;
    }
  /** `depends_on`: goes on when the condition holds, fails when it can hold no more. */
  | {
      readonly kind: 'awaitContainer';
      readonly node: NodeName;
      readonly condition: Condition;
      /** Who waits for it. */
      readonly waiters: readonly NodeName[];
    }
  | {
      readonly kind: 'runCommand';
      readonly node: NodeName;
      readonly place: Place;
      readonly argv: readonly string[];
      /** The node is a container: the command runs in all its namespaces. */
      readonly container?: true;
      /** Its failure is told, and stops nothing. */
      readonly mayFail?: true;
    };

/** A step of a change: most make something, as those of `up` do. */
export type Step = Op | ChangeOp;

/** What only the change of a lab that is up needs: something is taken away, or set anew. What is gone already is as good. */
export type ChangeOp =
  /** Of a wire one end is enough. */
  | { readonly kind: 'delLinks'; readonly place: Place; readonly ifnames: readonly IfName[] }
  | { readonly kind: 'delAltname'; readonly place: Place; readonly ifname: IfName; readonly altname: string }
  | {
      readonly kind: 'delAddress';
      readonly place: Place;
      readonly ifname: IfName;
      readonly address: Pick<InterfaceAddress, 'ip' | 'peer'>;
    }
  | { readonly kind: 'delRoute'; readonly place: Place; readonly route: Omit<Route, 'path'> }
  | { readonly kind: 'delRule'; readonly place: Place; readonly rule: Omit<Rule, 'path'> }
  | { readonly kind: 'delNeighbour'; readonly place: Place; readonly neighbour: Omit<Neighbour, 'path'> }
  | { readonly kind: 'delFdb'; readonly place: Place; readonly ifname: IfName; readonly dst: IpAddress }
  | {
      readonly kind: 'delTable';
      readonly place: Place;
      readonly family: NftTable['family'];
      readonly name: string;
    }
  /** Options of a bridge that is there. */
  | {
      readonly kind: 'setBridge';
      readonly place: Place;
      readonly ifname: IfName;
      readonly options: BridgeOptions;
    }
  /** A namespace with its names; the processes in it have been ended. */
  | { readonly kind: 'dropNetns'; readonly netns: NetnsName }
  /** A container that was made and has ended, once more as it is. */
  | { readonly kind: 'startAgain'; readonly node: NodeName }
  /** A step of `down`, for a part of the lab. */
  | { readonly kind: 'undo'; readonly undo: UndoOp };

/** What a NIC that is moved into a lab had in the machine's own namespace, and gets back. */
export type LinkState = {
  readonly ifname: IfName;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly master?: string;
  readonly addresses: readonly {
    readonly ip: IpInterface;
    readonly broadcast?: IpAddress;
    readonly scope: number;
  }[];
  /** Routes over it, as payloads of RTM_NEWROUTE in base64: put back word for word. */
  readonly routes: readonly string[];
  /** Its settings under `conf` and `neigh` of net.ipv4 and net.ipv6, which a NIC leaves behind when it changes its namespace. */
  readonly sysctls: Readonly<Record<string, string>>;
};

/** The ops of `down`, in the order in which they run. Each treats "already gone" as done. */
export type UndoOp =
  /** Containers with all their processes, cgroups and folders. `others` of the lab may go on; without it none does. */
  | { readonly kind: 'stopContainers'; readonly nodes: readonly NodeName[]; readonly others?: true }
  | { readonly kind: 'stopProcesses'; readonly netns: readonly NetnsName[] }
  | { readonly kind: 'returnLink'; readonly place: Place; readonly ifname: IfName; readonly state: LinkState }
  /** Devices of the machine's own namespace, those of them that carry the lab's mark. */
  | { readonly kind: 'deleteLinks'; readonly group: number; readonly ifnames: readonly IfName[] }
  | { readonly kind: 'deleteTable'; readonly family: NftTable['family']; readonly name: string }
  | { readonly kind: 'deleteRoute'; readonly route: Omit<Route, 'path'> }
  | { readonly kind: 'deleteRule'; readonly rule: Omit<Rule, 'path'> }
  | { readonly kind: 'deleteNeighbour'; readonly neighbour: Omit<Neighbour, 'path'> }
  | { readonly kind: 'restoreSysctl'; readonly key: string; readonly value: string; readonly was: string }
  | { readonly kind: 'unlinkEtc'; readonly netns: readonly NetnsName[] }
  /** All namespaces of the lab at once: one umount of the tree that pins them, then their names. */
  | { readonly kind: 'deleteNetns'; readonly netns: readonly NetnsName[] };

/** rtm_protocol of the routes and rules nslab adds to the machine's own namespace (linux/rtnetlink.h: 5 to 255 are free). */
export const HOST_PROTOCOL = 110;
