// The end of every command that failed: an expected failure is printed short, a bug of ours with its stack.

import { readFileSync } from 'node:fs';
import { exit } from '../../base/catalogue/entry.ts';
import { NslabError, type Problem } from '../../base/error.ts';
import { useColour } from './colour.ts';
import { renderError, renderProblem } from './problem.ts';

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

/** The lines of a topology file, to show the one that is wrong. */
function readSource(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Prints problems that stop nothing on standard error. */
export function printWarnings(warnings: readonly Problem[]): void {
  const colour = useColour(process.stderr);
  for (const warning of warnings) process.stderr.write(renderProblem(warning, { colour, readSource }));
}
