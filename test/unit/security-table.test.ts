// The table of attacks in test/README.md: each test that it names is there, under that title and in that file.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

const folder = join(import.meta.dirname, '..');
const rows = readFileSync(join(folder, 'README.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()));

/** A title as it stands in a source: as a text in quotes of any kind. */
function isTitleIn(source: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
}

test('every test that the table names exists', () => {
  assert.ok(rows.length > 40, `${rows.length} rows`);
  const missing = rows.filter(([, , title = '', file = '']) => {
    return !isTitleIn(readFileSync(join(folder, `${file}.test.ts`), 'utf8'), title);
  });
  assert.deepEqual(missing, []);
});

test('a title that is not there would be found missing', () => {
  const source = readFileSync(join(folder, 'e2e/hostile.test.ts'), 'utf8');
  assert.ok(!isTitleIn(source, 'down removes links'));
  assert.ok(isTitleIn(source, rows.find(([, , , file]) => file === 'e2e/hostile')?.[2] ?? ''));
});
