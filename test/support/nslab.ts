// bin/nslab as a user runs it, for end-to-end tests: what it prints, its exit status, and labs that go down with the scope.
// It never looks behind the command line. The built dist/ is run; NSLAB_TEST_SRC=1 runs the sources instead, so that a change
// can be tried without a build (exec and shell are the helper in both cases).

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { patience } from './emulated.ts';

export const root = join(import.meta.dirname, '../..');
const launcher = join(root, 'bin/nslab');
const PATIENCE_MS = patience(120_000);

export type Run = { readonly status: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
};

/** The command line that runs nslab with these words. */
export function nslabCommand(args: readonly string[]): [string, ...string[]] {
  const [verb = ''] = args;
  if (process.env['NSLAB_TEST_SRC'] === '1' && verb !== 'exec' && verb !== 'shell') {
    return [process.execPath, '--import', 'tsx', join(root, 'src/cli/main.ts'), ...args];
  }
  return [launcher, ...args];
}

/** Runs a program to its end. A signal is 128 + its number, as a shell has it. */
export function run(command: readonly [string, ...string[]], options: RunOptions = {}): Run {
  const [file, ...args] = command;
  const { status, signal, stdout, stderr, error } = spawnSync(file, args, {
    encoding: 'utf8',
    maxBuffer: 256 << 20,
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    input: options.input ?? '',
  });
  if (error !== undefined && status === null && signal === null) throw error;
  return { status: status ?? 128 + (signal === null ? 0 : constants.signals[signal]), stdout, stderr };
}

/** Runs nslab to its end. */
export function nslab(args: readonly string[], options: RunOptions = {}): Run {
  return run(nslabCommand(args), options);
}

/** Runs nslab and returns its stdout; an exit status other than 0 fails the test with all that was printed. */
export function nslabOk(args: readonly string[], options: RunOptions = {}): string {
  const result = nslab(args, options);
  assert.equal(result.status, 0, `nslab ${args.join(' ')}\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** Starts nslab and goes on; the test ends it. */
export function startNslab(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const [file, ...rest] = nslabCommand(args);
  return spawn(file, rest, {
    cwd: options.cwd ?? root,
    env: options.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export type UpOptions = RunOptions & {
  readonly prefix?: string;
  /** NAME=VALUE each. */
  readonly vars?: readonly string[];
};

export type UpLab = AsyncDisposable & {
  /** With the prefix. */
  readonly name: string;
  /** What `up --json` said last. */
  readonly result: Readonly<Record<string, unknown>>;
  /** `nslab exec NODE ...`. */
  exec(node: string, ...argv: readonly string[]): Run;
  /** `nslab exec`, which must succeed; its stdout. */
  ok(node: string, ...argv: readonly string[]): string;
  /** `nslab down`; the scope does it otherwise. */
  down(): Run;
};

/** Brings a topology up. `file` is a path, or `-` with the text as `input`. */
export async function upLab(file: string, options: UpOptions = {}): Promise<UpLab> {
  const { prefix, vars = [] } = options;
  const words = ['up', file, '--json', ...vars.flatMap((v) => ['--var', v])];
  const stdout = nslabOk(prefix === undefined ? words : [...words, '--prefix', prefix], options);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const result = events.at(-1) ?? {};
  assert.equal(result['type'], 'up', stdout);
  const name = String(result['lab']);
  let isUp = true;
  const exec = (node: string, ...argv: readonly string[]): Run =>
    nslab(['exec', '--lab', name, node, ...argv], { env: options.env ?? process.env });
  const down = (): Run => {
    isUp = false;
    return nslab(['down', name], { env: options.env ?? process.env });
  };
  return {
    name,
    result,
    exec,
    ok: (node, ...argv) => {
      const done = exec(node, ...argv);
      assert.equal(done.status, 0, `${node}: ${argv.join(' ')}\n${done.stdout}${done.stderr}`);
      return done.stdout;
    },
    down,
    async [Symbol.asyncDispose]() {
      if (!isUp) return;
      const { status, stderr } = down();
      assert.equal(status, 0, `nslab down ${name}: ${stderr}`);
    },
  };
}
