// macvlan and macvtap: several MAC addresses on one lower link (IFLA_LINK). macvtap gives each a character device besides.
// ip-link(8) "type macvlan", linux/if_link.h IFLA_MACVLAN_*.

import { type AttributeTable, u16, u32, word } from '../attribute-table.ts';

export type MacvlanInfo = {
  readonly kind: 'macvlan' | 'macvtap';
  readonly mode?: 'private' | 'vepa' | 'bridge' | 'passthru' | 'source';
  /** Bits: 1 nopromisc, 2 nodst. */
  readonly flags?: number;
};

export const macvlanTable: AttributeTable<Omit<MacvlanInfo, 'kind'>> = {
  mode: word(u32(1), { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 }),
  flags: u16(2),
};
