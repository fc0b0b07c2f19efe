// IP addresses between canonical text and the bytes of an attribute. The same as ipToBytes of base/ip.ts, but into a buffer
// that is there and without BigInt, since a lab of 1000 nodes has thousands of them; a test holds the two against each other.

import { type IpAddress, ipFromBytes } from '../base/ip.ts';

/** Writes the 4 or 16 bytes of an address that was parsed before (base/ip.ts) at the offset. */
export function writeIp(bytes: Uint8Array, offset: number, address: string): void {
  if (address.includes(':')) writeIpv6(bytes, offset, address);
  else writeIpv4(bytes, offset, address, 0);
}

function writeIpv4(bytes: Uint8Array, offset: number, address: string, from: number): void {
  let at = offset;
  let octet = 0;
  for (let i = from; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === 0x2e) {
      bytes[at++] = octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - 0x30;
    }
  }
  bytes[at] = octet;
  if (at !== offset + 3) throw new Error(`not an IPv4 address: ${address}`);
}

function writeIpv6(bytes: Uint8Array, offset: number, address: string): void {
  bytes.fill(0, offset, offset + 16);
  const gap = address.indexOf('::');
  if (gap < 0) {
    if (writeGroups(bytes, offset, address) !== offset + 16)
      throw new Error(`not an IPv6 address: ${address}`);
    return;
  }
  const end = writeGroups(bytes, offset, address.slice(0, gap));
  const tail = address.slice(gap + 2);
  if (tail === '') return;
  const rest = new Uint8Array(16);
  const length = writeGroups(rest, 0, tail);
  if (end + length > offset + 16) throw new Error(`not an IPv6 address: ${address}`);
  bytes.set(rest.subarray(0, length), offset + 16 - length);
}

/** Writes `a:b:c` or `a:b:1.2.3.4` and returns where it ends. */
function writeGroups(bytes: Uint8Array, offset: number, text: string): number {
  if (text === '') return offset;
  let at = offset;
  for (const group of text.split(':')) {
    if (group.includes('.')) {
      writeIpv4(bytes, at, group, 0);
      at += 4;
      continue;
    }
    const value = Number.parseInt(group, 16);
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
  }
  return at;
}

/** The address of an attribute, or undefined where it has neither 4 nor 16 bytes. */
export function readIp(value: Uint8Array | undefined): IpAddress | undefined {
  if (value === undefined || (value.length !== 4 && value.length !== 16)) return undefined;
  return ipFromBytes(value);
}
