// Volumes: folders of nslab's that a container sees under a path of its own. A new one begins with what the root file system has at
// that path, as Docker does it; one that is there already is left as it is.

import { spawnSync } from 'node:child_process';
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
import { NslabError } from '../base/error.ts';
import { type IdMap, type IdMaps, mapId } from '../model/userns.ts';
import { resolveInRoot } from './in-root.ts';
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
    else copyFolder(source, unfinished);
    if (maps !== undefined) giveToContainer(unfinished, maps);
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another container that shares the volume was faster.
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY' && existsSync(path)) return;
    throw error;
  }
}

function sourceOf(target: string, lowers: readonly string[]): string | undefined {
  for (const lower of lowers) {
    const found = resolveInRoot(realpathSync(lower), target);
    if (found !== undefined && lstatSync(found).isDirectory()) return found;
  }
  return undefined;
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

/** With owners, modes, times, links, devices and attributes, of which Node can copy only some. No link is followed. */
function copyFolder(source: string, to: string): void {
  const { status, stderr, error } = spawnSync(
    'cp',
    ['--archive', '--no-target-directory', '--one-file-system', '--', source, to],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n')[0] ?? '';
  throw new NslabError('CONTAINER_FILE', `cannot fill a volume from ${source}: ${why}`, { cause: error });
}
