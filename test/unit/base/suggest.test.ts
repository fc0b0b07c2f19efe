// Did-you-mean: near words are found, far ones are not guessed at.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { didYouMean, listWords, nearest, slips } from '../../../src/base/suggest.ts';

test('a letter too few, too many, wrong or swapped is one slip', () => {
  for (const [a, b] of [
    ['mtu', 'mt'],
    ['mtu', 'mtuu'],
    ['mtu', 'mtx'],
    ['mtu', 'mut'],
  ] as const) {
    assert.equal(slips(a, b, 3), 1, b);
  }
  assert.equal(slips('bridge', 'bridge', 0), 0);
  assert.equal(slips('kitten', 'sitting', 3), 3);
  assert.equal(slips('kitten', 'sitting', 2), Number.POSITIVE_INFINITY);
});

test('slips are the same in both directions and at most the length of the longer word', () => {
  const word = fc.string({ maxLength: 12, unit: fc.constantFrom('a', 'b', 'c') });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const count = slips(a, b, 12);
      assert.equal(count, slips(b, a, 12));
      assert.ok(count <= Math.max(a.length, b.length) && (count === 0) === (a === b));
    }),
  );
});

test('the nearest word is found whatever its case, within a third of its letters', () => {
  const words = ['interfaces', 'routes', 'rules', 'mtu', 'mac', 'nat'];
  assert.equal(nearest('interfacs', words), 'interfaces');
  assert.equal(nearest('Routes', words), 'routes');
  assert.equal(nearest('ruels', words), 'rules');
  assert.equal(nearest('mtuu', words), 'mtu');
  assert.equal(nearest('gateway', words), undefined);
  assert.equal(nearest('x', ['y']), undefined);
  assert.equal(nearest('x'.repeat(100_000), ['x'.repeat(99_999)]), undefined);
});

test('the word itself is never suggested', () => {
  assert.equal(didYouMean('mtu', ['mtu']), undefined);
  assert.equal(didYouMean('mtx', ['mtu']), 'did you mean "mtu"?');
});

test('words are listed as a sentence, and long lists are cut', () => {
  assert.equal(listWords([]), '');
  assert.equal(listWords(['a']), 'a');
  assert.equal(listWords(['a', 'b'], 'or'), 'a or b');
  assert.equal(listWords(['a', 'b', 'c']), 'a, b and c');
  assert.equal(listWords(['a', 'b', 'c'], 'and', 2), 'a, b, ... (3 in all)');
});
