// The results of tests for people: a line for each, below it where it died, and the score.

import { Chalk } from 'chalk';
import type { TestReport, TestResult } from '../../lab/test-run.ts';
import { count } from './count.ts';
import { renderTable } from './table.ts';
import { visible } from './visible.ts';

/** All tests of one lab, the score last. */
export function testsText(report: TestReport, colour: boolean): string {
  const chalk = new Chalk({ level: colour ? 1 : 0 });
  const width = Math.max(...report.tests.map(({ points, of }) => scoreOf(points, of).length));
  const lines = report.tests.flatMap((test) => {
    const word = test.passed ? chalk.green('passed') : chalk.red('failed');
    const line = `${word}  ${scoreOf(test.points, test.of).padStart(width)}  ${visible(test.name)}: ${visible(test.found)}${triesOf(test)}`;
    const indent = ' '.repeat('failed'.length + width + 4);
    return test.died === undefined
      ? [line]
      : [line, ...diedLines(test.died).map((text) => `${indent}${text}`)];
  });
  return `${lines.join('\n')}\n${summary(report)}\n`;
}

function diedLines({ text, path }: NonNullable<TestResult['died']>): string[] {
  return [`why: ${visible(text)}`, ...(path.length > 1 ? [`way: ${visible(path.join(' > '))}`] : [])];
}

function triesOf({ tries, seconds }: TestResult): string {
  return tries > 1 ? ` (${tries} tries, ${seconds.toFixed(1)} s)` : '';
}

/** `2/5` */
function scoreOf(points: number, of: number): string {
  return `${points}/${of}`;
}

function summary({ lab, tests, passed, points, of }: TestReport): string {
  return `lab ${visible(lab)}: ${passed} of ${count(tests.length, 'test')} passed, ${points} of ${count(of, 'point')}`;
}

/** One line a lab. */
export function scoreText(reports: readonly TestReport[]): string {
  const rows = reports.map(({ lab, tests, passed, points, of }) => [
    lab,
    `${passed} of ${tests.length}`,
    scoreOf(points, of),
    tests
      .filter((test) => !test.passed)
      .map((test) => test.name)
      .join(', '),
  ]);
  return renderTable(['LAB', 'PASSED', 'POINTS', 'FAILED'], rows);
}
