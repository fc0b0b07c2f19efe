// Trying again: with growing pauses, as long as the other side asks for where it does, and not for ever.

import { setTimeout as pause } from 'node:timers/promises';
import { Fault } from './fault.ts';

export type RetryPolicy = {
  /** Tries in a row that bring nothing, the first one among them. */
  readonly attempts: number;
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** A server that asks for a longer pause is told to the user instead. */
  readonly longestWaitMs: number;
};

export const defaultRetry: RetryPolicy = {
  attempts: 5,
  firstPauseMs: 500,
  longestPauseMs: 15_000,
  longestWaitMs: 60_000,
};

export type Trial = {
  /** A number that grows when something was achieved: then the counting begins anew. */
  readonly progress?: () => number;
  readonly onRetry?: (fault: Fault, pauseMs: number) => void;
  readonly signal: AbortSignal;
};

/** However much comes each time: an answer that breaks after every byte would go on for days. */
const MOST_TRIES = 100;

/** @throws Fault of the last try */
export async function retrying<T>(policy: RetryPolicy, trial: Trial, attempt: () => Promise<T>): Promise<T> {
  const { progress = () => 0, onRetry, signal } = trial;
  let failures = 0;
  for (let tries = 1; ; tries++) {
    const before = progress();
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Fault) || !error.transient) throw error;
      failures = progress() > before ? 1 : failures + 1;
      if (failures >= policy.attempts || tries >= MOST_TRIES) throw error;
      const wait = pauseAfter(policy, failures, error);
      onRetry?.(error, wait);
      await sleep(wait, signal);
    }
  }
}

function pauseAfter(policy: RetryPolicy, failures: number, fault: Fault): number {
  const { waitMs } = fault;
  if (waitMs !== undefined) {
    if (waitMs <= policy.longestWaitMs) return waitMs;
    throw new Fault(
      'status',
      `${fault.message}; it wants to be left alone for ${Math.ceil(waitMs / 1000)} s`,
      {
        ...(fault.status === undefined ? {} : { status: fault.status }),
        cause: fault,
      },
    );
  }
  const full = Math.min(policy.longestPauseMs, policy.firstPauseMs * 2 ** (failures - 1));
  // Several layers fail together; they need not come back together.
  return full * (0.5 + Math.random() / 2);
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch {
    throw new Fault('aborted', 'interrupted');
  }
}
