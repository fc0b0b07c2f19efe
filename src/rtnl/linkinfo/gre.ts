// gre, gretap, ip6gre, ip6gretap: GRE tunnels, of IP or of Ethernet, over IPv4 or IPv6. A key is marked by a bit in the flags
// of its direction besides. ip-link(8) "type gre", linux/if_tunnel.h IFLA_GRE_*, RFC 2890.

import type { IpAddress } from '../../base/ip.ts';
import {
  type AttributeTable,
  be16,
  be32,
  bool,
  decodeTable,
  encodeTable,
  ip,
  u8,
  u32,
} from '../attribute-table.ts';
import type { MessageWriter } from '../message.ts';

type Plain = {
  /** The ifindex of the link that carries the packets. */
  readonly link?: number;
  readonly local?: IpAddress;
  readonly remote?: IpAddress;
  /** 0 inherits it from the packet inside. */
  readonly ttl?: number;
  readonly tos?: number;
  readonly pmtudisc?: boolean;
  readonly encap_limit?: number;
  readonly fwmark?: number;
};

export type GreKind = 'gre' | 'gretap' | 'ip6gre' | 'ip6gretap';

export type GreInfo = Plain & {
  readonly kind: GreKind;
  /** The key that packets must have. */
  readonly ikey?: number;
  /** The key that packets are given. */
  readonly okey?: number;
  /** Sequence numbers and checksums, received and sent. */
  readonly iseq?: true;
  readonly oseq?: true;
  readonly icsum?: true;
  readonly ocsum?: true;
};

const plain: AttributeTable<Plain> = {
  link: u32(1),
  local: ip(6),
  remote: ip(7),
  ttl: u8(8),
  tos: u8(9),
  pmtudisc: bool(10),
  encap_limit: u8(11),
  fwmark: u32(20),
};

type Directions = { iflags: number; oflags: number; ikey: number; okey: number };
const directions: AttributeTable<Directions> = {
  iflags: be16(2),
  oflags: be16(3),
  ikey: be32(4),
  okey: be32(5),
};

// linux/if_tunnel.h
const GRE_CSUM = 0x8000;
const GRE_KEY = 0x2000;
const GRE_SEQ = 0x1000;

export function encodeGre(writer: MessageWriter, info: GreInfo): void {
  const { ikey, okey } = info;
  const iflags = flags(ikey, info.iseq, info.icsum);
  const oflags = flags(okey, info.oseq, info.ocsum);
  if (iflags !== 0 || oflags !== 0) encodeTable(writer, directions, { iflags, oflags });
  if (ikey !== undefined) encodeTable(writer, directions, { ikey });
  if (okey !== undefined) encodeTable(writer, directions, { okey });
  encodeTable(writer, plain, info);
}

function flags(key: number | undefined, seq: true | undefined, csum: true | undefined): number {
  return (key === undefined ? 0 : GRE_KEY) | (seq ? GRE_SEQ : 0) | (csum ? GRE_CSUM : 0);
}

export function decodeGre(kind: GreKind, data: Buffer): GreInfo {
  const { iflags = 0, oflags = 0, ikey, okey } = decodeTable(directions, data);
  return {
    kind,
    ...decodeTable(plain, data),
    ...((iflags & GRE_KEY) !== 0 && ikey !== undefined ? { ikey } : {}),
    ...((oflags & GRE_KEY) !== 0 && okey !== undefined ? { okey } : {}),
    ...((iflags & GRE_SEQ) !== 0 ? { iseq: true } : {}),
    ...((oflags & GRE_SEQ) !== 0 ? { oseq: true } : {}),
    ...((iflags & GRE_CSUM) !== 0 ? { icsum: true } : {}),
    ...((oflags & GRE_CSUM) !== 0 ? { ocsum: true } : {}),
  };
}
