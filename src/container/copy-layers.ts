// Copies a folder that has parts in several layers as the one that overlayfs makes of them: into new volumes, and the whole root where
// the file system refuses overlayfs (storage "vfs").

import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { NslabError } from '../base/error.ts';
import { isOpaque, isWhiteout } from './layers.ts';

/** `places` are its parts, the top one first. `to` is made; what is made of it when this throws is the caller's to remove. */
export function copyLayers(places: readonly string[], to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 });
  for (const place of places.toReversed()) {
    const whiteouts = places.length === 1 ? [] : clearFor(Buffer.from(place), Buffer.from(to));
    copyOver(place, to);
    for (const path of whiteouts) rmSync(path, { force: true });
  }
}

/** Removes from the copy what the layer hides. Gives the places of its whiteouts in the copy, where cp will make them. */
function clearFor(layer: Buffer, copy: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (const name of readdirSync(layer, { encoding: 'buffer' })) {
    const from = below(layer, name);
    const to = below(copy, name);
    const stat = lstatSync(from);
    const there = lstatSync(to, { throwIfNoEntry: false });
    const isFolder = stat.isDirectory();
    const hides = !isFolder || isOpaque(from.toString());
    if (there !== undefined && (hides || !there.isDirectory())) rmSync(to, { recursive: true, force: true });
    if (isWhiteout(stat)) found.push(to);
    if (isFolder) found.push(...clearFor(from, to));
  }
  return found;
}

function below(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}

/** With owners, modes, times, links, devices and attributes, of which Node can copy only some. No link is followed. */
function copyOver(source: string, to: string): void {
  const { status, stderr, error } = spawnSync(
    'cp',
    ['--archive', '--no-target-directory', '--one-file-system', '--', source, to],
    { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] },
  );
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n')[0] ?? '';
  throw new NslabError('CONTAINER_FILE', `cannot copy ${source}: ${why}`, { cause: error });
}
