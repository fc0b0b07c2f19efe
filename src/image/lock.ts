// Locks of the store: flock(2) on files in it, freed by death. Waiting is asynchronous, because other layers go on meanwhile.

import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryFlock, tryFlockShared } from '../sys/libc.ts';

const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 200;

export type LockRequest = {
  /** Others that ask for the same may have it at the same time. */
  readonly shared?: boolean;
  /** How long to wait; for ever when absent. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** A locked file that is open for reading and writing, and is still the one of that name. */
export type LockedFile = Disposable & { readonly fd: number };

/** The file is made if need be. Undefined when the time was over. */
export async function lockPath(path: string, request: LockRequest = {}): Promise<LockedFile | undefined> {
  const { shared = false, timeoutMs = Number.POSITIVE_INFINITY, signal } = request;
  const deadline = performance.now() + timeoutMs;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    signal?.throwIfAborted();
    const fd = openSync(path, 'a+', 0o600);
    const got = (shared ? tryFlockShared : tryFlock)(fd);
    if (got && isSameFile(fd, path)) return { fd, [Symbol.dispose]: () => closeSync(fd) };
    closeSync(fd);
    // Its last holder renamed or removed it: the next try is of another file.
    if (got) continue;
    if (performance.now() > deadline) return undefined;
    await sleep(wait, undefined, signal === undefined ? {} : { signal });
  }
}

function isSameFile(fd: number, path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino;
}
