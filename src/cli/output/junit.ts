// Results as JUnit XML, as the CI systems read it: a suite for each lab. https://github.com/testmoapp/junitxml

import type { TestReport, TestResult } from '../../lab/test-run.ts';

export function junitText(reports: readonly TestReport[]): string {
  const all = reports.flatMap(({ tests }) => tests);
  const suites = reports.map(suite);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${counts(all)}>\n${suites.join('')}</testsuites>\n`;
}

function suite({ lab, file, tests, points, of }: TestReport): string {
  const properties = { file: file ?? '', points, of };
  const lines = Object.entries(properties).map(
    ([name, value]) => `      <property${attributes({ name, value })}/>\n`,
  );
  const cases = tests.map((test) => testcase(lab, test));
  return `  <testsuite${attributes({ name: lab })}${counts(tests)}>\n    <properties>\n${lines.join('')}    </properties>\n${cases.join('')}  </testsuite>\n`;
}

function counts(tests: readonly TestResult[]): string {
  const failures = tests.filter(({ passed }) => !passed).length;
  const time = tests.reduce((total, { seconds }) => total + seconds, 0).toFixed(3);
  return attributes({ tests: tests.length, failures, errors: 0, time });
}

function testcase(lab: string, { name, from, seconds, passed, found, died }: TestResult): string {
  const head = `    <testcase${attributes({ name, classname: `${lab}.${from}`, time: seconds.toFixed(3) })}`;
  if (passed) return `${head}/>\n`;
  const text = [found, ...(died === undefined ? [] : [died.text, died.path.join(' > ')])].join('\n');
  const message = died === undefined ? found : `${found}: ${died.text}`;
  const failure = `      <failure${attributes({ message, type: died?.code ?? 'failed' })}>${escaped(text)}</failure>\n`;
  return `${head}>\n${failure}    </testcase>\n`;
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\t': '&#9;',
};

/** XML 1.0 has no form for other control characters, nor for halves of surrogate pairs. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd')
      .replace(/[&<>"\n\t]/g, (character) => entities[character] ?? character)
  );
}
