import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTable } from '../../../../src/cli/output/table.ts';

test('a table has no frames, and lines do not end in blanks', () => {
  assert.equal(
    renderTable(
      ['A', 'LONG'],
      [
        ['1', 'x'],
        ['22', ''],
      ],
    ),
    'A   LONG\n1   x\n22\n',
  );
});

test('a cell of several lines keeps them', () => {
  assert.equal(renderTable(['A'], [['1\n2']]), 'A\n1\n2\n');
});

test('neither escapes nor characters that turn the direction of writing reach the terminal', () => {
  const shown = renderTable(['A'], [['\u001b]0;x\u0007'], ['a\u202eb']]);
  for (const bad of ['\u001b', '\u0007', '\u202e']) assert.ok(!shown.includes(bad));
});
