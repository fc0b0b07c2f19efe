// What a container uses, read from the files of its control groups. A number is absent where no hierarchy counts it.
// cgroup-v1/{cpuacct,memory,blkio-controller,pids}.rst, cgroup-v2.rst.

import { join } from 'node:path';
import { partsOf } from './cgroup.ts';
import { readControl } from './files.ts';
import { type Hierarchies, hierarchyOf, readHierarchies } from './hierarchies.ts';

export type CgroupStats = {
  /** Processor time since the start. */
  readonly cpuNs?: number;
  /** Bytes. File pages that nobody has used lately are not counted: the kernel takes them back first. */
  readonly memory?: { readonly usage: number; readonly limit?: number };
  readonly pids?: { readonly current: number; readonly limit?: number };
  /** Bytes read from and written to block devices. */
  readonly io?: { readonly read: number; readonly write: number };
};

/** Undefined when the container has no control groups. */
export function readStats(
  path: string,
  hierarchies: Hierarchies = readHierarchies(),
): CgroupStats | undefined {
  const parts = partsOf(path);
  const fileOf = (controller: string) => {
    const hierarchy = hierarchyOf(hierarchies, controller);
    if (hierarchy === undefined) return undefined;
    return (file: string) => readControl(join(hierarchy.mount, ...parts, file));
  };
  const { v2 } = hierarchies;
  const unified = (file: string) =>
    v2 === undefined ? undefined : readControl(join(v2.mount, ...parts, file));
  const stats: CgroupStats = {
    ...present('cpuNs', cpuTime(fileOf('cpuacct'), unified)),
    ...present('memory', memoryOf(fileOf('memory'))),
    ...present('pids', pidsOf(fileOf('pids'))),
    ...present('io', ioOf(fileOf('blkio'), unified)),
  };
  return Object.keys(stats).length === 0 ? undefined : stats;
}

type Reader = (file: string) => string | undefined;

function present<K extends string, T>(key: K, value: T | undefined): { [key in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: T };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

/** The value of a line `NAME VALUE`. */
function lineOf(text: string | undefined, name: string): number | undefined {
  return numberOf(new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '')?.[1]);
}

function cpuTime(v1: Reader | undefined, unified: Reader): number | undefined {
  const exact = numberOf(v1?.('cpuacct.usage'));
  if (exact !== undefined) return exact;
  // cpu.stat of cgroup2 counts with no controller at all.
  const microseconds = lineOf(unified('cpu.stat'), 'usage_usec');
  return microseconds === undefined ? undefined : microseconds * 1000;
}

/** v1 says "no limit" with the largest multiple of a page that a long can hold. */
const UNLIMITED = 2 ** 62;

function limitOf(text: string | undefined): number | undefined {
  const limit = numberOf(text);
  return limit === undefined || limit >= UNLIMITED ? undefined : limit;
}

function memoryOf(read: Reader | undefined): CgroupStats['memory'] {
  const v1 = numberOf(read?.('memory.usage_in_bytes'));
  const used = v1 ?? numberOf(read?.('memory.current'));
  if (used === undefined) return undefined;
  const cached = lineOf(read?.('memory.stat'), v1 === undefined ? 'inactive_file' : 'total_inactive_file');
  const limit = limitOf(read?.(v1 === undefined ? 'memory.max' : 'memory.limit_in_bytes'));
  return { usage: Math.max(0, used - (cached ?? 0)), ...present('limit', limit) };
}

function pidsOf(read: Reader | undefined): CgroupStats['pids'] {
  const current = numberOf(read?.('pids.current'));
  if (current === undefined) return undefined;
  return { current, ...present('limit', limitOf(read?.('pids.max'))) };
}

function ioOf(v1: Reader | undefined, unified: Reader): CgroupStats['io'] {
  const throttled =
    v1?.('blkio.throttle.io_service_bytes_recursive') ?? v1?.('blkio.throttle.io_service_bytes');
  if (throttled !== undefined) {
    // 8:0 Read 4096
    return {
      read: sum(throttled, /^\d+:\d+ Read (\d+)$/gm),
      write: sum(throttled, /^\d+:\d+ Write (\d+)$/gm),
    };
  }
  const stat = unified('io.stat');
  if (stat === undefined) return undefined;
  // 8:0 rbytes=4096 wbytes=0 ...
  return { read: sum(stat, /\brbytes=(\d+)/g), write: sum(stat, /\bwbytes=(\d+)/g) };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, [, number]) => total + Number(number), 0);
}
