// Containers beside `crun`: one that only runs `true`, in six namespaces over the same files with the same seccomp filter or
// none; fifty that sleep, nslab's with a wire to a switch each; and what of memory stays for each that is idle. Both run
// busybox, and crun is given a cgroup tree it accepts: it refuses one where cgroup2 is mounted beside v1.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileSeccomp, seccompFlags } from '../../src/container/seccomp/compile.ts';
import { defaultProfile } from '../../src/container/seccomp/default-profile.ts';
import { testContainer } from '../support/program-writer.ts';
import type { Tools } from './contenders.ts';
import type { Runner } from './runner.ts';
import { median } from './stats.ts';

const COUNT = 50;
const LAB = 'nb-containers';
/** Six namespaces and nothing else of the machine; what `crun spec` prints but for the terminal and the command. */
const UNIFIED = '/sys/fs/cgroup/unified';

export type ContainerFigures = {
  /** Milliseconds, medians; NaN where crun is not installed. */
  readonly one: { readonly nslab: number; readonly filtered: number; readonly crun: number };
  readonly many: { readonly nslab: number; readonly down: number; readonly crun: number };
  /** KiB a monitor, with all of them running: proportional and private. */
  readonly monitor: { readonly pss: number; readonly private: number };
};

/** A root file system of busybox alone, or undefined where the machine has no static one. */
function makeRoot(folder: string): string | undefined {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (busybox === undefined) return undefined;
  const root = join(folder, 'root');
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev']) mkdirSync(join(root, name), { recursive: true });
  cpSync(busybox, join(root, 'bin/busybox'), { dereference: true });
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const name of ['true', 'sleep']) symlinkSync('busybox', join(root, 'bin', name));
  return spawnSync('chroot', [root, '/bin/true']).status === 0 ? root : undefined;
}

function writeBundle(folder: string, root: string, args: readonly string[]): string {
  const bundle = join(folder, `bundle-${args[0]}`);
  mkdirSync(bundle, { recursive: true });
  const spec = spawnSync('crun', ['spec'], { cwd: bundle });
  if (spec.status !== 0) throw new Error(`crun spec failed: ${spec.stderr}`);
  const file = join(bundle, 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as {
    process: { terminal: boolean; args: readonly string[] };
    root: { path: string };
  };
  config.process.terminal = false;
  config.process.args = args;
  config.root.path = root;
  writeFileSync(file, JSON.stringify(config));
  return bundle;
}

/** The words in a mount namespace without cgroup2 beside v1. */
function withoutUnified(words: readonly string[]): readonly string[] {
  const script = `mountpoint -q ${UNIFIED} && umount -l ${UNIFIED}; exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', ...words];
}

function topology(root: string): string {
  const names = Array.from({ length: COUNT }, (_, index) => `c${index}`);
  const nodes = names.map(
    (name) =>
      `  ${name}: { rootfs: ${root}, command: [sleep, "1000"], interfaces: { eth0: { addresses: [auto] } } }`,
  );
  const links = names.map((name) => `  - endpoints: ["${name}:eth0", "sw"]`);
  const head = [`name: ${LAB}`, 'prefix: nb-nslab-', 'nodes:', '  sw: { kind: bridge, subnet: 10.0.0.0/16 }'];
  return `${[...head, ...nodes, 'links:', ...links].join('\n')}\n`;
}

function monitorMemory(): ContainerFigures['monitor'] {
  const folder = `/run/nslab/labs/nb-nslab-${LAB}/containers`;
  const sums = { pss: 0, private: 0 };
  for (let index = 0; index < COUNT; index++) {
    const state = readFileSync(join(folder, `c${index}`, 'state'), 'utf8');
    const pid = /^monitor (\d+)$/m.exec(state)?.[1] ?? '';
    const memory = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const of = (key: string): number => Number(new RegExp(`^${key}: +(\\d+) kB$`, 'm').exec(memory)?.[1]);
    sums.pss += of('Pss');
    sums.private += of('Private_Clean') + of('Private_Dirty');
  }
  return { pss: sums.pss / COUNT, private: sums.private / COUNT };
}

type Plan = { readonly rounds: number; readonly root: string; readonly bundle: string | undefined };

async function benchOne(runner: Runner, { rounds, bundle, root }: Plan) {
  using container = testContainer();
  const machine = process.arch === 'arm64' ? 'arm64' : 'x64';
  const filter = compileSeccomp(defaultProfile, machine, []);
  const overlay = {
    op: 'ROOT_OVERLAY',
    lowers: [root],
    upper: container.upper,
    work: join(container.folder, 'work'),
  } as const;
  const bare = container.write('bare', container.ops(['/bin/true'], [overlay]));
  const seccomp = { op: 'SECCOMP', filterFlags: seccompFlags(defaultProfile), filter } as const;
  const filtered = container.write('filtered', container.ops(['/bin/true'], [overlay, seccomp]));
  const helper = join(import.meta.dirname, '../../dist/nslab-helper');
  const own: number[] = [];
  const withFilter: number[] = [];
  const crun: number[] = [];
  for (let round = 0; round < rounds * 4; round++) {
    own.push(...(await runner.time([helper, '_run-once', bare], 10)).ms);
    withFilter.push(...(await runner.time([helper, '_run-once', filtered], 10)).ms);
    if (bundle !== undefined)
      crun.push(...(await runner.timeInside(withoutUnified, ['crun', 'run', '-b', bundle, 'nb-one'], 10)).ms);
  }
  return { nslab: median(own), filtered: median(withFilter), crun: median(crun) };
}

async function benchMany(runner: Runner, tools: Tools, { rounds, bundle, root }: Plan) {
  const file = join(tools.folder, 'containers.yaml');
  writeFileSync(file, topology(root));
  // What they inherit stays open as long as they run.
  const start = `seq ${COUNT} | xargs -P 4 -I{} crun run -d -b ${bundle} nb-many-{} >/dev/null 2>&1`;
  const end = `for i in $(seq ${COUNT}); do crun delete -f nb-many-$i; done`;
  const up: number[] = [];
  const down: number[] = [];
  const crun: number[] = [];
  let memory = { pss: Number.NaN, private: Number.NaN };
  for (let round = 0; round < rounds; round++) {
    up.push(...(await runner.time([tools.nslab, 'up', file])).ms);
    memory = monitorMemory();
    down.push(...(await runner.time([tools.nslab, 'down'])).ms);
    await runner.settle();
    if (bundle === undefined) continue;
    crun.push(...(await runner.timeInside(withoutUnified, ['sh', '-c', start])).ms);
    await runner.output(withoutUnified(['sh', '-c', end]));
    await runner.settle();
  }
  return { many: { nslab: median(up), down: median(down), crun: median(crun) }, monitor: memory };
}

/** Undefined where there is no static busybox to run. */
export async function benchContainers(
  runner: Runner,
  tools: Tools,
  rounds: number,
): Promise<ContainerFigures | undefined> {
  const root = makeRoot(tools.folder);
  if (root === undefined) return undefined;
  const hasCrun = spawnSync('crun', ['--version']).status === 0;
  const one = hasCrun ? writeBundle(tools.folder, root, ['true']) : undefined;
  const many = hasCrun ? writeBundle(tools.folder, root, ['sleep', '1000']) : undefined;
  try {
    return {
      one: await benchOne(runner, { rounds, root, bundle: one }),
      ...(await benchMany(runner, tools, { rounds, root, bundle: many })),
    };
  } catch (error) {
    await runner.sweep([tools.nslab, 'down', '--all'], 'nb-');
    throw error;
  }
}
