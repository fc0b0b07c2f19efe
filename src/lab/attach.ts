// A container in the foreground: attached before its command starts, so that nothing it prints is missed. The helper holds the
// terminal and passes signals on (src/helper/attach.c); those that reach this process alone are passed on to it.

import { spawn } from 'node:child_process';
import { helperPath } from '../kernel/helper.ts';
import type { Container } from './containers.ts';

/** What a terminal sends to both of us at once. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP'];
const FROM_OTHERS: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGUSR1', 'SIGUSR2'];

export type AttachOptions = {
  readonly stdin: boolean;
  /** This process has one, too. */
  readonly terminal: boolean;
  /** Removes the container afterwards: its monitor leaves that to the caller then. */
  readonly removes: boolean;
  readonly detachKeys?: string | undefined;
};

/** Returns when the container has ended, with its status, or when the user has left it, with 0. */
export async function attachAndStart(
  container: Container,
  { stdin, terminal, removes, detachKeys }: AttachOptions,
): Promise<number> {
  const words = [
    '_attach',
    '--start',
    ...(removes ? ['--removes'] : []),
    ...(stdin ? [] : ['--no-stdin']),
    ...(detachKeys === undefined ? [] : ['--detach-keys', detachKeys]),
    container.folder,
  ];
  const child = spawn(helperPath(), words, { stdio: 'inherit' });
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  const ignore = (): void => undefined;
  for (const signal of FROM_OTHERS) process.on(signal, passOn);
  for (const signal of FROM_TERMINAL) process.on(signal, terminal ? ignore : passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject).once('close', (code) => resolve(code ?? 1));
    });
  } finally {
    for (const signal of FROM_OTHERS) process.off(signal, passOn);
    for (const signal of FROM_TERMINAL) process.off(signal, terminal ? ignore : passOn);
  }
}
