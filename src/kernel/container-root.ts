// The root file system of a container as one tree, for copying into and out of it: that of its process while it has one, and for a
// moment a mount of its layers when it has none. The mount is below the container's own folder, where `down` finds it after a kill.

import { closeSync, mkdirSync, openSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { findInLayers } from '../container/layers.ts';
import { MNT_DETACH, mount, UMOUNT_NOFOLLOW, umount2 } from '../sys/libc.ts';
import { unmountBelow } from './container-end.ts';

export type Overlay = {
  readonly lowers: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly copied?: boolean;
};

export type Root = Disposable & { readonly path: string };

/** `pid` is that of its process 1, 0 when there is none; `files` is the container's folder below /var. */
export function openRoot(pid: number, files: string, overlay: Overlay): Root {
  if (pid > 0) return { path: `/proc/${pid}/root`, [Symbol.dispose]: () => undefined };
  if (overlay.copied === true) return { path: overlay.upper, [Symbol.dispose]: () => undefined };
  const place = join(files, 'merged');
  // One that was killed in the middle has left it.
  unmountBelow(place);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  mountLayers(place, overlay);
  return {
    path: place,
    [Symbol.dispose]: () => {
      umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW);
      rmdirSync(place);
    },
  };
}

/**
 * Layers are named by descriptors, from their own folder: the options have to fit into the page that mount(2) takes, where 500 paths
 * would not.
 */
function mountLayers(place: string, { lowers, upper, work }: Overlay): void {
  const fds: number[] = [];
  const named = (folder: string): string => {
    const fd = openSync(folder, 'r');
    fds.push(fd);
    return String(fd);
  };
  // The one it was may be gone, and have no path.
  const here = openSync('.', 'r');
  fds.push(here);
  try {
    process.chdir('/proc/self/fd');
    const lowerdir = lowers.map(named).join(':');
    const data = `lowerdir=${lowerdir},upperdir=${named(upper)},workdir=${named(work)},redirect_dir=off,metacopy=off`;
    mount({ source: 'nslab', target: place, type: 'overlay', data });
  } finally {
    process.chdir(`/proc/self/fd/${here}`);
    for (const fd of fds) closeSync(fd);
  }
}

/** What is at a path of a root, its links followed inside of it. */
export function kindInRoot(root: string, path: string): 'folder' | 'file' | undefined {
  const found = findInLayers([root], path);
  return found === undefined ? undefined : found.isFolder ? 'folder' : 'file';
}
