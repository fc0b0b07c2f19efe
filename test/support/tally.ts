// What the tests of a run came to: one count for all suites and machines, with failures told as they happen. Knows nothing of
// how a test was run; the events are those of node:test.

import { relative } from 'node:path';
import { root } from './nslab.ts';

/** One test that has ended, whichever machine it ran on. Plain data: it crosses from the virtual machine as JSON. */
export type Outcome = {
  /** Relative to the checkout. */
  readonly file: string;
  readonly name: string;
  /** Why it was skipped. */
  readonly skip?: string | undefined;
  /** Why it failed. */
  readonly failure?: string | undefined;
};

/** What a skip counts as: `fine` is not even shown, `shown` is a skip that somebody may want to know of. */
export type SkipJudge = (
  reason: string,
  test: Pick<Outcome, 'file' | 'name'>,
) => 'fine' | 'shown' | 'failure';

/** The part of the events `test:pass` and `test:fail` that is used here. */
type TestEvent = {
  readonly name: string;
  readonly file?: string | undefined;
  readonly nesting: number;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined; readonly error?: Error };
};

/** Undefined for what is no test: a suite, and the file itself, unless it failed as a whole. */
export function outcomeOf(event: TestEvent): Outcome | undefined {
  const { name, nesting, details } = event;
  if (details.type === 'suite') return undefined;
  const file = relative(root, event.file ?? '');
  const { error } = details;
  if (error !== undefined) {
    const { cause } = error;
    const failure = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause ?? error);
    return { file, name, failure };
  }
  if (nesting === 0 && name === event.file) return undefined;
  const skip = event.skip ?? event.todo;
  return skip === undefined || skip === false ? { file, name } : { file, name, skip: String(skip) };
}

function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

export class Tally {
  passed = 0;
  failed = 0;
  skipped = 0;
  readonly #judge: SkipJudge;
  readonly #reasons = new Map<string, number>();

  constructor(judge: SkipJudge) {
    this.#judge = judge;
  }

  add({ file, name, skip, failure }: Outcome): void {
    if (failure !== undefined) this.fail(`${file}: ${name}`, failure);
    else if (skip === undefined) this.passed++;
    else this.#skip({ file, name }, skip);
  }

  /** Something that is no test of its own went wrong. */
  fail(what: string, why: string): void {
    this.failed++;
    report(`FAIL ${what}\n${why.trimEnd().replace(/^/gm, '     ')}`);
  }

  #skip(test: Pick<Outcome, 'file' | 'name'>, reason: string): void {
    const what = `${test.file}: ${test.name}`;
    const as = this.#judge(reason, test);
    if (as === 'failure') {
      this.failed++;
      report(`FAIL ${what}: skipped (${reason})`);
      return;
    }
    this.skipped++;
    if (as === 'shown') report(`skip ${what}: ${reason}`);
    else this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  /** The last lines of a run; the very last is `N passed, N failed[, N skipped]`. Returns the exit status. */
  conclude(): number {
    for (const [reason, count] of this.#reasons) report(`skipped ${count}: ${reason}`);
    const skipped = this.skipped === 0 ? '' : `, ${this.skipped} skipped`;
    report(`${this.passed} passed, ${this.failed} failed${skipped}`);
    return this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}
