// Sees namespaces end without holding them: a namespace of our own gives each a number (RTM_NEWNSID), and the kernel takes the
// number back when it begins to destroy the namespace (unhash_nsid() in cleanup_net(), net/core/net_namespace.c). It destroys
// them batch by batch in one ordered work queue. So when all numbers are gone, one more namespace is made and let go, and when
// its number is gone too, every batch before it is through, its devices and its memory. On a busy machine the queue may be long: what is
// still there has a holder only if one that was let go after it has been begun with.

import { closeSync } from 'node:fs';
import type { NetnsName } from '../base/names.ts';
import { inNewNetns, isNetns, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { listNsids, setNsid } from '../rtnl/nsid.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';
import type { Places } from './places.ts';
import type { NetnsEnd, NetnsWatch } from './port.ts';

/** Our own have the lowest numbers: some kernels (6.18) end the dump of numbers with its first datagram, after some 900. */
const PROBE = 0;
const LAST = 1;
const FIRST = 2;

export class NetnsWatcher implements NetnsWatch {
  readonly #home: number;
  /** In the namespace of our own, which it keeps alive. */
  readonly #transport: Transport;
  readonly #names: readonly NetnsName[];
  /** One that was let go after all of them. */
  #probeMade = false;
  #lastMade = false;

  constructor(places: Places, names: readonly NetnsName[]) {
    places.leave();
    this.#home = places.home;
    this.#names = names;
    this.#transport = inNewNetns(this.#home, () => Transport.open(NETLINK_ROUTE));
    for (const [at, name] of names.entries()) {
      const pin = places.pin(name);
      if (isNetns(pin)) withNetnsFd(pin, (fd) => this.#transport.request(setNsid(fd, FIRST + at)));
    }
  }

  look(): NetnsEnd {
    const living = listNsids(this.#transport);
    const netns = this.#names.filter((_, at) => living.has(FIRST + at));
    if (netns.length > 0) {
      if (this.#probeMade) return living.has(PROBE) ? { state: 'destroying' } : { state: 'held', netns };
      this.#probeMade = true;
      this.#letGo(PROBE);
      return { state: 'destroying' };
    }
    if (!this.#lastMade) {
      this.#lastMade = true;
      this.#letGo(LAST);
      return { state: 'destroying' };
    }
    return living.has(LAST) ? { state: 'destroying' } : { state: 'gone' };
  }

  /** Makes a namespace that nothing keeps: its descriptor is closed, and the thread is back home. */
  #letGo(nsid: number): void {
    inNewNetns(this.#home, () => {
      const own = openOwnNetns();
      try {
        this.#transport.request(setNsid(own, nsid));
      } finally {
        closeSync(own);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#transport.close();
  }
}
