// The tests that the kernel of this machine could not run, by name, from one run to the next: `npm run test:vm` compares them with
// what passed there, so that no test is skipped everywhere.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './nslab.ts';
import type { Outcome } from './tally.ts';

const path = join(root, 'dist/skipped-tests.json');

/** file -> names of the tests that were skipped when it ran last. */
type Skipped = Readonly<Record<string, readonly string[]>>;

function read(): Skipped {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Skipped;
  } catch {
    return {};
  }
}

/** Notes what was skipped in the files that ran; what is known of other files stays. */
export function noteSkipped(files: readonly string[], outcomes: readonly Outcome[]): void {
  const skippedIn = (file: string): string[] =>
    outcomes.filter((one) => one.file === file && one.skip !== undefined).map(({ name }) => name);
  const ran = Object.fromEntries(files.map((file) => [file, skippedIn(file)]));
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(path, `${JSON.stringify({ ...read(), ...ran }, undefined, 1)}\n`);
}

/** The tests of these files that were skipped when they ran last on this machine; a file that never ran is left out. */
export function skippedHere(files: readonly string[]): Skipped {
  return Object.fromEntries(Object.entries(read()).filter(([file]) => files.includes(file)));
}

/** Parts the tests that were skipped here by whether they are among those that passed elsewhere. */
export function compareSkipped(
  skipped: Skipped,
  elsewhere: readonly Outcome[],
): { readonly ran: readonly string[]; readonly never: readonly string[] } {
  const key = (file: string, name: string): string => `${file}: ${name}`;
  const passed = new Set(
    elsewhere
      .filter(({ skip, failure }) => skip === undefined && failure === undefined)
      .map(({ file, name }) => key(file, name)),
  );
  const names = Object.entries(skipped).flatMap(([file, titles]) => titles.map((name) => key(file, name)));
  return { ran: names.filter((name) => passed.has(name)), never: names.filter((name) => !passed.has(name)) };
}
