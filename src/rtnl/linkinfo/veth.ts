// veth: a pair of links joined like a wire. The peer is a whole link message inside IFLA_INFO_DATA. In dumps the kernel sends
// no data for a veth; its peer is IFLA_LINK, in the namespace IFLA_LINK_NETNSID. veth(4), linux/veth.h, drivers/net/veth.c.

import { type LinkAttributes, readLinkAttributes, writeLinkAttributes } from '../link-attributes.ts';
import { attributeMap, type MessageWriter } from '../message.ts';
import { IFINFOMSG_LEN, writeIfinfomsg } from '../rtnetlink.ts';

const VETH_INFO_PEER = 1;

/** The other end. It cannot be made up (IFF_UP fails with ENOTCONN until the pair exists) and takes no master. */
type VethPeer = Omit<LinkAttributes, 'master' | 'link' | 'linkNetnsid' | 'alias'> & {
  /** Asks for this ifindex in the peer's namespace. */
  readonly ifindex?: number;
};

export type VethInfo = {
  readonly kind: 'veth';
  readonly peer?: VethPeer;
};

export function encodeVeth(writer: MessageWriter, info: VethInfo): void {
  if (info.peer === undefined) return;
  const peer = writer.nest(VETH_INFO_PEER);
  writeIfinfomsg(writer, { ifindex: info.peer.ifindex });
  writeLinkAttributes(writer, info.peer);
  writer.endNest(peer);
}

export function decodeVeth(data: Buffer): VethInfo {
  const peer = attributeMap(data).get(VETH_INFO_PEER);
  if (peer === undefined || peer.length < IFINFOMSG_LEN) return { kind: 'veth' };
  const ifindex = peer.readInt32LE(4);
  const attributes: VethPeer = readLinkAttributes(attributeMap(peer, IFINFOMSG_LEN));
  return { kind: 'veth', peer: ifindex === 0 ? attributes : { ifindex, ...attributes } };
}
