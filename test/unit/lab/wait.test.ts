// How long `down --wait` waits, and what it says when it stops: test of src/lab/wait.ts with a kernel that answers as told.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NslabError } from '../../../src/base/error.ts';
import type { LabName, NetnsName } from '../../../src/base/names.ts';
import type { NetnsEnd, NetnsWatch } from '../../../src/kernel/port.ts';
import { waitUntilGone } from '../../../src/lab/wait.ts';

const lab = 'wait' as LabName;
const held: NetnsEnd = { state: 'held', netns: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as NetnsName[] };

/** Answers one after another, the last for ever. */
function answering(...answers: readonly NetnsEnd[]): NetnsWatch & { asked: number } {
  return {
    asked: 0,
    look() {
      const answer = answers[Math.min(this.asked++, answers.length - 1)];
      assert.ok(answer !== undefined);
      return answer;
    },
    [Symbol.dispose]() {},
  };
}

async function errorOf(promise: Promise<void>): Promise<NslabError> {
  const error = await promise.then(
    () => assert.fail('it did not throw'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof NslabError);
  return error;
}

const { signal } = new AbortController();

test('it asks until everything is gone', async () => {
  const watch = answering(held, { state: 'destroying' }, { state: 'destroying' }, { state: 'gone' });
  await waitUntilGone({ lab, watch, signal });
  assert.equal(watch.asked, 4);
});

test('namespaces that somebody keeps are named after a while, and not all of very many', async () => {
  const error = await errorOf(waitUntilGone({ lab, watch: answering(held), signal, heldMs: 0 }));
  assert.deepEqual([error.code, error.exitCode], ['NETNS_HELD', 6]);
  assert.match(error.message, /^lab wait is down, .*: a, b, c, d, e and 2 more$/);
});

test('the kernel itself is given the time that it takes', async () => {
  const watch = answering({ state: 'destroying' }, { state: 'destroying' }, { state: 'gone' });
  await waitUntilGone({ lab, watch, signal, heldMs: 0 });
});

test('a signal ends the waiting', async () => {
  const error = await errorOf(waitUntilGone({ lab, watch: answering(held), signal: AbortSignal.abort() }));
  assert.deepEqual([error.code, error.exitCode], ['INTERRUPTED', 130]);
});
