// A sign of life for what may take long: one line that turns on a terminal, a plain line elsewhere, nothing for what is quick.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { nslab, nslabOk, root } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';
import { openTty } from '../support/tty.ts';

const NAME = 'tprogress';

/** It does not end by being asked. */
function startStubborn(): void {
  const script = 'trap "" TERM; while :; do sleep 1; done';
  nslabOk(['run', '-d', '--net', 'none', '--name', NAME, '--rootfs', 'host', 'sh', '-c', script]);
}

test('stop turns on a terminal while it waits, says so once in a log, and is silent when it is quick', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  startStubborn();
  try {
    const terminal = openTty([join(root, 'bin/nslab'), 'stop', '-t', '3', NAME]);
    await terminal.shown(/[|/\\-] stopping tprogress \(1 s\)/);
    await terminal.shown(/tprogress\r\n/);
    assert.equal(await terminal.ended, 0);
    nslabOk(['start', NAME]);
    const log = nslab(['stop', '-t', '3', NAME]);
    assert.deepEqual([log.status, log.stdout, log.stderr], [0, `${NAME}\n`, 'stopping tprogress\n']);
    nslabOk(['start', NAME]);
    assert.equal(nslab(['stop', '-t', '0', NAME]).stderr, '');
  } finally {
    nslabOk(['rm', '-f', NAME]);
  }
});
