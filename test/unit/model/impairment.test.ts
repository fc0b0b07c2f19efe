// What a wire does as words and as a queueing discipline: the words are those that tc and a file read back to the same numbers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  durationText,
  parseDuration,
  parsePercent,
  parseRate,
  percentText,
  rateText,
} from '../../../src/base/units.ts';
import { parseImpairWords } from '../../../src/lab/impair.ts';
import { impairmentOptions, impairmentText, qdiscOf } from '../../../src/model/impairment.ts';
import type { Impairment } from '../../../src/model/lab.ts';

test('a text of a number is read as that number', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 1e12 }),
      fc.integer({ min: 1, max: 1e13 }),
      fc.nat({ max: 1e6 }),
      (us, bits, ppm) => {
        assert.deepEqual(parseDuration(durationText(us)), { ok: true, value: us });
        assert.deepEqual(parseRate(rateText(bits)), { ok: true, value: bits });
        const chance = parsePercent(percentText(ppm / 1e6));
        assert.ok(chance.ok && Math.abs(chance.value - ppm / 1e6) < 1e-12);
      },
    ),
  );
});

const impairment = fc.record(
  {
    delay: fc.integer({ min: 1, max: 1e9 }),
    loss: fc.integer({ min: 1, max: 1000 }).map((n) => n / 1000),
    corrupt: fc.integer({ min: 1, max: 1000 }).map((n) => n / 1000),
    duplicate: fc.integer({ min: 1, max: 1000 }).map((n) => n / 1000),
    rate: fc.integer({ min: 1, max: 1e11 }),
    limit: fc.integer({ min: 1, max: 0xffff_ffff }),
  },
  { requiredKeys: [] },
);

test('the words of an impairment are those that impair takes', () => {
  fc.assert(
    fc.property(impairment, fc.boolean(), (some, hasJitter) => {
      const given: Impairment = some.delay !== undefined && hasJitter ? { ...some, jitter: 7 } : some;
      const { set, flap } = parseImpairWords(impairmentOptions(given).flat());
      assert.equal(flap, undefined);
      assert.deepEqual(Object.keys(set).sort(), Object.keys(given).sort());
      for (const [word, value] of Object.entries(given)) {
        assert.ok(Math.abs((set[word as keyof Impairment] ?? 0) - value) < 1e-9, word);
      }
    }),
  );
});

test('words as tc has them: the second time of a delay is its jitter, in a number of a unit', () => {
  assert.deepEqual(parseImpairWords(['delay', '20ms', '2ms', 'loss', '1%']).set, {
    delay: 20_000,
    jitter: 2_000,
    loss: 0.01,
  });
  assert.deepEqual(parseImpairWords(['delay', '20ms', 'jitter', '2ms']).set, {
    delay: 20_000,
    jitter: 2_000,
  });
  assert.deepEqual(parseImpairWords(['flap', '2s']), { set: {}, flap: 2e6 });
  assert.deepEqual(parseImpairWords(['rate', '0mbit', 'delay', '0ms']).set, { rate: 0, delay: 0 });
  assert.deepEqual(parseImpairWords([]), { set: {} });
  for (const wrong of [
    ['delay', '20ms', '2'],
    ['limit', '1.5'],
    ['limit', '-1'],
    ['flap', '0s'],
    ['constructor', '1'],
  ]) {
    assert.throws(() => parseImpairWords(wrong), { code: 'USAGE' }, wrong.join(' '));
  }
});

test('a rate alone is for tbf with room for ten packets, all else is for netem', () => {
  assert.equal(qdiscOf({}), undefined);
  assert.deepEqual(qdiscOf({ rate: 1e6 }), { kind: 'tbf', rate: 1e6, burst: 15_140, limit: 30_280 });
  assert.deepEqual(qdiscOf({ rate: 1e6 }, 9000), { kind: 'tbf', rate: 1e6, burst: 90_140, limit: 180_280 });
  // 5 ms and 100 ms of 10 Gbit/s.
  assert.deepEqual(qdiscOf({ rate: 1e10 }), {
    kind: 'tbf',
    rate: 1e10,
    burst: 6_250_000,
    limit: 131_250_000,
  });
  assert.deepEqual(qdiscOf({ rate: 1e6, limit: 10 }), { kind: 'netem', rate: 1e6, limit: 10 });
  assert.equal(impairmentText({ loss: 0.01, delay: 1_500 }), 'delay 1.5ms loss 1%');
});
