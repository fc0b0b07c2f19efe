// bond: several links used as one. The order of the attributes matters to the kernel: the mode comes before what depends on
// it. ip-link(8) "type bond", linux/if_link.h IFLA_BOND_*, Documentation/networking/bonding.rst, drivers/net/bonding/bond_options.c.

import { type IpAddress, ipFromBytes } from '../../base/ip.ts';
import { type AttributeTable, type Field, s32, u8, u32, word } from '../attribute-table.ts';
import { eachAttribute } from '../message.ts';

export type BondInfo = {
  readonly kind: 'bond';
  readonly mode?:
    | 'balance-rr'
    | 'active-backup'
    | 'balance-xor'
    | 'broadcast'
    | '802.3ad'
    | 'balance-tlb'
    | 'balance-alb';
  /** Milliseconds between looks at the carrier; 0 is never. */
  readonly miimon?: number;
  readonly updelay?: number;
  readonly downdelay?: number;
  readonly use_carrier?: number;
  /** Milliseconds between ARP probes; excludes miimon. */
  readonly arp_interval?: number;
  readonly arp_ip_target?: readonly IpAddress[];
  readonly arp_validate?: 'none' | 'active' | 'backup' | 'all' | 'filter' | 'filter_active' | 'filter_backup';
  readonly arp_all_targets?: 'any' | 'all';
  /** The ifindex of the port that is used. */
  readonly active_slave?: number;
  /** The ifindex of the port that is preferred. */
  readonly primary?: number;
  readonly primary_reselect?: 'always' | 'better' | 'failure';
  readonly fail_over_mac?: 'none' | 'active' | 'follow';
  readonly xmit_hash_policy?: 'layer2' | 'layer3+4' | 'layer2+3' | 'encap2+3' | 'encap3+4' | 'vlan+srcmac';
  readonly resend_igmp?: number;
  readonly num_peer_notif?: number;
  readonly all_slaves_active?: number;
  readonly min_links?: number;
  readonly lp_interval?: number;
  readonly packets_per_slave?: number;
  readonly ad_lacp_rate?: 'slow' | 'fast';
  readonly ad_select?: 'stable' | 'bandwidth' | 'count';
  readonly tlb_dynamic_lb?: number;
};

/** Nested attributes numbered from 0, each an IPv4 address. */
const targets = (type: number): Field<readonly IpAddress[]> => ({
  type,
  write(writer, to, value) {
    const list = writer.nest(to);
    value.forEach((address, index) => {
      writer.attrIp(index, address);
    });
    writer.endNest(list);
  },
  read(value) {
    const found: IpAddress[] = [];
    eachAttribute(value, 0, (_, bytes) => {
      if (bytes.length === 4) found.push(ipFromBytes(bytes));
    });
    return found;
  },
});

const modes = {
  'balance-rr': 0,
  'active-backup': 1,
  'balance-xor': 2,
  broadcast: 3,
  '802.3ad': 4,
  'balance-tlb': 5,
  'balance-alb': 6,
} as const;
const validation = {
  none: 0,
  active: 1,
  backup: 2,
  all: 3,
  filter: 4,
  filter_active: 5,
  filter_backup: 6,
} as const;
const hashes = {
  layer2: 0,
  'layer3+4': 1,
  'layer2+3': 2,
  'encap2+3': 3,
  'encap3+4': 4,
  'vlan+srcmac': 5,
} as const;

export const bondTable: AttributeTable<Omit<BondInfo, 'kind'>> = {
  mode: word(u8(1), modes),
  active_slave: u32(2),
  miimon: u32(3),
  updelay: u32(4),
  downdelay: u32(5),
  use_carrier: u8(6),
  arp_interval: u32(7),
  arp_ip_target: targets(8),
  arp_validate: word(u32(9), validation),
  arp_all_targets: word(u32(10), { any: 0, all: 1 }),
  primary: u32(11),
  primary_reselect: word(u8(12), { always: 0, better: 1, failure: 2 }),
  fail_over_mac: word(u8(13), { none: 0, active: 1, follow: 2 }),
  xmit_hash_policy: word(u8(14), hashes),
  resend_igmp: s32(15),
  num_peer_notif: u8(16),
  all_slaves_active: u8(17),
  min_links: u32(18),
  lp_interval: u32(19),
  packets_per_slave: s32(20),
  ad_lacp_rate: word(u8(21), { slow: 0, fast: 1 }),
  ad_select: word(u8(22), { stable: 0, bandwidth: 1, count: 2 }),
  tlb_dynamic_lb: u8(27),
};
