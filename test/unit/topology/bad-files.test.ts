// One bad file per mistake, and what a user sees of it: test/golden/errors/NAME.yaml and NAME.txt. UPDATE_GOLDEN=1 writes the
// texts anew; read them as somebody who made the mistake. Files that cannot be checked in (big, binary) are made here.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { topologyErrors } from '../../../src/base/catalogue/topology.ts';
import { NslabError, type Problem } from '../../../src/base/error.ts';
import { errorCatalogue } from '../../../src/base/error-catalogue.ts';
import { renderError, renderProblems } from '../../../src/cli/output/problem.ts';
import { loadLab, loadText } from '../../../src/topology/load.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'test/golden/errors');
const scratch = mkdtempSync(join(tmpdir(), 'nslab-bad-files-'));
after(() => rmSync(scratch, { recursive: true }));

/** What is printed for a file on standard error, and the codes in it. */
function printed(load: () => { readonly warnings: readonly Problem[] }): { text: string; codes: string[] } {
  try {
    const { warnings } = load();
    assert.notEqual(warnings.length, 0, 'nothing is wrong with the file');
    return { text: renderProblems(warnings, { colour: false }), codes: warnings.map(({ code }) => code) };
  } catch (error) {
    if (!(error instanceof NslabError)) throw error;
    assert.equal(error.exitCode, 3);
    const codes = error.problems.length === 0 ? [error.code] : error.problems.map(({ code }) => code);
    return { text: renderError(error, { colour: false }), codes };
  }
}

/** Codes that some golden has, filled by the tests above the last one. */
const seen = new Set<string>();

function compare(name: string, load: () => { readonly warnings: readonly Problem[] }): void {
  const { text, codes } = printed(load);
  for (const code of codes) seen.add(code);
  assert.doesNotMatch(text, /valibot|Expected .* but received|(?<!-)undefined|\[object|NaN/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no such character may reach a terminal
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  const path = join(folder, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  assert.equal(text, readFileSync(path, 'utf8'));
}

const names = readdirSync(folder)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => basename(file, '.yaml'));

for (const name of names) {
  test(`the mistake in ${name}.yaml is said so that it can be mended`, () => {
    compare(name, () =>
      loadText(readFileSync(join(folder, `${name}.yaml`), 'utf8'), { path: `${name}.yaml`, env: {} }),
    );
  });
}

/** Files made for a test lie in a folder of any name, which is not a part of the golden. */
function inScratch(name: string, content?: string | Uint8Array): void {
  const path = join(scratch, `${name}.yaml`);
  if (content !== undefined) writeFileSync(path, content);
  const before = process.cwd();
  process.chdir(scratch);
  try {
    compare(`made-${name}`, () => loadLab({ path: `${name}.yaml`, env: {} }));
  } finally {
    process.chdir(before);
  }
}

test('a file of 10 MB is refused by its size', () => inScratch('big', Buffer.alloc(10_000_000, 'a: b\n')));
test('a program is refused as one', () =>
  inScratch('program', readFileSync(process.execPath).subarray(0, 4096)));
test('a file with NUL bytes is refused as binary', () => inScratch('nul', 'name: a\0b\n'));
test('a file in Latin-1 is refused by its encoding', () =>
  inScratch('latin1', Buffer.from('name: käse\n', 'latin1')));
test('a file in UTF-16 is refused by its encoding', () =>
  inScratch('utf16', Buffer.from('\ufeffname: x\n', 'utf16le')));
test('a missing file is said to be missing', () => inScratch('missing'));
test('a folder is no topology', () => {
  mkdirSync(join(scratch, 'folder.yaml'));
  inScratch('folder');
});
test('a bridge of 1024 ports is refused with the limit of the kernel', () => {
  const nodes = Array.from({ length: 1024 }, (_, i) => `  n${i}: {}`);
  const links = Array.from({ length: 1024 }, (_, i) => `  - endpoints: ["n${i}:eth0", sw]`);
  inScratch(
    'bridge-ports',
    `name: star\nnodes:\n  sw: { kind: bridge }\n${nodes.join('\n')}\nlinks:\n${links.join('\n')}\n`,
  );
});
test('of very many mistakes the first 20 are shown', () => {
  const nodes = Array.from({ length: 300 }, (_, i) => `  n${i}: { mtuu${i}: 1 }`);
  inScratch('very-many', `name: many\nnodes:\n${nodes.join('\n')}\n`);
});
test('one mistake in many places is said once', () => {
  const links = Array.from({ length: 300 }, (_, i) => `  - endpoints: ["n:e${i}", sw]`);
  inScratch('many-places', `name: many\nnodes:\n  n: {}\nlinks:\n${links.join('\n')}\n`);
});
test('a very long line is cut around the mistake', () => {
  const pad = Array.from({ length: 200 }, (_, i) => `k${i}: v`).join(', ');
  inScratch('long-line', `{ name: long, vars: { ${pad} }, nodez: {}, description: "${'x'.repeat(500)}" }\n`);
});

test('there are at least 60 bad files, and no expected text without one', () => {
  assert.ok(names.length >= 60, `${names.length}`);
  const texts = readdirSync(folder).filter((file) => file.endsWith('.txt') && !file.startsWith('made-'));
  assert.deepEqual(
    texts.map((file) => basename(file, '.txt')),
    names,
  );
});

/** The heading over several problems, and a bug-free load has no file of its own for it. */
const notInGoldens = new Set(['TOPOLOGY_INVALID']);

test('every code of the topology page is used in src and shown in a golden', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('catalogue'))
    .map((file) => readFileSync(join(root, 'src', file), 'utf8'))
    .join('\n');
  const codes = Object.keys(topologyErrors);
  assert.deepEqual(
    codes.filter((code) => !sources.includes(`'${code}'`)),
    [],
    'not used in src',
  );
  assert.deepEqual(
    codes.filter((code) => !seen.has(code) && !notInGoldens.has(code)),
    [],
    'in no golden',
  );
});

test('every code in a golden exists and is explained', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    for (const [, code] of readFileSync(join(folder, file), 'utf8').matchAll(
      /^(?:error|warning)\[([A-Z_]+)\]/gm,
    )) {
      const entry = errorCatalogue[code as keyof typeof errorCatalogue];
      assert.ok(entry !== undefined && entry.explanation.length > 40, `${file}: ${code}`);
    }
  }
});
