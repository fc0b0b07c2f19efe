// vxlan: Ethernet over UDP. An address of either family goes into its own attribute. A remote that is a multicast address is
// called group by ip-link(8); the kernel does not tell them apart. ip-link(8) "type vxlan", linux/if_link.h IFLA_VXLAN_*.

import type { IpAddress } from '../../base/ip.ts';
import {
  type AttributeTable,
  be16,
  be32,
  bool,
  decodeTable,
  encodeTable,
  flag,
  ip,
  u8,
  u32,
} from '../attribute-table.ts';
import type { MessageWriter } from '../message.ts';

type Plain = {
  /** The VXLAN network identifier, 24 bits. */
  readonly id?: number;
  /** The ifindex of the link that carries the packets. */
  readonly link?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly learning?: boolean;
  readonly ageing?: number;
  readonly limit?: number;
  /** The UDP port; 4789 is IANA's, 8472 the kernel's default. */
  readonly port?: number;
  readonly proxy?: boolean;
  readonly rsc?: boolean;
  readonly l2miss?: boolean;
  readonly l3miss?: boolean;
  readonly udp_csum?: boolean;
  readonly udp_zero_csum6_tx?: boolean;
  readonly udp_zero_csum6_rx?: boolean;
  /** Metadata mode: the VNI and the remote come with the packet's route. */
  readonly external?: boolean;
  readonly label?: number;
  readonly gbp?: true;
};

export type VxlanInfo = Plain & {
  readonly kind: 'vxlan';
  readonly local?: IpAddress;
  /** Where frames go whose destination is not known: one address, or a multicast group. */
  readonly remote?: IpAddress;
};

const plain: AttributeTable<Plain> = {
  id: u32(1),
  link: u32(3),
  ttl: u8(5),
  tos: u8(6),
  learning: bool(7),
  ageing: u32(8),
  limit: u32(9),
  proxy: bool(11),
  rsc: bool(12),
  l2miss: bool(13),
  l3miss: bool(14),
  port: be16(15),
  udp_csum: bool(18),
  udp_zero_csum6_tx: bool(19),
  udp_zero_csum6_rx: bool(20),
  gbp: flag(23),
  external: bool(25),
  label: be32(26),
};

type Addresses = {
  readonly remote4: IpAddress;
  readonly local4: IpAddress;
  readonly remote6: IpAddress;
  readonly local6: IpAddress;
};

const addresses: AttributeTable<Addresses> = {
  remote4: ip(2),
  local4: ip(4),
  remote6: ip(16),
  local6: ip(17),
};

export function encodeVxlan(writer: MessageWriter, info: VxlanInfo): void {
  encodeTable(writer, plain, info);
  const { local, remote } = info;
  if (remote !== undefined)
    encodeTable(writer, addresses, isV6(remote) ? { remote6: remote } : { remote4: remote });
  if (local !== undefined)
    encodeTable(writer, addresses, isV6(local) ? { local6: local } : { local4: local });
}

function isV6(address: IpAddress): boolean {
  return address.includes(':');
}

export function decodeVxlan(data: Buffer): VxlanInfo {
  const found = decodeTable(addresses, data);
  const remote = found.remote4 ?? found.remote6;
  const local = found.local4 ?? found.local6;
  return {
    kind: 'vxlan',
    ...decodeTable(plain, data),
    ...(remote === undefined ? {} : { remote }),
    ...(local === undefined ? {} : { local }),
  };
}
