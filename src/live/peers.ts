// Which namespace the other end of a wire is in. A link names it by a number that only its own namespace knows
// (IFLA_LINK_NETNSID). So a namespace of our own gives every namespace that is read a number, asks the kernel how each of them
// counts in those (NETNSA_TARGET_NSID, NETNSA_CURRENT_NSID: net/core/net_namespace.c), and is gone with its socket: nothing is
// set in the namespaces themselves.

import { fstatSync } from 'node:fs';
import type { Place } from '../model/lab.ts';
import { inNewNetns, withNetnsFd } from '../netns/pin.ts';
import type { Link } from '../rtnl/link.ts';
import { nsidWithin, setNsid, translateNsids } from '../rtnl/nsid.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import type { EndOf } from './device.ts';
import { namesOf, type RawNetns } from './raw.ts';

/** A namespace that was read. */
export type ReadPlace = {
  readonly place: Place;
  readonly path: string | null;
  readonly identity: string;
  readonly raw: Pick<RawNetns, 'links'>;
};

/** What a number of a namespace leads to. */
type Target = Pick<ReadPlace, 'place' | 'identity'>;

/** For each of the namespaces, what an index and a number of a namespace mean there. `home` is the machine's own. */
export function peersOf(all: readonly ReadPlace[], home: number): (read: ReadPlace) => EndOf {
  const numbered = all.some(({ raw }) => raw.links.some(leadsOut)) ? numberAll(all, home) : undefined;
  const names = new Map(all.map((read) => [read.identity, namesOf(read.raw)]));
  return (read) => (ifindex, nsid) => {
    const target = nsid === undefined ? read : numbered?.get(read)?.get(nsid);
    if (target === undefined) return { ifindex };
    const ifname = names.get(target.identity)?.get(ifindex);
    return { ifindex, place: target.place, ...(ifname === undefined ? {} : { ifname }) };
  };
}

function leadsOut(link: Link): boolean {
  return link.linkNetnsid !== undefined;
}

/** A namespace of our own in which the others have numbers: their places in `targets`. */
type Numbering = {
  readonly transport: Transport;
  readonly targets: readonly Target[];
  readonly numberOf: ReadonlyMap<string, number>;
};

function numberAll(all: readonly ReadPlace[], home: number): Map<ReadPlace, ReadonlyMap<number, Target>> {
  using transport = inNewNetns(home, () => Transport.open(NETLINK_ROUTE));
  const targets: Target[] = [];
  const numberOf = new Map<string, number>();
  const learn = (target: Target, fd: number): void => {
    if (numberOf.has(target.identity)) return;
    transport.request(setNsid(fd, targets.length));
    numberOf.set(target.identity, targets.length);
    targets.push(target);
  };
  for (const read of all) {
    if (read.path === null) learn(read, home);
    else withNetnsFd(read.path, (fd) => learn(read, fd));
  }
  // The machine's own is known even where it is none of those that are read.
  const { dev, ino } = fstatSync(home);
  learn({ place: null, identity: `${dev}:${ino}` }, home);
  const numbering = { transport, targets, numberOf };
  const far = farEnds(all);
  return new Map(all.map((read) => [read, targetsOf(read, numbering, far)]));
}

function targetsOf(read: ReadPlace, { transport, targets, numberOf }: Numbering, far: FarEnds) {
  const known = new Map<number, Target>();
  const own = numberOf.get(read.identity);
  const leading = read.raw.links.filter(leadsOut);
  if (leading.length === 0 || own === undefined) return known;
  for (const { there, here } of translateNsids(transport, own)) {
    const target = here === undefined ? undefined : targets[here];
    if (target !== undefined) known.set(there, target);
  }
  for (const link of leading) {
    if (known.has(link.linkNetnsid ?? 0)) continue;
    for (const candidate of far.get(wireKey(link.link, link.ifindex)) ?? []) {
      const number = numberOf.get(candidate.identity);
      const there = number === undefined ? undefined : nsidWithin(transport, number, own);
      if (there !== undefined) known.set(there, candidate);
      if (there === link.linkNetnsid) break;
    }
  }
  return known;
}

/** The namespaces that have an end with these indexes, its own and the other's: candidates where the kernel names none. */
type FarEnds = ReadonlyMap<string, readonly ReadPlace[]>;

function farEnds(all: readonly ReadPlace[]): FarEnds {
  const found = new Map<string, ReadPlace[]>();
  for (const read of all) {
    for (const link of read.raw.links) {
      if (!leadsOut(link)) continue;
      const key = wireKey(link.ifindex, link.link);
      const same = found.get(key);
      if (same === undefined) found.set(key, [read]);
      else same.push(read);
    }
  }
  return found;
}

function wireKey(ifindex: number | undefined, other: number | undefined): string {
  return `${ifindex} ${other}`;
}
