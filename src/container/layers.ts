// The layers of a root file system seen as the one tree that overlayfs makes of them, without mounting it: a character device 0:0
// hides what is below it, and so does a folder with trusted.overlay.opaque. Documentation/filesystems/overlayfs.rst, "whiteouts and
// opaque directories". Links are followed as the container would follow them, so nothing outside of the layers is ever named.

import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { getXattr } from '../sys/libc.ts';

/** ELOOP of the kernel: path_resolution(7). */
const MAX_LINKS = 40;

export type Found = {
  /** The file, or of a folder its parts in the layers, the top one first. */
  readonly places: readonly [string, ...string[]];
  readonly isFolder: boolean;
};

export function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0;
}

export function isOpaque(folder: string): boolean {
  return getXattr(folder, 'trusted.overlay.opaque') === 'y';
}

/** What is at that path; undefined when nothing is. @throws Error in a circle of links */
export function findInLayers(lowers: readonly string[], path: string): Found | undefined {
  const [first, ...rest] = lowers;
  if (first === undefined) return undefined;
  const root: Found = { places: [first, ...rest], isFolder: true };
  const trail: Found[] = [];
  const pending = path.split('/').reverse();
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      trail.pop();
      continue;
    }
    const folder = trail.at(-1) ?? root;
    if (!folder.isFolder) return undefined;
    const found = findIn(folder, part);
    if (found === undefined) return undefined;
    const [top] = found.places;
    if (found.isFolder || !lstatSync(top).isSymbolicLink()) {
      trail.push(found);
      continue;
    }
    if (++links > MAX_LINKS) throw new Error(`${path}: too many symbolic links`);
    const target = readlinkSync(top);
    if (target.startsWith('/')) trail.length = 0;
    pending.push(...target.split('/').reverse());
  }
  return trail.at(-1) ?? root;
}

/** One name in a folder that has parts in several layers. */
function findIn({ places }: Found, name: string): Found | undefined {
  const folders: string[] = [];
  for (const place of places) {
    const at = place === '/' ? `/${name}` : `${place}/${name}`;
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (isWhiteout(stat)) break;
    if (!stat.isDirectory())
      return folders.length > 0 ? asFolder(folders) : { places: [at], isFolder: false };
    folders.push(at);
    if (isOpaque(at)) break;
  }
  return asFolder(folders);
}

function asFolder([first, ...rest]: readonly string[]): Found | undefined {
  return first === undefined ? undefined : { places: [first, ...rest], isFolder: true };
}
