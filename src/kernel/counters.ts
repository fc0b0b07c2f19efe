// What the kernel counts of the interfaces of a namespace. Every look is one by itself: a socket that stayed open would hold the
// namespace, and `down --wait` with it.

import { closeSync } from 'node:fs';
import { enterNetns, isNetns, openOwnNetns, withNetnsFd } from '../netns/pin.ts';
import { getLinkStats, type LinkStats } from '../rtnl/link-stats.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';

export type { LinkStats } from '../rtnl/link-stats.ts';

/** The counters of each namespace, which its pin names, null the machine's own; undefined for one that is gone. */
export function readCounters(pins: readonly (string | null)[]): (LinkStats[] | undefined)[] {
  const home = openOwnNetns();
  try {
    return pins.map((pin) => {
      if (pin === null) return lookHere();
      if (!isNetns(pin)) return undefined;
      try {
        withNetnsFd(pin, enterNetns);
        return lookHere();
      } finally {
        enterNetns(home);
      }
    });
  } finally {
    closeSync(home);
  }
}

function lookHere(): LinkStats[] {
  using transport = Transport.open(NETLINK_ROUTE);
  return getLinkStats(transport);
}
