// `nslab test`: the tests of a lab, each tried until it holds or its time is over, and for each that failed the place where its
// packets died. What only asks runs at the same time; a command may change something, so it runs alone, in its place in the file.

import { setTimeout as wait } from 'node:timers/promises';
import { NslabError } from '../base/error.ts';
import type { NodeName } from '../base/names.ts';
import { KernelWorld } from '../diagnose/ask.ts';
import { type Diagnosis, diagnose } from '../diagnose/walk.ts';
import { helperPath } from '../kernel/helper.ts';
import type { TestProbe, TestSpec } from '../model/test-spec.ts';
import { Prober } from '../probe/prober.ts';
import { type Attempt, attempt, type Means } from './test-attempt.ts';
import { AddressBook, allNetns, netnsNamed, type Subject } from './test-subject.ts';

export type TestOptions = {
  /** Milliseconds that an answer may take. */
  readonly timeout: number;
  readonly onResult?: (result: TestResult) => void;
};

export type TestResult = {
  readonly name: string;
  readonly from: NodeName;
  readonly probe: TestProbe;
  readonly expect: TestSpec['expect'];
  readonly passed: boolean;
  /** What the last try found. */
  readonly found: string;
  readonly tries: number;
  readonly seconds: number;
  /** Earned, of those that there are. */
  readonly points: number;
  readonly of: number;
  /** Where it died, of a probe that should have worked. */
  readonly died?: Died;
};

export type Died = {
  readonly text: string;
  /** `no-route`, ...; absent where no cause was found. */
  readonly code?: string;
  readonly node?: string;
  /** The nodes that the packet passed. */
  readonly path: readonly string[];
};

export type TestReport = {
  readonly lab: string;
  readonly file: string | null;
  readonly tests: readonly TestResult[];
  readonly passed: number;
  readonly points: number;
  readonly of: number;
};

/** Between two tries. */
const PAUSE_MS = 100;

/**
 * Runs all tests of the lab.
 * @throws NslabError TEST_NONE
 */
export async function runTests(subject: Subject, options: TestOptions): Promise<TestReport> {
  const { lab, file } = subject;
  if (lab.tests.length === 0)
    throw new NslabError('TEST_NONE', `lab ${lab.name} has no tests`, {
      hint: 'give the file a list `tests:`',
    });
  await using prober = new Prober(helperPath());
  const means: Means = { subject, book: new AddressBook(subject), prober, timeout: options.timeout };
  const results: TestResult[] = [];
  for (const group of groupsOf(lab.tests)) {
    const tried = await Promise.all(group.map(async (spec) => ({ spec, ...(await tryTest(spec, means)) })));
    for (const { spec, last, tries, seconds } of tried) {
      const died = last.passed || last.lost === undefined ? undefined : whereItDied(spec, last.lost, subject);
      const result = resultOf(spec, { last, tries, seconds, died });
      results.push(result);
      options.onResult?.(result);
    }
  }
  return {
    lab: lab.name,
    file,
    tests: results,
    passed: results.filter(({ passed }) => passed).length,
    points: sum(results.map(({ points }) => points)),
    of: sum(results.map(({ of }) => of)),
  };
}

/** Points may have fractions, which binary numbers add up to more than they are. */
function sum(numbers: readonly number[]): number {
  return Number(numbers.reduce((total, number) => total + number, 0).toFixed(6));
}

/** Tests in the order of the file: what may run together, together. */
export function groupsOf(tests: readonly TestSpec[]): TestSpec[][] {
  const groups: TestSpec[][] = [];
  for (const test of tests) {
    const last = groups.at(-1);
    const alone = test.probe.kind === 'run' || last?.[0]?.probe.kind === 'run';
    if (last === undefined || alone) groups.push([test]);
    else last.push(test);
  }
  return groups;
}

type Tried = { readonly last: Attempt; readonly tries: number; readonly seconds: number };

async function tryTest(spec: TestSpec, means: Means): Promise<Tried> {
  const began = performance.now();
  for (let tries = 1; ; tries++) {
    const last = await attempt(spec, means);
    const spent = performance.now() - began;
    if (last.passed || spent + PAUSE_MS >= spec.within) return { last, tries, seconds: spent / 1000 };
    await wait(PAUSE_MS);
  }
}

function resultOf(spec: TestSpec, tried: Tried & { readonly died: Died | undefined }): TestResult {
  const { last, tries, seconds, died } = tried;
  return {
    name: spec.name,
    from: spec.from,
    probe: spec.probe,
    expect: spec.expect,
    passed: last.passed,
    found: last.found,
    tries,
    seconds: Number(seconds.toFixed(3)),
    points: last.passed ? spec.points : 0,
    of: spec.points,
    ...(died === undefined ? {} : { died }),
  };
}

function whereItDied(spec: TestSpec, lost: NonNullable<Attempt['lost']>, subject: Subject): Died | undefined {
  using world = new KernelWorld(allNetns(subject.lab));
  const netns = netnsNamed(spec.from, subject.lab);
  const from = world.find(netns);
  return from === undefined ? undefined : diedOf(diagnose(world, { from, ...lost }));
}

function diedOf({ cause, back, path, unseen }: Diagnosis): Died {
  const way = back ? 'on the way back ' : '';
  if (cause !== undefined) return { text: `${way}${cause.text}`, code: cause.code, node: cause.node, path };
  if (unseen !== undefined) return { text: `${way}${unseen}, where nslab cannot look`, path };
  return { text: 'routes, filters and wires let it through, there and back', path };
}
