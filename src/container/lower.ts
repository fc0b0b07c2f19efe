// A runtime configuration as the program that the helper runs, and as the shorter one for `exec`. Pure: what it must know of
// the machine comes in `facts`. What the machine cannot grant is granted as far as it can, with a warning (runtime-spec).

import type { TimeOffsets } from '../model/time-offsets.ts';
import { mapText } from '../model/userns.ts';
import type { CgroupFacts, LowerFacts } from './host.ts';
import { lowerRootfs } from './lower-mounts.ts';
import { lowerProcess } from './lower-process.ts';
import { propagations } from './mount-options.ts';
import { encodeProgram } from './program.ts';
import { CGROUP_FLAG_V2, type ProgramOp, restartPolicies } from './program-ops.ts';
import type { NamespaceType, RuntimeSpec } from './runtime-spec.ts';

export type LoweredSpec = {
  /** For RUN/program. */
  readonly program: Uint8Array;
  /** For RUN/exec. */
  readonly exec: Uint8Array;
  readonly warnings: readonly string[];
};

/** @throws NslabError CONTAINER_USER for a user that the root file system does not know */
export function lowerSpec(spec: RuntimeSpec, facts: LowerFacts): LoweredSpec {
  const { ops: process, warnings } = lowerProcess(spec, facts);
  const program: ProgramOp[] = [
    ...lowerMonitor(spec, facts),
    ...lowerNamespaces(spec),
    ...lowerMaps(spec),
    ...lowerRootfs(spec, facts.cgroup),
    ...lowerSurroundings(spec),
    ...process,
    { op: 'ARGV', argv: spec.process.args },
    ...(spec.nslab.init ? [{ op: 'INIT' } as const] : []),
  ];
  const exec = [...lowerJoin(facts.cgroup), ...lowerMaps(spec), ...process];
  return { program: encodeProgram(program), exec: encodeProgram(exec), warnings };
}

function lowerMonitor({ nslab }: RuntimeSpec, { cgroup, publish }: LowerFacts): ProgramOp[] {
  const { log, restart, stop, health, remover } = nslab;
  return [
    { op: 'ID', lab: nslab.lab, node: nslab.node },
    { op: 'LOG', path: log.path, bytes: BigInt(log.maxBytes), files: log.files },
    { op: 'RESTART', policy: restartPolicies[restart.policy], max: restart.max },
    { op: 'STOP', signal: stop.signal, grace: stop.graceMs },
    ...(health === undefined
      ? []
      : [
          {
            op: 'HEALTH',
            argv: health.argv,
            interval: health.intervalMs,
            timeout: health.timeoutMs,
            retries: health.retries,
            startPeriod: health.startPeriodMs,
            startInterval: health.startIntervalMs,
          } as const,
        ]),
    ...(nslab.ports ?? []).map(({ proto, ...port }): ProgramOp => {
      return { op: 'PUBLISH', udp: proto === 'udp' ? 1 : 0, ...port };
    }),
    ...(publish === undefined ? [] : [{ op: 'PUBLISH_RULES', ...publish } as const]),
    ...(cgroup.oom === undefined ? [] : [{ op: 'OOM', file: cgroup.oom } as const]),
    ...(cgroup.freezer === undefined ? [] : [{ op: 'FREEZER', ...cgroup.freezer } as const]),
    ...lowerJoin(cgroup),
    ...(cgroup.devices === undefined ? [] : [{ op: 'DEVICES', ...cgroup.devices } as const]),
    ...(remover === undefined ? [] : [{ op: 'REMOVER', ...remover } as const]),
  ];
}

function lowerJoin({ join }: CgroupFacts): ProgramOp[] {
  return join.map(({ directory, version }) => {
    return { op: 'CGROUP', ...(version === 2 ? { flags: CGROUP_FLAG_V2 } : {}), directory };
  });
}

/** linux/sched.h CLONE_NEW*. */
const cloneFlags: Readonly<Record<NamespaceType, number>> = {
  time: 0x80,
  mount: 0x2_0000,
  cgroup: 0x200_0000,
  uts: 0x400_0000,
  ipc: 0x800_0000,
  user: 0x1000_0000,
  pid: 0x2000_0000,
  network: 0x4000_0000,
};

function lowerNamespaces({ linux: { namespaces } }: RuntimeSpec): ProgramOp[] {
  const made = namespaces.filter(({ path }) => path === undefined);
  const joined = namespaces.flatMap(({ type, path }): ProgramOp[] => {
    return path === undefined ? [] : [{ op: 'JOIN', type: cloneFlags[type], path }];
  });
  return [
    { op: 'NAMESPACES', types: made.reduce((bits, { type }) => bits | cloneFlags[type], 0) },
    ...joined,
  ];
}

/** As /proc/PID/timens_offsets takes them. */
function offsetsText({ monotonic, boottime }: TimeOffsets): string {
  return Object.entries({ monotonic, boottime })
    .map(([clock, offset]) => (offset === undefined ? '' : `${clock} ${offset.secs} ${offset.nanosecs}\n`))
    .join('');
}

function lowerMaps({ linux: { uidMappings, gidMappings } }: RuntimeSpec): ProgramOp[] {
  if (uidMappings === undefined) return [];
  return [{ op: 'ID_MAP', uids: mapText(uidMappings), gids: mapText(gidMappings ?? uidMappings) }];
}

function lowerSurroundings({ hostname, process, linux, nslab }: RuntimeSpec): ProgramOp[] {
  const propagation = propagations.get(linux.rootfsPropagation ?? '');
  return [
    ...(propagation === undefined ? [] : [{ op: 'PROPAGATION', propagation } as const]),
    ...(linux.timeOffsets === undefined
      ? []
      : [{ op: 'TIME_OFFSETS', text: offsetsText(linux.timeOffsets) } as const]),
    ...(hostname === undefined ? [] : [{ op: 'HOSTNAME', name: hostname } as const]),
    ...Object.entries(linux.sysctl ?? {}).map(([key, value]): ProgramOp => ({ op: 'SYSCTL', key, value })),
    ...(process.terminal === true
      ? [
          {
            op: 'TERMINAL',
            rows: process.consoleSize?.height ?? 24,
            columns: process.consoleSize?.width ?? 80,
          } as const,
        ]
      : []),
    ...(nslab.stdinOpen ? [{ op: 'STDIN' } as const] : []),
  ];
}
