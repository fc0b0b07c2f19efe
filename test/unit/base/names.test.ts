import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIfName, parseMacAddress, parseNodeName } from '../../../src/base/names.ts';

test('an interface name has at most 15 bytes, not characters', () => {
  assert.ok(parseIfName('abcdefghijklmno').ok);
  assert.equal(parseIfName('abcdefghijklmnop').ok, false);
  assert.equal(parseIfName('äöüäöüäö').ok, false);
});

test('what dev_valid_name() of the kernel refuses is refused', () => {
  for (const text of ['', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'a\n', 'a\u0000', 'eth%d']) {
    assert.equal(parseIfName(text).ok, false, JSON.stringify(text));
  }
});

test('a node name can be put into a path and on a command line as it is', () => {
  for (const text of ['pc1', '_x', 'a-b.c', '1']) assert.ok(parseNodeName(text).ok, text);
  for (const text of ['', '-x', '.x', '../x', 'a/b', 'a b', 'x'.repeat(64), 'ä', 'a\u001b[m']) {
    assert.equal(parseNodeName(text).ok, false, JSON.stringify(text));
  }
});

test('MAC addresses are kept in lower case with colons; group addresses are refused', () => {
  const mac = parseMacAddress('02-00-00-00-00-AB');
  assert.equal(mac.ok && mac.value, '02:00:00:00:00:ab');
  for (const text of [
    '01:00:5e:00:00:01',
    '00:00:00:00:00:00',
    '02:00:00:00:00',
    '02:00:00:00:00:0g',
    'ff:ff:ff:ff:ff:ff',
  ]) {
    assert.equal(parseMacAddress(text).ok, false, text);
  }
});
