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
    if (code === DOT) {
      bytes[at++] = octet;
      octet = 0;
    } else {
      octet = octet * 10 + code - 0x30;
    }
  }
  bytes[at] = octet;
  if (at !== offset + 3) throw new Error(`not an IPv4 address: ${address}`);
}

const COLON = 0x3a;
const DOT = 0x2e;

function writeIpv6(bytes: Uint8Array, offset: number, address: string): void {
  let at = offset;
  let gap = -1;
  let group = 0;
  let digits = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === COLON) {
      if (digits > 0) {
        bytes[at++] = group >>> 8;
        bytes[at++] = group;
      }
      if (address.charCodeAt(i + 1) === COLON) gap = at;
      group = 0;
      digits = 0;
    } else if (code === DOT) {
      // The last 32 bits may be written as an IPv4 address.
      writeIpv4(bytes, at, address, i - digits);
      at += 4;
      digits = 0;
      break;
    } else {
      group = group * 16 + hexDigit(code);
      digits++;
    }
  }
  if (digits > 0) {
    bytes[at++] = group >>> 8;
    bytes[at++] = group;
  }
  const end = offset + 16;
  if (gap < 0 ? at !== end : at > end) throw new Error(`not an IPv6 address: ${address}`);
  if (gap < 0) return;
  // What follows the "::" belongs at the end.
  bytes.copyWithin(end - (at - gap), gap, at);
  bytes.fill(0, gap, end - (at - gap));
}

/** The value of a hexadecimal digit; letters of either case. */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const digit = (code | 0x20) - 0x57;
  if (digit < 10 || digit > 15) throw new Error('an address has a digit that is not hexadecimal');
  return digit;
}

/** The address of an attribute, or undefined where it has neither 4 nor 16 bytes. */
export function readIp(value: Uint8Array | undefined): IpAddress | undefined {
  if (value === undefined || (value.length !== 4 && value.length !== 16)) return undefined;
  return ipFromBytes(value);
}
