// Every shipped lesson on the real kernel, by its own `tests:`: the start comes up and has work left, the solution scores all
// points, and afterwards the machine is as it was. What the files say of themselves is in unit/topology/lessons.test.ts.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rounds } from '../support/emulated.ts';
import { assertUnchanged, type Fingerprint, fingerprint } from '../support/fingerprint.ts';
import { nslab, nslabOk, upLab } from '../support/nslab.ts';
import { skipUnlessKernelCan } from '../support/shipped.ts';
import { type LessonPart, shippedLessons } from '../support/shipped-lessons.ts';
import { skipUnlessRoot } from '../support/skip.ts';

type Score = {
  readonly points: number;
  readonly of: number;
  readonly tests: readonly { readonly name: string; readonly passed: boolean; readonly found: string }[];
};

const BASE = 'base:latest';
const isRoot = process.geteuid?.() === 0;
let hadBase = true;
let machine: Fingerprint;

function imageNames(): string[] {
  return (JSON.parse(nslabOk(['image', 'ls', '--json'])) as { name: string }[]).map(({ name }) => name);
}

before(async () => {
  if (!isRoot) return;
  hadBase = imageNames().includes(BASE);
  if (!hadBase) nslabOk(['image', 'build-base']);
  machine = await fingerprint();
});
after(() => {
  if (!isRoot || hadBase) return;
  nslabOk(['image', 'rm', BASE]);
  nslabOk(['image', 'prune']);
});

/** What has no answer half a second after the question gets none in a lab that is not to work. */
const options: Readonly<Record<LessonPart, readonly string[]>> = {
  start: ['--timeout', '0.5'],
  solution: [],
};

async function scoreOf(file: string, part: LessonPart): Promise<Score> {
  await using lab = await upLab(file);
  const { status, stdout, stderr } = nslab(['test', lab.name, '--json', ...options[part]]);
  const FAILED = 6;
  assert.ok(status === 0 || status === FAILED, `nslab test ${lab.name}: ${status}\n${stdout}${stderr}`);
  return JSON.parse(stdout);
}

/** Those that are another thing under another kernel: the other version of control groups, the other file system, VLANs. */
const dependOnKernel = ['10-cgroups', '12-user-namespaces', '18-vlan'];
const lessons = shippedLessons();
const few = lessons.filter(({ name }) => dependOnKernel.includes(name));

for (const lesson of rounds(lessons.length, few.length) === lessons.length ? lessons : few) {
  test(`${lesson.name}: the start has work left, the solution all points, and both leave nothing`, async (t) => {
    if (skipUnlessRoot(t, 'e2e') || skipUnlessKernelCan(t, lesson.load('solution'))) return;
    {
      using _stage = lesson.stage();
      const start = await scoreOf(lesson.file('start'), 'start');
      assert.ok(start.points < start.of, `the start has ${start.points} of ${start.of} points`);
      const solution = await scoreOf(lesson.file('solution'), 'solution');
      const failed = solution.tests.filter(({ passed }) => !passed);
      assert.deepEqual(
        failed.map(({ name, found }) => `${name}: ${found}`),
        [],
      );
      assert.equal(solution.points, solution.of);
      assert.equal(start.of, solution.of);
    }
    await assertUnchanged(machine, `the machine after ${lesson.name}`);
  });
}
