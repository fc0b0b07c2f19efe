// `nslab test`: the score of a lab, of all labs, or who reaches whom. A table, JSON or TAP on standard output, and JUnit in a file.

import { writeFileSync } from 'node:fs';
import { exit } from '../../base/catalogue/entry.ts';
import { NslabError } from '../../base/error.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { reachability } from '../../lab/matrix.ts';
import { labsWithTests } from '../../lab/test-all.ts';
import { runTests, type TestReport } from '../../lab/test-run.ts';
import { findSubject, type Subject, subjectOf } from '../../lab/test-subject.ts';
import { useColour } from '../output/colour.ts';
import { junitText } from '../output/junit.ts';
import { matrixText } from '../output/matrix.ts';
import { tapText } from '../output/tap.ts';
import { scoreText, testsText } from '../output/tests.ts';

type Args = {
  name?: string;
  all: boolean;
  matrix: boolean;
  json: boolean;
  tap: boolean;
  junit?: string;
  timeout: number;
  prefix?: string;
  var?: string[];
};

export async function run(args: Args): Promise<void> {
  assertRoot('test');
  checkOptions(args);
  const timeout = args.timeout * 1000;
  if (args.matrix) await showMatrix(args, timeout);
  else await showTests(args, timeout);
}

function checkOptions({ name, all, matrix, json, tap, junit, timeout }: Args): void {
  const usage = (message: string): never => {
    throw new NslabError('USAGE', message);
  };
  if (all && name !== undefined) usage('name a lab or say --all, not both');
  if (matrix && all) usage('--matrix is of one lab');
  if (matrix && (tap || junit !== undefined)) usage('--matrix is printed as a table or with --json');
  if (json && tap) usage('--json or --tap, not both');
  if (!(timeout > 0 && timeout <= 3600)) usage('--timeout takes seconds, more than 0 and at most 3600');
}

async function showMatrix({ name, prefix, var: vars, json }: Args, timeout: number): Promise<void> {
  const matrix = await reachability(findSubject({ name, prefix, vars }), timeout);
  process.stdout.write(json ? `${JSON.stringify(matrix, null, 2)}\n` : matrixText(matrix));
}

async function showTests(args: Args, timeout: number): Promise<void> {
  const { all, json, tap, junit } = args;
  const subjects: Subject[] = all
    ? labsWithTests().map(subjectOf)
    : [findSubject({ name: args.name, prefix: args.prefix, vars: args.var })];
  if (subjects.length === 0) throw new NslabError('LAB_UNKNOWN', 'no lab with tests is up');
  // Labs do not touch each other.
  const reports = await Promise.all(subjects.map((subject) => runTests(subject, { timeout })));
  if (junit !== undefined) writeJunit(junit, junitText(reports));
  process.stdout.write(answer(reports, { all, json, tap }));
  if (reports.some(({ tests, passed }) => passed < tests.length)) process.exitCode = exit.left;
}

type Form = { readonly all: boolean; readonly json: boolean; readonly tap: boolean };

function answer(reports: readonly TestReport[], { all, json, tap }: Form): string {
  if (json) return `${JSON.stringify(all ? reports : reports[0], null, 2)}\n`;
  if (tap) return tapText(reports);
  const colour = useColour(process.stdout);
  if (all) return scoreText(reports);
  return reports.map((report) => testsText(report, colour)).join('\n');
}

/** @throws NslabError USAGE when the file cannot be written */
function writeJunit(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new NslabError('USAGE', `--junit: ${why}`);
  }
}
