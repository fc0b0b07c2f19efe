// A packet on its way: what routing, filters and translation look at, and its headers as bytes, because a rule of nf_tables
// compares bytes. ip(7), tcp(7), udp(7), linux/ip.h, linux/ipv6.h.

import { type IpAddress, type IpFamily, ipFamily, ipToBytes } from '../base/ip.ts';

export type Packet = {
  readonly proto: 'icmp' | 'tcp' | 'udp';
  readonly src: IpAddress;
  readonly dst: IpAddress;
  /** 0 for icmp. */
  readonly sport: number;
  readonly dport: number;
  /** Of icmp; an echo request or its reply where it is absent. */
  readonly icmpType?: number;
  /** On the wire, from the IP header on. */
  readonly bytes: number;
  /** An answer to a packet that was let through, which connection tracking calls established. */
  readonly reply: boolean;
  readonly mark: number;
};

/** Numbers of the protocols, linux/in.h. */
const numbers = { icmp: 1, tcp: 6, udp: 17 } as const;
const ICMPV6 = 58;

export function familyOfPacket(packet: Packet): IpFamily {
  return ipFamily(packet.dst);
}

export function l4proto(packet: Packet): number {
  return packet.proto === 'icmp' && familyOfPacket(packet) === 6 ? ICMPV6 : numbers[packet.proto];
}

/** The answer to it, as it leaves the one that was asked. */
export function replyTo(packet: Packet): Packet {
  return {
    ...packet,
    src: packet.dst,
    dst: packet.src,
    sport: packet.dport,
    dport: packet.sport,
    reply: true,
    mark: 0,
  };
}

/** The IP header without options. */
export function networkHeader(packet: Packet): Buffer {
  const v4 = familyOfPacket(packet) === 4;
  const header = Buffer.alloc(v4 ? 20 : 40);
  if (v4) {
    header[0] = 0x45;
    header.writeUInt16BE(packet.bytes, 2);
    header[8] = 64;
    header[9] = l4proto(packet);
    header.set(ipToBytes(packet.src), 12);
    header.set(ipToBytes(packet.dst), 16);
    return header;
  }
  header[0] = 0x60;
  header.writeUInt16BE(Math.max(0, packet.bytes - 40), 4);
  header[6] = l4proto(packet);
  header[7] = 64;
  header.set(ipToBytes(packet.src), 8);
  header.set(ipToBytes(packet.dst), 24);
  return header;
}

/** As much of the transport header as a rule may look at. */
export function transportHeader(packet: Packet): Buffer {
  const header = Buffer.alloc(20);
  if (packet.proto === 'icmp') {
    const [request, answer] = familyOfPacket(packet) === 4 ? [8, 0] : [128, 129];
    header[0] = packet.icmpType ?? (packet.reply ? answer : request);
    return header;
  }
  header.writeUInt16BE(packet.sport, 0);
  header.writeUInt16BE(packet.dport, 2);
  if (packet.proto === 'udp') return header.subarray(0, 8);
  header[12] = 0x50;
  // SYN, and SYN with ACK.
  header[13] = packet.reply ? 0x12 : 0x02;
  return header;
}
