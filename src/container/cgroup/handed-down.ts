// The controllers that nslab lets the root of cgroup2 hand down (cgroup.subtree_control). Which it has turned on itself stands in a
// file before it does so, and whoever removes nslab's last group there turns them off again: after a SIGKILL at any moment too.
// The file is also the lock (flock(2)) of making nslab's groups there: nobody takes back a controller that another counts on.

import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../../base/error.ts';
import { codeOf } from '../../sys/errno.ts';
import { tryFlock } from '../../sys/libc.ts';
import { sleep, writeControl } from './files.ts';
import { words } from './hierarchies.ts';

/** It is held for as long as the kernel takes for a few controllers. */
const LOCK_MS = 30_000;

export type HandedDown = {
  /** Notes that these are about to be turned on. */
  readonly note: (controllers: readonly string[]) => void;
};

/** Runs the body alone. The file is there afterwards if something is noted in it. */
export function withHandedDown<T>(path: string, body: (handedDown: HandedDown) => T): T {
  const fd = lock(path);
  try {
    return body({ note: (controllers) => note(fd, path, controllers) });
  } finally {
    if (fstatSync(fd).size === 0) unlinkSync(path);
    closeSync(fd);
  }
}

/**
 * Turns off again what is noted, if `isLast`, which is asked when nobody else makes groups. What another program's group hands
 * on by now is refused by the kernel (EBUSY), and stays.
 */
export function takeBack(path: string, mount: string, isLast: () => boolean): void {
  if (!existsSync(path)) {
    isLast();
    return;
  }
  const fd = lock(path);
  try {
    if (!isLast()) return;
    for (const name of words(readFileSync(path, 'utf8'))) turnOff(mount, name);
    unlinkSync(path);
  } finally {
    closeSync(fd);
  }
}

function turnOff(mount: string, name: string): void {
  try {
    writeControl(join(mount, 'cgroup.subtree_control'), `-${name}`);
  } catch (error) {
    // ENOENT, EINVAL: a hierarchy of v1 has taken it meanwhile.
    if (!['EBUSY', 'ENOENT', 'EINVAL'].includes(codeOf(error))) throw error;
  }
}

/** Its last holder may have removed the file, so the inode is compared after locking. */
function lock(path: string): number {
  const deadline = Date.now() + LOCK_MS;
  for (;;) {
    const fd = openSync(path, 'a+', 0o600);
    if (tryFlock(fd)) {
      if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return fd;
    }
    closeSync(fd);
    if (Date.now() > deadline) throw new NslabError('LAB_LOCKED', `another process holds ${path}`);
    sleep(1);
  }
}

function note(fd: number, path: string, controllers: readonly string[]): void {
  const old = readFileSync(path, 'utf8');
  const added = controllers.filter((name) => !words(old).includes(name));
  if (added.length === 0) return;
  try {
    writeSync(fd, `${added.join(' ')}\n`);
  } catch (error) {
    // A full disk may have taken a part of it.
    ftruncateSync(fd, Buffer.byteLength(old));
    throw error;
  }
}
