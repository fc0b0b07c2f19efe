// Numbers that several files of this room need: message types, families, and the header every link message begins with.
// linux/rtnetlink.h, linux/socket.h, linux/if.h.

import type { MessageWriter } from './message.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;
export const RTM_NEWNSID = 88;
export const RTM_GETNSID = 90;
export const RTM_NEWLINKPROP = 108;
export const RTM_DELLINKPROP = 109;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;

export const IFF_UP = 0x1;

/** sizeof(struct ifinfomsg) */
export const IFINFOMSG_LEN = 16;

/** struct ifinfomsg: `change` is the mask of the flags that are to be set to what `flags` has. */
type Ifinfomsg = {
  readonly family?: number;
  readonly ifindex?: number | undefined;
  readonly flags?: number;
  readonly change?: number;
};

export function writeIfinfomsg(writer: MessageWriter, header: Ifinfomsg): void {
  writer.u32(header.family ?? AF_UNSPEC);
  writer.u32(header.ifindex ?? 0);
  writer.u32(header.flags ?? 0);
  writer.u32(header.change ?? 0);
}

/** The address family of an IP address or prefix in text. */
export function familyOf(ip: string): typeof AF_INET | typeof AF_INET6 {
  return ip.includes(':') ? AF_INET6 : AF_INET;
}
