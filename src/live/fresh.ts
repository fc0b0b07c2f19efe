// What settings are where nobody has set them: read in a namespace of our own, which is gone with its last reader.

import { closeSync } from 'node:fs';
import { inNewNetns, openOwnNetns } from '../netns/pin.ts';
import { readSysctl } from '../sys/sysctl.ts';

/** net.ipv4.conf.IF.*, net.ipv6.neigh.IF.* and the like: a new device has those of `default`. */
const perDevice = /^(net\.(?:ipv4|ipv6|mpls)\.(?:conf|neigh)\.)(?!all\.|default\.)[^.]+\./;

/** The values in a new namespace, by key; a key that the kernel lacks is not in it. */
export function readFresh(keys: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  if (keys.length === 0) return found;
  const home = openOwnNetns();
  try {
    inNewNetns(home, () => {
      for (const key of keys) {
        const value = readSysctl(key.replace(perDevice, '$1default.'));
        if (value !== undefined) found[key] = value;
      }
    });
  } finally {
    closeSync(home);
  }
  return found;
}
