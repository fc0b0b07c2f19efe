// A lab as the text of its file: the way back of load.ts.

import { isDeepStrictEqual } from 'node:util';
import type { Lab } from '../model/lab.ts';
import { checkTree } from './check.ts';
import { raiseLab } from './raise.ts';
import type { Keys } from './raise-interface.ts';
import { memberKey, type Written } from './raise-networks.ts';
import { type Comments, writeYaml } from './write-yaml.ts';

/** The file of the lab, as data. Loading it gives the lab again, but for where things stand in the file. */
export function topologyOf(lab: Lab): Keys {
  const raise = (written: Written) => withDollars(raiseLab(lab, written)) as Keys;
  const written = new Set<string>();
  // Addresses in networks are handed out in order; those that would come out otherwise are written, and may move others.
  for (let turn = 0; turn < TURNS; turn++) {
    const file = raise(written);
    if (file['networks'] === undefined) return file;
    const moved = movedMembers(file, lab);
    if (moved?.length === 0) return file;
    for (const key of moved ?? []) written.add(key);
  }
  return raise('all');
}

const TURNS = 4;

/** The interfaces that would get other addresses; undefined where the file is no lab. */
function movedMembers(file: Keys, lab: Lab): string[] | undefined {
  const { lab: again } = checkTree(file, { env: {} });
  const found = new Map(
    again?.nodes.flatMap((node) => node.interfaces.map((iface) => [memberKey(node, iface), iface.addresses])),
  );
  if (again === undefined) return undefined;
  return lab.nodes.flatMap((node) =>
    node.interfaces
      .map((iface) => ({ key: memberKey(node, iface), iface }))
      .flatMap(({ key, iface }) => {
        const ips = (list: readonly { readonly ip: string }[] | undefined) => list?.map(({ ip }) => ip) ?? [];
        return isDeepStrictEqual(ips(found.get(key)), ips(iface.addresses)) ? [] : key;
      }),
  );
}

/** A `$` that would begin a variable, or take the next one for its own, is doubled (vars.ts). */
function withDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/\$(?=[${])/g, '$$$$');
  if (Array.isArray(value)) return value.map(withDollars);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withDollars(inner)]));
}

/** The file of the lab, as text. */
export function writeTopology(lab: Lab, comments: Comments = {}): string {
  return writeYaml(topologyOf(lab), comments);
}

/** The lab without the key paths of the file and the subnets that pools handed out, which do not come back. */
export function withoutPlaces(lab: Lab): unknown {
  const { allocated: _allocated, ...rest } = lab;
  return withoutPaths(rest);
}

function withoutPaths(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPaths);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'path');
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutPaths(inner)]));
}
