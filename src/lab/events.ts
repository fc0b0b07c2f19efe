// `nslab events`: what changes in a lab while somebody looks, in its own words. The kernel tells how things are now; what has changed is
// found by what was known before, so every namespace has a small memory here. Nothing is asked again and nothing is written.

import { existsSync, watch } from 'node:fs';
import type {
  Address,
  FdbEntry,
  Link,
  Neighbour,
  NetlinkEvent,
  Notification,
  Route,
} from '../kernel/netlink-events.ts';
import type { ContainerState } from '../kernel/port.ts';
import { labDir } from '../state/paths.ts';
import { type Container, listContainers, stateOf } from './containers.ts';
import { type Target, type Targets, targetLines } from './targets.ts';

/** A change, in the words of the lab. What is not there was not told. */
export type Change =
  | {
      readonly event: 'link';
      readonly change: 'added' | 'removed' | 'up' | 'down' | 'carrier' | 'no carrier' | 'renamed' | 'changed';
      readonly interface: string;
      /** Of one that was added: `veth`, `bridge`, ... */
      readonly type?: string;
      /** Of one that was renamed. */
      readonly was?: string;
      readonly mac?: string;
      readonly mtu?: number;
      /** The bridge, bond or vrf that it is in now; null when it has left one. */
      readonly master?: string | null;
    }
  | {
      readonly event: 'address';
      readonly change: 'added' | 'removed' | 'duplicate';
      readonly interface: string;
      readonly address: string;
    }
  | {
      readonly event: 'route';
      readonly change: 'added' | 'removed' | 'replaced';
      readonly to: string;
      readonly type: string;
      readonly via?: string;
      readonly interface?: string;
      readonly metric?: number;
      readonly table: number;
      readonly nexthops?: readonly { readonly via?: string; readonly interface?: string }[];
    }
  | {
      readonly event: 'neighbour';
      readonly change: 'learned' | 'failed' | 'removed';
      readonly interface: string;
      readonly address: string;
      readonly mac?: string;
    }
  | {
      /** What a bridge knows of who is behind which port. */
      readonly event: 'fdb';
      readonly change: 'learned' | 'removed';
      readonly interface: string;
      readonly mac: string;
      readonly vlan?: number;
    }
  | {
      readonly event: 'container';
      readonly change: ContainerState['status'] | 'healthy' | 'unhealthy';
      readonly exit?: number;
    }
  /** The namespace has gone, with all that was in it. */
  | { readonly event: 'node'; readonly change: 'gone' }
  /** The kernel had no room for some of them. */
  | { readonly event: 'lost' };

export type LabEvent = { readonly time: string; readonly lab: string; readonly node: string } & Change;

type Known = {
  readonly name: string;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly mac: string | undefined;
  readonly mtu: number | undefined;
  readonly master: number | undefined;
};

/** linux/rtnetlink.h: RT_TABLE_LOCAL, where the kernel keeps the addresses of the machine itself. */
const TABLE_LOCAL = 255;

/** Finds what has changed in one namespace. Of the machine's own only what is about interfaces of the lab. */
export class NamespaceMemory {
  readonly #links = new Map<number, Known>();
  readonly #addresses = new Set<string>();
  readonly #neighbours = new Map<string, string>();
  readonly #isMeant: (ifname: string) => boolean;

  constructor({ only, maybe, others }: Pick<Target, 'only' | 'maybe' | 'others'>) {
    this.#isMeant = (ifname) => others || only.includes(ifname) || maybe.includes(ifname);
  }

  changes(told: Notification): Change[] {
    switch (told.kind) {
      case 'link':
        return this.#link(told.link, told);
      case 'address':
        return this.#address(told.address, told);
      case 'route':
        return this.#route(told.route, told);
      case 'neighbour':
        return this.#neighbour(told.neighbour, told);
      case 'fdb':
        return this.#fdb(told.entry, told);
    }
  }

