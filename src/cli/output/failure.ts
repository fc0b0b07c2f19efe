// The end of every command that failed: an expected failure is printed short, a bug of ours with its stack.

import { readFileSync } from 'node:fs';
import { exit } from '../../base/catalogue/entry.ts';
import { NslabError } from '../../base/error.ts';
import { useColour } from './colour.ts';
import { renderError } from './problem.ts';

/** Prints what went wrong on standard error and returns the exit status. */
export function printFailure(error: unknown): number {
  if (error instanceof NslabError) {
    process.stderr.write(renderError(error, { colour: useColour(process.stderr), readSource }));
    return error.exitCode;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${text}\nerror[BUG] this is a bug in nslab\n`);
  return exit.bug;
}

/** The text of a topology file, to show the line that is wrong. */
export function readSource(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
