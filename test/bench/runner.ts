// Runs commands under stopwatch.c, one at a time. After a stop (Ctrl-C) no new command is started, except those that clean up.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export type Timing = {
  readonly ms: readonly number[];
  readonly rssKib: number;
  readonly descriptors: number;
};

type Outcome = { readonly stdout: string; readonly stderr: string; readonly failed: boolean };

/** Waits for the end of a command, whatever it is. Its own process group would keep Ctrl-C from it; it must get it. */
async function outcome(argv: readonly string[]): Promise<Outcome> {
  const [program = '', ...args] = argv;
  try {
    return { ...(await execute(program, args, { maxBuffer: 64 << 20 })), failed: false };
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return { stdout: stdout ?? '', stderr: stderr ?? String(error), failed: true };
  }
}

export class Runner {
  readonly #stopwatch: string;
  readonly limit: string;
  #stopped = false;

  constructor(stopwatch: string, limit: string) {
    this.#stopwatch = stopwatch;
    this.limit = limit;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Throws after a stop: the place where the benchmark ends early. */
  check(): void {
    if (this.#stopped) throw new Error('interrupted');
  }

  /** The time of each of `count` runs. Throws when the command fails. */
  async time(argv: readonly string[], count = 1): Promise<Timing> {
    return await this.#watch([String(count), ...argv]);
  }

  /** The same, with the stopwatch itself run by the words that `wrap` puts around it. */
  async timeInside(
    wrap: (words: readonly string[]) => readonly string[],
    argv: readonly string[],
    count = 1,
  ): Promise<Timing> {
    return await this.#watch([String(count), ...argv], wrap);
  }

  /** One run in which descriptors are counted; its time means nothing. */
  async count(argv: readonly string[]): Promise<Timing> {
    return await this.#watch(['-f', '1', ...argv]);
  }

  async #watch(
    argv: readonly string[],
    wrap = (words: readonly string[]): readonly string[] => words,
  ): Promise<Timing> {
    this.check();
    const { stdout, stderr, failed } = await outcome(wrap([this.#stopwatch, ...argv]));
    this.check();
    const timing = failed ? undefined : (JSON.parse(stdout) as Timing & { status: number });
    if (timing === undefined || timing.status !== 0) {
      const status = timing === undefined ? '' : ` (exit status ${timing.status})`;
      throw new Error(`failed${status}: ${argv.join(' ')}\n${stderr}`);
    }
    return timing;
  }

  /** What a command prints, without a stopwatch. */
  async output(argv: readonly string[]): Promise<string> {
    this.check();
    const { stdout, stderr, failed } = await outcome(argv);
    this.check();
    if (failed) throw new Error(`failed: ${argv.join(' ')}\n${stderr}`);
    return stdout;
  }

  /** Waits until the kernel has freed what was dropped; the time that took, in ms. */
  async settle(): Promise<number> {
    const { stdout, stderr, failed } = await outcome([this.limit, 'settle']);
    if (!failed) return (JSON.parse(stdout) as { ms: number }).ms;
    this.check();
    throw new Error(`failed: limit settle\n${stderr}`);
  }

  /** Takes down what a failed or interrupted run left, whatever it is. */
  async sweep(down: readonly string[], prefix: string): Promise<void> {
    await outcome(down);
    const folder = '/run/netns';
    const left = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(prefix)) : [];
    for (const name of left) await outcome(['ip', 'netns', 'del', name]);
  }
}
