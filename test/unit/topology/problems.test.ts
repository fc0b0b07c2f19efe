// Problems by key path: their text form, their order and what is said only once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Where } from '../../../src/base/error.ts';
import {
  isError,
  type Path,
  type PathProblem,
  parsePathText,
  pathText,
  resolveProblems,
} from '../../../src/topology/problems.ts';

test('a key path reads like the file', () => {
  assert.equal(pathText(['nodes', 'pc1', 'routes', 0, 'via']), 'nodes.pc1.routes[0].via');
  assert.equal(pathText(['links', 2, 'endpoints', 1]), 'links[2].endpoints[1]');
  assert.equal(pathText([]), '');
});

test('keys that would read as something else are quoted', () => {
  assert.equal(pathText(['nodes', 'r1.lan', 'mtu']), 'nodes["r1.lan"].mtu');
  assert.equal(pathText(['a', '']), 'a[""]');
  assert.equal(pathText(['say "hi"']), '["say \\"hi\\""]');
  assert.equal(pathText(['sysctls', 'net.ipv4.ip_forward']), 'sysctls["net.ipv4.ip_forward"]');
});

test('a text key of digits stays a key and a list position a position', () => {
  assert.deepEqual(parsePathText('nodes.1.routes[1]'), ['nodes', '1', 'routes', 1]);
});

test('parsing the text of any path gives the path back', () => {
  const step = fc.oneof(
    fc.nat(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a.b', '[0]', '"', '\\', 'x]'),
  );
  fc.assert(
    fc.property(fc.array(step), (path) => {
      assert.deepEqual(parsePathText(pathText(path)), path);
    }),
  );
});

test('a text that is no path is a bug and says so', () => {
  assert.throws(() => parsePathText('nodes..x'), /not a key path/);
  assert.throws(() => parsePathText('a[1'), /not a key path/);
});

/** Every path is on the line that its first step names. */
function locate(path: Path): Where {
  const line = Number(path[0] ?? 1);
  const col = Number(path[1] ?? 1);
  return { file: 'f.yaml', line, col, endCol: col + 1, path: pathText(path) };
}

function problem(path: Path, message = 'wrong'): PathProblem {
  return { code: 'VALUE_INVALID', message, path };
}

test('problems are sorted by line and column, and keep their order at one place', () => {
  const found = resolveProblems(
    [problem([9, 1]), problem([2, 7]), problem([2, 3], 'first'), problem([2, 3], 'second')],
    locate,
  );
  assert.deepEqual(
    found.map(({ where, message }) => [where?.line, where?.col, message]),
    [
      [2, 3, 'first'],
      [2, 3, 'second'],
      [2, 7, 'wrong'],
      [9, 1, 'wrong'],
    ],
  );
});

test('the same thing at the same place is said once', () => {
  assert.equal(resolveProblems([problem([1, 1]), problem([1, 1]), problem([1, 2])], locate).length, 2);
});

test('hint, severity and second place are carried over', () => {
  const [found] = resolveProblems(
    [
      {
        ...problem([4, 2]),
        hint: 'mend it',
        severity: 'warning',
        related: { message: 'the first', path: [1, 5], part: 'key' },
      },
    ],
    locate,
  );
  assert.ok(found !== undefined && !isError(found));
  assert.equal(found.hint, 'mend it');
  assert.equal(found.related?.message, 'the first');
  assert.equal(found.related?.where.line, 1);
});

test('a problem without a severity is an error', () => {
  assert.ok(isError(problem([1])));
});
