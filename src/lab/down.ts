// `nslab down`: finds out which lab is meant and takes it away. Needs no topology file.

import type { UndoEvent } from '../apply/event.ts';
import type { Fault } from '../apply/fault.ts';
import { NslabError } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import { listWords } from '../base/suggest.ts';
import type { Kernel, NetnsWatch } from '../kernel/port.ts';
import { labExists, labsOfFiles, listLabs, lockLab } from '../state/store.ts';
import { clearLab, netnsOfLab } from './clear.ts';
import { copiesUp } from './copies-up.ts';
import { clearIdleDefault, usersOf } from './default-network.ts';
import { waitUntilGone } from './wait.ts';

/** The labs that a `down` means. */
export type DownTarget =
  | { readonly lab: string }
  | 'only'
  | 'all'
  /** All copies of that lab; undefined: of the only one that has some. */
  | { readonly copiesOf: string | undefined };

/**
 * The names to take down: the one given if it is up, the only one, or all. None is up: an empty list, since `down` twice is
 * no error.
 * @throws NslabError LAB_AMBIGUOUS when a name is needed
 */
export function chooseLabs(target: DownTarget): LabName[] {
  const labs = listLabs();
  // A reboot empties /run; the files of its containers are still there.
  const left = labsOfFiles().filter((lab) => !labs.includes(lab));
  // Who is plugged into another's network goes before it.
  if (target === 'all') {
    const users = new Map(labs.map((name) => [name, usersOf(name).length]));
    return [...[...labs].sort((a, b) => (users.get(a) ?? 0) - (users.get(b) ?? 0)), ...left];
  }
  if (target === 'only') {
    if (labs.length === 0) return left;
    if (labs.length === 1) return labs;
    throw new NslabError('LAB_AMBIGUOUS', `${labs.length} labs are up: ${labs.join(', ')}`, {
      hint: `nslab down ${labs[0]}, or nslab down --all`,
    });
  }
  if ('copiesOf' in target) return chooseCopies(target.copiesOf);
  return [...labs, ...left].filter((name) => name === target.lab);
}

function chooseCopies(of: string | undefined): LabName[] {
  const copies = copiesUp();
  if (of !== undefined) return copies.get(of) ?? [];
  const [only, ...more] = copies.keys();
  if (only === undefined || more.length === 0) return copies.get(only ?? '') ?? [];
  throw new NslabError('LAB_AMBIGUOUS', `there are copies of ${listWords([...copies.keys()])}`, {
    hint: `nslab down ${only} --copies, or nslab down --all`,
  });
}

/** How many copies of the lab are up. */
export function countCopies(of: string): number {
  return copiesUp().get(of)?.length ?? 0;
}

export type DownRequest = {
  readonly lab: LabName;
  readonly kernel: Kernel;
  readonly onEvent: (event: UndoEvent) => void;
  readonly fault?: Fault | undefined;
};

/**
 * Takes one lab down; false when another process has done so meanwhile.
 * @throws NslabError LAB_LOCKED, APPLY_LEFT
 */
export function downLab(request: DownRequest): boolean {
  if (!labExists(request.lab) && !labsOfFiles().includes(request.lab)) return false;
  {
    using _lock = lockLab(request.lab);
    assertUnused(request.lab);
    clearLab(request);
  }
  clearIdleDefault(request.kernel);
  return true;
}

/** @throws NslabError LAB_IN_USE */
function assertUnused(lab: LabName): void {
  const users = usersOf(lab);
  if (users.length === 0) return;
  throw new NslabError(
    'LAB_IN_USE',
    `lab ${lab} has a network that others are plugged into: ${users.join(', ')}`,
    {
      hint: 'take those down first, or all with nslab down --all',
    },
  );
}

/**
 * The same, and waits until the kernel has destroyed the namespaces, which it does afterwards on its own.
 * @throws NslabError also NETNS_HELD when somebody keeps one of them; INTERRUPTED when the signal came first
 */
export async function downLabAndWait(
  request: DownRequest & { readonly signal: AbortSignal },
): Promise<boolean> {
  const { lab, signal } = request;
  if (!labExists(lab) && !labsOfFiles().includes(lab)) return false;
  using watch = takeDownWatched(request);
  clearIdleDefault(request.kernel);
  await waitUntilGone({ lab, watch, signal });
  return true;
}

function takeDownWatched(request: DownRequest): NetnsWatch {
  const { lab, kernel } = request;
  using _lock = lockLab(lab);
  assertUnused(lab);
  kernel.openLab(lab);
  const watch = kernel.watchNetns(netnsOfLab(lab));
  try {
    clearLab(request);
  } catch (error) {
    watch[Symbol.dispose]();
    throw error;
  }
  return watch;
}
