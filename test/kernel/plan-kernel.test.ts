// The plan against the kernel, with nothing between: that the fake kernel of the unit suite tells no lies, and that the script of
// `explain` and the ops make the same of labs with everything in them. Both in a machine of their own (unshare(1)).

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test, { type TestContext } from 'node:test';
import { differences } from '../support/fingerprint.ts';
import { stories } from '../support/kernel-contract.ts';
import { testProgram } from '../support/programs.ts';
import { skipKernelLacks, skipUnlessLinkKind, skipUnlessRoot } from '../support/skip.ts';

type Dump = readonly (readonly [string, readonly string[]])[];

function inPrivateMachine(...words: readonly string[]): { before: Dump; answer: unknown } {
  const argv = ['--net', '--mount', ...testProgram('in-private-machine.ts'), ...words];
  const { stdout, stderr, status } = spawnSync('unshare', argv, { encoding: 'utf8', maxBuffer: 64 << 20 });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as { before: Dump; answer: unknown };
}

test('the kernel refuses what the fake kernel refuses', (t) => {
  if (skipUnlessRoot(t)) return;
  const told = inPrivateMachine('contract').answer as readonly (readonly [string, string])[];
  const lacking = told.filter(([, said]) => said.startsWith('kernel lacks: '));
  const expected = stories.map(({ title, code }) => [title, code]);
  const known = (list: readonly (readonly string[])[]) =>
    list.filter(([title]) => !lacking.some(([name]) => name === title));
  assert.deepEqual(known(told), known(expected));
  const [first] = lacking;
  if (first !== undefined) skipKernelLacks(t, first[1].slice('kernel lacks: '.length));
});

function assertEqualLabs(t: TestContext, name: string): void {
  if (skipUnlessRoot(t)) return;
  // Loads the modules, which bring settings and devices of their own into every namespace that is made afterwards.
  inPrivateMachine('explain', name);
  const byPort = inPrivateMachine('up', name);
  const byScript = inPrivateMachine('explain', name);
  const dumps = [byScript, byPort].map(({ answer }) => new Map((answer as { dump: Dump }).dump));
  const [script, port] = dumps;
  assert.ok(script !== undefined && port !== undefined && script.size > 20);
  assert.deepEqual(differences(script, port), [], 'the script (-) and the ops (+) differ');
  const { before, answer } = byPort;
  const after = (answer as { after: Dump }).after;
  assert.deepEqual(differences(new Map(before), new Map(after)), [], 'something is left of the lab');
}

test('the script makes of a lab with everything what the ops make', (t) => {
  assertEqualLabs(t, 'everything');
});

test('the script makes of the kinds of a stock kernel what the ops make', (t) => {
  for (const kind of ['vlan', 'vrf', 'ipvlan', 'gre', 'bond', 'dummy', 'wireguard']) {
    if (skipUnlessLinkKind(t, kind)) return;
  }
  assertEqualLabs(t, 'stock-kinds');
});
