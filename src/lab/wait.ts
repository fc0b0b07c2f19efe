// Waiting until the kernel has destroyed the namespaces of a lab that is down. It only asks, again and again, since nothing tells
// when the last device of a namespace is gone.

import { setTimeout as pause } from 'node:timers/promises';
import { NslabError } from '../base/error.ts';
import type { LabName } from '../base/names.ts';
import type { NetnsWatch } from '../kernel/port.ts';

export type WaitRequest = {
  readonly lab: LabName;
  readonly watch: NetnsWatch;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** For namespaces that somebody holds; the kernel itself takes as long as it takes. */
  readonly heldMs?: number;
};

/** Who holds one longer than this will not let it go by itself. */
const HELD_MS = 10_000;
const FIRST_PAUSE_MS = 2;
const LAST_PAUSE_MS = 50;
/** How many names a message has. */
const SHOWN = 5;

/** @throws NslabError NETNS_HELD, INTERRUPTED */
export async function waitUntilGone({ lab, watch, signal, heldMs = HELD_MS }: WaitRequest): Promise<void> {
  let heldSince: number | undefined;
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(ms * 2, LAST_PAUSE_MS)) {
    const end = watch.look();
    if (end.state === 'gone') return;
    if (signal.aborted) {
      const message = `lab ${lab} is down, and the kernel is still destroying its namespaces`;
      throw new NslabError('INTERRUPTED', message);
    }
    if (end.state === 'held') {
      heldSince ??= performance.now();
      if (performance.now() > heldSince + heldMs) throw held(lab, end.netns);
    }
    await pause(ms);
  }
}

function held(lab: LabName, names: readonly string[]): NslabError {
  const shown = names.slice(0, SHOWN).join(', ');
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  return new NslabError(
    'NETNS_HELD',
    `lab ${lab} is down, but somebody keeps these namespaces: ${shown}${more}`,
    {
      hint: 'a process is in them or has them open: lsns -t net, and /proc/PID/fd',
    },
  );
}
