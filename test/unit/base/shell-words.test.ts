// Words, signals and capabilities: test of src/base/shell-words.ts, signals.ts and capabilities.ts.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { capabilities, capabilityMask, capabilityNames } from '../../../src/base/capabilities.ts';
import { shellWords } from '../../../src/base/shell-words.ts';
import { parseSignal } from '../../../src/base/signals.ts';

describe('a text as words', () => {
  it('is what sh makes of it', () => {
    const chars = fc.constantFrom('a', 'b', ' ', '\t', "'", '"', '\\', '=', '-', '/');
    const texts = fc.sample(fc.string({ unit: chars, maxLength: 12 }), 300).flatMap((text) => {
      const result = shellWords(text);
      return result.ok ? [{ text, words: result.value }] : [];
    });
    assert.ok(texts.length > 50);
    // One shell for all of them: each text is evaluated in a line of its own, and its words end in NUL.
    const script = texts.map(
      ({ text }) => `set -- ${text}\nfor w in "$@"; do printf '%s\\0' "$w"; done; printf '\\n\\0'\n`,
    );
    const output = execFileSync('sh', ['-s'], { input: script.join(''), encoding: 'utf8' });
    const expected = texts.map(({ words }) => [...words, '\n'].map((word) => `${word}\0`).join('')).join('');
    assert.equal(output, expected);
  });

  it('keeps what quotes keep, and expands nothing', () => {
    assert.deepEqual(shellWords(`nginx -g 'daemon off;' "" a\\ b "$HOME \\"x\\" \\y" *\n`), {
      ok: true,
      value: ['nginx', '-g', 'daemon off;', '', 'a b', '$HOME "x" \\y', '*'],
    });
  });

  it('is refused where a quote is open or only a shell would understand it', () => {
    for (const text of ["'a", '"a', 'a\\', 'a;b', 'a && b', 'a | b', 'a > b', '(a)', '`a`']) {
      assert.equal(shellWords(text).ok, false, text);
    }
  });
});

describe('a signal', () => {
  it('has the number that this system gives it', () => {
    for (const [name, number] of Object.entries(constants.signals)) {
      if (name === 'SIGUNUSED') continue;
      assert.deepEqual(parseSignal(name), { ok: true, value: number }, name);
    }
  });

  it('may be written short, in small letters, as a number and from RTMIN', () => {
    for (const [text, value] of [
      ['term', 15],
      ['9', 9],
      [2, 2],
      ['SIGRTMIN+3', 37],
      ['RTMAX-1', 63],
    ] as const) {
      assert.deepEqual(parseSignal(text), { ok: true, value });
    }
    for (const text of ['', '0', '65', '-1', '0x9', 'SIGRTMIN+31', 'TERMINATE']) {
      assert.equal(parseSignal(text).ok, false, text);
    }
  });
});

describe('capabilities', () => {
  it('go into a mask and back, in the order of their numbers', () => {
    const names = [...capabilities].map((name) => `CAP_${name}`);
    assert.equal(capabilityMask(names), (1n << 41n) - 1n);
    assert.deepEqual(capabilityNames(capabilityMask(['SYS_RESOURCE', 'CAP_CHOWN'])), [
      'CAP_CHOWN',
      'CAP_SYS_RESOURCE',
    ]);
    assert.equal(capabilityMask(['CAP_SYS_RESOURCE']), 1n << 24n);
  });
});
