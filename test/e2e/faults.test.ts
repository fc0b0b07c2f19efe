// Killed at any moment (support/kill-everywhere.ts): the labs were chosen for what they do to the machine's own namespace: a wire;
// a bridge with NAT; a NIC that is moved in. Those with processes are files of their own, because they take long.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { killAt, testKillsAtEveryOp } from '../support/kill-everywhere.ts';
import { nslab, nslabOk } from '../support/nslab.ts';
import { shippedTopologies } from '../support/shipped.ts';
import { skipUnlessRoot } from '../support/skip.ts';

testKillsAtEveryOp('two-namespaces', 'physical', 'docker0', 'nat');

test('after a kill in the middle of up, the same up makes the lab as if nothing had been', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  killAt(['up', 'topologies/nat.yaml'], 'up:after:9');
  const { name } = shippedTopologies()
    .find((topology) => topology.name === 'nat')
    ?.load().lab ?? { name: '' };
  assert.match(nslabOk(['ls']), new RegExp(`${name} +broken`));
  try {
    assert.match(nslabOk(['up', 'topologies/nat.yaml']), /is up/);
    assert.match(nslabOk(['ls']), new RegExp(`${name} +up`));
  } finally {
    nslabOk(['down', name]);
  }
  await assertUnchanged(before);
});

test('after a kill in the middle of down, up brings the lab back whole', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  nslabOk(['up', 'topologies/two-namespaces.yaml']);
  killAt(['down', 'two-namespaces'], 'down:after:1');
  nslabOk(['up', 'topologies/two-namespaces.yaml']);
  try {
    assert.equal(nslab(['exec', 'test_ns', 'ping', '-c1', '-W2', '10.1.1.2']).status, 0);
  } finally {
    nslabOk(['down', 'two-namespaces']);
  }
  await assertUnchanged(before);
});
