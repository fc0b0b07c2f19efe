// IP addresses and prefixes as branded canonical text, so that model, plan and record are plain data which prints, compares
// and serialises by itself. Text is RFC 5952 for IPv6. Parsing of IPv6 is the ip-address package's.

import { Address6 } from 'ip-address';
import { err, ok, type Result } from './result.ts';

declare const brand: unique symbol;

/** An address alone: `10.1.1.1`, `2001:db8::1`. */
export type IpAddress = string & { readonly [brand]: 'IpAddress' };
/** An address with the length of its subnet, host bits kept: `10.1.1.1/24`. */
export type IpInterface = string & { readonly [brand]: 'IpInterface' };
/** A subnet, host bits zero: `10.1.1.0/24`, `0.0.0.0/0`. */
export type IpPrefix = string & { readonly [brand]: 'IpPrefix' };
export type IpFamily = 4 | 6;

const octet = /^(0|[1-9][0-9]{0,2})$/;

function parseIpv4(text: string): Result<IpAddress> {
  const parts = text.split('.');
  if (parts.length !== 4) return err(`an IPv4 address has four numbers, as 10.1.1.1`);
  for (const part of parts) {
    if (/^0[0-9]/.test(part)) return err(`"${part}" has a leading zero`);
    if (!octet.test(part)) return err(`"${part}" is not a number from 0 to 255`);
    if (Number(part) > 255) return err(`${part} is more than 255`);
  }
  return ok(text as IpAddress);
}

/** Reads one IPv4 or IPv6 address, and returns it in canonical text. Zone ids (`%eth0`) and IPv4 short forms are refused. */
export function parseIpAddress(text: string): Result<IpAddress> {
  if (!text.includes(':')) return parseIpv4(text);
  if (text.includes('%') || text.includes('/')) return err('an address has no "%" and no "/"');
  try {
    return ok(new Address6(text).correctForm() as IpAddress);
  } catch {
    return err('not an IPv6 address');
  }
}

/** Reads `ADDRESS/LENGTH`, as an interface has it; host bits are kept. */
export function parseIpInterface(text: string): Result<IpInterface> {
  const slash = text.indexOf('/');
  if (slash < 0) return err('the prefix length is missing, as in 10.1.1.1/24');
  const address = parseIpAddress(text.slice(0, slash));
  if (!address.ok) return address;
  const length = text.slice(slash + 1);
  const max = ipFamily(address.value) === 4 ? 32 : 128;
  if (!/^[0-9]{1,3}$/.test(length) || Number(length) > max) {
    return err(`the prefix length "${length}" is not a number from 0 to ${max}`);
  }
  return ok(`${address.value}/${Number(length)}` as IpInterface);
}

/** Reads a subnet. Host bits must be zero: `10.1.1.1/24` is refused and the message says which subnet it lies in. */
export function parseIpPrefix(text: string): Result<IpPrefix> {
  const parsed = parseIpInterface(text);
  if (!parsed.ok) return parsed;
  const subnet = subnetOf(parsed.value);
  if (subnet !== (parsed.value as string)) return err(`has host bits set; the subnet is ${subnet}`);
  return ok(subnet);
}

export function ipFamily(ip: IpAddress | IpInterface | IpPrefix): IpFamily {
  return ip.includes(':') ? 6 : 4;
}

/** The address part of an interface address or of a subnet. */
export function addressOf(ip: IpInterface | IpPrefix): IpAddress {
  return ip.slice(0, ip.indexOf('/')) as IpAddress;
}

/** The length after the slash. */
export function prefixLength(ip: IpInterface | IpPrefix): number {
  return Number(ip.slice(ip.indexOf('/') + 1));
}

/** The address as one number, most significant bit first. */
export function ipToBigInt(ip: IpAddress): bigint {
  if (ipFamily(ip) === 6) return new Address6(ip).bigInt();
  let value = 0n;
  for (const part of ip.split('.')) value = (value << 8n) | BigInt(part);
  return value;
}

/** The address of that number: the inverse of {@link ipToBigInt}. */
export function ipFromBigInt(value: bigint, family: IpFamily): IpAddress {
  if (family === 6) return Address6.fromBigInt(value).correctForm() as IpAddress;
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.') as IpAddress;
}

/** The 4 or 16 bytes of the address, in network order. */
export function ipToBytes(ip: IpAddress): Uint8Array {
  if (ipFamily(ip) === 4) return Uint8Array.from(ip.split('.'), Number);
  const bytes = new Uint8Array(16);
  let value = ipToBigInt(ip);
  for (let i = 15; i >= 0; i--) {
    bytes[i] = Number(value & 255n);
    value >>= 8n;
  }
  return bytes;
}

/** The address of 4 or 16 bytes in network order: the inverse of {@link ipToBytes}. */
export function ipFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return bytes.join('.') as IpAddress;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return ipFromBigInt(value, 6);
}

function hostBits(ip: IpInterface | IpPrefix): bigint {
  return BigInt((ipFamily(ip) === 4 ? 32 : 128) - prefixLength(ip));
}

/** The subnet an interface address lies in. */
export function subnetOf(ip: IpInterface): IpPrefix {
  const bits = hostBits(ip);
  const value = (ipToBigInt(addressOf(ip)) >> bits) << bits;
  return `${ipFromBigInt(value, ipFamily(ip))}/${prefixLength(ip)}` as IpPrefix;
}

/** True when the address lies inside the subnet. */
export function prefixContains(prefix: IpPrefix, ip: IpAddress): boolean {
  if (ipFamily(prefix) !== ipFamily(ip)) return false;
  const bits = hostBits(prefix);
  return ipToBigInt(addressOf(prefix)) >> bits === ipToBigInt(ip) >> bits;
}

/** True when the two subnets have an address in common. */
export function prefixesOverlap(a: IpPrefix, b: IpPrefix): boolean {
  return prefixLength(a) <= prefixLength(b)
    ? prefixContains(a, addressOf(b))
    : prefixContains(b, addressOf(a));
}
