// Queueing disciplines that are written and then read by the parser of the kernel's answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { getRootQdiscs, parseRootQdisc, qdiscHandles, replaceQdisc } from '../../../src/rtnl/qdisc.ts';
import { ifindex, u32 } from './arbitrary.ts';
import { payloadOf } from './canonical.ts';

const time = fc.integer({ min: 0, max: 1e13 });
const chance = u32.map((share) => share / 0xffff_ffff);
const rate = fc.oneof(u32, fc.integer({ min: 0, max: 1e12 }));

const netem = fc.record(
  {
    kind: fc.constant('netem' as const),
    latency: time,
    jitter: time,
    limit: u32,
    loss: chance,
    duplicate: chance,
    reorder: chance,
    corrupt: chance,
    rate,
  },
  { noNullPrototype: true },
);

test('a netem is read as it was written', () => {
  fc.assert(
    fc.property(ifindex, netem, (index, qdisc) => {
      const read = parseRootQdisc(payloadOf(replaceQdisc(index, qdisc)));
      assert.deepEqual(read, { ifindex: index, handle: qdiscHandles.netem, qdisc });
    }),
  );
});

test('a netem of a kernel without times in nanoseconds is read from its ticks', () => {
  const qdisc = {
    kind: 'netem' as const,
    latency: 20_000_000,
    jitter: 64,
    limit: 5,
    loss: 0,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
    rate: 0,
  };
  const bytes = payloadOf(replaceQdisc(1, qdisc));
  // The last two attributes, of 12 bytes each.
  const old = Buffer.from(bytes.subarray(0, bytes.length - 24));
  const options = 20 + 4 + 'netem\0'.length + 2;
  old.writeUInt16LE(old.length - options, options);
  const read = parseRootQdisc(old)?.qdisc;
  assert.deepEqual(read, qdisc);
});

test('a tbf is read as it was written, its burst from the time that it takes', () => {
  const tbf = fc.record({
    kind: fc.constant('tbf' as const),
    rate: fc.integer({ min: 1_000, max: 1e11 }),
    burst: fc.integer({ min: 1514, max: 100_000 }),
    limit: u32,
  });
  fc.assert(
    fc.property(ifindex, tbf, (index, qdisc) => {
      const read = parseRootQdisc(payloadOf(replaceQdisc(index, qdisc)));
      assert.ok(read !== undefined && 'burst' in read.qdisc);
      const { burst, ...rest } = read.qdisc;
      const { burst: asked, ...given } = qdisc;
      assert.deepEqual(rest, given);
      // A tick is 64 ns, so much of the rate is lost.
      assert.ok(Math.abs(burst - asked) <= 1 + (qdisc.rate * 64) / 1e9, `${burst} of ${asked}`);
    }),
  );
});

test('whatever bytes come, nothing is thrown', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(fc.property(bytes, (value) => void parseRootQdisc(Buffer.from(value))));
  fc.assert(
    fc.property(netem, fc.nat(), fc.nat(255), (qdisc, at, value) => {
      const message = Buffer.from(payloadOf(replaceQdisc(1, qdisc)));
      message[at % message.length] = value;
      parseRootQdisc(message);
    }),
  );
});

test('of a dump the roots are taken, and not the classes and children', () => {
  const root = payloadOf(replaceQdisc(3, { kind: 'tbf', rate: 1000, burst: 2000, limit: 3000 }));
  const child = Buffer.from(root);
  child.writeUInt32LE(0x2_0001, 12);
  const found = getRootQdiscs({ dump: () => [root, child] } as never);
  assert.deepEqual(
    found.map((one) => one.ifindex),
    [3],
  );
});
