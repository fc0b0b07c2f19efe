// Files and folders of control groups, synchronous. Only paths below a mount whose magic hierarchies.ts has checked come in here.

import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../sys/errno.ts';

/** How long rmdir(2) may answer EBUSY: a group is busy until the last of its dying tasks has left. */
const BUSY_MS = 2000;

/** The kernel's answer is thrown as it is. O_CREAT is absent: what is not there must not become a plain file. */
export function writeControl(path: string, value: string): void {
  const fd = openSync(path, constants.O_WRONLY);
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}

/** Undefined where the file is missing, or cannot be asked in the state that the group is in. */
export function readControl(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP', 'EINVAL'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** True when it was made, false when it was there. */
export function makeGroup(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o755 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The group and those below it, deepest first; none when it is gone. */
export function groupsBelow(directory: string): string[] {
  let names: string[];
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
  return [...names.flatMap((name) => groupsBelow(join(directory, name))), directory];
}

/** Processes of the group itself. Those of foreign pid namespaces are 0 and cannot be named. */
export function processesIn(directory: string): number[] {
  try {
    const text = readFileSync(join(directory, 'cgroup.procs'), 'utf8');
    return text
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch (error) {
    // EOPNOTSUPP: a threaded group, whose processes its parent lists.
    if (isGone(error) || codeOf(error) === 'EOPNOTSUPP') return [];
    throw error;
  }
}

/** Removes the group with those that the container made in it, as soon as the kernel lets go of them. */
export function removeGroups(directory: string): void {
  const deadline = Date.now() + BUSY_MS;
  for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
    const left = groupsBelow(directory);
    if (left.map(removeGroup).every((removed) => removed)) return;
    if (Date.now() > deadline) throw Object.assign(new Error(`${directory} stays busy`), { code: 'EBUSY' });
    sleep(wait);
  }
}

/** True when it is gone. */
export function removeGroup(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (isGone(error)) return true;
    if (['EBUSY', 'ENOTEMPTY'].includes(codeOf(error))) return false;
    throw error;
  }
}

/** ENODEV: a file of a group that was removed after it had been opened. */
function isGone(error: unknown): boolean {
  return ['ENOENT', 'ENODEV'].includes(codeOf(error));
}

export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
