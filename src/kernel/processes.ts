// Processes that live in a lab's namespaces, found as `ip netns pids` finds them: by /proc/PID/ns/net. `down` ends them, because
// each would keep its namespace, and all wires in it, alive and out of sight.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { NetnsName } from '../base/names.ts';
import { codeOf } from '../sys/errno.ts';

/** So long a process has between SIGTERM and SIGKILL, milliseconds. */
const GRACE_MS = 1000;
const POLL_MS = 5;

type Found = { readonly pid: number; readonly netns: NetnsName; readonly command: string };

/** The processes in those namespaces, which are named as /proc/PID/ns/net shows them. */
function processesIn(namespaces: ReadonlyMap<string, NetnsName>): Found[] {
  const found: Found[] = [];
  if (namespaces.size === 0) return found;
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const netns = namespaces.get(netnsOf(pid));
    if (netns !== undefined) found.push({ pid, netns, command: commandOf(pid) });
  }
  return found;
}

function netnsOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    // It has ended meanwhile, or is a zombie.
    return '';
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    return '?';
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Ends them all: SIGTERM, a second, SIGKILL. Returns a line for each one that was there. */
export function stopProcesses(namespaces: ReadonlyMap<string, NetnsName>): string[] {
  const first = processesIn(namespaces);
  for (const { pid } of first) send(pid, 'SIGTERM');
  const deadline = Date.now() + GRACE_MS;
  let left = first;
  while (left.length > 0) {
    pause(POLL_MS);
    // Looked up again each time: a pid may belong to another process by now, but not one inside these namespaces.
    left = processesIn(namespaces);
    if (Date.now() > deadline) for (const { pid } of left) send(pid, 'SIGKILL');
    if (Date.now() > deadline + GRACE_MS) break;
  }
  return first.map(({ pid, netns, command }) => `ended ${command} (process ${pid}) in ${netns}`);
}
