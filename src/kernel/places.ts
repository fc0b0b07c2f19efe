// Where things happen: enters the namespaces of a lab, keeps sockets in some of them, and knows the index of every device that
// was made or asked for. All of it is bounded: a lab of 4096 nodes has no more than KEPT sockets open.

import { closeSync } from 'node:fs';
import type { IfName, LabName } from '../base/names.ts';
import type { Place } from '../model/lab.ts';
import { enterNetns, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { getLink, getLinks } from '../rtnl/link.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import { pinOf } from '../state/paths.ts';

/** Sockets kept open. */
const KEPT = 32;

export class Places {
  lab: LabName | undefined;
  readonly #home = openOwnNetns();
  #here: Place = null;
  readonly #transports = new Map<Place, Transport>();
  readonly #indexes = new Map<Place, Map<string, number>>();
  readonly #next = new Map<Place, number>();
  /** Namespaces that were made here: what is in the others was numbered by somebody else. */
  readonly #born = new Set<Place>();
  /** The first index that a new namespace has free; modules with fallback devices (sit0, gre0) raise it. */
  #firstFree: number | undefined;

  /** The path that pins a namespace of the lab. */
  pin(place: string): string {
    if (this.lab === undefined) throw new Error('no lab was opened');
    return pinOf(this.lab, place as never);
  }

  /** The calling thread goes into the namespace, and stays there until {@link leave}. */
  enter(place: Place): void {
    if (place === this.#here) return;
    if (place === null) enterNetns(this.#home);
    else withNetnsFd(this.pin(place), enterNetns);
    this.#here = place;
  }

  /** The thread is in the namespace already, because it has just made it. */
  arrived(place: Place): void {
    this.#here = place;
  }

  /** Back to the machine's own namespace. Must be called before the event loop turns. */
  leave(): void {
    this.enter(null);
  }

  /** A descriptor of the machine's own namespace. */
  get home(): number {
    return this.#home;
  }

  /** The rtnetlink socket of the place; opened on demand. */
  route(place: Place): Transport {
    const known = this.#transports.get(place);
    if (known !== undefined) return known;
    this.enter(place);
    const opened = Transport.open(NETLINK_ROUTE);
    if (this.#transports.size >= KEPT) this.#dropOldest();
    this.#transports.set(place, opened);
    return opened;
  }

  #dropOldest(): void {
    for (const [place, transport] of this.#transports) {
      if (place === null) continue;
      transport.close();
      this.#transports.delete(place);
      return;
    }
  }

  /** True where {@link chooseIndex} gives one. */
  choosesIndexes(place: Place): boolean {
    return this.#firstFree !== undefined && this.#born.has(place);
  }

  /**
   * The index to ask for when a device is made in a namespace of the lab; undefined lets the kernel choose. Never that of the
   * other end of its wire: two ends with one number look like no wire to linkwatch_urgent_event() (net/core/link_watch.c), and
   * their carrier would be told, and their IPv6 address made, up to a second later.
   */
  chooseIndex(place: Place, otherEnd?: number): number | undefined {
    if (this.#firstFree === undefined || !this.#born.has(place)) return undefined;
    const free = this.#next.get(place) ?? this.#firstFree;
    const index = free === otherEnd ? free + 1 : free;
    this.#next.set(place, index + 1);
    return index;
  }

  /** From now on the kernel chooses: an index asked for was taken, by a module loaded meanwhile. */
  stopChoosing(): void {
    this.#firstFree = undefined;
    this.#indexes.clear();
  }

  /** Looks once at what a new namespace is born with. */
  learnFirstFree(place: Place): void {
    this.#born.add(place);
    if (this.#firstFree !== undefined) return;
    const links = getLinks(this.route(place));
    this.#firstFree = Math.max(...links.map((link) => link.ifindex)) + 1;
  }

  remember(place: Place, ifname: string, index: number): void {
    let known = this.#indexes.get(place);
    if (known === undefined) {
      known = new Map();
      this.#indexes.set(place, known);
    }
    known.set(ifname, index);
  }

  /** Asks the kernel for the index of a device that it numbered itself, and goes on behind it. */
  learn(place: Place, ifname: string): void {
    const link = getLink(this.route(place), { ifname });
    if (link === undefined) return;
    this.remember(place, ifname, link.ifindex);
    const next = this.#next.get(place) ?? this.#firstFree;
    if (next !== undefined && link.ifindex >= next) this.#next.set(place, link.ifindex + 1);
  }

  forget(place: Place, ifname: string): void {
    this.#indexes.get(place)?.delete(ifname);
  }

  /** The index of a device, from memory or from the kernel; undefined where there is no such device. */
  index(place: Place, ifname: IfName): number | undefined {
    const known = this.#indexes.get(place)?.get(ifname);
    if (known !== undefined) return known;
    if (ifname === 'lo') return 1;
    const link = getLink(this.route(place), { ifname });
    if (link !== undefined) this.remember(place, ifname, link.ifindex);
    return link?.ifindex;
  }

  /** Devices were taken away, and their other ends with them. */
  forgetIndexes(): void {
    this.#indexes.clear();
  }

  /** The namespace goes: a socket in it would keep it. */
  drop(place: Place): void {
    this.leave();
    this.#transports.get(place)?.close();
    this.#transports.delete(place);
    this.#indexes.delete(place);
    this.#next.delete(place);
    this.#born.delete(place);
  }

  /** True when no question to the kernel is needed. */
  knows(place: Place, ifname: IfName): boolean {
    return ifname === 'lo' || this.#indexes.get(place)?.has(ifname) === true;
  }

  /** A socket in a namespace keeps it alive. */
  closeSockets(): void {
    for (const transport of this.#transports.values()) transport.close();
    this.#transports.clear();
  }

  close(): void {
    this.closeSockets();
    closeSync(this.#home);
  }
}
