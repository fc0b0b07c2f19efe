import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRecord, RECORD_VERSION } from '../../../src/state/record.ts';

test('what is not a record is refused with the reason, and nothing is thrown', () => {
  for (const text of ['', '{', 'null', '7', '[]', '{}', '"x"']) assert.equal(parseRecord(text).ok, false);
});

test('a record of another version is refused by its number', () => {
  const result = parseRecord(JSON.stringify({ version: RECORD_VERSION + 1 }));
  assert.equal(result.ok, false);
  assert.match(result.ok ? '' : result.error, new RegExp(`version ${RECORD_VERSION + 1}`));
});

test('a record of this version is read', () => {
  assert.equal(parseRecord(JSON.stringify({ version: RECORD_VERSION })).ok, true);
});
