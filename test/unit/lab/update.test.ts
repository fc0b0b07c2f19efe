// The words of `nslab update`: test of src/lab/update.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NslabError } from '../../../src/base/error.ts';
import { readLimits } from '../../../src/lab/update.ts';

test('limits are read as a file has them, whether the network of `nslab run` is up or not', () => {
  const { memory, pids } = readLimits({ memory: '64MB', pids: 20 });
  assert.deepEqual({ memory, pids }, { memory: '64MB', pids: 20 });
});

test('what a file is refused for is refused here', () => {
  assert.throws(
    () => readLimits({ memory: 'lots' }),
    (error) => error instanceof NslabError && /lots/.test(error.message),
  );
});
