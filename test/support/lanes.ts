// Runs test files of the kernel and e2e suites beside each other, each in a machine of its own (own-machine.sh), because what one leaves
// behind is what another looks for. Some run alone on the real one before: what only the machine's first namespaces have is seen there.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { root } from './nslab.ts';
import { readOutcomes } from './outcome-stream.ts';
import { runAll } from './schedule.ts';
import type { Outcome, Tally } from './tally.ts';

const machineScript = join(root, 'test/support/own-machine.sh');
const reporter = join(root, 'test/support/vm-reporter.ts');

/** Files that run on the machine itself: labs that change it most, killed at every op. */
export const onRealMachine = ['e2e/faults.test.ts', 'kernel/marked-links.test.ts'];

/** A file that takes longer hangs. */
const FILE_MINUTES = 15;

/** How many files can run at a time; 1 where a machine of one's own cannot be made. */
export function countLanes(): number {
  const wanted = Number(process.env['NSLAB_TEST_LANES'] ?? Math.min(4, availableParallelism()));
  if (wanted < 2 || process.geteuid?.() !== 0 || !existsSync('/sys/fs/cgroup/memory/cgroup.procs')) return 1;
  return spawnSync(machineScript, ['true'], { stdio: 'ignore' }).status === 0 ? wanted : 1;
}

export type FileRun = {
  readonly file: string;
  readonly outcomes: readonly Outcome[];
  readonly seconds: number;
};

export type Lanes = { readonly lanes: number; readonly ownMachine: boolean };

/** Runs all of them; an outcome is told when it is there. */
export async function runInLanes(files: readonly string[], how: Lanes, tally: Tally): Promise<FileRun[]> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, leave);
  const all: FileRun[] = [];
  await runAll(files, how.lanes, async (file) => {
    all.push(await runFile(file, how, tally));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, leave);
  return all;
}

/** Its own listeners of `exit` end what runs. */
function leave(): never {
  process.exit(130);
}

async function runFile(path: string, { ownMachine }: Lanes, tally: Tally): Promise<FileRun> {
  const file = relative(root, path);
  const start = Date.now();
  const program = ownMachine ? [machineScript, process.execPath] : [process.execPath];
  const [command = '', ...words] = [...program, '--import', 'tsx', `--test-reporter=${reporter}`, path];
  // A group of its own, so that all of it can be ended: by the limit, and when this process is told to end.
  const machine = spawn(command, words, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const end = (): void => {
    if (machine.pid !== undefined && machine.exitCode === null) process.kill(-machine.pid, 'SIGTERM');
  };
  const limit = setTimeout(end, FILE_MINUTES * 60_000);
  process.once('exit', end);
  const { status, outcomes, noise } = await readOutcomes(machine, file, tally);
  clearTimeout(limit);
  process.off('exit', end);
  const failed = outcomes.some(({ failure }) => failure !== undefined);
  // A failed test ends the program with status 1, and has been counted.
  if (outcomes.length === 0 || (status !== 0 && !failed)) {
    tally.fail(file, `ended with status ${status} after ${outcomes.length} tests\n${noise}`);
  }
  return { file: path, outcomes, seconds: (Date.now() - start) / 1000 };
}
