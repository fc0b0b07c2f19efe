// The fake kernel refuses what the kernel refuses; test/kernel/plan-kernel.test.ts tells the same stories to the kernel.

import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { beginning, stories } from '../../support/kernel-contract.ts';

for (const { title, ops, undo, code } of stories) {
  test(`on the fake, ${title}`, () => {
    const kernel = new FakeKernel();
    const before = [...beginning, ...ops.slice(0, -1)];
    assert.deepEqual(kernel.run(before), { done: before.length });
    if (undo !== undefined) assert.deepEqual(kernel.undo(undo), { notes: [] });
    const result = kernel.run(ops.slice(-1));
    assert.equal('failure' in result ? result.failure.code : 'ok', code);
  });
}
