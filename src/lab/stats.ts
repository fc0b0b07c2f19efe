// What containers use, as the kernel counts it in their cgroups. Processor time is counted from the start, so a share of it takes
// two looks.

import { cgroupStats } from '../kernel/container-cgroup.ts';
import type { Container } from './containers.ts';

/** One look. */
export type Sample = {
  readonly at: number;
  readonly containers: ReadonlyMap<string, NonNullable<ReturnType<typeof cgroupStats>>>;
};

export type Usage = {
  readonly node: string;
  readonly lab: string;
  /** Processors, so that 1.5 is one and a half; null at the first look. */
  readonly cpus: number | null;
  /** Bytes. */
  readonly memory: number | null;
  /** Bytes; null where there is no limit. */
  readonly memoryLimit: number | null;
  readonly pids: number | null;
  readonly pidsLimit: number | null;
  /** Bytes read and written. What no hierarchy counts is null. */
  readonly read: number | null;
  readonly written: number | null;
};

function keyOf({ lab, node }: Container): string {
  return `${lab}/${node}`;
}

export function takeSample(containers: readonly Container[]): Sample {
  const found = containers.flatMap((container) => {
    const stats = cgroupStats(container.lab, container.node);
    return stats === undefined ? [] : [[keyOf(container), stats] as const];
  });
  return { at: performance.now(), containers: new Map(found) };
}

/** What was used between two looks, and is used at the second. */
export function usageBetween(before: Sample, after: Sample, containers: readonly Container[]): Usage[] {
  const ms = after.at - before.at;
  return containers.flatMap((container): Usage[] => {
    const now = after.containers.get(keyOf(container));
    if (now === undefined) return [];
    const then = before.containers.get(keyOf(container));
    const isMeasured = now.cpuNs !== undefined && then?.cpuNs !== undefined && ms > 0;
    const used = isMeasured ? (now.cpuNs - then.cpuNs) / (ms * 1e6) : null;
    return [
      {
        node: container.node,
        lab: container.lab,
        cpus: used === null ? null : Math.max(0, used),
        memory: now.memory?.usage ?? null,
        memoryLimit: now.memory?.limit ?? null,
        pids: now.pids?.current ?? null,
        pidsLimit: now.pids?.limit ?? null,
        read: now.io?.read ?? null,
        written: now.io?.write ?? null,
      },
    ];
  });
}
