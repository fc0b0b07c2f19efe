// The state of a container in Docker's words: `Up 5 minutes (healthy)`, `Exited (137) 3 seconds ago, out of memory`.

import type { ContainerRow } from '../../lab/containers.ts';

export function statusText({ status, state }: Pick<ContainerRow, 'status' | 'state'>, now: number): string {
  if (state === null) return 'Not started';
  const since = (time: string | undefined): string =>
    time === undefined ? '' : ageText(now - Date.parse(time));
  const health = state.health === undefined ? '' : ` (${state.health})`;
  switch (status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.started)}${health}`;
    case 'paused':
      return `Up ${since(state.started)} (paused)`;
    case 'restarting':
      return `Restarting (${state.exit})${state.finished === undefined ? '' : ` ${since(state.finished)} ago`}`;
    case 'exited': {
      const why = state.oom ? ', out of memory' : '';
      return `Exited (${state.exit})${state.finished === undefined ? '' : ` ${since(state.finished)} ago`}${why}`;
    }
    case 'missing':
      return 'Not started';
    case 'dead':
      return 'Dead (its monitor was killed)';
  }
}

const STEPS = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
] as const;

/** `5 minutes`: the biggest unit that fits. */
export function ageText(ms: number): string {
  const [size, unit] = STEPS.find(([length]) => ms >= length) ?? [1000, 'second'];
  const count = Math.max(0, Math.floor(ms / size));
  return count === 0 ? 'less than a second' : `${count} ${unit}${count === 1 ? '' : 's'}`;
}
