// The count that a run of tests ends with: what is passed, failed and skipped, and that no skip goes unnoticed.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { root } from '../support/nslab.ts';
import { compareSkipped } from '../support/skipped.ts';
import { outcomeOf, type SkipJudge, Tally } from '../support/tally.ts';

const file = 'test/kernel/x.test.ts';
const here = join(root, file);

/** What the tally prints. */
function told(t: TestContext, judge: SkipJudge, body: (tally: Tally) => void): string {
  const written: string[] = [];
  const mock = t.mock.method(process.stdout, 'write', (text: string) => written.push(text) > 0);
  const tally = new Tally(judge);
  body(tally);
  tally.conclude();
  mock.mock.restore();
  return written.join('');
}

test('a passed test, a skipped one and a failed one are what they are, a suite and a file are none', () => {
  const base = { name: 'a', file: here, nesting: 0, details: {} };
  assert.deepEqual(outcomeOf(base), { file, name: 'a' });
  assert.deepEqual(outcomeOf({ ...base, skip: 'why' }), { file, name: 'a', skip: 'why' });
  const error = new Error('2 of 3', { cause: 'what was wrong' });
  assert.deepEqual(outcomeOf({ ...base, details: { error } }), {
    file,
    name: 'a',
    failure: 'what was wrong',
  });
  assert.equal(outcomeOf({ ...base, details: { type: 'suite' } }), undefined);
  assert.equal(outcomeOf({ ...base, name: here }), undefined);
  assert.notEqual(outcomeOf({ ...base, name: here, details: { error } }), undefined);
});

test('the last line is the count, and a skip is judged by its reason', (t) => {
  const judge: SkipJudge = (reason) => (reason.startsWith('kernel lacks: ') ? 'fine' : 'failure');
  const text = told(t, judge, (tally) => {
    tally.add({ file, name: 'a' });
    tally.add({ file, name: 'b', skip: 'kernel lacks: vlan' });
    tally.add({ file, name: 'c', skip: 'no mood' });
    tally.add({ file, name: 'd', failure: 'it\nbroke' });
  });
  assert.equal(
    text,
    `FAIL ${file}: c: skipped (no mood)
FAIL ${file}: d
     it
     broke
skipped 1: kernel lacks: vlan
1 passed, 2 failed, 1 skipped
`,
  );
});

test('a run without a test is no success', (t) => {
  assert.match(
    told(
      t,
      () => 'fine',
      (tally) => assert.equal(tally.conclude(), 1),
    ),
    /0 passed/,
  );
});

test('a test that is skipped here must have passed elsewhere, in the same file', () => {
  const elsewhere = [
    { file, name: 'a' },
    { file, name: 'b', skip: 'kernel lacks: vlan' },
    { file, name: 'c', failure: 'no' },
    { file: 'other', name: 'd' },
  ];
  const { ran, never } = compareSkipped({ [file]: ['a', 'b', 'c', 'd'] }, elsewhere);
  assert.deepEqual(ran, [`${file}: a`]);
  assert.deepEqual(
    never,
    ['b', 'c', 'd'].map((name) => `${file}: ${name}`),
  );
});
