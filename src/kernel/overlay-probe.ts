// Whether the file system that containers' layers are on takes overlayfs. Asked of the kernel, because no list of file systems is
// right: an overlay of two folders is mounted and taken off again.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MNT_DETACH, mount, SyscallError, umount2 } from '../sys/libc.ts';

let known: boolean | undefined;

/** `folder` is on that file system, and is made if need be. NSLAB_STORAGE=vfs says no whatever the kernel would. */
export function takesOverlay(folder: string): boolean {
  known ??= process.env['NSLAB_STORAGE'] !== 'vfs' && probe(folder);
  return known;
}

function probe(folder: string): boolean {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const place = mkdtempSync(join(folder, '.probe-'));
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(place, name));
  for (const path of [lower, upper, work, merged]) mkdirSync(path ?? '');
  try {
    const data = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    mount({ source: 'nslab', target: merged ?? '', type: 'overlay', data });
    umount2(merged ?? '', MNT_DETACH);
    return true;
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
