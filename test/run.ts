// Runs test suites: `node --import tsx test/run.ts unit kernel e2e`, or `vm` for the kernel and e2e suites inside the virtual
// machine that $NSLAB_VM starts. Words that are no suite choose files by a part of their path.
//
// NSLAB_MUST_RUN=kernel,e2e turns a skip of those suites into a failure, unless its reason is `kernel lacks: ...`: that is a
// fact about the running kernel, and the same test runs under `vm`, where a skip is a failure. The last line is
// `N passed, N failed[, N skipped]`.

import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { countLanes, type FileRun, onRealMachine, runInLanes } from './support/lanes.ts';
import { root } from './support/nslab.ts';
import { compareSkipped, noteSkipped, skippedHere } from './support/skipped.ts';
import { type Outcome, outcomeOf, Tally } from './support/tally.ts';
import { runInMachines } from './support/vm.ts';

const suites = ['unit', 'kernel', 'e2e'];
const [first, ...others] = process.argv.slice(2);
const inVm = first === 'vm';
const words = first === undefined ? [] : inVm ? others : [first, ...others];
const filters = words.filter((word) => !suites.includes(word));

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

function testFiles(suite: string): string[] {
  return readdirSync(join(root, 'test', suite), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(root, 'test', suite, name))
    .filter((file) => filters.length === 0 || filters.some((word) => file.includes(word)))
    .sort();
}

/** So that whoever wants the run to be shorter knows where to look. */
function reportSlowest(runs: readonly FileRun[]): void {
  const slowest = [...runs].sort((a, b) => b.seconds - a.seconds).slice(0, 8);
  const words = slowest.map(
    ({ file, seconds }) => `${relative(join(root, 'test'), file)} ${seconds.toFixed(0)} s`,
  );
  report(`slowest: ${words.join(', ')}`);
}

/** Unit files have nothing in common but the processors. */
async function runUnit(files: string[], tally: Tally): Promise<void> {
  const stream = run({ files, concurrency: availableParallelism(), timeout: 15 * 60_000 });
  const add = (outcome: Outcome | undefined): void => {
    if (outcome !== undefined) tally.add(outcome);
  };
  stream.on('test:pass', (event) => add(outcomeOf(event)));
  stream.on('test:fail', (event) => add(outcomeOf(event)));
  stream.on('test:stderr', (event) => process.stderr.write(event.message));
  stream.resume();
  await new Promise<void>((resolve) => stream.on('end', resolve));
}

/** Files of the kernel suites look at one machine: where each cannot have one of its own, they run one after another. */
async function runKernelFiles(files: string[], tally: Tally): Promise<void> {
  const lanes = countLanes();
  const alone = files.filter((file) => lanes === 1 || onRealMachine.some((name) => file.endsWith(name)));
  const rest = files.filter((file) => !alone.includes(file));
  const runs = [
    ...(await runInLanes(alone, { lanes: 1, ownMachine: false }, tally)),
    ...(await runInLanes(rest, { lanes, ownMachine: true }, tally)),
  ];
  noteSkipped(
    files.map((file) => relative(root, file)),
    runs.flatMap(({ outcomes }) => outcomes),
  );
  reportSlowest(runs);
}

async function runHere(): Promise<number> {
  const strict = (process.env['NSLAB_MUST_RUN'] ?? '').split(',');
  let suite = '';
  const tally = new Tally((reason) => {
    if (reason.startsWith('kernel lacks: ')) return 'fine';
    return strict.includes(suite) ? 'failure' : 'shown';
  });
  for (suite of words.filter((word) => suites.includes(word))) {
    const files = testFiles(suite);
    const { passed, failed } = tally;
    const start = Date.now();
    if (files.length > 0) await (suite === 'unit' ? runUnit : runKernelFiles)(files, tally);
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    report(`${suite}: ${tally.passed - passed} passed, ${tally.failed - failed} failed in ${seconds} s`);
  }
  return tally.conclude();
}

/** The same tests under another kernel. */
async function runInVm(): Promise<number> {
  const runner = process.env['NSLAB_VM'];
  if (runner === undefined || runner === '') {
    report(
      'NSLAB_VM is not set: it names the program that runs a command in a virtual machine (see README, Tests)',
    );
    return 2;
  }
  const chosen = words.filter((word) => suites.includes(word));
  const files = (chosen.length === 0 ? ['kernel', 'e2e'] : chosen).flatMap(testFiles);
  const skipped = skippedHere(files.map((file) => relative(root, file)));
  // What that kernel lacks and this one has, this one has shown.
  const tally = new Tally((reason, { file, name }) => {
    const passedHere = skipped[file]?.includes(name) === false;
    return passedHere && reason.startsWith('kernel lacks: ') ? 'fine' : 'failure';
  });
  const start = Date.now();
  const outcomes = await runInMachines(runner, files, tally);
  const { ran, never } = compareSkipped(skipped, outcomes);
  for (const name of never) {
    tally.fail(name, 'skipped when it ran last on this machine, and did not pass in the virtual one');
  }
  report(`tests that are skipped on this machine: ${ran.length} of ${ran.length + never.length} passed here`);
  const unknown = files.length - Object.keys(skipped).length;
  if (unknown > 0)
    report(`${unknown} of ${files.length} files never ran on this machine, so theirs are not among them`);
  report(`vm: ${((Date.now() - start) / 60_000).toFixed(1)} minutes`);
  return tally.conclude();
}

process.exitCode = inVm ? await runInVm() : await runHere();
