import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeName } from '../../../src/base/names.ts';
import { groupsOf } from '../../../src/lab/test-run.ts';
import type { TestProbe, TestSpec } from '../../../src/model/test-spec.ts';

function spec(name: string, kind: 'ping' | 'run'): TestSpec {
  const probe: TestProbe = kind === 'run' ? { kind, command: 'true' } : { kind, target: 'b' };
  return { name, from: 'a' as NodeName, probe, expect: 'ok', within: 0, points: 1, path: '' };
}

test('what asks runs together, a command alone and in its place', () => {
  const kinds = ['ping', 'ping', 'run', 'run', 'ping', 'ping', 'run'] as const;
  const groups = groupsOf(kinds.map((kind, i) => spec(String(i), kind)));
  assert.deepEqual(
    groups.map((group) => group.map(({ name }) => name).join('')),
    ['01', '2', '3', '45', '6'],
  );
  assert.deepEqual(groupsOf([]), []);
});
