// Containers for tests of the helper alone: a program as src/container/ would write it, run by the hidden verb `_run-once`.
// The root file system is the host's own under a private upper layer, with a layer of the test's on top that can be as hostile
// as it likes. Everything is in one folder that goes away with `using`.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeProgram } from '../../src/container/program.ts';
import type { ProgramOp } from '../../src/container/program-ops.ts';
import { patience } from './emulated.ts';
import { builtNslab } from './pinned-lab.ts';

export const CLONE = {
  mnt: 0x0002_0000,
  cgroup: 0x0200_0000,
  uts: 0x0400_0000,
  ipc: 0x0800_0000,
  pid: 0x2000_0000,
  net: 0x4000_0000,
  time: 0x0000_0080,
  user: 0x1000_0000,
} as const;
export const ATTR = { ro: 1n, nosuid: 2n, nodev: 4n, noexec: 8n } as const;
/** Docker's 14 capabilities. */
export const DEFAULT_CAPS = 0xa804_25fbn;
export const S_IFCHR = 0o020000;

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SIX = CLONE.mnt | CLONE.uts | CLONE.ipc | CLONE.pid | CLONE.net | CLONE.cgroup;

export type Outcome = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

export type TestContainer = Disposable & {
  readonly folder: string;
  /** The layer on top of the host's files. */
  readonly layer: string;
  readonly upper: string;
  /** Ops of an everyday container that runs the words; `extra` ops of a code that is there once take its place. */
  readonly ops: (argv: readonly string[], extra?: readonly ProgramOp[]) => ProgramOp[];
  readonly write: (name: string, ops: readonly ProgramOp[]) => string;
  /** Writes and runs an everyday container. */
  readonly run: (argv: readonly string[], extra?: readonly ProgramOp[]) => Outcome;
  /** The same for a shell script. */
  readonly sh: (script: string, ...extra: readonly ProgramOp[]) => Outcome;
};

export function helperPath(): string {
  return join(builtNslab(), '../../dist/nslab-helper');
}

/** Runs programs that are written already: the container's, and one inside of it. */
export function runOnce(...files: readonly string[]): Outcome {
  const result = spawnSync(helperPath(), ['_run-once', ...files], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patience(60_000),
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** The machine's mounts, without the places where other tests that run at the same time have theirs. */
export function machineMounts(): string[] {
  const others = /^\/(run\/(netns|nslab)|tmp)(\/|$)/;
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => !others.test(line.split(' ')[4] ?? ''));
}

export function mount(fstype: string, target: string, attr: bigint, ...options: string[]): ProgramOp {
  return { op: 'MOUNT', fstype, source: fstype, target, attr, options };
}

export function device(path: string, major: number, minor: number): ProgramOp {
  return { op: 'DEVICE', path, type: S_IFCHR, major, minor, mode: 0o666, uid: 0, gid: 0 };
}

export function bind(source: string, target: string, attr = 0n, flags = 1): ProgramOp {
  return { op: 'BIND', flags, source, target, attr, propagation: 0 };
}

export function caps(set: bigint): ProgramOp {
  return { op: 'CAPS', bounding: set, effective: set, permitted: set, inheritable: 0n, ambient: 0n };
}

const { nosuid, nodev, noexec, ro } = ATTR;
const devices: readonly [string, number, number][] = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
];

/** Mounts, devices and paths of an everyday container, in their order. */
export const standardRoot: readonly ProgramOp[] = [
  mount('proc', '/proc', nosuid | nodev | noexec),
  mount('tmpfs', '/dev', nosuid, 'mode=755', 'size=65536k'),
  mount('devpts', '/dev/pts', nosuid | noexec, 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'),
  mount('mqueue', '/dev/mqueue', nosuid | nodev | noexec),
  mount('tmpfs', '/dev/shm', nosuid | nodev | noexec, 'mode=1777', 'size=65536k'),
  mount('sysfs', '/sys', ro | nosuid | nodev | noexec),
  ...devices.map((all) => device(...all)),
  { op: 'SYMLINK', target: '/proc/self/fd', path: '/dev/fd' },
  { op: 'SYMLINK', target: 'pts/ptmx', path: '/dev/ptmx' },
  ...['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'].map(
    (path): ProgramOp => ({ op: 'MASK', path }),
  ),
  ...['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'].map(
    (path): ProgramOp => ({ op: 'READ_ONLY', path }),
  ),
];

/** What init and a command inside have in common. */
export function processOps(argv: readonly string[]): ProgramOp[] {
  return [
    { op: 'ARGV', argv },
    { op: 'ENV', env: [PATH, 'HOME=/root'] },
    { op: 'CWD', path: '/' },
    { op: 'USER', uid: 0, gid: 0, groups: [] },
    caps(DEFAULT_CAPS),
    { op: 'NO_NEW_PRIVS' },
  ];
}

const replaced = new Set(['NAMESPACES', 'ROOT_OVERLAY', 'HOSTNAME', 'ENV', 'CWD', 'USER', 'CAPS']);

/** The ops, those of them that may be there once replaced by the extra ones, the other extra ones before the process. */
export function withExtra(ops: readonly ProgramOp[], extra: readonly ProgramOp[]): ProgramOp[] {
  const instead = new Map(extra.filter(({ op }) => replaced.has(op)).map((op) => [op.op, op]));
  const others = extra.filter(({ op }) => !replaced.has(op));
  const process = ops.findIndex(({ op }) => op === 'ARGV');
  const all = [...ops.slice(0, process), ...others, ...ops.slice(process)];
  return all.map((op) => instead.get(op.op) ?? op);
}

export function testContainer(): TestContainer {
  const folder = mkdtempSync(join(tmpdir(), 'nslab-create-'));
  // A file system of its own: overlayfs refuses a layer that is inside of another one.
  execFileSync('mount', ['-t', 'tmpfs', 'nslab-test', folder]);
  const [layer, upper, work] = ['layer', 'upper', 'work'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [layer, upper, work]) mkdirSync(path);
  const ops: TestContainer['ops'] = (argv, extra = []) =>
    withExtra(
      [
        { op: 'NAMESPACES', types: SIX },
        { op: 'ROOT_OVERLAY', lowers: [layer, '/'], upper, work },
        { op: 'HOSTNAME', name: 'inside' },
        ...standardRoot,
        ...processOps(argv),
      ],
      extra,
    );
  const write: TestContainer['write'] = (name, list) => {
    const path = join(folder, name);
    writeFileSync(path, encodeProgram(list));
    return path;
  };
  const run: TestContainer['run'] = (argv, extra) => runOnce(write('program', ops(argv, extra)));
  return {
    folder,
    layer,
    upper,
    ops,
    write,
    run,
    sh: (script, ...extra) => run(['/bin/sh', '-c', script], extra),
    [Symbol.dispose]: () => {
      execFileSync('umount', ['-l', folder]);
      rmdirSync(folder);
    },
  };
}
