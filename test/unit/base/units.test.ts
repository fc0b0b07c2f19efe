// Numbers with units: test of src/base/units.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  durationText,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
  percentText,
  rateText,
} from '../../../src/base/units.ts';

type Parse = typeof parseDuration;

function good(parse: Parse, cases: Record<string, number>): void {
  for (const [text, expected] of Object.entries(cases))
    assert.deepEqual(parse(text), { ok: true, value: expected }, text);
}

function bad(parse: Parse, code: string, texts: readonly (string | number)[]): void {
  for (const text of texts) {
    const result = parse(text);
    assert.equal(result.ok ? 'accepted' : result.error.code, code, String(text));
  }
}

describe('times', () => {
  it('are microseconds', () => {
    good(parseDuration, {
      '20ms': 20000,
      '1.5s': 1500000,
      '100us': 100,
      '2m': 120e6,
      '1h': 3600e6,
      '1m30s': 90e6,
      '10 MS': 10000,
      '.5s': 500000,
    });
  });

  it('need a unit, and one of time', () => {
    bad(parseDuration, 'UNIT_MISSING', [20, '20', '1.5']);
    bad(parseDuration, 'UNIT_INVALID', [
      '20mbit',
      '',
      'fast',
      '-1ms',
      '1e3ms',
      '1m30',
      '20ms 1',
      '5constructor',
    ]);
  });

  it('say how the bare number could be meant', () => {
    const result = parseDuration(20);
    assert.deepEqual(!result.ok && result.error.hint, 'write 20ms or 20s');
  });
});

describe('rates', () => {
  it('are bits per second; bps is bytes, as in tc', () => {
    good(parseRate, {
      '10mbit': 1e7,
      '1gbit': 1e9,
      '64kbit': 64000,
      '1kibit': 1024,
      '1mbps': 8e6,
      '100bit': 100,
      '1.5Mbit': 1.5e6,
    });
  });

  it('of nothing or without a unit are refused', () => {
    bad(parseRate, 'VALUE_RANGE', ['0mbit']);
    bad(parseRate, 'UNIT_MISSING', [10, '10']);
    bad(parseRate, 'UNIT_INVALID', ['10mb', '10 Mb/s', '10ms']);
  });
});

describe('sizes', () => {
  it('are bytes in powers of 1024', () => {
    good(parseSize, { '64MB': 67108864, '64m': 67108864, '1GiB': 1073741824, '512k': 524288, '100B': 100 });
    bad(parseSize, 'UNIT_MISSING', [64, '64']);
    bad(parseSize, 'UNIT_INVALID', ['64mbit', 'MB']);
  });
});

describe('probabilities', () => {
  it('are 0 to 1, written in percent', () => {
    good(parsePercent, { '0%': 0, '100%': 1, '50%': 0.5 });
    bad(parsePercent, 'UNIT_MISSING', [1, '0.01']);
    bad(parsePercent, 'VALUE_RANGE', ['101%']);
    bad(parsePercent, 'UNIT_INVALID', ['1 percent', '-1%']);
  });
});

it('numbers come back from the texts that are written of them', () => {
  const ok = <T>(value: T) => ({ ok: true, value });
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 100_000 }), (number, part) => {
      assert.deepEqual(parseDuration(durationText(number % 1e12)), ok(number % 1e12));
      assert.deepEqual(parseRate(rateText((number % 1e12) + 1)), ok((number % 1e12) + 1));
      const probability = Number(`${part / 1000}`) * 0.01;
      assert.deepEqual(parsePercent(percentText(probability)), ok(probability));
    }),
  );
  assert.deepEqual([durationText(20_000), durationText(1500), durationText(0)], ['20ms', '1.5ms', '0s']);
  assert.deepEqual([rateText(10_000_000), rateText(1), percentText(0.01)], ['10mbit', '1bit', '1%']);
});
