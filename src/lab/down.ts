// `nslab down`: finds out which lab is meant and takes it away. Needs no topology file.

import type { UndoEvent } from '../apply/event.ts';
import type { Fault } from '../apply/fault.ts';
import { NslabError } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import type { Kernel } from '../kernel/port.ts';
import { labExists, listLabs, lockLab } from '../state/store.ts';
import { clearLab } from './clear.ts';

/** The labs that a `down` means. */
export type DownTarget = { readonly lab: string } | 'only' | 'all';

/**
 * The names to take down: the one given if it is up, the only one, or all. None is up: an empty list, since `down` twice is
 * no error.
 * @throws NslabError LAB_AMBIGUOUS when a name is needed
 */
export function chooseLabs(target: DownTarget): LabName[] {
  const labs = listLabs();
  if (target === 'all') return labs;
  if (target === 'only') {
    if (labs.length < 2) return labs;
    throw new NslabError('LAB_AMBIGUOUS', `${labs.length} labs are up: ${labs.join(', ')}`, {
      hint: `nslab down ${labs[0]}, or nslab down --all`,
    });
  }
  return labs.filter((name) => name === target.lab);
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
  if (!labExists(request.lab)) return false;
  using _lock = lockLab(request.lab);
  clearLab(request);
  return true;
}
