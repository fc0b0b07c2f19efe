// What the kernel counts of each link: struct rtnl_link_stats64 in IFLA_STATS64, linux/if_link.h; ip-link(8) "-s".

import { IFLA_IFNAME } from './link-attributes.ts';
import { attributeMap, readString } from './message.ts';
import { IFF_UP, IFINFOMSG_LEN, RTM_GETLINK, writeIfinfomsg } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const IFLA_STATS64 = 23;

/** Counted since the link was made. `rx` is what came in. */
export type LinkStats = {
  readonly ifindex: number;
  readonly ifname: string;
  readonly up: boolean;
  readonly rxPackets: number;
  readonly txPackets: number;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxErrors: number;
  readonly txErrors: number;
  readonly rxDropped: number;
  readonly txDropped: number;
};

/** The first eight members of the structure, in its order. */
const MEMBERS = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxErrors',
  'txErrors',
  'rxDropped',
  'txDropped',
] as const;

/** Reads the payload of an RTM_NEWLINK; undefined where it counts nothing. */
export function parseLinkStats(payload: Buffer): LinkStats | undefined {
  if (payload.length < IFINFOMSG_LEN) return undefined;
  const attributes = attributeMap(payload, IFINFOMSG_LEN);
  const stats = attributes.get(IFLA_STATS64);
  if (stats === undefined || stats.length < MEMBERS.length * 8) return undefined;
  // Exact up to 2^53: eight petabytes.
  const counts = Object.fromEntries(MEMBERS.map((name, i) => [name, Number(stats.readBigUInt64LE(i * 8))]));
  return {
    ifindex: payload.readInt32LE(4),
    ifname: readString(attributes.get(IFLA_IFNAME)) ?? '',
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    ...(counts as Record<(typeof MEMBERS)[number], number>),
  };
}

/** The counters of all links of the transport's namespace, in the order of their indexes. */
export function getLinkStats(transport: Transport): LinkStats[] {
  return transport
    .dump({ type: RTM_GETLINK, payload: (writer) => writeIfinfomsg(writer, {}) })
    .map(parseLinkStats)
    .filter((stats) => stats !== undefined);
}
