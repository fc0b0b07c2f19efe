// IP addresses of links. ip-address(8), linux/if_addr.h, net/ipv4/devinet.c, net/ipv6/addrconf.c.

import { addressOf, type IpAddress, type IpInterface, ipFromBytes, prefixLength } from '../base/ip.ts';
import { readIp, writeIp } from './ip-bytes.ts';
import { defined } from './link-attributes.ts';
import {
  attributeMap,
  type MessageWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  type Request,
  readString,
  readU8,
  readU32,
} from './message.ts';
import { AF_INET, AF_UNSPEC, familyOf, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from './rtnetlink.ts';
import type { Transport } from './transport.ts';

const IFADDRMSG_LEN = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_RT_PRIORITY = 9;
const IFA_PROTO = 11;

const IFA_F_SECONDARY = 0x01;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_HOMEADDRESS = 0x10;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;
const IFA_F_MANAGETEMPADDR = 0x100;
const IFA_F_NOPREFIXROUTE = 0x200;
const IFA_F_MCAUTOJOIN = 0x400;

/** For ever, as a lifetime in seconds. */
const INFINITY_LIFE_TIME = 0xffff_ffff;

// linux/rtnetlink.h, enum rt_scope_t
const scopes = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

/** How far an address or a route is valid. */
export type Scope = keyof typeof scopes;

export function scopeNumber(scope: Scope): number {
  return scopes[scope];
}

export function scopeName(number: number): Scope | number {
  return (Object.keys(scopes) as Scope[]).find((name) => scopes[name] === number) ?? number;
}

/** An address to give to a link. */
export type NewAddress = {
  readonly ifindex: number;
  /** The address with the length of its subnet; with `peer`, the length belongs to the peer. */
  readonly address: IpInterface;
  /** The other end of a point-to-point link. */
  readonly peer?: IpAddress;
  /** `+` makes it from the address, host bits set; IPv4 only. Without it there is none, as with ip-address(8). */
  readonly broadcast?: IpAddress | '+';
  /** `host` for 127.0.0.0/8 and `global` for all others unless said. IPv6 has the scope in the address. */
  readonly scope?: Scope;
  /** An IPv4 alias, `eth0:1`. */
  readonly label?: string;
  /** Usable at once: no duplicate address detection (IPv6). */
  readonly nodad?: boolean;
  /** No route to the subnet comes with the address. */
  readonly noprefixroute?: boolean;
  readonly home?: boolean;
  readonly mngtmpaddr?: boolean;
  readonly autojoin?: boolean;
  /** Seconds until it is removed. Absent: never. */
  readonly validLft?: number;
  /** Seconds until it is not chosen any more. */
  readonly preferredLft?: number;
  /** The metric of the route to the subnet. */
  readonly metric?: number;
  /** Who set it, IFAPROT_* (kernel 5.18). */
  readonly proto?: number;
};

/** RTM_NEWADDR that fails with EEXIST where the link has the address. */
export function newAddress(address: NewAddress): Request {
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    payload: (writer) => writeAddress(writer, address),
  };
}

/** Adds the address or changes its lifetimes and flags. */
export function replaceAddress(address: NewAddress): Request {
  return {
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    payload: (writer) => writeAddress(writer, address),
  };
}

/** Takes the address from the link; length and peer must be those it was given with. */
export function delAddress(address: Pick<NewAddress, 'ifindex' | 'address' | 'peer'>): Request {
  return { type: RTM_DELADDR, payload: (writer) => writeAddress(writer, address) };
}

function writeAddress(writer: MessageWriter, address: NewAddress): void {
  const local = addressOf(address.address);
  const family = familyOf(local);
  const flags = flagsOf(address);
  writer.u8(family);
  writer.u8(prefixLength(address.address));
  writer.u8(flags & 0xff);
  writer.u8(address.scope === undefined ? defaultScope(local) : scopes[address.scope]);
  writer.u32(address.ifindex);
  writer.attrIp(IFA_LOCAL, local);
  writer.attrIp(IFA_ADDRESS, address.peer ?? local);
  if (address.broadcast !== undefined) writeBroadcast(writer, address);
  if (address.label !== undefined) writer.attrString(IFA_LABEL, address.label);
  // The header has room for eight flags; the rest have this attribute.
  if (flags > 0xff) writer.attrU32(IFA_FLAGS, flags);
  if (address.metric !== undefined) writer.attrU32(IFA_RT_PRIORITY, address.metric);
  if (address.validLft !== undefined || address.preferredLft !== undefined) writeLifetimes(writer, address);
  if (address.proto !== undefined) writer.attrU8(IFA_PROTO, address.proto);
}

function defaultScope(local: string): number {
  return local.startsWith('127.') ? scopes.host : scopes.global;
}

