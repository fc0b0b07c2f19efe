import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  attributeMap,
  eachAttribute,
  MessageWriter,
  readBe16,
  readBe32,
  readBe64,
  readMac,
  readString,
  readU8,
  readU16,
  readU32,
  readU64,
} from '../../../src/rtnl/message.ts';
import { mac, u8, u16, u32 } from './arbitrary.ts';

const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((s) => !s.includes('\0'));

const values = fc.record({
  a: u8,
  b: u16,
  c: u32,
  d: u64,
  name: text,
  address: mac,
  raw: fc.uint8Array({ maxLength: 50 }),
});

test('every kind of attribute is read back as it was written, in a buffer that has to grow', () => {
  fc.assert(
    fc.property(values, ({ a, b, c, d, name, address, raw }) => {
      const writer = new MessageWriter(1);
      writer.attrU8(1, a);
      writer.attrU16(2, b);
      writer.attrU32(3, c);
      writer.attrU64(4, d);
      writer.attrString(5, name);
      writer.attrMac(6, address);
      writer.attrBytes(7, raw);
      writer.attrBe16(8, b);
      writer.attrBe32(9, c);
      writer.attrBe64(10, d);
      writer.attrFlag(11);
      const nest = writer.nest(12);
      writer.attrU32(1, c);
      writer.endNest(nest);
      assert.equal(writer.length % 4, 0);
      const read = attributeMap(writer.take());
      assert.equal(readU8(read.get(1)), a);
      assert.equal(readU16(read.get(2)), b);
      assert.equal(readU32(read.get(3)), c);
      assert.equal(readU64(read.get(4)), d);
      assert.equal(readString(read.get(5)), name);
      assert.equal(readMac(read.get(6)), address);
      assert.deepEqual(Uint8Array.from(read.get(7) ?? []), raw);
      assert.equal(readBe16(read.get(8)), b);
      assert.equal(readBe32(read.get(9)), c);
      assert.equal(readBe64(read.get(10)), d);
      assert.equal(read.get(11)?.length, 0);
      assert.equal(readU32(attributeMap(read.get(12) ?? Buffer.alloc(0)).get(1)), c);
      assert.equal(read.size, 12);
    }),
  );
});

test('a writer that is used again leaves nothing of the old message in the padding', () => {
  const writer = new MessageWriter(8);
  writer.attrBytes(1, new Uint8Array(64).fill(0xff));
  writer.reset();
  writer.attrU8(1, 0x11);
  writer.attrString(2, 'ab');
  writer.attrBytes(3, Uint8Array.of(7));
  writer.attrMac(4, '02:00:00:00:00:01');
  const nest = writer.nest(5);
  writer.u8(9);
  writer.endNest(nest);
  assert.equal(
    writer.take().toString('hex'),
    '0500010011000000070002006162000005000300070000000a0004000200000000010000' + '0500050009000000',
  );
});

test('a message has its header, its length and padding to four bytes', () => {
  const writer = new MessageWriter(1);
  const first = writer.message({ type: 16, payload: Uint8Array.of(1, 2, 3, 4, 5) }, 0x605, 7);
  const second = writer.message({ type: 17, payload: (to) => to.attrFlag(3) }, 1, 0xffff_fffe);
  writer.addFlags(second, 0x104);
  assert.deepEqual([first, second], [0, 24]);
  assert.equal(
    writer.take().toString('hex'),
    '15000000100005060700000000000000' + '0102030405000000' + '1400000011000501feffffff00000000' + '04000300',
  );
});

test('an attribute over 64 KiB is refused, and not cut off', () => {
  const writer = new MessageWriter();
  assert.throws(
    () => writer.attrBytes(9, new Uint8Array(0x1_0000)),
    /attribute 9 is longer than 65535 bytes/,
  );
  const nest = writer.nest(3);
  for (let i = 0; i < 3; i++) writer.attrBytes(1, new Uint8Array(30000));
  assert.throws(() => writer.endNest(nest), /attribute 3 is longer than 65535 bytes/);
});

test('readers stay inside the bytes they are given and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(220), (bytes, offset) => {
      const payload = Buffer.from(bytes);
      eachAttribute(payload, offset, (type, value) => {
        assert.ok(type >= 0 && type <= 0x3fff);
        assert.ok(value.byteOffset >= payload.byteOffset);
        assert.ok(value.byteOffset + value.length <= payload.byteOffset + payload.length);
        for (const read of [
          readU8,
          readU16,
          readU32,
          readU64,
          readBe16,
          readBe32,
          readBe64,
          readString,
          readMac,
        ]) {
          read(value);
        }
      });
    }),
    { numRuns: 2000 },
  );
});

test('a value that is absent or too short is undefined', () => {
  for (const read of [readU8, readU16, readU32, readU64, readBe16, readBe32, readBe64, readMac]) {
    assert.equal(read(undefined), undefined);
    assert.equal(read(Buffer.alloc(0)), undefined);
  }
  assert.equal(readString(undefined), undefined);
  assert.equal(readString(Buffer.from('eth0')), 'eth0');
  assert.equal(readString(Buffer.from('eth0\0junk')), 'eth0');
});
