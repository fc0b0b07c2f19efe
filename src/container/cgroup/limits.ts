// The limits of a container as lines for the files of its control group, v1 or v2. Pure. The words are the OCI runtime-spec's
// (config-linux.md "Control groups"), the files those of Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.

import type { Resources, Throttle } from '../runtime-spec.ts';

/** One write. `key` is the word of the topology file that it stems from. */
export type Write = {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  readonly key: string;
  /** Where the file is missing: nothing lost, a warning, or an error as for every other. */
  readonly missing?: 'warn';
};

/** In the order in which the kernel takes them. */
export function writesOf(resources: Resources, version: 1 | 2): Write[] {
  const writes = version === 1 ? v1Writes(resources) : v2Writes(resources);
  return writes.filter(({ value }) => value !== '');
}

/** Devices of v1 are in the order of the rules: each line is applied as it is written. */
export function deviceWrites({ devices }: Resources): Write[] {
  return devices.map(({ allow, type = 'a', major, minor, access }) => ({
    controller: 'devices',
    file: allow ? 'devices.allow' : 'devices.deny',
    // A line that begins with `a` means all, whatever follows.
    value: type === 'a' ? 'a' : `${type} ${numberOrAll(major)}:${numberOrAll(minor)} ${access}`,
    key: 'devices',
  }));
}

function numberOrAll(number: number | undefined): string {
  return number === undefined || number < 0 ? '*' : String(number);
}

function text(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}

function v1Writes({ memory, cpu, pids, blockIO }: Resources): Write[] {
  const mem = (file: string, value: number | undefined): Write => ({
    controller: 'memory',
    file: `memory.${file}`,
    value: text(value),
    key: 'memory',
  });
  const ofCpu = (file: string, value: number | undefined): Write => ({
    controller: 'cpu',
    file: `cpu.${file}`,
    value: text(value),
    key: 'cpu',
  });
  return [
    // memory.memsw may not be below memory.limit, so it comes second in a new group.
    mem('limit_in_bytes', memory?.limit),
    { ...mem('memsw.limit_in_bytes', memory?.swap), missing: 'warn' },
    mem('soft_limit_in_bytes', memory?.reservation),
    ofCpu('shares', cpu?.shares),
    ofCpu('cfs_period_us', cpu?.period),
    ofCpu('cfs_quota_us', cpu?.quota),
    { controller: 'cpuset', file: 'cpuset.cpus', value: cpu?.cpus ?? '', key: 'cpu' },
    { controller: 'cpuset', file: 'cpuset.mems', value: cpu?.mems ?? '', key: 'cpu' },
    { controller: 'pids', file: 'pids.max', value: maxOr(pids?.limit), key: 'pids' },
    { controller: 'blkio', file: 'blkio.weight', value: text(blockIO?.weight), key: 'blkio' },
    ...throttles(blockIO).map(({ v1, at, rate }) => ({
      controller: 'blkio',
      file: `blkio.throttle.${v1}`,
      value: `${at} ${rate}`,
      key: 'blkio',
    })),
  ];
}

function v2Writes({ memory, cpu, pids, blockIO }: Resources): Write[] {
  const weight = cpu?.shares === undefined || cpu.shares === 0 ? '' : String(weightOfShares(cpu.shares));
  const ioWeight = blockIO?.weight === undefined ? '' : `default ${ioWeightOf(blockIO.weight)}`;
  return [
    { controller: 'memory', file: 'memory.max', value: maxOr(memory?.limit), key: 'memory' },
    {
      controller: 'memory',
      file: 'memory.swap.max',
      value: maxOr(swapAlone(memory)),
      key: 'memory',
      missing: 'warn',
    },
    { controller: 'memory', file: 'memory.low', value: maxOr(memory?.reservation), key: 'memory' },
    { controller: 'cpu', file: 'cpu.weight', value: weight, key: 'cpu' },
    { controller: 'cpu', file: 'cpu.max', value: cpuMax(cpu), key: 'cpu' },
    { controller: 'cpuset', file: 'cpuset.cpus', value: cpu?.cpus ?? '', key: 'cpu' },
    { controller: 'cpuset', file: 'cpuset.mems', value: cpu?.mems ?? '', key: 'cpu' },
    { controller: 'pids', file: 'pids.max', value: maxOr(pids?.limit), key: 'pids' },
    { controller: 'io', file: 'io.weight', value: ioWeight, key: 'blkio' },
    ...throttles(blockIO).map(({ v2, at, rate }) => ({
      controller: 'io',
      file: 'io.max',
      value: `${at} ${v2}=${rate}`,
      key: 'blkio',
    })),
  ];
}

function maxOr(value: number | undefined): string {
  return value === undefined ? '' : value < 0 ? 'max' : String(value);
}

/** The specification's swap is memory and swap together; that of cgroup2 is swap alone. */
function swapAlone(memory: Resources['memory']): number | undefined {
  if (memory?.swap === undefined || memory.swap < 0) return memory?.swap;
  return Math.max(0, memory.swap - Math.max(0, memory.limit ?? 0));
}

function cpuMax(cpu: Resources['cpu']): string {
  if (cpu?.quota === undefined && cpu?.period === undefined) return '';
  const quota = cpu.quota === undefined || cpu.quota <= 0 ? 'max' : String(cpu.quota);
  return cpu.period === undefined ? quota : `${quota} ${cpu.period}`;
}

/**
 * cpu.weight (1 to 10000, 100 by default) of cpu.shares (2 to 262144, 1024 by default). A parabola through the logarithms
 * that keeps both ends and both defaults, as crun and runc have it since 2025; the older straight line made 1024 a 39.
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** io.weight (1 to 10000) of blkio.weight (10 to 1000). */
function ioWeightOf(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

function throttles(blockIO: Resources['blockIO']) {
  const named = (list: readonly Throttle[] | undefined, v1: string, v2: string) =>
    (list ?? []).map(({ major, minor, rate }) => ({ v1, v2, at: `${major}:${minor}`, rate }));
  return [
    ...named(blockIO?.throttleReadBpsDevice, 'read_bps_device', 'rbps'),
    ...named(blockIO?.throttleWriteBpsDevice, 'write_bps_device', 'wbps'),
    ...named(blockIO?.throttleReadIOPSDevice, 'read_iops_device', 'riops'),
    ...named(blockIO?.throttleWriteIOPSDevice, 'write_iops_device', 'wiops'),
  ];
}
