// Containers under a monitor, for tests of the helper: started by `_start`, asked through `_control`, read from RUN/state and the
// log. Everything is in a folder that goes away with `using`, and so does the monitor.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Hierarchy, hierarchyOf, readHierarchies } from '../../src/container/cgroup/hierarchies.ts';
import { CGROUP_FLAG_V2, type ProgramOp } from '../../src/container/program-ops.ts';
import { patience } from './emulated.ts';
import { helperPath, processOps, testContainer } from './program-writer.ts';

const WAIT_MS = patience(20_000);
const POLL_MS = 10;

export type Answer = { readonly text: string; readonly status: number | null };
export type LogLine = {
  readonly time: string;
  readonly stream: string;
  readonly kind: string;
  readonly text: string;
};

export type Monitored = Disposable & {
  readonly folder: string;
  readonly log: string;
  /** Writes the program and starts it; what `_start` printed after the folder's name. */
  readonly start: (argv: readonly string[], ...extra: ProgramOp[]) => string;
  readonly hold: (argv: readonly string[], ...extra: ProgramOp[]) => string;
  readonly write: (argv: readonly string[], ...extra: ProgramOp[]) => void;
  readonly control: (...request: string[]) => Answer;
  /** The same without waiting for the answer. */
  readonly ask: (...request: string[]) => Promise<Answer>;
  readonly state: () => Readonly<Record<string, string>>;
  readonly lines: () => LogLine[];
  /** Waits until the state has that value. */
  readonly until: (key: string, value: string | RegExp) => Promise<void>;
};

/** Polls until it is so; fails with the description after a time. */
export async function eventually(what: string, isSo: () => boolean): Promise<void> {
  const end = Date.now() + WAIT_MS;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`${what}: not after ${WAIT_MS} ms`);
    await delay(POLL_MS);
  }
}

export function startAll(...words: readonly string[]): {
  readonly status: number | null;
  readonly stdout: string;
} {
  const { status, stdout, stderr } = spawnSync(helperPath(), ['_start', ...words], {
    encoding: 'utf8',
    timeout: patience(60_000),
  });
  return { status, stdout: stdout + stderr };
}

function readState(folder: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(join(folder, 'state'), 'utf8');
  } catch {
    return {};
  }
  const lines = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const blank = line.indexOf(' ');
      return [line.slice(0, blank), line.slice(blank + 1)];
    }),
  );
}

function readLog(path: string): LogLine[] {
  const text = readFileSync(path, 'latin1');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const match = /^(\S+) (stdout|stderr) ([FP]) ([\s\S]*)$/.exec(line);
      if (match === null) throw new Error(`not a line of the log: ${JSON.stringify(line)}`);
      const [, time = '', stream = '', kind = '', rest = ''] = match;
      return { time, stream, kind, text: rest };
    });
}

export function collect(child: ChildProcess): Promise<Answer> {
  let text = '';
  child.stdout?.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ text: text.trimEnd(), status: code }));
  });
}

/** `log.path` puts the log somewhere else than into the folder. */
export function monitored(
  options: { log?: { bytes: bigint; files: number; path?: string } } = {},
): Monitored {
  const container = testContainer();
  const { folder } = container;
  const log = options.log?.path ?? join(folder, 'log');
  const logOp: ProgramOp = { op: 'LOG', path: log, bytes: 0n, files: 1, ...options.log };
  const write: Monitored['write'] = (argv, ...extra) => {
    container.write('program', [logOp, ...container.ops(argv, extra)]);
    const cgroups = extra.filter(({ op }) => op === 'CGROUP');
    container.write('exec', [...cgroups, ...processOps(['true']).filter(({ op }) => op !== 'ARGV')]);
  };
  const run = (flags: readonly string[]): string => {
    const { stdout } = startAll(...flags, folder);
    return stdout.replace(`${folder} `, '').trimEnd();
  };
  const control: Monitored['control'] = (...request) => {
    const { stdout, status } = spawnSync(helperPath(), ['_control', folder, ...request], {
      encoding: 'utf8',
      timeout: patience(60_000),
    });
    return { text: stdout.trimEnd(), status };
  };
  return {
    folder,
    log,
    write,
    start: (argv, ...extra) => {
      write(argv, ...extra);
      return run([]);
    },
    hold: (argv, ...extra) => {
      write(argv, ...extra);
      return run(['--created']);
    },
    control,
    ask: (...request) => collect(spawn(helperPath(), ['_control', folder, ...request])),
    state: () => readState(folder),
    lines: () => readLog(log),
    until: (key, value) =>
      eventually(`${key} ${value} in ${folder}`, () => {
        const now = readState(folder)[key] ?? '';
        return typeof value === 'string' ? now === value : value.test(now);
      }),
    [Symbol.dispose]: () => {
      control('end');
      container[Symbol.dispose]();
    },
  };
}

/** Bytes of memory that no other process shares; its pages of files are page cache, and are dropped when memory is short. */
export function privateMemory(
  pid: number,
  kinds: readonly string[] = ['Private_Clean', 'Private_Dirty'],
): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (key: string): number => Number(new RegExp(`^${key}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
  return kinds.reduce((sum, key) => sum + of(key), 0) * 1024;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export type TestCgroup = Disposable & {
  readonly directory: string;
  readonly version: 1 | 2;
  /** The op that puts a container in it. */
  readonly join: ProgramOp;
};

/** A cgroup of the hierarchy with that controller, v1 or v2; undefined where the kernel has none. The test removes it. */
export function cgroupWith(controller: string): TestCgroup | undefined {
  const hierarchy = hierarchyOf(readHierarchies(), controller);
  if (hierarchy === undefined) return undefined;
  if (hierarchy.version === 1) return makeCgroup(hierarchy);
  const file = join(hierarchy.mount, 'cgroup.subtree_control');
  const isOn = readFileSync(file, 'utf8').trim().split(' ').includes(controller);
  if (isOn) return makeCgroup(hierarchy);
  writeFileSync(file, `+${controller}`);
  return makeCgroup(hierarchy, () => writeFileSync(file, `-${controller}`));
}

/** One in each hierarchy that can freeze: the freezer of v1, and cgroup2, which needs no controller for it. */
export function freezerCgroups(): TestCgroup[] {
  const { v1, v2 } = readHierarchies();
  const old = v1.filter(({ controllers }) => controllers.includes('freezer'));
  return [...old, ...(v2 === undefined ? [] : [v2])].map((hierarchy) => makeCgroup(hierarchy));
}

function makeCgroup({ mount, version }: Hierarchy, after: () => void = () => {}): TestCgroup {
  const directory = join(mount, `nslab-t${process.pid}`);
  mkdirSync(directory);
  return {
    directory,
    version,
    join: { op: 'CGROUP', flags: version === 2 ? CGROUP_FLAG_V2 : 0, directory },
    [Symbol.dispose]: () => {
      for (let tries = 0; tries < 100; tries++) {
        if (spawnSync('rmdir', [directory], { stdio: 'ignore' }).status === 0) return after();
        spawnSync('sleep', ['0.02']);
      }
      throw new Error(`${directory} is still in use`);
    },
  };
}
