import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeName } from '../../../../src/base/names.ts';
import { junitText } from '../../../../src/cli/output/junit.ts';
import { tapText } from '../../../../src/cli/output/tap.ts';
import { scoreText, testsText } from '../../../../src/cli/output/tests.ts';
import type { TestReport, TestResult } from '../../../../src/lab/test-run.ts';

const hostile = 'a\u001b[31m"<b>&\'\u0000 #\\ \u202e';

function result(extra: Partial<TestResult>): TestResult {
  return {
    name: 'pc: ping gw',
    from: 'pc' as NodeName,
    probe: { kind: 'ping', target: 'gw' },
    expect: 'ok',
    passed: true,
    found: 'answer in 0.10 ms',
    tries: 1,
    seconds: 0.1,
    points: 1,
    of: 1,
    ...extra,
  };
}

function report(...tests: TestResult[]): TestReport {
  const points = tests.reduce((sum, one) => sum + one.points, 0);
  const passed = tests.filter((one) => one.passed).length;
  return { lab: 'l', file: null, tests, passed, points, of: tests.reduce((sum, one) => sum + one.of, 0) };
}

const failed = result({
  name: hostile,
  passed: false,
  found: hostile,
  points: 0,
  of: 10,
  tries: 3,
  seconds: 2,
  died: { text: `r1: ${hostile}`, code: 'no-route', path: ['pc', hostile] },
});

test('the table shows each test, why it failed and the score, and no escape sequence of a name', () => {
  const text = testsText(report(result({}), failed), false);
  const [first, second, third, fourth] = text.split('\n');
  assert.equal(first, 'passed   1/1  pc: ping gw: answer in 0.10 ms');
  assert.match(second ?? '', /^failed {2}0\/10 {2}a␛\[31m.* \(3 tries, 2\.0 s\)$/);
  assert.match(third ?? '', /^ {14}why: r1: a␛/);
  assert.match(fourth ?? '', /^ {14}way: pc > a␛/);
  assert.match(text, /\nlab l: 1 of 2 tests passed, 1 of 11 points\n$/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f]/);
  assert.match(scoreText([report(failed)]), /\nl +0 of 1 +0\/10 +a␛/);
});

test('TAP has one line a test whatever its name is', () => {
  const text = tapText([report(result({}), failed)]);
  assert.match(
    text,
    /^TAP version 14\n1\.\.2\nok 1 - pc: ping gw\nnot ok 2 - a␛\[31m"<b>&'␀ \\#\\\\ <U\+202E>\n {2}---\n/,
  );
  assert.equal(text.split('\n').filter((line) => /^(not )?ok/.test(line)).length, 2);
});

test('JUnit is XML whatever a name is', () => {
  const text = junitText([report(result({}), failed)]);
  assert.match(text, /<testsuite name="l" tests="2" failures="1" errors="0" time="2\.100">/);
  assert.match(text, /<testcase name="a\ufffd\[31m&quot;&lt;b&gt;&amp;'\ufffd #\\ \u202e" classname="l\.pc"/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
  assert.doesNotMatch(text, /[\x00-\x08\x0b-\x1f]/);
});
