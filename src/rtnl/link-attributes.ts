// The attributes every link message may have, whatever the kind of link: what `ip link add` and the peer block of a veth share.
// linux/if_link.h, IFLA_*. Which of them the kernel honours in a creating message: rtnl_create_link(), net/core/rtnetlink.c.

import type { MacAddress } from '../base/names.ts';
import {
  attributeMap,
  eachAttribute,
  type MessageWriter,
  NLA_F_NESTED,
  readMac,
  readString,
  readU8,
  readU32,
} from './message.ts';
import { AF_INET6 } from './rtnetlink.ts';

const IFLA_ADDRESS = 1;
export const IFLA_BROADCAST = 2;
export const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_QDISC = 6;
export const IFLA_MASTER = 10;
const IFLA_TXQLEN = 13;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
export const IFLA_AF_SPEC = 26;
export const IFLA_GROUP = 27;
export const IFLA_NET_NS_FD = 28;
export const IFLA_EXT_MASK = 29;
export const IFLA_PROMISCUITY = 30;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
export const IFLA_CARRIER = 33;
export const IFLA_LINK_NETNSID = 37;
export const IFLA_PROP_LIST = 52;
export const IFLA_ALT_IFNAME = 53;
export const IFLA_PERM_ADDRESS = 54;
const IFLA_INET6_ADDR_GEN_MODE = 8;

// linux/if_link.h, enum in6_addr_gen_mode
const addrGenModes = { eui64: 0, none: 1, stable_secret: 2, random: 3 } as const;

/** How the kernel makes the link-local IPv6 address of a link, as `ip link set addrgenmode` calls it. */
export type AddrGenMode = keyof typeof addrGenModes;

/** Attributes that can be given when a link is made and, but for the queues, changed later. */
export type LinkAttributes = {
  readonly ifname?: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  /** The ifindex of the bridge, bond or vrf it belongs to; 0 takes it out. */
  readonly master?: number;
  /** The ifindex of the lower link: the parent of a vlan, macvlan, ipvlan. */
  readonly link?: number;
  /** The netns id (RTM_NEWNSID) of the namespace `link` is in. */
  readonly linkNetnsid?: number;
  readonly txqlen?: number;
  readonly group?: number;
  readonly alias?: string;
  /** A descriptor of the network namespace to put it into. A link that is being made is born there. */
  readonly netnsFd?: number;
  readonly numTxQueues?: number;
  readonly numRxQueues?: number;
};

export function writeLinkAttributes(writer: MessageWriter, link: LinkAttributes): void {
  if (link.ifname !== undefined) writer.attrString(IFLA_IFNAME, link.ifname);
  if (link.mac !== undefined) writer.attrMac(IFLA_ADDRESS, link.mac);
  if (link.mtu !== undefined) writer.attrU32(IFLA_MTU, link.mtu);
  if (link.master !== undefined) writer.attrU32(IFLA_MASTER, link.master);
  if (link.link !== undefined) writer.attrU32(IFLA_LINK, link.link);
  if (link.linkNetnsid !== undefined) writer.attrU32(IFLA_LINK_NETNSID, link.linkNetnsid);
  if (link.txqlen !== undefined) writer.attrU32(IFLA_TXQLEN, link.txqlen);
  if (link.group !== undefined) writer.attrU32(IFLA_GROUP, link.group);
  // The kernel would take a closing NUL for a part of the alias; an empty one removes it.
  if (link.alias !== undefined) writer.attrBytes(IFLA_IFALIAS, Buffer.from(link.alias, 'utf8'));
  if (link.netnsFd !== undefined) writer.attrU32(IFLA_NET_NS_FD, link.netnsFd);
  if (link.numTxQueues !== undefined) writer.attrU32(IFLA_NUM_TX_QUEUES, link.numTxQueues);
  if (link.numRxQueues !== undefined) writer.attrU32(IFLA_NUM_RX_QUEUES, link.numRxQueues);
}

/** IFLA_AF_SPEC for IPv6. In a message that makes a link the kernel refuses it with EAFNOSUPPORT: set it before the link goes up. */
export function writeAddrGenMode(writer: MessageWriter, mode: AddrGenMode): void {
  const spec = writer.nest(IFLA_AF_SPEC);
  const inet6 = writer.nest(AF_INET6);
  writer.attrU8(IFLA_INET6_ADDR_GEN_MODE, addrGenModes[mode]);
  writer.endNest(inet6);
  writer.endNest(spec);
}

/** Further names of a link, as RTM_NEWLINKPROP and RTM_DELLINKPROP take them. */
export function writeAltnames(writer: MessageWriter, names: readonly string[]): void {
  const list = writer.nest(IFLA_PROP_LIST | NLA_F_NESTED);
  for (const name of names) writer.attrString(IFLA_ALT_IFNAME, name);
  writer.endNest(list);
}

/** The attributes of this file that a message has. */
export function readLinkAttributes(attributes: ReadonlyMap<number, Buffer>): LinkAttributes {
  const found: { -readonly [K in keyof LinkAttributes]: LinkAttributes[K] | undefined } = {
    ifname: readString(attributes.get(IFLA_IFNAME)),
    mac: readMac(attributes.get(IFLA_ADDRESS)) as MacAddress | undefined,
    mtu: readU32(attributes.get(IFLA_MTU)),
    master: readU32(attributes.get(IFLA_MASTER)),
    link: readU32(attributes.get(IFLA_LINK)),
    linkNetnsid: readU32(attributes.get(IFLA_LINK_NETNSID)),
    txqlen: readU32(attributes.get(IFLA_TXQLEN)),
    group: readU32(attributes.get(IFLA_GROUP)),
    alias: readString(attributes.get(IFLA_IFALIAS)),
    netnsFd: readU32(attributes.get(IFLA_NET_NS_FD)),
    numTxQueues: readU32(attributes.get(IFLA_NUM_TX_QUEUES)),
    numRxQueues: readU32(attributes.get(IFLA_NUM_RX_QUEUES)),
  };
  return defined(found);
}

export function readAddrGenMode(spec: Buffer | undefined): AddrGenMode | undefined {
  if (spec === undefined) return undefined;
  const inet6 = attributeMap(spec).get(AF_INET6);
  if (inet6 === undefined) return undefined;
  const number = readU8(attributeMap(inet6).get(IFLA_INET6_ADDR_GEN_MODE));
  return (Object.keys(addrGenModes) as AddrGenMode[]).find((mode) => addrGenModes[mode] === number);
}

/** The alternative names in IFLA_PROP_LIST. */
export function readAltnames(list: Buffer | undefined): string[] {
  const names: string[] = [];
  if (list === undefined) return names;
  eachAttribute(list, 0, (type, value) => {
    const name = type === IFLA_ALT_IFNAME ? readString(value) : undefined;
    if (name !== undefined) names.push(name);
  });
  return names;
}

/** Without the members that are undefined. */
export function defined<T extends object>(members: { [K in keyof T]: T[K] | undefined }): T {
  for (const name of Object.keys(members) as (keyof T)[]) {
    if (members[name] === undefined) delete members[name];
  }
  return members as T;
}
