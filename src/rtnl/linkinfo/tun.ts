// tun and tap as dumps show them. They are not made through rtnetlink but with /dev/net/tun (../tun.ts).
// linux/if_link.h IFLA_TUN_*; drivers/net/tun.c tun_fill_info().

import { type AttributeTable, bool, u8, u32, word } from '../attribute-table.ts';

export type TunInfo = {
  readonly kind: 'tun';
  readonly user?: number;
  readonly group?: number;
  readonly type?: 'tun' | 'tap';
  readonly pi?: boolean;
  readonly vnet_hdr?: boolean;
  readonly persist?: boolean;
  readonly multi_queue?: boolean;
};

export const tunTable: AttributeTable<Omit<TunInfo, 'kind'>> = {
  user: u32(1),
  group: u32(2),
  type: word(u8(3), { tun: 1, tap: 2 }),
  pi: bool(4),
  vnet_hdr: bool(5),
  persist: bool(6),
  multi_queue: bool(7),
};