  /** Undefined for an interface that is not meant. */
  #name(ifindex: number | undefined): string | undefined {
    const name = ifindex === undefined ? undefined : this.#links.get(ifindex)?.name;
    return name === undefined || !this.#isMeant(name) ? undefined : name;
  }

  #link(link: Link, { deleted, dumped }: Notification): Change[] {
    const before = this.#links.get(link.ifindex);
    if (deleted) {
      this.#links.delete(link.ifindex);
      const name = before?.name ?? link.ifname;
      return this.#isMeant(name) ? [{ event: 'link', change: 'removed', interface: name }] : [];
    }
    const now: Known = {
      name: link.ifname,
      up: link.up,
      carrier: link.lowerUp,
      mac: link.mac,
      mtu: link.mtu,
      master: link.master,
    };
    this.#links.set(link.ifindex, now);
    if (!this.#isMeant(now.name)) return [];
    // The links are dumped again after some events were lost.
    if (before !== undefined) return this.#differences(before, now);
    if (dumped) return [];
    const type = link.kind === undefined ? {} : { type: link.kind };
    const added: Change = { event: 'link', change: 'added', interface: now.name, ...type };
    return [added, ...(now.up ? [{ event: 'link', change: 'up', interface: now.name } as const] : [])];
  }

  #differences(before: Known, now: Known): Change[] {
    const link = { event: 'link', interface: now.name } as const;
    const found: Change[] = [];
    if (now.name !== before.name) found.push({ ...link, change: 'renamed', was: before.name });
    if (now.mac !== before.mac && now.mac !== undefined)
      found.push({ ...link, change: 'changed', mac: now.mac });
    if (now.mtu !== before.mtu && now.mtu !== undefined)
      found.push({ ...link, change: 'changed', mtu: now.mtu });
    if ((now.master ?? 0) !== (before.master ?? 0)) {
      const master = now.master ? (this.#links.get(now.master)?.name ?? String(now.master)) : null;
      found.push({ ...link, change: 'changed', master });
    }
    if (now.up !== before.up) found.push({ ...link, change: now.up ? 'up' : 'down' });
    else if (now.up && now.carrier !== before.carrier)
      found.push({ ...link, change: now.carrier ? 'carrier' : 'no carrier' });
    return found;
  }

  #address({ ifindex, address, dadfailed }: Address, { deleted, dumped }: Notification): Change[] {
    const name = this.#name(ifindex);
    const key = `${ifindex} ${address}${dadfailed ? ' duplicate' : ''}`;
    const isKnown = this.#addresses.has(key);
    if (deleted) this.#addresses.delete(key);
    else this.#addresses.add(key);
    // Told again when a lifetime or a flag changes.
    if (name === undefined || dumped || (!deleted && isKnown)) return [];
    const change = deleted ? 'removed' : dadfailed ? 'duplicate' : 'added';
    return [{ event: 'address', change, interface: name, address }];
  }

  #route(route: Route, { deleted, dumped, replaces }: Notification): Change[] {
    if (dumped || route.table === TABLE_LOCAL || route.to.startsWith('ff00:')) return [];
    const hops = route.nexthops ?? [];
    const devices = route.dev === undefined ? hops.map(({ dev }) => dev) : [route.dev];
    const names = devices.map((dev) => this.#name(dev));
    // One without a device (blackhole, unreachable) is everybody's, on the machine nobody's.
    const isMeant = devices.length === 0 ? this.#isMeant('') : names.some((name) => name !== undefined);
    if (!isMeant) return [];
    const end = (via: string | undefined, dev: number | undefined) => {
      const name = dev === undefined ? undefined : this.#links.get(dev)?.name;
      return { ...(via === undefined ? {} : { via }), ...(name === undefined ? {} : { interface: name }) };
    };
    return [
      {
        event: 'route',
        change: deleted ? 'removed' : replaces ? 'replaced' : 'added',
        to: route.to,
        type: String(route.type),
        table: route.table,
        ...end(route.via, route.dev),
        ...(route.metric === undefined ? {} : { metric: route.metric }),
        ...(hops.length === 0 ? {} : { nexthops: hops.map(({ via, dev }) => end(via, dev)) }),
      },
    ];
  }

  /** Its states come and go with every packet; what is told is when an address is found, moves, or is not there. */
  #neighbour({ ifindex, address, lladdr, state }: Neighbour, { deleted, dumped }: Notification): Change[] {
    const name = this.#name(ifindex);
    const key = `${ifindex} ${address}`;
    const before = this.#neighbours.get(key);
    const now = state === 'failed' ? 'failed' : lladdr;
    if (deleted) this.#neighbours.delete(key);
    else if (now !== undefined) this.#neighbours.set(key, now);
    // What the kernel makes for multicast addresses, and lo, has no state to speak of.
    if (name === undefined || dumped || state === 'noarp') return [];
    const base = { event: 'neighbour', interface: name, address } as const;
    if (deleted) return before === undefined || before === 'failed' ? [] : [{ ...base, change: 'removed' }];
    if (now === undefined || now === before) return [];
    return now === 'failed' ? [{ ...base, change: 'failed' }] : [{ ...base, change: 'learned', mac: now }];
  }

  #fdb(entry: FdbEntry, { deleted, dumped }: Notification): Change[] {
    const name = this.#name(entry.ifindex);
    const key = `fdb ${entry.lladdr} ${entry.vlan ?? ''}`;
    const before = this.#neighbours.get(key);
    // Those of the ports themselves, and of a device's own filter, are no news of who is where.
    if (name === undefined || dumped || entry.state === 'permanent' || entry.in === 'self') return [];
    if (deleted) this.#neighbours.delete(key);
    else this.#neighbours.set(key, name);
    if (!deleted && before === name) return [];
    const vlan = entry.vlan === undefined ? {} : { vlan: entry.vlan };
    return [
      { event: 'fdb', change: deleted ? 'removed' : 'learned', interface: name, mac: entry.lladdr, ...vlan },
    ];
  }
}

