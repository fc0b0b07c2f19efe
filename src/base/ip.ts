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

/** Four numbers without leading zeros; what is wrong with others only {@link parseIpv4} says. */
const plainIpv4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;

function parseIpv4(text: string): Result<IpAddress> {
  if (plainIpv4.test(text)) return ok(text as IpAddress);
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
  return ipFamily(ip) === 6 ? ipv6ToBigInt(ip) : BigInt(ipv4ToNumber(ip));
}

/** The address of that number: the inverse of {@link ipToBigInt}. */
export function ipFromBigInt(value: bigint, family: IpFamily): IpAddress {
  return family === 6 ? ipv6FromBigInt(value) : ipv4FromNumber(Number(value));
}

// What follows reads and writes canonical text only, so that the package's full parser need not run for every sum: a lab of
// 1000 nodes does some ten thousand of them.

function ipv4ToNumber(ip: IpAddress | IpPrefix | IpInterface): number {
  let value = 0;
  let part = 0;
  for (let at = 0; at < ip.length; at++) {
    const code = ip.charCodeAt(at);
    if (code === 0x2f) break;
    if (code === 0x2e) {
      value = value * 256 + part;
      part = 0;
    } else part = part * 10 + code - 0x30;
  }
  return value * 256 + part;
}

function ipv4FromNumber(value: number): IpAddress {
  return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}` as IpAddress;
}

function ipv6ToBigInt(ip: IpAddress): bigint {
  const [head = '', tail] = ip.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = '0000'.repeat(8 - before.length - after.length);
  const hex = (groups: readonly string[]) => groups.map((group) => group.padStart(4, '0')).join('');
  return BigInt(`0x${hex(before)}${zeros}${hex(after)}`);
}

/** RFC 5952 section 4: no leading zeros, the first longest run of two or more zero groups becomes `::`, lower case. */
function ipv6FromBigInt(value: bigint): IpAddress {
  const hex = value.toString(16).padStart(32, '0');
  const groups = Array.from({ length: 8 }, (_, at) => hex.slice(at * 4, at * 4 + 4).replace(/^0{1,3}/, ''));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
    start += length;
  }
  if (best.length < 2) return groups.join(':') as IpAddress;
  const head = groups.slice(0, best.start).join(':');
  return `${head}::${groups.slice(best.start + best.length).join(':')}` as IpAddress;
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
  const length = prefixLength(ip);
  if (ipFamily(ip) === 4) {
    const size = 2 ** (32 - length);
    return `${ipv4FromNumber(Math.floor(ipv4ToNumber(ip) / size) * size)}/${length}` as IpPrefix;
  }
  const bits = hostBits(ip);
  return `${ipv6FromBigInt((ipv6ToBigInt(addressOf(ip)) >> bits) << bits)}/${length}` as IpPrefix;
}

/** True when the address lies inside the subnet. */
export function prefixContains(prefix: IpPrefix, ip: IpAddress): boolean {
  if (ipFamily(prefix) !== ipFamily(ip)) return false;
  if (ipFamily(ip) === 4) {
    const size = 2 ** (32 - prefixLength(prefix));
    return Math.floor(ipv4ToNumber(prefix) / size) === Math.floor(ipv4ToNumber(ip) / size);
  }
  const bits = hostBits(prefix);
  return ipv6ToBigInt(addressOf(prefix)) >> bits === ipv6ToBigInt(ip) >> bits;
}

/** True when the two subnets have an address in common. */
export function prefixesOverlap(a: IpPrefix, b: IpPrefix): boolean {
  return prefixLength(a) <= prefixLength(b)
    ? prefixContains(a, addressOf(b))
    : prefixContains(b, addressOf(a));
}
