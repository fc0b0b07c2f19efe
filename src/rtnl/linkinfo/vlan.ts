// vlan: the frames of one VLAN tag on a lower link (IFLA_LINK). ip-link(8) "type vlan", linux/if_link.h IFLA_VLAN_*,
// linux/if_vlan.h enum vlan_flags.

import { type AttributeTable, be16, type Field, u16, word } from '../attribute-table.ts';
import { readU32 } from '../message.ts';

/** What can be switched on or off; a word that is absent is left as it is. */
type VlanFlags = {
  readonly reorder_hdr?: boolean;
  readonly gvrp?: boolean;
  readonly loose_binding?: boolean;
  readonly mvrp?: boolean;
  readonly bridge_binding?: boolean;
};

export type VlanInfo = {
  readonly kind: 'vlan';
  readonly id?: number;
  readonly protocol?: '802.1Q' | '802.1ad';
  readonly flags?: VlanFlags;
};

const bits: Required<{ [K in keyof VlanFlags]: number }> = {
  reorder_hdr: 1,
  gvrp: 2,
  loose_binding: 4,
  mvrp: 8,
  bridge_binding: 16,
};
const names = Object.keys(bits) as (keyof VlanFlags)[];

/** struct ifla_vlan_flags: the flags, and the mask of those that are meant. */
const flagsField = (type: number): Field<VlanFlags> => ({
  type,
  write(writer, to, value) {
    let flags = 0;
    let mask = 0;
    for (const name of names) {
      if (value[name] === undefined) continue;
      mask |= bits[name];
      if (value[name]) flags |= bits[name];
    }
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(flags, 0);
    bytes.writeUInt32LE(mask, 4);
    writer.attrBytes(to, bytes);
  },
  read(value) {
    const flags = readU32(value);
    const mask = readU32(value.subarray(4));
    if (flags === undefined || mask === undefined) return undefined;
    const found: { -readonly [K in keyof VlanFlags]: VlanFlags[K] } = {};
    for (const name of names) if ((mask & bits[name]) !== 0) found[name] = (flags & bits[name]) !== 0;
    return found;
  },
});

export const vlanTable: AttributeTable<Omit<VlanInfo, 'kind'>> = {
  id: u16(1),
  flags: flagsField(2),
  protocol: word(be16(5), { '802.1Q': 0x8100, '802.1ad': 0x88a8 }),
};
