import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IfName } from '../../../src/base/names.ts';
import { failureFrom, failureOfThrown } from '../../../src/kernel/failure.ts';
import type { Op } from '../../../src/plan/op.ts';
import { SyscallError } from '../../../src/sys/libc.ts';

const vrf: Op = {
  kind: 'createLink',
  place: null,
  link: { type: 'vrf', table: 10, ifname: 'red' as IfName },
};

test('the words of the kernel come first, with the errno behind them', () => {
  const failure = failureFrom({ errno: 22, code: 'EINVAL', message: 'ipv4: Invalid prefix length' }, vrf);
  assert.equal(failure.message, 'ipv4: Invalid prefix length (EINVAL)');
});

test('an errno without words is put into plain ones', () => {
  assert.equal(
    failureFrom({ errno: 17, code: 'EEXIST', message: '' }, vrf).message,
    'it exists already (EEXIST)',
  );
  assert.equal(failureFrom({ errno: 71, code: 'EPROTO', message: '' }, vrf).message, 'EPROTO');
});

test('a kind of device that the kernel lacks is answered with its module', () => {
  const failure = failureFrom({ errno: 95, code: 'EOPNOTSUPP', message: 'Unknown device type' }, vrf);
  assert.match(failure.hint ?? '', /modprobe vrf/);
  assert.equal(failure.lacks, 'vrf');
});

test('a failed system call is a failure, a mistake in the program is not', () => {
  assert.equal(failureOfThrown(new SyscallError('mount', 28, '/x')).code, 'ENOSPC');
  assert.throws(() => failureOfThrown(new TypeError('x is undefined')), TypeError);
});
