// Runs a list of ops against a kernel, in chunks: inside a chunk nothing but system calls happens, between chunks the event
// loop turns, so that Ctrl-C and progress get their chance. Decides nothing: what to do after a failure is lab/up.ts's.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Kernel, RunResult } from '../kernel/port.ts';
import type { Step, UndoOp } from '../plan/op.ts';
import type { ApplyEvent, UndoEvent } from './event.ts';
import { type Fault, killAtFault } from './fault.ts';

export type ApplyOptions = {
  readonly signal?: AbortSignal;
  readonly fault?: Fault | undefined;
  /** Of `fault`; `up` by default. */
  readonly verb?: 'up' | 'apply';
};

/** Ops per turn of the event loop: some ten milliseconds of work. */
const CHUNK = 256;

/** How often what is waited for is looked at, milliseconds. */
const WAIT_MS = 20;
/** What the Kernel port answers where something has to be waited for. */
const NOT_YET = 'EAGAIN';

/** The time, or less when the signal comes. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The end of the chunk that begins at `from`. A fault ends it early, so that it strikes exactly where it was asked to. */
function chunkEnd(from: number, total: number, fault: Fault | undefined): number {
  const end = Math.min(from + CHUNK, total);
  if (fault?.verb !== 'up' && fault?.verb !== 'apply') return end;
  const cut = fault.when === 'before' ? fault.index : fault.index + 1;
  return cut > from && cut < end ? cut : end;
}

/** Makes the ops in order; ends after the first failure or when the signal aborts, having said so in its last event. */
export async function* applyOps(
  ops: readonly Step[],
  kernel: Kernel,
  { signal, fault, verb = 'up' }: ApplyOptions = {},
): AsyncGenerator<ApplyEvent> {
  yield { type: 'started', total: ops.length };
  let said = '';
  for (let from = 0; from < ops.length; ) {
    await (said === '' ? turn() : pause(WAIT_MS, signal));
    if (signal?.aborted) {
      yield { type: 'interrupted', index: from };
      return;
    }
    killAtFault(fault, { verb, when: 'before', index: from });
    const chunk = ops.slice(from, chunkEnd(from, ops.length, fault));
    const result = kernel.run(chunk);
    const to = from + result.done;
    if (result.done > 0)
      yield { type: 'done', from, to, ops: chunk.slice(0, result.done), ...notesOf(result) };
    const failed = ops[to];
    const waits = 'failure' in result && failed?.kind === 'awaitContainer' && result.failure.code === NOT_YET;
    if (waits) {
      const { message } = result.failure;
      if (message !== said) yield { type: 'waiting', index: to, op: failed, message };
      said = message;
      from = to;
      continue;
    }
    said = '';
    if ('failure' in result && failed !== undefined) {
      yield { type: 'failed', index: to, op: failed, failure: result.failure };
      return;
    }
    killAtFault(fault, { verb, when: 'after', index: to - 1 });
    from = to;
  }
}

/** Only where there are some: events are printed as JSON. */
function notesOf(result: RunResult): { readonly notes?: readonly string[] } {
  const notes = 'notes' in result ? (result.notes ?? []) : [];
  return notes.length === 0 ? {} : { notes };
}

/** Undoes as much as can be undone: a failure is told and the next op tried, "already gone" counts as done. */
export function* undoOps(ops: readonly UndoOp[], kernel: Kernel, fault?: Fault): Generator<UndoEvent> {
  for (const [index, op] of ops.entries()) {
    killAtFault(fault, { verb: 'down', when: 'before', index });
    const { failure, notes } = kernel.undo(op);
    yield failure === undefined ? { type: 'undone', op, notes } : { type: 'left', op, failure };
    killAtFault(fault, { verb: 'down', when: 'after', index });
  }
}
