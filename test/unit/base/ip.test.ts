import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Address6 } from 'ip-address';
import {
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  parseIpAddress,
  parseIpInterface,
  parseIpPrefix,
  prefixContains,
  prefixesOverlap,
  subnetOf,
} from '../../../src/base/ip.ts';

function address(text: string) {
  const parsed = parseIpAddress(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

function prefix(text: string) {
  const parsed = parseIpPrefix(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

test('addresses are kept in one canonical spelling', () => {
  assert.equal(address('10.1.1.1'), '10.1.1.1');
  assert.equal(address('2001:DB8:0:0::0:1'), '2001:db8::1');
});

test('what only looks like an address is refused', () => {
  const bad = [
    '',
    '10.1.1',
    '10.1.1.256',
    '010.1.1.1',
    '10.1.1.1 ',
    '1.2.3.4.5',
    'a.b.c.d',
    '::g',
    'fe80::1%eth0',
    ':::',
    '10.1.1.1/24',
  ];
  for (const text of bad) assert.equal(parseIpAddress(text).ok, false, text);
});

test('a subnet with host bits is refused by naming the subnet', () => {
  const parsed = parseIpPrefix('10.1.1.1/24');
  assert.equal(parsed.ok, false);
  assert.match(parsed.ok ? '' : parsed.error, /10\.1\.1\.0\/24/);
});

test('numbers, bytes and text of an address are the same thing', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const parsed = parseIpAddress(text);
      if (!parsed.ok) return;
      const ip = parsed.value;
      assert.equal(ipFromBytes(ipToBytes(ip)), ip);
      assert.equal(ipFromBigInt(ipToBigInt(ip), ip.includes(':') ? 6 : 4), ip);
    }),
  );
});

test('an interface address lies in its own subnet, whatever the length', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 0, max: 32 }), (text, length) => {
      const parsed = parseIpInterface(`${text}/${length}`);
      assert.ok(parsed.ok);
      assert.ok(prefixContains(subnetOf(parsed.value), address(text)));
    }),
  );
});

test('subnets overlap when one holds the other, and not across families', () => {
  assert.ok(prefixesOverlap(prefix('10.0.0.0/8'), prefix('10.1.1.0/24')));
  assert.ok(prefixesOverlap(prefix('10.1.1.0/24'), prefix('10.0.0.0/8')));
  assert.ok(!prefixesOverlap(prefix('10.1.0.0/24'), prefix('10.1.1.0/24')));
  assert.ok(!prefixesOverlap(prefix('0.0.0.0/0'), prefix('::/0')));
});

test('an IPv6 address is written as RFC 5952 says, which is what the ip-address package writes', () => {
  const group = fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.nat({ max: 0xffff }) },
  );
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const value = groups.reduce((sum, one) => (sum << 16n) | BigInt(one), 0n);
      const text = ipFromBigInt(value, 6);
      assert.equal(text, Address6.fromBigInt(value).correctForm());
      assert.equal(ipToBigInt(text), value);
    }),
  );
});

test('the subnet of an IPv4 address is the same in numbers and in bits', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.nat({ max: 32 }), (text, length) => {
      const subnet = subnetOf(`${text}/${length}` as never);
      const bits = BigInt(32 - length);
      assert.equal(subnet, `${ipFromBigInt((ipToBigInt(address(text)) >> bits) << bits, 4)}/${length}`);
      assert.ok(prefixContains(subnet, address(text)));
    }),
  );
});
