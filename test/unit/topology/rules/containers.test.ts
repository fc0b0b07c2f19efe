// What containers want of each other.

import assert from 'node:assert/strict';
import test from 'node:test';
import { NslabError } from '../../../../src/base/error.ts';
import { loadText } from '../../../../src/topology/load.ts';

/** `CODE path` of each problem that stops `up`. */
function problems(nodes: Record<string, unknown>, more: Record<string, unknown> = {}): string[] {
  try {
    loadText(JSON.stringify({ name: 'x', nodes, ...more }), { path: 'x.yaml', env: {} });
    return [];
  } catch (error) {
    if (!(error instanceof NslabError)) throw error;
    return error.problems
      .filter(({ severity }) => severity !== 'warning')
      .map(({ code, where }) => `${code} ${where?.path}`);
  }
}

const box = (keys: Record<string, unknown> = {}): Record<string, unknown> => ({ rootfs: 'host', ...keys });
const healthcheck = { test: ['CMD', 'true'] };

test('containers may depend on each other, on other nodes and on what has a check', () => {
  assert.deepEqual(
    problems({
      a: box({
        depends_on: {
          b: { condition: 'service_healthy' },
          c: { condition: 'service_completed_successfully' },
        },
      }),
      b: box({ healthcheck, depends_on: ['r'] }),
      c: box(),
      r: {},
      side: box({ network_mode: 'container:a' }),
      out: box({ network_mode: 'host' }),
    }),
    [],
  );
});

test('nobody becomes healthy without a check, and what is no container neither does nor ends', () => {
  const on = (condition: string) => box({ depends_on: { b: { condition } } });
  const wrong = ['VALUE_INVALID nodes.a.depends_on.b.condition'];
  assert.deepEqual(problems({ a: on('service_healthy'), b: box() }), wrong);
  assert.deepEqual(
    problems({ a: on('service_healthy'), b: box({ healthcheck: { ...healthcheck, disable: true } }) }),
    wrong,
  );
  assert.deepEqual(
    problems({ a: on('service_healthy'), b: box({ healthcheck: { test: ['NONE'] } }) }),
    wrong,
  );
  assert.deepEqual(problems({ a: on('service_completed_successfully'), b: {} }), wrong);
});

test('a circle is told once, of whatever kind and length', () => {
  assert.deepEqual(
    problems({
      a: box({ depends_on: ['b'] }),
      b: box({ depends_on: { c: { condition: 'service_started' } } }),
      c: box({ depends_on: ['a'] }),
      d: box({ depends_on: ['a'] }),
    }),
    ['DEPENDS_LOOP nodes.a.depends_on'],
  );
  assert.deepEqual(
    problems({ a: box({ network_mode: 'container:b' }), b: box({ network_mode: 'container:a' }) }),
    ['DEPENDS_LOOP nodes.a.network_mode'],
  );
});

test('who is in the network of another has no wires and no routes of its own', () => {
  const links = [{ endpoints: ['a:eth0', 'r:eth0'] }];
  assert.deepEqual(problems({ a: box({ network_mode: 'host' }), r: {} }, { links }), [
    'INTERFACE_CONFLICT nodes.a.network_mode',
  ]);
  assert.deepEqual(
    problems({ a: box({ network_mode: 'container:b', sysctls: { 'net.ipv4.ip_forward': 1 } }), b: box() }),
    ['INTERFACE_CONFLICT nodes.a.network_mode'],
  );
});