function flagsOf(address: NewAddress): number {
  return (
    (address.nodad === true ? IFA_F_NODAD : 0) |
    (address.noprefixroute === true ? IFA_F_NOPREFIXROUTE : 0) |
    (address.home === true ? IFA_F_HOMEADDRESS : 0) |
    (address.mngtmpaddr === true ? IFA_F_MANAGETEMPADDR : 0) |
    (address.autojoin === true ? IFA_F_MCAUTOJOIN : 0)
  );
}

function writeBroadcast(writer: MessageWriter, { address, broadcast }: NewAddress): void {
  if (broadcast !== '+') {
    writer.attrIp(IFA_BROADCAST, broadcast ?? '0.0.0.0');
    return;
  }
  const length = prefixLength(address);
  // RFC 3021 and a lone address have no broadcast address.
  if (familyOf(address) !== AF_INET || length > 30) return;
  const bytes = new Uint8Array(4);
  writeIp(bytes, 0, addressOf(address));
  const hosts = 0xffff_ffff >>> length;
  for (let i = 0; i < 4; i++) bytes[i] = (bytes[i] ?? 0) | (hosts >>> (24 - 8 * i));
  writer.attrBytes(IFA_BROADCAST, bytes);
}

function writeLifetimes(writer: MessageWriter, { validLft, preferredLft }: NewAddress): void {
  const valid = validLft ?? INFINITY_LIFE_TIME;
  const info = Buffer.alloc(16);
  info.writeUInt32LE(preferredLft ?? valid, 0);
  info.writeUInt32LE(valid, 4);
  writer.attrBytes(IFA_CACHEINFO, info);
}

/** An address as the kernel shows it. */
export type Address = {
  readonly ifindex: number;
  readonly address: IpInterface;
  readonly peer?: IpAddress;
  readonly broadcast?: IpAddress;
  readonly scope: Scope | number;
  readonly label?: string;
  /** IFA_F_*, all of them. */
  readonly flags: number;
  readonly secondary: boolean;
  readonly nodad: boolean;
  readonly noprefixroute: boolean;
  /** Duplicate address detection is under way: not usable yet. */
  readonly tentative: boolean;
  readonly dadfailed: boolean;
  readonly deprecated: boolean;
  /** Not the kernel's for a time only. */
  readonly permanent: boolean;
  readonly validLft?: number;
  readonly preferredLft?: number;
  readonly metric?: number;
  readonly proto?: number;
};

/** Reads the payload of an RTM_NEWADDR; undefined where it is none of IPv4 or IPv6. */
export function parseAddress(payload: Buffer): Address | undefined {
  if (payload.length < IFADDRMSG_LEN) return undefined;
  const attributes = attributeMap(payload, IFADDRMSG_LEN);
  const far = attributes.get(IFA_ADDRESS);
  const near = attributes.get(IFA_LOCAL) ?? far;
  if (near === undefined || (near.length !== 4 && near.length !== 16)) return undefined;
  const flags = readU32(attributes.get(IFA_FLAGS)) ?? payload.readUInt8(2);
  const cache = attributes.get(IFA_CACHEINFO);
  return {
    ifindex: payload.readUInt32LE(4),
    address: `${ipFromBytes(near)}/${payload.readUInt8(1)}` as IpInterface,
    scope: scopeName(payload.readUInt8(3)),
    flags,
    secondary: (flags & IFA_F_SECONDARY) !== 0,
    nodad: (flags & IFA_F_NODAD) !== 0,
    noprefixroute: (flags & IFA_F_NOPREFIXROUTE) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    dadfailed: (flags & IFA_F_DADFAILED) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    ...defined<
      Pick<Address, 'peer' | 'broadcast' | 'label' | 'validLft' | 'preferredLft' | 'metric' | 'proto'>
    >({
      peer: far === undefined || far.equals(near) ? undefined : readIp(far),
      broadcast: readIp(attributes.get(IFA_BROADCAST)),
      label: readString(attributes.get(IFA_LABEL)),
      preferredLft: readU32(cache),
      validLft: readU32(cache?.subarray(4)),
      metric: readU32(attributes.get(IFA_RT_PRIORITY)),
      proto: readU8(attributes.get(IFA_PROTO)),
    }),
  };
}

/** Narrows a dump in the kernel (NETLINK_GET_STRICT_CHK). */
type AddressFilter = {
  readonly family?: number;
  readonly ifindex?: number;
};

export function getAddresses(transport: Transport, filter: AddressFilter = {}): Address[] {
  const payloads = transport.dump({
    type: RTM_GETADDR,
    payload(writer) {
      writer.u32(filter.family ?? AF_UNSPEC);
      writer.u32(filter.ifindex ?? 0);
    },
  });
  return payloads.map(parseAddress).filter((address) => address !== undefined);
}
