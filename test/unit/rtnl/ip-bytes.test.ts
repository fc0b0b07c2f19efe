import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipToBytes } from '../../../src/base/ip.ts';
import { readIp, writeIp } from '../../../src/rtnl/ip-bytes.ts';
import { ipAddress } from './arbitrary.ts';

test('an address has the same bytes as base/ip gives it, wherever it is written', () => {
  fc.assert(
    fc.property(ipAddress, fc.integer({ min: 0, max: 9 }), (address, offset) => {
      const bytes = new Uint8Array(40).fill(0xee);
      const expected = new Uint8Array(40).fill(0xee);
      expected.set(ipToBytes(address), offset);
      writeIp(bytes, offset, address);
      assert.deepEqual(bytes, expected);
    }),
    { numRuns: 2000 },
  );
});

test('an address is read back from its bytes', () => {
  fc.assert(
    fc.property(ipAddress, (address) => {
      assert.equal(readIp(ipToBytes(address)), address);
    }),
  );
});

test('IPv6 addresses are written in every spelling that the parser accepts', () => {
  for (const [text, hex] of [
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['::ffff:10.1.2.3', '00000000000000000000ffff0a010203'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7.8.9.10', '0001000200030004000500060708090a'],
    ['2001:DB8::AbCd', '20010db800000000000000000000abcd'],
  ] as const) {
    const bytes = new Uint8Array(16);
    writeIp(bytes, 0, text);
    assert.equal(Buffer.from(bytes).toString('hex'), hex, text);
  }
});

test('text that is no address is refused', () => {
  for (const text of ['1.2.3', '1.2.3.4.5', '1:2:3', '1:2:3:4:5:6:7:8:9::', 'x::']) {
    assert.throws(() => writeIp(new Uint8Array(64), 0, text), /address/, text);
  }
});

test('an attribute of another length than 4 or 16 bytes is no address', () => {
  assert.equal(readIp(undefined), undefined);
  for (const length of [0, 1, 3, 5, 8, 15, 17]) assert.equal(readIp(new Uint8Array(length)), undefined);
});
