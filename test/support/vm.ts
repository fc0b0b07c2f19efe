// Runs test files in virtual machines: one boot a file, so that a machine that hangs or dies takes one file with it, and as many
// machines at a time as there are processors, each on its own: an emulated machine with two is half as fast. $NSLAB_VM is the
// only thing known of the machines: `$NSLAB_VM -- COMMAND` runs COMMAND as root, in this folder, under a kernel with all that the
// tests want.

import { type ChildProcess, spawn } from 'node:child_process';
import { join, relative } from 'node:path';
import { bundleTests } from './bundle.ts';
import { root } from './nslab.ts';
import { type FileOutcomes, readOutcomes } from './outcome-stream.ts';
import { processors } from './processors.ts';
import { runAll } from './schedule.ts';
import type { Outcome, Tally } from './tally.ts';

/** A file that takes longer hangs. Emulated, the longest takes a third of it. */
const FILE_MINUTES = 30;

/**
 * As systemd leaves a machine: its mounts are shared (the helper's templates of mount namespaces follow them), and what a program
 * keeps under /var/lib is on a file system that can carry an overlay. Its /etc is a copy, because the machine may show the live
 * files of this one, where other labs come and go in /etc/netns meanwhile. The root of cgroup2 hands no controller down, so that
 * every lab with limits has to turn them on, and off again.
 */
const prelude = [
  'mount --make-rshared /',
  'mkdir -p /var/lib/nslab /run/own-etc',
  'mount -t tmpfs -o mode=755 tmpfs /var/lib/nslab',
  'cp -a /etc/. /run/own-etc',
  'rm -rf /run/own-etc/netns',
  'mount --bind /run/own-etc /etc',
  'for group in $(find /sys/fs/cgroup -depth -type d); do off=$(sed "s/[a-z][a-z]*/-&/g" $group/cgroup.subtree_control) && echo "$off" > $group/cgroup.subtree_control; done',
  'exec "$@"',
].join(' && ');

/** What a machine is started with. */
type Place = { readonly runner: string; readonly processor: number };

function startMachine({ runner, processor }: Place, bundle: string): ChildProcess {
  const reporter = join(root, 'dist/vm/support/vm-reporter.mjs');
  const node = [process.execPath, `--test-reporter=${reporter}`, bundle];
  const env = {
    ...process.env,
    NSLAB_MUST_RUN: 'kernel,e2e',
    NSLAB_IN_VM: '1',
    VMRUN_TIMEOUT: String(FILE_MINUTES * 60),
  };
  // The runner may be a program with options of its own.
  const words = [
    '-c',
    `exec taskset -c ${processor} ${runner} -- "$@"`,
    'sh',
    'sh',
    '-c',
    prelude,
    'sh',
    ...node,
  ];
  return spawn('sh', words, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Runs one file to its end; what it prints besides outcomes is told only if it goes wrong. */
async function runFile(
  place: Place,
  { file, bundle, tally }: { readonly file: string; readonly bundle: string; readonly tally: Tally },
): Promise<FileOutcomes> {
  const machine = startMachine(place, bundle);
  const limit = setTimeout(() => machine.kill(), (FILE_MINUTES + 1) * 60_000);
  const result = await readOutcomes(machine, file, tally);
  clearTimeout(limit);
  return result;
}

/** Runs all of them and adds up what they came to. Returns the outcomes. */
export async function runInMachines(
  runner: string,
  files: readonly string[],
  tally: Tally,
): Promise<Outcome[]> {
  const bundleOf = await bundleTests(files);
  const all: Outcome[] = [];
  const usable = processors();
  const machines = Number(process.env['NSLAB_VM_MACHINES'] ?? usable.length);
  await runAll(files, machines, async (path, lane) => {
    const file = relative(root, path);
    const processor = usable[lane % usable.length] ?? 0;
    const start = Date.now();
    const { status, outcomes, noise } = await runFile(
      { runner, processor },
      { file, bundle: bundleOf(path), tally },
    );
    all.push(...outcomes);
    const failed = outcomes.filter(({ failure, skip }) => failure !== undefined || skip !== undefined).length;
    // A failed test ends the program with status 1, and has been counted.
    if (outcomes.length === 0 || (status !== 0 && failed === 0)) {
      tally.fail(file, `the machine ended with status ${status} after ${outcomes.length} tests\n${noise}`);
    }
    const seconds = ((Date.now() - start) / 1000).toFixed(0);
    process.stdout.write(
      `${file}: ${outcomes.length - failed} of ${outcomes.length} passed in ${seconds} s\n`,
    );
  });
  return all;
}
