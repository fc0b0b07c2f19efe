// `exec` and `shell` by way of Node. The launcher starts the helper without it; this is the slow way for those who do not.

import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { helperPath } from '../kernel/helper.ts';

/** Runs the helper with the terminal as it is and returns its exit status, 128 + the signal's number if one ended it. */
export function runHelper(words: readonly string[]): number {
  const { status, signal, error } = spawnSync(helperPath(), words, { stdio: 'inherit' });
  if (error !== undefined) throw error;
  return status ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
