// Network namespaces by name, as ip-netns(8) knows them, but pinned where a whole lab goes away with one umount: a tmpfs per
// lab holds the bind mounts, and /run/netns/NAME is a symlink into it. Entering happens on the calling thread only and is
// always undone before this room returns to the event loop. network_namespaces(7), setns(2), unshare(2), ip-netns(8).

import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { NetnsName } from '../base/names.ts';
import { codeOf } from '../sys/errno.ts';
import {
  CLONE_NEWNET,
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_SHARED,
  mount,
  setns,
  UMOUNT_NOFOLLOW,
  umount2,
  unshare,
} from '../sys/libc.ts';

/** Where ip-netns(8) looks. */
export const NETNS_DIR = '/run/netns';
/** linux/magic.h NSFS_MAGIC: what a bind-mounted namespace is, and an ordinary file left behind by `ip netns del` is not. */
const NSFS_MAGIC = 0x6e73_6673;
const SELF_NETNS = '/proc/thread-self/ns/net';

/**
 * Mounts the tmpfs that pins a lab's namespaces. Shared, so that a later umount reaches the copies of it in the mount
 * namespaces of running commands; else those would keep every namespace of the lab alive.
 */
export function mountPins(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  mount({
    source: 'nslab',
    target: folder,
    type: 'tmpfs',
    flags: MS_NOSUID | MS_NODEV | MS_NOEXEC,
    data: 'mode=0700',
  });
  mount({ source: 'none', target: folder, flags: MS_SHARED });
}

/** True where {@link mountPins} has been at work. */
export function arePinsMounted(folder: string): boolean {
  const inside = statSync(folder, { throwIfNoEntry: false });
  return inside !== undefined && inside.dev !== statSync(dirname(folder)).dev;
}

/** Lets one namespace go, as far as it is there. */
export function dropPin(pin: string): void {
  unmountPins(pin);
  rmSync(pin, { force: true });
}

/** Takes the whole tree away at once, or one pin. Not mounted is fine. */
export function unmountPins(folder: string): void {
  for (;;) {
    try {
      umount2(folder, MNT_DETACH | UMOUNT_NOFOLLOW);
    } catch (error) {
      if (['EINVAL', 'ENOENT'].includes(codeOf(error))) return;
      throw error;
    }
  }
}

/** Opens the network namespace the calling thread is in. */
export function openOwnNetns(): number {
  return openSync(SELF_NETNS, 'r');
}

/** The calling thread enters the namespace of the descriptor. */
export function enterNetns(fd: number): void {
  setns(fd, CLONE_NEWNET);
}

/**
 * Makes a network namespace, pins it and leaves the calling thread inside it: the caller goes back with {@link enterNetns}.
 * @throws SyscallError, or a Node file system error when the pin cannot be written
 */
export function createNetns(pin: string): void {
  writeFileSync(pin, '', { flag: 'wx', mode: 0o600 });
  unshare(CLONE_NEWNET);
  mount({ source: SELF_NETNS, target: pin, flags: MS_BIND });
}

/**
 * Runs the function in a new network namespace without a name, and goes back to the one of the descriptor. What the function
 * leaves open there, a socket for one, keeps the namespace.
 */
export function inNewNetns<T>(home: number, use: () => T): T {
  unshare(CLONE_NEWNET);
  try {
    return use();
  } finally {
    enterNetns(home);
  }
}

/** True when the file is a namespace and not what is left of one. */
export function isNetns(pin: string): boolean {
  try {
    return statfsSync(pin).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

/** Gives a pinned namespace its name under /run/netns. */
export function nameNetns(name: NetnsName, pin: string): void {
  const path = join(NETNS_DIR, name);
  try {
    symlinkSync(pin, path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      mkdirSync(NETNS_DIR, { recursive: true, mode: 0o755 });
      symlinkSync(pin, path);
      return;
    }
    // A symlink of ours that points nowhere is what a reboot or a killed `down` left.
    if (codeOf(error) !== 'EEXIST' || !isLinkTo(path, pin)) throw error;
  }
}

/** Removes the name if it is ours, that is, if it points to the pin. */
export function unnameNetns(name: NetnsName, pin: string): void {
  const path = join(NETNS_DIR, name);
  if (isLinkTo(path, pin)) unlinkSync(path);
}

export function isLinkTo(path: string, target: string): boolean {
  try {
    return readlinkSync(path) === target;
  } catch {
    return false;
  }
}

/** The names under /run/netns, with where each points if it is a symlink. */
export function listNetns(): { name: string; target: string | undefined }[] {
  let names: string[];
  try {
    names = readdirSync(NETNS_DIR);
  } catch {
    return [];
  }
  return names.map((name) => {
    const path = join(NETNS_DIR, name);
    return { name, target: lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined };
  });
}

/** Removes a folder that nslab may have made, if it is empty. */
export function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(codeOf(error))) throw error;
  }
}

/** Runs the function with the descriptor of a pinned namespace, and closes it. */
export function withNetnsFd<T>(pin: string, use: (fd: number) => T): T {
  const fd = openSync(pin, 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
