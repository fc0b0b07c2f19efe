// What a container's monitor writes about it: RUN/state, lines `key value`, replaced as a whole (src/helper/monitor.c). A monitor
// that was killed leaves the file as it was, so what it says is held against /proc: pid and start time together name a process.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../sys/errno.ts';
import type { ContainerState, ContainerStatus } from './port.ts';

const STATUSES: ReadonlySet<string> = new Set<ContainerStatus>([
  'created',
  'running',
  'paused',
  'restarting',
  'exited',
]);

/** The state of the container in that folder; undefined where none was ever started. */
export function readState(folder: string): ContainerState | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, 'state'), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  const state = parseState(text);
  if (state === undefined) return undefined;
  if (isProcess(state.monitor, state.monitorStart)) return { ...state, monitored: true };
  // Without its monitor nothing runs, restarts or answers; what it wrote last is only right of one that had ended.
  const ended = state.status === 'exited' && state.error === undefined;
  return { ...state, status: ended ? 'exited' : 'dead' };
}

/** Undefined for what no monitor wrote. Unknown keys are those of a newer one. */
export function parseState(text: string): ContainerState | undefined {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) values.set(line.slice(0, space), line.slice(space + 1));
  }
  const status = values.get('status') ?? '';
  if (!STATUSES.has(status)) return undefined;
  const number = (key: string): number => Number(values.get(key) ?? 0) || 0;
  const word = (key: string): string | undefined => {
    const value = values.get(key);
    return value === undefined || value === '' || value === '-' ? undefined : value;
  };
  const optional = {
    started: word('started'),
    finished: word('finished'),
    health: word('health'),
    healthLog: word('health_log'),
    error: word('error'),
  };
  return {
    status: status as ContainerStatus,
    pid: number('pid'),
    start: number('start'),
    monitor: number('monitor'),
    monitorStart: number('monitor_start'),
    monitored: false,
    created: values.get('created') ?? '',
    exit: values.has('exit') ? number('exit') : null,
    signal: number('signal'),
    oom: values.get('oom') === '1',
    restarts: number('restarts'),
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Pick<
      ContainerState,
      'started' | 'finished' | 'health' | 'healthLog' | 'error'
    >),
  };
}

/** True while the process that had this pid at that time lives. */
export function isProcess(pid: number, start: number): boolean {
  // A state without a time must not name the first processes of the machine, which started at 0.
  const stat = pid > 0 && start > 0 ? readStat(pid) : undefined;
  return stat !== undefined && stat.start === start && stat.state !== 'Z' && stat.state !== 'X';
}

/** proc_pid_stat(5): "pid (comm) state ppid ...", and comm may have anything in it; field 22 is the start time. */
function readStat(pid: number): { readonly state: string; readonly start: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: Number(fields[19]) };
  } catch {
    return undefined;
  }
}
