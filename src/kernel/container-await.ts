// Whether a condition of `depends_on` holds, holds no more, or may come yet. Pure: a state in, an answer out.

import type { NodeName } from '../base/names.ts';
import type { Condition } from '../model/container.ts';
import type { ContainerState, OpFailure } from './port.ts';

/** The code of an answer that may be another one later. */
export const NOT_YET = 'EAGAIN';

/** Undefined when the condition holds. */
export function missingCondition(
  node: NodeName,
  condition: Condition,
  state: ContainerState | undefined,
): OpFailure | undefined {
  if (state === undefined) return failed(`${node} was never started`);
  if (state.status === 'dead') return failed(`${node} is dead: its monitor was killed`);
  const ended = state.status === 'exited';
  switch (condition) {
    case 'started':
      return state.started === undefined ? later(`${node} is ${state.status}`) : undefined;
    case 'completed':
      if (!ended) return later(`${node} is ${state.status}`);
      return state.exit === 0 ? undefined : failed(`${node} ended with status ${state.exit}`);
    case 'healthy':
      if (ended) return failed(`${node} ended with status ${state.exit} and was not healthy before`);
      if (state.health === 'healthy' && state.status === 'running') return undefined;
      if (state.health === 'unhealthy') {
        const said = state.healthLog === undefined ? '' : `, its last check said: ${state.healthLog}`;
        return failed(`${node} is unhealthy${said}`);
      }
      return later(`${node} is ${state.status === 'running' ? (state.health ?? 'starting') : state.status}`);
  }
}

function failed(message: string): OpFailure {
  return { code: 'CONTAINER', message };
}

function later(message: string): OpFailure {
  return { code: NOT_YET, message };
}
