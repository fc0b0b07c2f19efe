// Sees namespaces end without holding them: a namespace of our own gives each a number (RTM_NEWNSID), and the kernel takes the
// number back when it begins to destroy the namespace (unhash_nsid() in cleanup_net(), net/core/net_namespace.c). It destroys
// them batch by batch in one ordered work queue. So when all numbers are gone, one more namespace is made and let go, and when
// its number is gone too, every batch before it is through, its devices and its memory.

import { closeSync } from 'node:fs';
import type { NetnsName } from '../base/names.ts';
import { inNewNetns, isNetns, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { listNsids, setNsid } from '../rtnl/nsid.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import type { Places } from './places.ts';
import type { NetnsEnd, NetnsWatch } from './port.ts';

export class NetnsWatcher implements NetnsWatch {
  readonly #home: number;
  /** In the namespace of our own, which it keeps alive. */
  readonly #transport: Transport;
  readonly #names: readonly NetnsName[];
  #lastMade = false;

  constructor(places: Places, names: readonly NetnsName[]) {
    places.leave();
    this.#home = places.home;
    this.#names = names;
    this.#transport = inNewNetns(this.#home, () => Transport.open(NETLINK_ROUTE));
    for (const [nsid, name] of names.entries()) {
      const pin = places.pin(name);
      if (isNetns(pin)) withNetnsFd(pin, (fd) => this.#transport.request(setNsid(fd, nsid)));
    }
  }

  look(): NetnsEnd {
    const living = listNsids(this.#transport);
    const netns = this.#names.filter((_, nsid) => living.has(nsid));
    if (netns.length > 0) return { state: 'held', netns };
    if (!this.#lastMade) {
      this.#makeLast();
      return { state: 'destroying' };
    }
    return living.has(this.#names.length) ? { state: 'destroying' } : { state: 'gone' };
  }

  /** Nothing keeps it: its descriptor is closed, and the thread is back home. */
  #makeLast(): void {
    this.#lastMade = true;
    inNewNetns(this.#home, () => {
      const own = openOwnNetns();
      try {
        this.#transport.request(setNsid(own, this.#names.length));
      } finally {
        closeSync(own);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#transport.close();
  }
}
