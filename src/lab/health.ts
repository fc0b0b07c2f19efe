// The end of `nslab up`: waiting until every container that has a health check is healthy. The lab is up by then and its lock is
// free, so that `logs`, `exec` and `down` work meanwhile; whatever comes of the waiting, the lab stays.

import { setTimeout as pause } from 'node:timers/promises';
import { NslabError } from '../base/error.ts';
import type { LabName, NodeName } from '../base/names.ts';
import { missingCondition, NOT_YET } from '../kernel/container-await.ts';
import { readState } from '../kernel/container-state.ts';
import { containerDir } from '../state/paths.ts';
import { labExists } from '../state/store.ts';
import { findConfig } from './container-config.ts';
import { listContainers } from './containers.ts';

export type HealthRequest = {
  readonly lab: LabName;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Called again and again while something is waited for, with what: `db is starting`. */
  readonly onWaiting: (waitsFor: readonly string[], ms: number) => void;
};

const POLL_MS = 50;

/**
 * Returns how many containers are healthy.
 * @throws NslabError CONTAINER_UNHEALTHY; LAB_UNKNOWN when the lab was taken down meanwhile; INTERRUPTED after the signal
 */
export async function awaitHealth({ lab, signal, timeoutMs, onWaiting }: HealthRequest): Promise<number> {
  const checked = listContainers(lab).flatMap((one) =>
    findConfig(one)?.nslab.health === undefined ? [] : one.node,
  );
  const start = Date.now();
  let left: readonly NodeName[] = checked;
  for (;;) {
    const looks = left.map((node) => {
      return { node, missing: missingCondition(node, 'healthy', readState(containerDir(lab, node))) };
    });
    const missing = looks.flatMap((look) => look.missing ?? []);
    if (missing.length === 0) return checked.length;
    if (!labExists(lab))
      throw new NslabError('LAB_UNKNOWN', `lab ${lab} was taken down while its containers started`);
    const failed = missing.filter(({ code }) => code !== NOT_YET);
    const messages = (failed.length > 0 ? failed : missing).map(({ message }) => message);
    if (failed.length > 0) throw unhealthy(lab, left, messages.join('; '));
    const ms = Date.now() - start;
    if (ms > timeoutMs) throw unhealthy(lab, left, `after ${timeoutMs / 1000} s ${messages.join(', ')}`);
    if (signal.aborted) {
      throw new NslabError('INTERRUPTED', `lab ${lab} is up; not waited for: ${messages.join(', ')}`);
    }
    onWaiting(messages, ms);
    left = looks.filter((look) => look.missing !== undefined).map(({ node }) => node);
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

function unhealthy(lab: LabName, left: readonly NodeName[], message: string): NslabError {
  const [node = ''] = left;
  return new NslabError('CONTAINER_UNHEALTHY', `lab ${lab} is up, but ${message}`, {
    hint: `nslab logs ${node} and nslab inspect ${node} tell more; nslab down ${lab} takes the lab away`,
  });
}
