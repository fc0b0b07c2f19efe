// The end of a lab's containers, in whatever state they are: asked first, then killed, then their cgroups and folders. It knows
// nothing but names, so that it works after a SIGKILL of `up` between any two system calls. Processes are named by pidfd, or by a
// cgroup that is the lab's own; nothing is removed through a mount.

import { closeSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LabName, NodeName } from '../base/names.ts';
import { CONTAINERS_VAR, containerDir, containersDir, containerVar } from '../state/paths.ts';
import { codeOf } from '../sys/errno.ts';
import { MNT_DETACH, pidfdOpen, pidfdSendSignal, UMOUNT_NOFOLLOW, umount2 } from '../sys/libc.ts';
import { dropCgroup } from './container-cgroup.ts';
import { answerOf, ask } from './container-control.ts';
import { isProcess, parseState } from './container-state.ts';
import { removeTree } from './remove-tree.ts';

/** `end` kills at once; a monitor that has not answered by then is stopped itself, or mad. */
const END_MS = 2000;
/** How long the kernel may take to bury what was killed. */
const BURY_MS = 5000;
const POLL_MS = 2;
const SIGKILL = 9;

type EndOptions = {
  /**
   * Other containers of the lab go on. Processes that have written down nothing are left alone then: their command lines name all
   * that were started with them.
   */
  readonly others?: boolean;
};

/** Ends them all and leaves nothing. Those that were never made are no obstacle. */
export function endContainers(
  lab: LabName,
  nodes: readonly NodeName[],
  { others = false }: EndOptions = {},
): void {
  const folders = nodes.map((node) => containerDir(lab, node));
  const asked = folders.flatMap((folder) => ask(folder, 'end', END_MS) ?? []);
  for (const one of asked) answerOf(one);
  killAndWait(folders, others ? undefined : lab);
  const mounts = mountPoints();
  for (const node of nodes) {
    dropCgroup(lab, node);
    for (const folder of [containerDir(lab, node), containerVar(lab, node)]) removeFolder(folder, mounts);
  }
  removeIfThere(containersDir(lab));
  // The folder may hold those of other labs, and /var/lib/nslab the volumes.
  for (const folder of [join(CONTAINERS_VAR, lab), CONTAINERS_VAR, dirname(CONTAINERS_VAR)]) {
    if (!removeIfThere(folder)) break;
  }
}

type Found = { readonly pid: number; readonly start: number };

/** Kills monitors, `_start` and process 1 of each container until none is left. */
function killAndWait(folders: readonly string[], lab: LabName | undefined): void {
  const deadline = Date.now() + BURY_MS;
  for (;;) {
    const found = [...folders.flatMap(ofState), ...(lab === undefined ? [] : ofCommandLine(lab))];
    if (found.length === 0) return;
    for (const one of found) kill(one);
    if (Date.now() > deadline) {
      const pids = found.map(({ pid }) => pid).join(', ');
      throw Object.assign(new Error(`processes ${pids} of containers do not end`), { code: 'EBUSY' });
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

/** The monitor and process 1, as the monitor wrote them down. */
function ofState(folder: string): Found[] {
  let text: string;
  try {
    text = readFileSync(join(folder, 'state'), 'utf8');
  } catch {
    return [];
  }
  const state = parseState(text);
  if (state === undefined) return [];
  const { monitor, monitorStart, pid, start } = state;
  return [
    { pid: monitor, start: monitorStart },
    { pid, start },
  ].filter((one) => isProcess(one.pid, one.start));
}

/**
 * Processes of the helper that are making containers of this lab, and have perhaps written down nothing yet: a monitor is a
 * fork of `nslab-helper _start FOLDER...` and keeps its command line. A process of a container can give itself one like that,
 * and would otherwise be killed with another lab, or keep it from going: only those of our own pid namespace count. What a
 * monitor has made in another one dies with it.
 */
function ofCommandLine(lab: LabName): Found[] {
  const below = `${containersDir(lab)}/`;
  const ours = readlinkSync('/proc/self/ns/pid');
  return readdirSync('/proc').flatMap((name): Found[] => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const [, verb, ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (verb !== '_start' || !words.some((word) => word.startsWith(below))) return [];
      if (readlinkSync(`/proc/${pid}/ns/pid`) !== ours) return [];
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const start = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
      return isProcess(pid, start) ? [{ pid, start }] : [];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** The pidfd is opened first and the start time compared then, so that it cannot be another process. */
function kill({ pid, start }: Found): void {
  let fd: number;
  try {
    fd = pidfdOpen(pid);
  } catch {
    return;
  }
  try {
    if (isProcess(pid, start)) pidfdSendSignal(fd, SIGKILL);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  } finally {
    closeSync(fd);
  }
}

/** proc_pid_mountinfo(5): what is mounted where, spaces and their like as octal numbers. */
function mountPoints(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.flatMap((line) => {
    const point = line.split(' ')[4];
    if (point === undefined) return [];
    return point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
  });
}

/** Removes a folder, what is mounted in it taken off first. @throws when something of another file system is in it still */
function removeFolder(folder: string, mounts: readonly string[]): void {
  unmountBelow(folder, mounts);
  removeTree(folder);
}

/** Takes off whatever is mounted in the folder. */
export function unmountBelow(folder: string, mounts: readonly string[] = mountPoints()): void {
  const inside = mounts.filter((point) => point === folder || point.startsWith(`${folder}/`));
  // The last one is on top.
  for (const point of inside.toReversed()) unmount(point);
}

function unmount(point: string): void {
  try {
    umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW);
  } catch (error) {
    if (!['EINVAL', 'ENOENT'].includes(codeOf(error))) throw error;
  }
}

/** Removes an empty folder; false when it is not empty. */
function removeIfThere(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    if (['ENOTEMPTY', 'EEXIST', 'EBUSY'].includes(codeOf(error))) return false;
    throw error;
  }
}
