// The answers of real namespaces, read from the kernel when they are asked for and kept, so that one walk sees one picture. Each
// question enters the namespace, asks and leaves it again before it returns. rtnetlink(7), proc_net(5) tcp and udp.

import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { type IpAddress, ipFromBytes } from '../base/ip.ts';
import { enterNetns, isNetns, openOwnNetns } from '../netns/pin.ts';
import { readTables } from '../nfnl/all-tables.ts';
import type { TableForm } from '../nfnl/read.ts';
import { getAddresses } from '../rtnl/addr.ts';
import { getPortVlans } from '../rtnl/bridge-port.ts';
import { RtnlError } from '../rtnl/error.ts';
import { getLinks, type Link } from '../rtnl/link.ts';
import { getFdb, getNeighbours } from '../rtnl/neigh.ts';
import { getNsid } from '../rtnl/nsid.ts';
import { getRoutes, lookupRoute } from '../rtnl/route.ts';
import { getRules } from '../rtnl/rule.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import { findWireguard, getWireguard } from '../rtnl/wireguard.ts';
import {
  type Answer,
  type Listener,
  linkOf,
  type Netns,
  type Port,
  type Question,
  type Wireguard,
  type World,
} from './world.ts';

/** A namespace by its file; null is the one that this process is in. `own` is one of those that are looked at. */
export type NetnsPath = { readonly name: string; readonly path: string | null; readonly own: boolean };

const OWN = '/proc/thread-self/ns/net';

/** All of these namespaces, and nothing else of the machine. Close it: it keeps descriptors. */
export class KernelWorld implements World, Disposable {
  readonly all: readonly KernelNetns[];
  readonly own: readonly KernelNetns[];
  readonly #home = openOwnNetns();

