// vrf: a link whose ports look their routes up in one table of their own. ip-vrf(8), linux/if_link.h IFLA_VRF_TABLE.

import { type AttributeTable, u32 } from '../attribute-table.ts';

export type VrfInfo = {
  readonly kind: 'vrf';
  /** The routing table; the kernel wants one. */
  readonly table?: number;
};

export const vrfTable: AttributeTable<Omit<VrfInfo, 'kind'>> = { table: u32(1) };
