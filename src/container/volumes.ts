// Volumes: folders of nslab's that a container sees under a path of its own. A new one begins with what the root file system has at
// that path, as Docker does it; one that is there already is left as it is.

import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { NslabError } from '../base/error.ts';
import { resolveInRoot } from './in-root.ts';
import type { Volume } from './runtime-spec.ts';

/** Makes the folder unless it is there, under its name only when it is complete. @throws NslabError CONTAINER_FILE */
export function prepareVolume({ path, target, copy }: Volume, lowers: readonly string[]): void {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid}`);
  rmSync(unfinished, { recursive: true, force: true });
  try {
    const source = copy ? sourceOf(target, lowers) : undefined;
    if (source === undefined) mkdirSync(unfinished, { mode: 0o755 });
    else copyFolder(source, unfinished);
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