export type EventsOptions = {
  readonly visit: (event: LabEvent) => void;
  /** Everything that comes from now on is told. */
  readonly ready: () => void;
  readonly signal: AbortSignal;
};

/** Tells the changes until the lab is gone or the signal aborts; the exit status. */
export async function watchLab({ lab, targets }: Targets, options: EventsOptions): Promise<number> {
  const { visit, ready, signal } = options;
  const { listenToNamespaces } = await import('../kernel/netlink-events.ts');
  const memories = targets.map((target) => new NamespaceMemory(target));
  const end = new AbortController();
  const tell = (node: string, change: Change): void =>
    visit({ time: new Date().toISOString(), lab: lab.name, node, ...change });
  const take = (event: NetlinkEvent): void => {
    if (event.kind === 'ready') {
      ready();
      return;
    }
    const node = targets[event.place]?.node ?? '';
    if (event.kind === 'lost') tell(node, { event: 'lost' });
    else if (event.kind === 'gone') tell(node, { event: 'node', change: 'gone' });
    else for (const change of memories[event.place]?.changes(event.change) ?? []) tell(node, change);
  };
  const stop = (): void => end.abort();
  signal.addEventListener('abort', stop);
  const watchers = listContainers(lab.name).map((container) => watchContainer(container, tell));
  // A lab of nothing but the machine's own devices has no namespace whose end the helper could see.
  const timer = setInterval(() => {
    if (!existsSync(labDir(lab.name))) stop();
  }, 1000);
  try {
    return await listenToNamespaces(targetLines(targets), (events) => events.forEach(take), end.signal);
  } finally {
    clearInterval(timer);
    for (const close of watchers) close();
    signal.removeEventListener('abort', stop);
  }
}

/** The monitor replaces the file as a whole, which inotify(7) tells of the folder. Returns what ends it. */
function watchContainer(container: Container, tell: (node: string, change: Change) => void): () => void {
  let before = stateOf(container);
  const look = (): void => {
    const now = stateOf(container);
    if (now === undefined) return;
    const exit = now.exit === null ? {} : { exit: now.exit };
    // Each start is one, also where nobody looked in between.
    if (now.status !== before?.status || now.started !== before.started)
      tell(container.node, {
        event: 'container',
        change: now.status,
        ...(now.status === 'exited' || now.status === 'restarting' ? exit : {}),
      });
    if (now.health !== before?.health && (now.health === 'healthy' || now.health === 'unhealthy'))
      tell(container.node, { event: 'container', change: now.health });
    before = now;
  };
  try {
    const watcher = watch(container.folder, look);
    // The folder goes with the lab.
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}
