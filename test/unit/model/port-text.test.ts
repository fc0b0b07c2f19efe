// Published ports as data: every form that Compose has. What is wrong with a text is in test/golden/errors/ports-invalid.yaml.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type PortOptions, type PortText, parsePort } from '../../../src/model/port-text.ts';

function read(value: string | number | PortOptions): unknown {
  const result = parsePort(value);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

const forms: readonly (readonly [string | number | PortOptions, object])[] = [
  ['80', { proto: 'tcp', inside: { from: 80 } }],
  [80, { proto: 'tcp', inside: { from: 80 } }],
  ['80/udp', { proto: 'udp', inside: { from: 80 } }],
  ['8080:80', { proto: 'tcp', outside: { from: 8080 }, inside: { from: 80 } }],
  ['8080:80/TCP', { proto: 'tcp', outside: { from: 8080 }, inside: { from: 80 } }],
  ['3000-3005', { proto: 'tcp', inside: { from: 3000, to: 3005 } }],
  [
    '127.0.0.1:8080:80',
    { proto: 'tcp', address: '127.0.0.1', outside: { from: 8080 }, inside: { from: 80 } },
  ],
  ['127.0.0.1::80', { proto: 'tcp', address: '127.0.0.1', inside: { from: 80 } }],
  ['[::1]:8080:80/udp', { proto: 'udp', address: '::1', outside: { from: 8080 }, inside: { from: 80 } }],
  [
    '[2001:DB8:0::1]:1:2',
    { proto: 'tcp', address: '2001:db8::1', outside: { from: 1 }, inside: { from: 2 } },
  ],
  [
    '8000-8010:9000-9010',
    { proto: 'tcp', outside: { from: 8000, to: 8010 }, inside: { from: 9000, to: 9010 } },
  ],
  ['8000-8010:80', { proto: 'tcp', outside: { from: 8000, to: 8010 }, inside: { from: 80 } }],
  ['80-80:80', { proto: 'tcp', outside: { from: 80 }, inside: { from: 80 } }],
  [{ target: 80 }, { proto: 'tcp', inside: { from: 80 } }],
  [
    { target: 53, published: 5353, protocol: 'udp', host_ip: '127.0.0.1', mode: 'host', name: 'dns' },
    { proto: 'udp', address: '127.0.0.1', outside: { from: 5353 }, inside: { from: 53 } },
  ],
  [
    { target: '80', published: '8000-8002' },
    { proto: 'tcp', outside: { from: 8000, to: 8002 }, inside: { from: 80 } },
  ],
  [
    { target: 80, host_ip: '::1' },
    { proto: 'tcp', address: '::1', inside: { from: 80 } },
  ],
];

for (const [value, expected] of forms) {
  test(`${JSON.stringify(value)} is a published port`, () => assert.deepEqual(read(value), expected));
}

test('what is written out comes back the same', () => {
  const port = fc.integer({ min: 1, max: 65_000 });
  const range = fc.tuple(port, fc.integer({ min: 0, max: 100 }));
  const text = (from: number, more: number) => (more === 0 ? `${from}` : `${from}-${from + more}`);
  fc.assert(
    fc.property(
      range,
      port,
      fc.constantFrom('tcp', 'udp'),
      fc.constantFrom('', '192.0.2.1:', '[::1]:'),
      (a, inside, proto, host) => {
        const [from, more] = a;
        const value = read(`${host}${text(from, more)}:${text(inside, more)}/${proto}`) as PortText;
        assert.equal(value.proto, proto);
        assert.equal(value.outside?.from, from);
        assert.equal(value.outside?.to ?? from, from + more);
        assert.equal(value.inside.from, inside);
        assert.equal(value.address ?? '', host.replace(/^\[?(.*?)\]?:$/, '$1'));
      },
    ),
  );
});

test('no text makes it throw', () => {
  fc.assert(fc.property(fc.string(), (text) => typeof parsePort(text).ok === 'boolean'));
});
