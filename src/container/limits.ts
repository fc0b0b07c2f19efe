// The limits among the keys of a container in the words of the runtime specification, for a new container and for one whose limits
// are changed while it runs. Pure.

import type { ContainerOptions } from '../model/container-options.ts';
import { bytesOf } from './options.ts';
import type { Resources } from './runtime-spec.ts';

const CPU_PERIOD = 100_000;

/** The keys that `nslab update` can change. */
export type LimitOptions = Pick<
  ContainerOptions,
  'memory' | 'memory_swap' | 'memory_reservation' | 'cpu' | 'cpus' | 'cpu_shares' | 'cpuset' | 'pids'
>;

export function buildLimits(options: LimitOptions): Omit<Resources, 'devices'> {
  const { cpu_shares: shares, cpuset, pids } = options;
  const limit = bytesOf(options.memory);
  const reservation = bytesOf(options.memory_reservation);
  const processors = options.cpu ?? options.cpus;
  const memory = {
    ...(limit === undefined ? {} : { limit, swap: swapOf(options.memory_swap, limit) }),
    ...(reservation === undefined ? {} : { reservation }),
  };
  const cpu = {
    ...(processors === undefined
      ? {}
      : { quota: Math.round(Number(processors) * CPU_PERIOD), period: CPU_PERIOD }),
    ...(shares === undefined ? {} : { shares }),
    ...(cpuset === undefined ? {} : { cpus: String(cpuset) }),
  };
  return {
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids: { limit: pids > 0 ? pids : -1 } }),
  };
}

/** Docker's default: as much swap as memory. */
function swapOf(swap: string | number | undefined, limit: number): number {
  if (swap === undefined) return 2 * limit;
  return String(swap) === '-1' ? -1 : (bytesOf(swap) ?? 2 * limit);
}
