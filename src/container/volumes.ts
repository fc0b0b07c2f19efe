// Volumes: folders of nslab's that a container sees under a path of its own. A new one begins with what the root file system has at
// that path, as Docker does it; one that is there already is left as it is.

import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type IdMap, type IdMaps, mapId } from '../model/userns.ts';
import { copyLayers } from './copy-layers.ts';
import { findInLayers } from './layers.ts';
import type { Volume } from './runtime-spec.ts';

/** Makes the folder unless it is there, under its name only when it is complete. @throws NslabError CONTAINER_FILE */
export function prepareVolume(
  { path, target, copy }: Volume,
  lowers: readonly string[],
  maps?: IdMaps,
): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid}`);
  rmSync(unfinished, { recursive: true, force: true });
  try {
    const source = copy ? sourceOf(target, lowers) : undefined;
    if (source === undefined) mkdirSync(unfinished, { mode: 0o755 });
    else copyLayers(source, unfinished);
    if (maps !== undefined) giveToContainer(unfinished, maps);
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another container that shares the volume was faster.
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY' && existsSync(path)) return;
    throw error;
  }
}

/** What root has in the image, root of the container has in the volume. An id that it does not have becomes its root's. */
function giveToContainer(path: string, maps: IdMaps): void {
  const { uid, gid, mode } = lstatSync(path);
  const owner = (ranges: readonly IdMap[], id: number) => mapId(ranges, id) ?? mapId(ranges, 0) ?? id;
  lchownSync(path, owner(maps.uid, uid), owner(maps.gid, gid));
  const stat = lstatSync(path);
  // Set-user-ID and its like are lost with the old owner: chown(2).
  if (!stat.isSymbolicLink() && stat.mode !== mode) chmodSync(path, mode & 0o7777);
  if (stat.isDirectory()) for (const name of readdirSync(path)) giveToContainer(join(path, name), maps);
}

function sourceOf(target: string, lowers: readonly string[]): readonly string[] | undefined {
  const found = findInLayers(
    lowers.map((lower) => realpathSync.native(lower)),
    target,
  );
  return found?.isFolder === true ? found.places : undefined;
}
