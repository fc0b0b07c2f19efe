// The limits of a container as the files of its control groups have them now. What is not limited, or no hierarchy can limit, is
// absent. cgroup-v1/{memory,cpusets,pids}.rst, scheduler/sched-bwc.rst, cgroup-v2.rst.

import { join } from 'node:path';
import { partsOf } from './cgroup.ts';
import { readControl } from './files.ts';
import { type Hierarchies, hierarchyOf, readHierarchies } from './hierarchies.ts';

export type CgroupLimits = {
  /** Bytes. */
  readonly memory?: number;
  /** Bytes; memory and swap together. */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  /** Processors. */
  readonly cpus?: number;
  /** cpu.shares of v1. */
  readonly cpuShares?: number;
  /** cpu.weight of cgroup2. */
  readonly cpuWeight?: number;
  readonly cpuset?: string;
  readonly pids?: number;
};

/** v1 says "no limit" with the largest multiple of a page that a long can hold. */
const UNLIMITED = 2 ** 62;

type Read = (file: string) => string | undefined;

export function readLimits(path: string, hierarchies: Hierarchies = readHierarchies()): CgroupLimits {
  const parts = partsOf(path);
  const of = (controller: string): { readonly version: 1 | 2; readonly read: Read } | undefined => {
    const hierarchy = hierarchyOf(hierarchies, controller);
    if (hierarchy === undefined) return undefined;
    const { mount, version } = hierarchy;
    return { version, read: (file) => readControl(join(mount, ...parts, file))?.trim() };
  };
  const memory = of('memory');
  const cpu = of('cpu');
  const limits: { [key in keyof CgroupLimits]: CgroupLimits[key] | undefined } = {
    ...(memory?.version === 1 ? memoryV1(memory.read) : memory === undefined ? {} : memoryV2(memory.read)),
    ...(cpu?.version === 1 ? cpuV1(cpu.read) : cpu === undefined ? {} : cpuV2(cpu.read)),
    cpuset: of('cpuset')?.read('cpuset.cpus') || undefined,
    pids: numberOf(of('pids')?.read('pids.max')),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= UNLIMITED ? undefined : value;
}

function memoryV1(read: Read) {
  return {
    memory: numberOf(read('memory.limit_in_bytes')),
    memorySwap: numberOf(read('memory.memsw.limit_in_bytes')),
    memoryReservation: numberOf(read('memory.soft_limit_in_bytes')),
  };
}

function memoryV2(read: Read) {
  const memory = numberOf(read('memory.max'));
  const swap = numberOf(read('memory.swap.max'));
  return {
    memory,
    memorySwap: memory === undefined || swap === undefined ? undefined : memory + swap,
    memoryReservation: numberOf(read('memory.low')) || undefined,
  };
}

function cpuV1(read: Read) {
  const quota = numberOf(read('cpu.cfs_quota_us'));
  const period = numberOf(read('cpu.cfs_period_us'));
  return {
    cpus: quota === undefined || period === undefined ? undefined : quota / period,
    cpuShares: numberOf(read('cpu.shares')),
  };
}

function cpuV2(read: Read) {
  const [quota, period] = (read('cpu.max') ?? '').split(' ').map(numberOf);
  return {
    cpus: quota === undefined || period === undefined ? undefined : quota / period,
    cpuWeight: numberOf(read('cpu.weight')),
  };
}
