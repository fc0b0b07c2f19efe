// Hands out subnets and addresses: pure arithmetic on whole numbers, no knowledge of nodes or files. Pools are never
// enumerated, so a /8 or a /32 of IPv6 costs as much as a /28. What lower-auto.ts asks for first it gets first, and what the
// file says explicitly is never handed out. RFC 3021 (/31), RFC 6164 (/127), RFC 4291 2.6.1 (subnet-router anycast).

import {
  addressOf,
  type IpAddress,
  type IpFamily,
  type IpInterface,
  type IpPrefix,
  ipFamily,
  ipFromBigInt,
  ipToBigInt,
  prefixLength,
} from '../base/ip.ts';
import type { Path } from './problems.ts';

type Interval = { readonly first: bigint; readonly last: bigint };

function interval(prefix: IpPrefix): Interval {
  const bits = BigInt(width(ipFamily(prefix)) - prefixLength(prefix));
  const first = (ipToBigInt(addressOf(prefix)) >> bits) << bits;
  return { first, last: first + (1n << bits) - 1n };
}

function width(family: IpFamily): number {
  return family === 4 ? 32 : 128;
}

/** Disjoint intervals of one family in ascending order: what a pool must go around. */
class Used {
  private readonly sorted: Interval[] = [];

  add(added: Interval): void {
    let { first, last } = added;
    const start = this.search(first);
    let end = start;
    for (let at = this.sorted[end]; at !== undefined && at.first <= last; at = this.sorted[++end]) {
      if (at.first < first) first = at.first;
      if (at.last > last) last = at.last;
    }
    this.sorted.splice(start, end - start, { first, last });
  }

  /** The last number of the interval that meets the given one, or undefined where it is free. */
  meets(wanted: Interval): bigint | undefined {
    const found = this.sorted[this.search(wanted.first)];
    return found !== undefined && found.first <= wanted.last ? found.last : undefined;
  }

  /** The first interval that does not end before the number. */
  private search(number: bigint): number {
    let low = 0;
    let high = this.sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const at = this.sorted[middle];
      if (at !== undefined && at.last < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** The subnets of a lab: those in the file, and those that pools have handed out. */
export class Subnets {
  private readonly used = { 4: new Used(), 6: new Used() };

  /** Marks a subnet that no pool may hand out. */
  reserve(prefix: IpPrefix): void {
    this.used[ipFamily(prefix)].add(interval(prefix));
  }

  /** Marks a subnet as used if nobody has any of it; false otherwise. */
  take(prefix: IpPrefix): boolean {
    const wanted = interval(prefix);
    const used = this.used[ipFamily(prefix)];
    if (used.meets(wanted) !== undefined) return false;
    used.add(wanted);
    return true;
  }

  /** The next free subnet of the pool, marked as used, or undefined when there is none left. */
  next(pool: Pool): IpPrefix | undefined {
    const used = this.used[pool.family];
    const size = 1n << BigInt(width(pool.family) - pool.length);
    for (;;) {
      const wanted = { first: pool.cursor, last: pool.cursor + size - 1n };
      if (wanted.last > pool.last) return undefined;
      const busyUntil = used.meets(wanted) ?? pool.meetsNested(wanted);
      if (busyUntil === undefined) {
        pool.cursor += size;
        used.add(wanted);
        return `${ipFromBigInt(wanted.first, pool.family)}/${pool.length}` as IpPrefix;
      }
      // The first whole subnet that begins behind what is in the way.
      pool.cursor = (busyUntil / size + 1n) * size;
    }
  }
}

/** One family of an entry of `addressing`: a range that subnets of one length are cut from. */
export class Pool {
  readonly prefix: IpPrefix;
  readonly family: IpFamily;
  /** Length of what is cut from it. */
  readonly length: number;
  /** Where the file has it. */
  readonly path: Path;
  readonly last: bigint;
  cursor: bigint;
  /** Pools inside this one, which it leaves alone: `lan: 10.0.0.0/8` beside `p2p: 10.255.0.0/16`. */
  private readonly nested = new Used();

  constructor(prefix: IpPrefix, { length, path }: { readonly length: number; readonly path: Path }) {
    const { first, last } = interval(prefix);
    this.prefix = prefix;
    this.path = path;
    this.family = ipFamily(prefix);
    this.length = length;
    this.cursor = first;
    this.last = last;
  }

  exclude(prefix: IpPrefix): void {
    this.nested.add(interval(prefix));
  }

  meetsNested(wanted: Interval): bigint | undefined {
    return this.nested.meets(wanted);
  }
}

/** The addresses of one subnet, in ascending order. */
export class Addresses {
  private readonly family: IpFamily;
  private readonly length: number;
  private readonly last: bigint;
  private cursor: bigint;

  /** The addresses get the length of the subnet, or another: those of a loopback pool are /32. */
  constructor(subnet: IpPrefix, length = prefixLength(subnet)) {
    const { first, last } = interval(subnet);
    this.family = ipFamily(subnet);
    this.length = length;
    const hosts = width(this.family) - prefixLength(subnet);
    // A subnet of one or two addresses has neither name nor broadcast. Elsewhere the first is the subnet's name (IPv4) or
    // the anycast address of its routers (IPv6), and the last of IPv4 is broadcast.
    this.cursor = hosts <= 1 ? first : first + 1n;
    this.last = hosts <= 1 || this.family === 6 ? last : last - 1n;
  }

  /** The next address that is not taken, with the length of the subnet, or undefined when there is none left. */
  next(taken: ReadonlySet<IpAddress>): IpInterface | undefined {
    while (this.cursor <= this.last) {
      const address = ipFromBigInt(this.cursor, this.family);
      this.cursor += 1n;
      if (!taken.has(address)) return `${address}/${this.length}` as IpInterface;
    }
    return undefined;
  }
}
