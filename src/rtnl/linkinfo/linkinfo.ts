// IFLA_LINKINFO: the kind of a link and its data. One file per kind holds what the kind has; here is the list of them, and the
// kernel module each comes from. linux/if_link.h IFLA_INFO_*.

import { assertNever } from '../../base/result.ts';
import { decodeTable, encodeTable } from '../attribute-table.ts';
import { attributeMap, type MessageWriter, readString } from '../message.ts';
import { type BondInfo, bondTable } from './bond.ts';
import { type BridgeInfo, bridgeTable } from './bridge.ts';
import { decodeGre, encodeGre, type GreInfo } from './gre.ts';
import { type IptunInfo, iptunTable } from './iptun.ts';
import { type IpvlanInfo, ipvlanTable } from './ipvlan.ts';
import { type MacvlanInfo, macvlanTable } from './macvlan.ts';
import { type TunInfo, tunTable } from './tun.ts';
import { decodeVeth, encodeVeth, type VethInfo } from './veth.ts';
import { type VlanInfo, vlanTable } from './vlan.ts';
import { type VrfInfo, vrfTable } from './vrf.ts';
import { decodeVxlan, encodeVxlan, type VxlanInfo } from './vxlan.ts';

/** Kinds that have no data of their own in rtnetlink. WireGuard is configured through generic netlink (../wireguard.ts). */
type BareInfo = { readonly kind: 'dummy' | 'ifb' | 'wireguard' };

/** A kind of link with its data. */
export type LinkInfo =
  | BareInfo
  | BondInfo
  | BridgeInfo
  | GreInfo
  | IptunInfo
  | IpvlanInfo
  | MacvlanInfo
  | TunInfo
  | VethInfo
  | VlanInfo
  | VrfInfo
  | VxlanInfo;

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;

const modules: Readonly<Record<LinkInfo['kind'], string>> = {
  veth: 'veth',
  bridge: 'bridge',
  vxlan: 'vxlan',
  macvlan: 'macvlan',
  macvtap: 'macvtap',
  ipvlan: 'ipvlan',
  vlan: '8021q',
  dummy: 'dummy',
  ifb: 'ifb',
  vrf: 'vrf',
  bond: 'bonding',
  gre: 'ip_gre',
  gretap: 'ip_gre',
  ip6gre: 'ip6_gre',
  ip6gretap: 'ip6_gre',
  ipip: 'ipip',
  sit: 'sit',
  ip6tnl: 'ip6_tunnel',
  wireguard: 'wireguard',
  tun: 'tun',
};

/** The kernel module that brings a kind: what to name when the kernel answers EOPNOTSUPP to it. */
export function moduleOfKind(kind: string): string {
  return Object.hasOwn(modules, kind) ? modules[kind as LinkInfo['kind']] : kind;
}

export function writeLinkInfo(writer: MessageWriter, type: number, info: LinkInfo): void {
  const outer = writer.nest(type);
  writer.attrString(IFLA_INFO_KIND, info.kind);
  const inner = writer.nest(IFLA_INFO_DATA);
  const empty = writer.length;
  writeLinkData(writer, info);
  // No data at all, as ip-link(8) does: some kinds take an empty list for a change.
  if (writer.length === empty) writer.length = inner;
  else writer.endNest(inner);
  writer.endNest(outer);
}

function writeLinkData(writer: MessageWriter, info: LinkInfo): void {
  switch (info.kind) {
    case 'veth':
      encodeVeth(writer, info);
      return;
    case 'bridge':
      encodeTable(writer, bridgeTable, info);
      return;
    case 'vxlan':
      encodeVxlan(writer, info);
      return;
    case 'macvlan':
    case 'macvtap':
      encodeTable(writer, macvlanTable, info);
      return;
    case 'ipvlan':
      encodeTable(writer, ipvlanTable, info);
      return;
    case 'vlan':
      encodeTable(writer, vlanTable, info);
      return;
    case 'vrf':
      encodeTable(writer, vrfTable, info);
      return;
    case 'bond':
      encodeTable(writer, bondTable, info);
      return;
    case 'gre':
    case 'gretap':
    case 'ip6gre':
    case 'ip6gretap':
      encodeGre(writer, info);
      return;
    case 'ipip':
    case 'sit':
    case 'ip6tnl':
      encodeTable(writer, iptunTable, info);
      return;
    case 'tun':
      encodeTable(writer, tunTable, info);
      return;
    case 'dummy':
    case 'ifb':
    case 'wireguard':
      return;
    default:
      assertNever(info);
  }
}

/** What IFLA_LINKINFO of a dump says. `info` is there when the kind is one of ours. */
type ReadLinkInfo = {
  readonly kind?: string;
  readonly info?: LinkInfo;
  /** The kind of its master, and what the master knows of this port. */
  readonly slaveKind?: string;
  readonly slaveData?: Buffer;
};

export function readLinkInfo(payload: Buffer): ReadLinkInfo {
  const attributes = attributeMap(payload);
  const kind = readString(attributes.get(IFLA_INFO_KIND));
  const slaveKind = readString(attributes.get(IFLA_INFO_SLAVE_KIND));
  const slaveData = attributes.get(IFLA_INFO_SLAVE_DATA);
  const info =
    kind === undefined ? undefined : readLinkData(kind, attributes.get(IFLA_INFO_DATA) ?? Buffer.alloc(0));
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(info === undefined ? {} : { info }),
    ...(slaveKind === undefined ? {} : { slaveKind }),
    ...(slaveData === undefined ? {} : { slaveData }),
  };
}

function readLinkData(text: string, data: Buffer): LinkInfo | undefined {
  if (!Object.hasOwn(modules, text)) return undefined;
  const kind = text as LinkInfo['kind'];
  switch (kind) {
    case 'veth':
      return decodeVeth(data);
    case 'bridge':
      return { kind, ...decodeTable(bridgeTable, data) };
    case 'vxlan':
      return decodeVxlan(data);
    case 'macvlan':
    case 'macvtap':
      return { kind, ...decodeTable(macvlanTable, data) };
    case 'ipvlan':
      return { kind, ...decodeTable(ipvlanTable, data) };
    case 'vlan':
      return { kind, ...decodeTable(vlanTable, data) };
    case 'vrf':
      return { kind, ...decodeTable(vrfTable, data) };
    case 'bond':
      return { kind, ...decodeTable(bondTable, data) };
    case 'gre':
    case 'gretap':
    case 'ip6gre':
    case 'ip6gretap':
      return decodeGre(kind, data);
    case 'ipip':
    case 'sit':
    case 'ip6tnl':
      return { kind, ...decodeTable(iptunTable, data) };
    case 'tun':
      return { kind, ...decodeTable(tunTable, data) };
    case 'dummy':
    case 'ifb':
    case 'wireguard':
      return { kind };
    default:
      return assertNever(kind);
  }
}

/** Data of a port for the master of that kind, as `ip link set type bridge_slave` sends it. */
export function writeSlaveInfo(
  writer: MessageWriter,
  type: number,
  slave: { readonly kind: string; readonly data: (writer: MessageWriter) => void },
): void {
  const outer = writer.nest(type);
  writer.attrString(IFLA_INFO_SLAVE_KIND, slave.kind);
  const inner = writer.nest(IFLA_INFO_SLAVE_DATA);
  slave.data(writer);
  writer.endNest(inner);
  writer.endNest(outer);
}
