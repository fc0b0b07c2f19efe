// Results in the Test Anything Protocol, version 14: one line a test, what is known of a failure in YAML below it.
// https://testanything.org/tap-version-14-specification.html

import type { TestReport, TestResult } from '../../lab/test-run.ts';
import { visible } from './visible.ts';

export function tapText(reports: readonly TestReport[]): string {
  const tests = reports.flatMap(({ lab, tests: all }) =>
    all.map((test) => ({ test, name: reports.length > 1 ? `${lab}: ${test.name}` : test.name })),
  );
  const lines = tests.flatMap(({ test, name }, i) => [
    `${test.passed ? 'ok' : 'not ok'} ${i + 1} - ${escaped(name)}`,
    ...(test.passed ? [] : diagnostics(test)),
  ]);
  return ['TAP version 14', `1..${tests.length}`, ...lines, ''].join('\n');
}

/** A `#` would begin a directive. */
function escaped(name: string): string {
  return visible(name).replace(/[\\#]/g, '\\$&');
}

function diagnostics({ found, died, points, of }: TestResult): string[] {
  // Text in double quotes is the same in YAML and in JSON.
  const entries = { found, ...(died === undefined ? {} : { why: died.text, way: died.path }), points, of };
  return [
    '  ---',
    ...Object.entries(entries).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`),
    '  ...',
  ];
}
