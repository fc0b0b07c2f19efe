// `nslab rm`: a container of `run` or `create` goes with its files, its log and its lab, which it is all of. A node of a topology
// file stays a node: its wires and the names of its lab belong to others as well, so it goes with `down`.

import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from '../apply/fault.ts';
import { NslabError } from '../base/error.ts';
import type { LabName, NodeName } from '../base/names.ts';
import { readState } from '../kernel/container-state.ts';
import type { ContainerStatus, Kernel } from '../kernel/port.ts';
import { containerDir } from '../state/paths.ts';
import { labExists, listLabs, lockLab, readLab, readRecord } from '../state/store.ts';
import { clearLab } from './clear.ts';
import { findContainer } from './containers.ts';
import { clearIdleDefault, isDefaultIdle } from './default-network.ts';

export type RemoveRequest = {
  readonly name: string;
  readonly lab?: string | undefined;
  /** Also one that runs: it is killed. */
  readonly force: boolean;
  readonly kernel: Kernel;
  readonly fault?: Fault | undefined;
};

const alive: ReadonlySet<ContainerStatus> = new Set(['running', 'paused', 'restarting']);

/**
 * The lab that goes with the container of that name.
 * @throws NslabError CONTAINER_UNKNOWN; CONTAINER_REFUSED for a node of a topology file
 */
export function labToRemove(name: string, lab?: string): LabName {
  // What a killed `run` has left may not have a container yet, only its lab, which has the same name.
  const own = listLabs().find((one) => one === name);
  if (own !== undefined && lab === undefined && isBroken(own)) return own;
  const container = findContainer(name, lab);
  const record = readRecord(container.lab);
  if (record?.solo !== undefined) return container.lab;
  const message = `${name} is a node of lab ${container.lab}, which was made from ${record?.file ?? 'a file'}`;
  throw new NslabError('CONTAINER_REFUSED', message, {
    hint: `nslab stop ${name} ends it, nslab down ${container.lab} takes the lab away`,
  });
}

/** Killed before it had written what it was about to make. */
function isBroken(lab: LabName): boolean {
  return readLab(lab) === undefined || readRecord(lab) === undefined;
}

/** @throws NslabError CONTAINER_REFUSED for one that runs; LAB_LOCKED, APPLY_LEFT */
export function removeContainer({ name, lab: within, force, kernel, fault }: RemoveRequest): void {
  const lab = labToRemove(name, within);
  {
    using _lock = lockLab(lab);
    const status = statusOf(lab);
    if (!force && status !== undefined && alive.has(status)) {
      throw new NslabError('CONTAINER_REFUSED', `container ${name} is ${status}`, {
        hint: `nslab stop ${name} ends it first, nslab rm -f ${name} kills it`,
      });
    }
    clearLab({ lab, kernel, fault });
  }
  clearIdleDefault(kernel);
}

/** The one container of such a lab; beside it there may be the machine, with the other end of its wire. */
function containerOf(lab: LabName): NodeName | undefined {
  return readLab(lab)?.nodes.find(({ container }) => container !== undefined)?.name;
}

function statusOf(lab: LabName): ContainerStatus | undefined {
  const node = containerOf(lab);
  return node === undefined ? undefined : readState(containerDir(lab, node))?.status;
}

/** So long whoever made the container may still be at it: one that ends at once ends before `run -d` has returned. */
const LOCKED_MS = 30_000;
const POLL_MS = 20;

/** What the monitor of a container with `--rm` runs at the end. That somebody else was quicker, or has started it again, is fine. */
export async function removeEnded(lab: LabName, kernel: Kernel): Promise<void> {
  for (const deadline = Date.now() + LOCKED_MS; labExists(lab); ) {
    try {
      using _lock = lockLab(lab);
      const record = readRecord(lab);
      const status = statusOf(lab);
      // Without a record only the lock's folder is there: somebody else was quicker, and locking has made it anew.
      const hasEnded = status === 'exited' || status === 'dead';
      const isOurs = record === undefined || (record.solo?.remove === true && hasEnded);
      if (isOurs) clearLab({ lab, kernel });
      break;
    } catch (error) {
      if (!(error instanceof NslabError) || error.code !== 'LAB_LOCKED' || Date.now() > deadline) throw error;
    }
    await pause(POLL_MS);
  }
  clearIdleDefault(kernel);
}

/** Waits until the container of `--rm` is gone; false when it is still there after a time. */
export async function waitUntilRemoved(lab: LabName): Promise<boolean> {
  // The network of its kind goes after it, where it was the last.
  for (const deadline = Date.now() + LOCKED_MS; labExists(lab) || isDefaultIdle(); ) {
    if (Date.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}

/** Containers of `--rm` that have ended and are still there, because their monitor was killed. */
export function endedAndThere(): LabName[] {
  const solo = listLabs().filter(isRemovedAtEnd);
  return solo.filter((lab) => {
    const node = containerOf(lab);
    const state = node === undefined ? undefined : readState(containerDir(lab, node));
    return state !== undefined && !state.monitored && !alive.has(state.status);
  });
}

function isRemovedAtEnd(lab: LabName): boolean {
  try {
    return readRecord(lab)?.solo?.remove === true;
  } catch {
    return false;
  }
}
