// ipip, sit, ip6tnl: IP packets inside IP packets. ip-link(8) "type ipip", linux/if_tunnel.h IFLA_IPTUN_*.

import type { IpAddress } from '../../base/ip.ts';
import { type AttributeTable, bool, ip, u8, u32, word } from '../attribute-table.ts';

export type IptunInfo = {
  readonly kind: 'ipip' | 'sit' | 'ip6tnl';
  /** The ifindex of the link that carries the packets. */
  readonly link?: number;
  readonly local?: IpAddress;
  readonly remote?: IpAddress;
  /** 0 inherits it from the packet inside. */
  readonly ttl?: number;
  readonly tos?: number;
  readonly encap_limit?: number;
  /** What is inside. */
  readonly proto?: 'any' | 'ipip' | 'ip6ip' | 'mplsip';
  readonly pmtudisc?: boolean;
  readonly fwmark?: number;
};

export const iptunTable: AttributeTable<Omit<IptunInfo, 'kind'>> = {
  link: u32(1),
  local: ip(2),
  remote: ip(3),
  ttl: u8(4),
  tos: u8(5),
  encap_limit: u8(6),
  // Numbers of linux/in.h: IPPROTO_IP, IPPROTO_IPIP, IPPROTO_IPV6, IPPROTO_MPLS.
  proto: word(u8(9), { any: 0, ipip: 4, ip6ip: 41, mplsip: 137 }),
  pmtudisc: bool(10),
  fwmark: u32(20),
};
