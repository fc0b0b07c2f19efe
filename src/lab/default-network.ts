// The network of containers that `nslab run` starts: each is a lab of its own, and all of them join the network `bridge` of the lab
// `default`. That lab comes with the first of them and goes with the last, unless it has a file of its own.

import { NslabError } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import type { Kernel } from '../kernel/port.ts';
import type { Lab } from '../model/lab.ts';
import { type Lock, lockLab, readLab, readRecord } from '../state/store.ts';
import { loadText } from '../topology/load.ts';
import { clearLab } from './clear.ts';
import { hostOf, machineFacts, otherLabs } from './machine.ts';
import { upLab } from './up.ts';

export const DEFAULT_LAB = 'default' as LabName;
/** As an external network is called in a file. */
export const DEFAULT_NETWORK = `${DEFAULT_LAB}/bridge`;

const DESCRIPTION = 'The network of containers without a file; it goes with the last of them.';
/** So long others may take to start or end theirs. */
const LOCK_MS = 30_000;
const POLL_MS = 20;

/**
 * Makes sure of the network and keeps it, and the addresses in it, from others until the lock is given back.
 * @throws NslabError as upLab
 */
export async function holdDefaultNetwork(kernel: Kernel): Promise<Lock> {
  for (const deadline = Date.now() + LOCK_MS; ; ) {
    try {
      if (readRecord(DEFAULT_LAB)?.phase !== 'up') await upDefault(kernel);
      const lock = lockLab(DEFAULT_LAB);
      if (readRecord(DEFAULT_LAB)?.phase === 'up') return lock;
      // Its last user has just taken it away.
      clearLab({ lab: DEFAULT_LAB, kernel });
      lock[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof NslabError) || error.code !== 'LAB_LOCKED' || Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function upDefault(kernel: Kernel): Promise<void> {
  const text = JSON.stringify({
    name: DEFAULT_LAB,
    description: DESCRIPTION,
    networks: { bridge: {} },
  });
  const again = (): Lab => loadText(text, { path: 'nslab run', env: {}, machine: machineFacts }).lab;
  await upLab({ lab: again(), again, file: '-', kernel, onEvent: () => undefined });
}

/** The labs that have a wire to a network of this one. */
export function usersOf(name: LabName): LabName[] {
  const bridges = new Set<string>((hostOf(readLab(name))?.networks ?? []).map(({ bridge }) => bridge));
  if (bridges.size === 0) return [];
  return otherLabs(name)
    .filter((lab) => isPluggedInto(lab, bridges))
    .map((lab) => lab.name);
}

function isPluggedInto(lab: Lab, bridges: ReadonlySet<string>): boolean {
  return (hostOf(lab)?.interfaces ?? []).some(({ master }) => master !== undefined && bridges.has(master));
}

/** True when the network is there and nobody uses it. */
export function isDefaultIdle(): boolean {
  return readLab(DEFAULT_LAB)?.description === DESCRIPTION && usersOf(DEFAULT_LAB).length === 0;
}

/** Takes the network away when nobody uses it any more. Whoever works on it at the moment does so as well. */
export function clearIdleDefault(kernel: Kernel): void {
  if (!isDefaultIdle()) return;
  try {
    using _lock = lockLab(DEFAULT_LAB);
    if (isDefaultIdle()) clearLab({ lab: DEFAULT_LAB, kernel });
  } catch (error) {
    if (!(error instanceof NslabError) || error.code !== 'LAB_LOCKED') throw error;
  }
}
