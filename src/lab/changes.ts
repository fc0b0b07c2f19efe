// What a container's upper layer says about the files below it: overlayfs keeps new and copied-up files there, a deletion as a
// character device 0:0 ("whiteout") and a replaced folder as one with the attribute trusted.overlay.opaque.
// Documentation/filesystems/overlayfs.rst. Neither layer's symlinks are followed.

import { lstatSync, readdirSync, type Stats } from 'node:fs';
import { NslabError } from '../base/error.ts';
import { getXattr } from '../sys/libc.ts';
import { readConfig } from './container-config.ts';
import type { Container } from './containers.ts';

export type Change = {
  /** Added, changed, deleted. */
  readonly kind: 'A' | 'C' | 'D';
  readonly path: string;
};

/**
 * In the order of their paths.
 * @throws NslabError CONTAINER_REFUSED where the container was never made
 */
export function containerChanges(container: Container): Change[] {
  const { node } = container;
  const config = readConfig(container);
  if (config === undefined) {
    throw new NslabError(
      'CONTAINER_REFUSED',
      `container ${node} was never started, so it has changed nothing`,
    );
  }
  const { lowers, upper } = config.nslab.overlay;
  const found: Change[] = [];
  const walk = new Walk(upper, found);
  walk.folder('', lowers);
  const made = new Set(config.mounts.map(({ destination }) => destination));
  return withoutMountPoints(found, made).sort((a, b) => (a.path < b.path ? -1 : 1));
}

class Walk {
  readonly #upper: string;
  readonly #found: Change[];

  constructor(upper: string, found: Change[]) {
    this.#upper = upper;
    this.#found = found;
  }

  /** `lowers` are those layers that have this folder, and have it as a folder. */
  folder(path: string, lowers: readonly string[]): void {
    const names = namesIn(this.#upper + path);
    for (const name of names) this.#entry(`${path}/${name}`, lowers);
    if (!isOpaque(this.#upper + path)) return;
    const here = new Set(names);
    const before = new Set(lowers.flatMap((lower) => namesIn(lower + path)));
    for (const name of before) if (!here.has(name)) this.#found.push({ kind: 'D', path: `${path}/${name}` });
  }

  #entry(path: string, lowers: readonly string[]): void {
    const stat = lstat(this.#upper + path);
    if (stat === undefined) return;
    const below = lowers.flatMap((lower) => {
      const found = lstat(lower + path);
      return found === undefined || isWhiteout(found) ? [] : [{ lower, found }];
    });
    if (isWhiteout(stat)) {
      if (below.length > 0) this.#found.push({ kind: 'D', path });
      return;
    }
    this.#found.push({ kind: below.length > 0 ? 'C' : 'A', path });
    if (!stat.isDirectory()) return;
    const folders = below.filter(({ found }) => found.isDirectory()).map(({ lower }) => lower);
    this.folder(path, folders);
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function lstat(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // ENOTDIR: a lower layer has a file where this one has a folder.
    return undefined;
  }
}

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

function isOpaque(path: string): boolean {
  return getXattr(path, 'trusted.overlay.opaque') === 'y';
}

/** A mount needs something to be mounted on; what was made for that alone is no change of the container's. */
function withoutMountPoints(changes: readonly Change[], made: ReadonlySet<string>): Change[] {
  const needed = (path: string): boolean =>
    [...made].some((destination) => destination === path || destination.startsWith(`${path}/`));
  const hasOther = (path: string): boolean =>
    changes.some((change) => change.path.startsWith(`${path}/`) && !needed(change.path));
  return changes.filter(({ path }) => !needed(path) || (!made.has(path) && hasOther(path)));
}
