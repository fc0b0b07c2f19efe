// What a test file that runs as a program elsewhere (vm-reporter.ts) says of its tests.

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Outcome, Tally } from './tally.ts';
import { MARK } from './vm-reporter.ts';

export type FileOutcomes = {
  /** Null when a signal ended it. */
  readonly status: number | null;
  readonly outcomes: readonly Outcome[];
  /** The last lines of what it printed besides. */
  readonly noise: string;
};

/** Reads to the end of the program, and gives each outcome to the tally when it comes. */
export async function readOutcomes(child: ChildProcess, file: string, tally: Tally): Promise<FileOutcomes> {
  if (child.stdout === null) throw new Error('no stdout');
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  const outcomes: Outcome[] = [];
  const noise: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(MARK)) {
      const outcome: Outcome = { ...JSON.parse(line.slice(1)), file };
      outcomes.push(outcome);
      tally.add(outcome);
    } else if (line !== '') {
      noise.push(line);
    }
  }
  return { status: await ended, outcomes, noise: noise.slice(-40).join('\n') };
}
