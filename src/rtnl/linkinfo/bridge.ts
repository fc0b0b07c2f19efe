// bridge: a switch in software. Times are in hundredths of a second, as the kernel and `ip link` have them; names are those of
// `ip -j -d link`. ip-link(8) "type bridge", linux/if_link.h IFLA_BR_*.

import { type AttributeTable, be16, bool, u8, u16, u32, word } from '../attribute-table.ts';

export type BridgeInfo = {
  readonly kind: 'bridge';
  /** 1: the kernel's spanning tree protocol; 0: none. */
  readonly stp_state?: number;
  /** Hundredths of a second a port listens and learns before it forwards, with STP. */
  readonly forward_delay?: number;
  readonly hello_time?: number;
  readonly max_age?: number;
  /** Hundredths of a second after which an address that is silent is forgotten. */
  readonly ageing_time?: number;
  readonly priority?: number;
  readonly vlan_filtering?: boolean;
  readonly vlan_protocol?: '802.1Q' | '802.1ad';
  /** The VLAN of untagged frames on new ports; 0 means none. */
  readonly vlan_default_pvid?: number;
  /** Which of the addresses 01:80:C2:00:00:0X are forwarded, one bit each. */
  readonly group_fwd_mask?: number;
  readonly mcast_snooping?: boolean;
  readonly mcast_querier?: boolean;
  readonly mcast_router?: number;
  readonly nf_call_iptables?: boolean;
  readonly nf_call_ip6tables?: boolean;
  readonly nf_call_arptables?: boolean;
};

export const bridgeTable: AttributeTable<Omit<BridgeInfo, 'kind'>> = {
  forward_delay: u32(1),
  hello_time: u32(2),
  max_age: u32(3),
  ageing_time: u32(4),
  stp_state: u32(5),
  priority: u16(6),
  vlan_filtering: bool(7),
  vlan_protocol: word(be16(8), { '802.1Q': 0x8100, '802.1ad': 0x88a8 }),
  group_fwd_mask: u16(9),
  mcast_router: u8(22),
  mcast_snooping: bool(23),
  mcast_querier: bool(25),
  nf_call_iptables: bool(36),
  nf_call_ip6tables: bool(37),
  nf_call_arptables: bool(38),
  vlan_default_pvid: u16(39),
};
