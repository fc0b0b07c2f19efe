// Damage to good and bad files: whatever it does, a file loads or is refused with problems that have a place and words.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { NslabError } from '../../../src/base/error.ts';
import { renderError } from '../../../src/cli/output/problem.ts';
import { loadText } from '../../../src/topology/load.ts';

const root = join(import.meta.dirname, '../../..');
const files = ['topologies', 'test/golden/errors'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(join(root, folder, name), 'utf8')),
);
const words = [...new Set(files.join(' ').split(/[\s,[\]{}]+/))].filter(
  (word) => word !== '' && word.length < 40,
);

const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat(14),
  insert: fc.oneof(
    fc.constantFrom(...words),
    fc.constantFrom(
      '',
      ' ',
      '\n',
      '{}',
      '[]',
      ': ',
      ', ',
      'null',
      '-1',
      '"',
      '1e99',
      '::',
      '/0',
      '0.0.0.0/0',
      '$',
    ),
  ),
});

test('a damaged file never makes it throw anything but problems with a place', () => {
  const runs = Number(process.env['NSLAB_FUZZ_RUNS'] ?? 400);
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      (file, changes) => {
        let text = file;
        for (const { at, remove, insert } of changes) {
          const start = Math.floor(at * text.length);
          text = text.slice(0, start) + insert + text.slice(start + remove);
        }
        try {
          loadText(text, { path: 'damaged.yaml', env: {} });
        } catch (error) {
          if (!(error instanceof NslabError)) throw error;
          assert.notEqual(error.problems.length, 0);
          for (const problem of error.problems) assert.ok(problem.where !== undefined);
          assert.doesNotMatch(
            renderError(error, { colour: false }),
            /\[object|: undefined|\bNaN\b|"undefined"/,
          );
        }
      },
    ),
    { numRuns: runs },
  );
});
