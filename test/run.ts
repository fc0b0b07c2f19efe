// Runs test suites: `node --import tsx test/run.ts unit kernel e2e`, or `vm` for the kernel and e2e suites inside the virtual
// machine that $NSLAB_VM starts (`$NSLAB_VM -- COMMAND` must run COMMAND as root under a kernel with all link kinds).
//
// NSLAB_MUST_RUN=kernel,e2e turns a skip of those suites into a failure, unless its reason is `kernel lacks: ...`: that is a
// fact about the running kernel, and the same test runs under `vm`. The last line is `N passed, N failed[, N skipped]`.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';

const root = join(import.meta.dirname, '..');
const suites = ['unit', 'kernel', 'e2e', 'vm'];

type Tally = { passed: number; failed: number; skipped: number; lacks: Map<string, number> };

function testFiles(suite: string): string[] {
  return readdirSync(join(root, 'test', suite), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(root, 'test', suite, name))
    .sort();
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Files of the kernel suites share one machine, so they run one after another; unit files have nothing in common. */
async function runSuite(suite: string, files: string[], tally: Tally): Promise<void> {
  const strict = (process.env['NSLAB_MUST_RUN'] ?? '').split(',').includes(suite);
  const stream = run({ files, concurrency: suite === 'unit' ? 2 : 1, timeout: 15 * 60_000 });
  stream.on('test:pass', (event) => {
    const isFile = event.nesting === 0 && event.name === event.file;
    if (isFile || event.details.type === 'suite') return;
    if (event.skip === undefined && event.todo === undefined) {
      tally.passed++;
      return;
    }
    const reason = String(event.skip ?? event.todo);
    if (reason.startsWith('kernel lacks: ')) {
      tally.skipped++;
      tally.lacks.set(reason, (tally.lacks.get(reason) ?? 0) + 1);
    } else if (strict) {
      tally.failed++;
      report(`FAIL ${event.name}: skipped (${reason})`);
    } else {
      tally.skipped++;
      report(`skip ${event.name}: ${reason}`);
    }
  });
  stream.on('test:fail', (event) => {
    if (event.details.type === 'suite') return;
    tally.failed++;
    const error = event.details.error;
    const cause =
      error.cause instanceof Error
        ? (error.cause.stack ?? error.cause.message)
        : String(error.cause ?? error);
    report(`FAIL ${relative(root, event.file ?? '')}: ${event.name}\n${cause.replace(/^/gm, '     ')}`);
  });
  stream.on('test:stderr', (event) => process.stderr.write(event.message));
  stream.resume();
  await new Promise<void>((resolve) => stream.on('end', resolve));
}

/** The same files again under another kernel. Its machine has nothing but this folder, Node and the tools of the tests. */
function runInVm(): number {
  const runner = process.env['NSLAB_VM'];
  if (runner === undefined || runner === '') {
    report(
      'NSLAB_VM is not set: it names the program that runs a command in a virtual machine (see README, Tests)',
    );
    return 2;
  }
  const inside = [
    'node',
    '--import',
    'tsx',
    'test/run.ts',
    ...(process.argv[3] === undefined ? ['kernel', 'e2e'] : process.argv.slice(3)),
  ];
  const env = { ...process.env, NSLAB_MUST_RUN: 'kernel,e2e', NSLAB_IN_VM: '1', VMRUN_TIMEOUT: '3000' };
  const vm = spawnSync(runner, ['--tmpfs', '/var/lib/nslab', '--', ...inside], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  return vm.status ?? 1;
}

const wanted = process.argv.slice(2);
if (wanted[0] === 'vm') {
  process.exitCode = runInVm();
} else {
  const tally: Tally = { passed: 0, failed: 0, skipped: 0, lacks: new Map() };
  const isSuite = (word: string) => suites.includes(word);
  const filters = wanted.filter((word) => !isSuite(word));
  for (const suite of wanted.filter(isSuite)) {
    const files = testFiles(suite).filter(
      (file) => filters.length === 0 || filters.some((word) => file.includes(word)),
    );
    const before = { ...tally };
    const start = Date.now();
    if (files.length > 0) await runSuite(suite, files, tally);
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    report(
      `${suite}: ${tally.passed - before.passed} passed, ${tally.failed - before.failed} failed in ${seconds} s`,
    );
  }
  for (const [reason, count] of tally.lacks) report(`skipped ${count}: ${reason}`);
  report(
    `${tally.passed} passed, ${tally.failed} failed${tally.skipped === 0 ? '' : `, ${tally.skipped} skipped`}`,
  );
  process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;
}
