// A terminal for tests: starts a command on a pty of its own, types, and waits until something is shown. The pty itself is
// tty.c, compiled once per test process; it needs only the compiler that the helper needs anyway.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { patience } from './emulated.ts';

const TIMEOUT_MS = patience(20_000);

let driver: string | undefined;

function buildDriver(): string {
  if (driver !== undefined) return driver;
  const folder = mkdtempSync(join(tmpdir(), 'nslab-tty-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  driver = join(folder, 'tty');
  execFileSync('cc', ['-O1', '-o', driver, join(import.meta.dirname, 'tty.c'), '-lutil']);
  return driver;
}

export type Tty = {
  /** Types the text as it is; `\r` is the Enter key. */
  readonly type: (text: string) => void;
  /** Resolves when what was shown since the last match matches; rejects after a time with all that was shown. */
  readonly shown: (pattern: RegExp) => Promise<string>;
  /** The exit status of the command, 128+n when signal n ended it. */
  readonly ended: Promise<number>;
};

type TtyOptions = {
  readonly rows?: number;
  readonly columns?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
};

/** Starts the command on a new terminal. */
export function openTty(command: readonly string[], options: TtyOptions = {}): Tty {
  const { rows = 24, columns = 80, env = process.env, cwd = process.cwd() } = options;
  const child = spawn(buildDriver(), [String(rows), String(columns), ...command], {
    env,
    cwd,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  let seen = 0;
  let wake: () => void = () => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    wake();
  });
  // The command may have ended before all was typed; its status tells more than EPIPE.
  child.stdin.on('error', () => {});
  const ended = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${command.join(' ')} did not end; its terminal shows:\n${screen}`));
    }, 2 * TIMEOUT_MS);
    child.on('error', reject).on('close', (code) => {
      clearTimeout(timer);
      resolve(code ?? -1);
    });
  });
  ended.catch(() => {});
  const shown = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const give = (error: Error | undefined, text = ''): void => {
        clearTimeout(timer);
        wake = () => {};
        if (error === undefined) resolve(text);
        else reject(error);
      };
      const look = (): void => {
        const match = pattern.exec(screen.slice(seen));
        if (match === null) return;
        seen += match.index + match[0].length;
        give(undefined, match[0]);
      };
      const timer = setTimeout(
        () => give(new Error(`${pattern} was not shown; the terminal shows:\n${screen}`)),
        TIMEOUT_MS,
      );
      wake = look;
      look();
    });
  return { type: (text) => void child.stdin.write(text), shown, ended };
}
