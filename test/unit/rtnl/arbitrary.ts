// Generators for the properties of this folder.

import fc from 'fast-check';
import {
  type IpAddress,
  type IpInterface,
  type IpPrefix,
  ipFromBytes,
  subnetOf,
} from '../../../src/base/ip.ts';
import type { MacAddress } from '../../../src/base/names.ts';

export const u8 = fc.integer({ min: 0, max: 0xff });
export const u16 = fc.integer({ min: 0, max: 0xffff });
export const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
export const ifindex = fc.integer({ min: 1, max: 0x7fff_ffff });
export const yes = fc.constant(true as const);

export const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(ipFromBytes);
/** Many zero bytes, so that "::" comes at every place. */
export const ipv6 = fc
  .array(fc.oneof(fc.constant(0), u16), { minLength: 8, maxLength: 8 })
  .map((groups) => ipFromBytes(Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]))));
export const ipAddress: fc.Arbitrary<IpAddress> = fc.oneof(ipv4, ipv6);

const withLength = (ip: fc.Arbitrary<IpAddress>, max: number): fc.Arbitrary<IpInterface> =>
  fc.tuple(ip, fc.integer({ min: 0, max })).map(([address, length]) => `${address}/${length}` as IpInterface);

export const ipv4Interface = withLength(ipv4, 32);
export const ipv6Interface = withLength(ipv6, 128);
export const ipInterface: fc.Arbitrary<IpInterface> = fc.oneof(ipv4Interface, ipv6Interface);

const isReal = (prefix: IpPrefix): boolean => !prefix.endsWith('/0');
export const ipv4Prefix = ipv4Interface.map(subnetOf).filter(isReal);
export const ipv6Prefix = ipv6Interface.map(subnetOf).filter(isReal);

export const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(
  (bytes) =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/..(?=.)/g, '$&:') as MacAddress,
);

/** A name as the kernel takes it, of up to 15 bytes. */
export const ifname = fc.string({
  unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-_.'),
  minLength: 1,
  maxLength: 15,
});

/** Members that may be absent; an absent one is no member at all. */
export function optional<T extends object>(
  members: { [K in keyof T]: fc.Arbitrary<T[K]> },
): fc.Arbitrary<Partial<T>> {
  return fc.record(members, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<Partial<T>>;
}
