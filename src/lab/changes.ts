// What a container's upper layer says about the files below it: overlayfs keeps new and copied-up files there, a deletion as a
// character device 0:0 ("whiteout") and a replaced folder as one with the attribute trusted.overlay.opaque.
// Documentation/filesystems/overlayfs.rst. Neither layer's symlinks are followed, also not those that a running container puts in
// the place of a folder while we look: each folder is entered from its parent's descriptor. Names are bytes.

import { closeSync, constants, lstatSync, openSync, readdirSync, type Stats } from 'node:fs';
import { NslabError } from '../base/error.ts';
import { codeOf } from '../sys/errno.ts';
import { getXattr } from '../sys/libc.ts';
import { readConfig } from './container-config.ts';
import type { Container } from './containers.ts';

export type Change = {
  /** Added, changed, deleted. */
  readonly kind: 'A' | 'C' | 'D';
  /** Bytes that are no UTF-8 are U+FFFD. */
  readonly path: string;
};

const OPAQUE = 'trusted.overlay.opaque';
/** So many folders in each other have the longest path that a system call takes (PATH_MAX); those below are not looked into. */
const MOST_DEEP = 2048;

/**
 * In the order of their paths.
 * @throws NslabError CONTAINER_REFUSED where the container was never made
 */
export function containerChanges(container: Container): Change[] {
  const config = readConfig(container);
  const { lowers, upper, copied = false } = config.nslab.overlay;
  if (copied) {
    const why = 'is a copy of its image, in which changes cannot be told';
    throw new NslabError('CONTAINER_REFUSED', `the root of ${container.node} ${why}`);
  }
  const found: Change[] = [];
  new Walk(found).run(upper, lowers);
  const made = new Set(config.mounts.map(({ destination }) => destination));
  return withoutMountPoints(found, made).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A folder of the upper layer, open. */
type Folder = {
  readonly fd: number;
  readonly path: Buffer;
  /** Those layers that have this folder, and have it as a folder. */
  readonly lowers: readonly string[];
  /** What is left to be looked at. */
  readonly names: Buffer[];
};

/** Without recursion: a container nests folders as deep as it likes. */
class Walk {
  readonly #found: Change[];
  readonly #open: Folder[] = [];

  constructor(found: Change[]) {
    this.#found = found;
  }

  run(upper: string, lowers: readonly string[]): void {
    try {
      this.#enter(Buffer.from(upper), Buffer.alloc(0), lowers);
      for (let top = this.#open.at(-1); top !== undefined; top = this.#open.at(-1)) {
        const name = top.names.pop();
        if (name === undefined) this.#leave();
        else this.#entry(top, name);
      }
    } finally {
      while (this.#open.length > 0) this.#leave();
    }
  }

  #enter(at: Buffer, path: Buffer, lowers: readonly string[]): void {
    const fd = this.#open.length < MOST_DEEP ? openFolder(at) : undefined;
    if (fd === undefined) return;
    const names = namesIn(`/proc/self/fd/${fd}`);
    this.#open.push({ fd, path, lowers, names });
    if (getXattr(`/proc/self/fd/${fd}/.`, OPAQUE) !== 'y') return;
    const here = new Set(names.map(keyOf));
    const before = new Map(
      lowers.flatMap((lower) => namesIn(joined(lower, path)).map((name) => [keyOf(name), name])),
    );
    for (const [key, name] of before) if (!here.has(key)) this.#add('D', joined(path, '/', name));
  }

  #leave(): void {
    const left = this.#open.pop();
    if (left !== undefined) closeSync(left.fd);
  }

  #add(kind: Change['kind'], path: Buffer): void {
    this.#found.push({ kind, path: path.toString('utf8') });
  }

  #entry(folder: Folder, name: Buffer): void {
    const at = joined(`/proc/self/fd/${folder.fd}/`, name);
    const stat = lstat(at);
    if (stat === undefined) return;
    const path = joined(folder.path, '/', name);
    const below = seenIn(folder.lowers, path);
    if (isWhiteout(stat)) {
      if (below.length > 0) this.#add('D', path);
      return;
    }
    this.#add(below.length > 0 ? 'C' : 'A', path);
    if (!stat.isDirectory()) return;
    const folders = below.filter(({ found }) => found.isDirectory()).map(({ lower }) => lower);
    this.#enter(at, path, folders);
  }
}

function joined(...parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

/** Keeps bytes apart that are no UTF-8. */
function keyOf(name: Buffer): string {
  return name.toString('latin1');
}

/** The layers whose part of that path is seen: one that is no folder, or is whited out or opaque, hides those below it. */
function seenIn(
  lowers: readonly string[],
  path: Buffer,
): { readonly lower: string; readonly found: Stats }[] {
  const seen: { readonly lower: string; readonly found: Stats }[] = [];
  for (const lower of lowers) {
    const found = lstat(joined(lower, path));
    if (found === undefined) continue;
    if (isWhiteout(found)) break;
    if (found.isDirectory() || seen.length === 0) seen.push({ lower, found });
    if (!found.isDirectory() || getXattr(joined(lower, path), OPAQUE) === 'y') break;
  }
  return seen;
}

/** Undefined for what is not, or is no more, a folder. */
function openFolder(path: Buffer): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

function namesIn(path: string | Buffer): Buffer[] {
  try {
    return readdirSync(path, { encoding: 'buffer' });
  } catch {
    return [];
  }
}

function lstat(path: Buffer): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    // ENOTDIR: a lower layer has a file where this one has a folder. ENAMETOOLONG: no layer has it.
    return undefined;
  }
}

function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

/** A mount needs something to be mounted on; what was made for that alone is no change of the container's. */
function withoutMountPoints(changes: readonly Change[], made: ReadonlySet<string>): Change[] {
  const needed = (path: string): boolean =>
    [...made].some((destination) => destination === path || destination.startsWith(`${path}/`));
  const hasOther = (path: string): boolean =>
    changes.some((change) => change.path.startsWith(`${path}/`) && !needed(change.path));
  return changes.filter(({ path }) => !needed(path) || (!made.has(path) && hasOther(path)));
}