  /** Files that are no namespace any more are passed over, and so is a second name of the same one. */
  constructor(paths: readonly NetnsPath[]) {
    const seen = new Set<number>();
    const own: KernelNetns[] = [];
    this.all = paths.flatMap(({ name, path, own: isOwn }) => {
      const file = path ?? OWN;
      if (path !== null && !isNetns(path)) return [];
      const inode = statSync(file).ino;
      if (seen.has(inode)) return [];
      seen.add(inode);
      const opened = new KernelNetns({ name, inode, fd: openSync(file, 'r'), home: this.#home });
      if (isOwn) own.push(opened);
      return [opened];
    });
    this.own = own;
  }

  /** The namespace that the file is, whichever of its names was given. */
  find(path: string | null): KernelNetns | undefined {
    try {
      const { ino } = statSync(path ?? OWN);
      return this.all.find((ns) => ns.inode === ino);
    } catch {
      return undefined;
    }
  }

  lower({ ns, link }: Port): Port | undefined {
    // Tunnels without a lower link say 0, and a bridge or dummy itself; two ends of a wire may have one number, each in its place.
    if (link.link === undefined || link.link === 0) return undefined;
    if (link.link === link.ifindex && link.linkNetnsid === undefined) return undefined;
    const where =
      link.linkNetnsid === undefined ? ns : (ns as KernelNetns).byNsid(link.linkNetnsid, this.all);
    const found = where === undefined ? undefined : linkOf(where, link.link);
    return where === undefined || found === undefined ? undefined : { ns: where, link: found };
  }

  [Symbol.dispose](): void {
    for (const ns of this.all) ns.close();
    closeSync(this.#home);
  }
}

type Opened = { readonly name: string; readonly inode: number; readonly fd: number; readonly home: number };

class KernelNetns implements Netns {
  readonly name: string;
  readonly inode: number;
  readonly #fd: number;
  readonly #home: number;
  readonly #known = new Map<string, unknown>();
  readonly #nsids = new Map<number, KernelNetns | undefined>();
  #route: Transport | undefined;

  constructor({ name, inode, fd, home }: Opened) {
    this.name = name;
    this.inode = inode;
    this.#fd = fd;
    this.#home = home;
  }

  close(): void {
    this.#route?.close();
    closeSync(this.#fd);
  }

  #inside<T>(body: () => T): T {
    enterNetns(this.#fd);
    try {
      return body();
    } finally {
      enterNetns(this.#home);
    }
  }

  /** The socket stays in its namespace wherever the thread is. */
  #rtnl(): Transport {
    this.#route ??= this.#inside(() => Transport.open(NETLINK_ROUTE));
    return this.#route;
  }

  #once<T>(what: string, read: () => T): T {
    if (!this.#known.has(what)) this.#known.set(what, read());
    return this.#known.get(what) as T;
  }

  get links() {
    return this.#once('links', () => getLinks(this.#rtnl()));
  }
  get addresses() {
    return this.#once('addresses', () => getAddresses(this.#rtnl()));
  }
  get routes() {
    return this.#once('routes', () => getRoutes(this.#rtnl()));
  }
  get rules() {
    return this.#once('rules', () => getRules(this.#rtnl()));
  }
  get neighbours() {
    return this.#once('neighbours', () => getNeighbours(this.#rtnl()));
  }
  get fdb() {
    return this.#once('fdb', () => getFdb(this.#rtnl()));
  }
  get vlans() {
    return this.#once('vlans', () => getPortVlans(this.#rtnl()));
  }
  get tables(): readonly TableForm[] {
    return this.#once('tables', () => this.#inside(readTables).tables);
  }

  lookup(question: Question): Answer {
    return this.#once(JSON.stringify(question), () => {
      try {
        return { route: lookupRoute(this.#rtnl(), question) };
      } catch (error) {
        if (error instanceof RtnlError) return { code: error.code };
        throw error;
      }
    });
  }

  sysctl(key: string): string | undefined {
    const path = `/proc/sys/${key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'))}`;
    return this.#once(path, () => this.#inside(() => readQuietly(path)?.trimEnd()));
  }

  listeners(proto: 'tcp' | 'udp'): readonly Listener[] {
    return this.#once(proto, () =>
      this.#inside(() =>
        ['', '6'].flatMap((six) =>
          parseListeners(proto, readQuietly(`/proc/thread-self/net/${proto}${six}`) ?? ''),
        ),
      ),
    );
  }

  wireguard({ ifindex }: Link): Wireguard | undefined {
    return this.#once(`wireguard ${ifindex}`, () => this.#inside(() => readWireguard(ifindex)));
  }

  byNsid(nsid: number, all: readonly KernelNetns[]): KernelNetns | undefined {
    if (!this.#nsids.has(nsid)) {
      const found = all.find((other) => getNsid(this.#rtnl(), other.#fd) === nsid);
      this.#nsids.set(nsid, found);
    }
    return this.#nsids.get(nsid);
  }
}

/** Undefined where the kernel has no WireGuard, or the link is none. */
function readWireguard(ifindex: number): Wireguard | undefined {
  using generic = Transport.open(NETLINK_GENERIC);
  const family = findWireguard(generic);
  if (family === undefined) return undefined;
  try {
    const { publicKey, peers } = getWireguard(generic, family, ifindex);
    return { ...(publicKey === undefined ? {} : { publicKey }), peers };
  } catch (error) {
    if (error instanceof RtnlError) return undefined;
    throw error;
  }
}

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** TCP_LISTEN of net/tcp_states.h; a UDP socket that is not connected is shown as closed, 7. */
const waiting = { tcp: '0A', udp: '07' } as const;

/** The lines of /proc/net/{tcp,tcp6,udp,udp6}: addresses are 32-bit words in the byte order of the machine. */
export function parseListeners(proto: 'tcp' | 'udp', text: string): Listener[] {
  return text.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [, hex, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (state !== waiting[proto] || hex === undefined || port === undefined) return [];
    return { address: readWords(hex), port: Number.parseInt(port, 16) };
  });
}

function readWords(hex: string): IpAddress {
  // Both kinds of machine that nslab runs on are little-endian.
  const bytes = Buffer.from(hex, 'hex').swap32();
  // ::ffff:0:0/96: a socket of both families that is bound to an IPv4 address.
  const mapped = bytes.length === 16 && bytes.subarray(0, 12).equals(MAPPED);
  return ipFromBytes(mapped ? bytes.subarray(12) : bytes);
}

const MAPPED = Buffer.from('00000000000000000000ffff', 'hex');
