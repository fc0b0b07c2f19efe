// Killed at any step of `apply`: `down` finds either of the two labs, in parts, and leaves the machine as it was.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rounds } from '../support/emulated.ts';
import { assertUnchanged, fingerprint } from '../support/fingerprint.ts';
import { killAt, takeDown } from '../support/kill-everywhere.ts';
import { nslabOk } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const STEP = rounds(1, 4);

const first = `
name: tfa
nodes:
  tfa-a: { sysctls: { net.ipv4.ip_forward: 1 } }
  tfa-b: {}
  host:
    interfaces: { tfa-br: { type: bridge, addresses: [10.4.0.1/24] } }
    nat: [{ masquerade: { out: tfa-br } }]
    sysctls: { net.ipv4.conf.all.log_martians: 1 }
links:
  - endpoints: [{ node: tfa-a, interface: eth0, addresses: [10.4.0.2/24] }, { node: host, interface: tfa-p1, master: tfa-br }]
  - endpoints: [{ node: tfa-b, interface: eth0, addresses: [10.4.0.3/24] }, { node: host, interface: tfa-p2, master: tfa-br }]
`;

const second = `
name: tfa
nodes:
  tfa-a: {}
  tfa-c: { rootfs: host, command: [sleep, infinity], network_mode: none }
  host:
    interfaces: { tfa-br: { type: bridge, addresses: [10.4.1.1/24] } }
    routes: ["192.0.2.0/24 via 10.4.1.2"]
    sysctls: { net.ipv4.conf.all.accept_source_route: 1 }
    firewall: { input: { policy: accept, rules: [{ in: tfa-br, action: accept }] } }
links:
  - endpoints: [{ node: tfa-a, interface: eth0, addresses: [10.4.1.2/24] }, { node: host, interface: tfa-p1, master: tfa-br }]
  - endpoints: [{ node: tfa-a, interface: eth1 }, { node: host, interface: tfa-p3, master: tfa-br }]
`;

test('killed at any step of apply, nslab down leaves the machine as it was', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const folder = mkdtempSync(join(tmpdir(), 'nslab-faults-'));
  const [a, b] = [join(folder, 'a.yaml'), join(folder, 'b.yaml')];
  writeFileSync(a, first);
  writeFileSync(b, second);
  try {
    const before = await fingerprint();
    nslabOk(['up', a]);
    const { steps } = JSON.parse(nslabOk(['apply', b, '--dry-run', '--json'])) as {
      steps: { kind: string }[];
    };
    assert.ok(steps.length > 15, `${steps.length} steps`);
    // Before a step is after the one before it.
    const faults = [...steps.keys()].filter((index) => index % STEP === 0).map((index) => `after:${index}`);
    for (const [turn, fault] of ['before:0', ...faults].entries()) {
      if (turn > 0) nslabOk(['up', a]);
      killAt(['apply', b], `apply:${fault}`);
      assert.match(nslabOk(['ls']), /tfa +broken/);
      takeDown('tfa', turn);
      await assertUnchanged(before, `${fault} of apply: ${JSON.stringify(steps[turn - 1])}`);
    }
    // And what was killed can be gone on with.
    nslabOk(['up', a]);
    killAt(['apply', b], `apply:after:${Math.floor(steps.length / 2)}`);
    nslabOk(['apply', b]);
    nslabOk(['diff', b]);
    nslabOk(['down', 'tfa']);
    await assertUnchanged(before);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
