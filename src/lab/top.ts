// The processes of a container: those of its cgroup, read from the machine's own /proc. Nothing of the container is run for it.
// proc_pid_stat(5), proc_pid_status(5).

import { readFileSync } from 'node:fs';
import { cgroupProcesses } from '../kernel/container-cgroup.ts';
import type { Container } from './containers.ts';

export type ContainerProcess = {
  readonly pid: number;
  /** Its number in the container's own pid namespace. */
  readonly inside: number;
  readonly uid: number;
  readonly state: string;
  readonly threads: number;
  /** Bytes. */
  readonly rss: number;
  /** Seconds of processor time. */
  readonly cpu: number;
  readonly command: string;
};

/** sysconf(_SC_CLK_TCK) is 100 on every architecture that Linux and Node have in common. */
const TICKS = 100;

/** In the order of their numbers inside. */
export function containerProcesses({ lab, node }: Container): ContainerProcess[] {
  const found = cgroupProcesses(lab, node).flatMap((pid) => readProcess(pid) ?? []);
  return found.sort((a, b) => a.inside - b.inside);
}

function readProcess(pid: number): ContainerProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    const fields = stat.slice(end + 2).split(' ');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const of = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace(/\0$/, '').replaceAll('\0', ' ');
    return {
      pid,
      inside: Number(of('NSpid').split(/\s+/).at(-1) || pid),
      uid: Number(of('Uid').split(/\s+/)[1] ?? 0),
      state: fields[0] ?? '?',
      threads: Number(of('Threads') || 1),
      rss: Number.parseInt(of('VmRSS') || '0', 10) * 1024,
      cpu: (Number(fields[11]) + Number(fields[12])) / TICKS,
      command: words === '' ? `[${stat.slice(stat.indexOf('(') + 1, end)}]` : words,
    };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}
