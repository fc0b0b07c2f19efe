// ipvlan: several links that share the MAC address of one lower link (IFLA_LINK). ip-link(8) "type ipvlan",
// linux/if_link.h IFLA_IPVLAN_*, Documentation/networking/ipvlan.rst.

import { type AttributeTable, u16, word } from '../attribute-table.ts';

export type IpvlanInfo = {
  readonly kind: 'ipvlan';
  readonly mode?: 'l2' | 'l3' | 'l3s';
  readonly flag?: 'bridge' | 'private' | 'vepa';
};

export const ipvlanTable: AttributeTable<Omit<IpvlanInfo, 'kind'>> = {
  mode: word(u16(1), { l2: 0, l3: 1, l3s: 2 }),
  flag: word(u16(2), { bridge: 0, private: 1, vepa: 2 }),
};
