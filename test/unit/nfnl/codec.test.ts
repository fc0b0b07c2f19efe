// Bytes of rules and sets: golden messages recorded from `strace -e trace=sendmsg nft -f` (nft 1.0.6), and what is written is
// read back.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compileRule } from '../../../src/nfnl/compile.ts';
import { type AnonymousSet, type Expr, readExpr, writeExpr } from '../../../src/nfnl/expr.ts';
import { canonicalIntervals, prefixOf } from '../../../src/nfnl/interval.ts';
import type { NftRule } from '../../../src/nfnl/ruleset.ts';
import { elementsOf, readPoints, setPoints, writeElements } from '../../../src/nfnl/set.ts';
import { eachAttribute, MessageWriter } from '../../../src/rtnl/message.ts';
import { nftRuleArbitrary } from '../../support/nft-rules.ts';

function bytesOf(exprs: readonly Expr[], setId = 1): string {
  const writer = new MessageWriter();
  for (const expr of exprs) writeExpr(writer, expr, () => setId);
  return writer.take().toString('hex');
}

function hex(...parts: string[]): string {
  return parts.join('').replaceAll(/\s/g, '');
}

const limited: NftRule = {
  matches: [],
  statements: [
    { statement: 'limit', rate: 5, per: 'second' },
    { statement: 'log', prefix: 'x', level: 'debug' },
    { statement: 'jump', chain: 'y' },
  ],
};

test('limit, log and jump have the bytes that nft sends', () => {
  assert.equal(
    bytesOf(compileRule('inet', limited)),
    hex(
      // nft has NFTA_LIMIT_FLAGS = 0 besides, so its lengths are 8 more; the kernel takes absence for it.
      '3c000180 0a000100 6c696d6974000000 2c000280 0c000100 0000000000000005 0c000200 0000000000000001',
      '08000300 00000005 08000400 00000000',
      '20000180 08000100 6c6f6700 14000280 06000200 78000000 08000500 00000007',
      '38000180 0e000100 696d6d6564696174 65000000 24000280 08000100 00000000 18000280 14000280 08000100 fffffffd 06000200 79000000',
    ),
  );
});

test('fib and a wildcard name have the bytes that nft sends', () => {
  const rule: NftRule = {
    matches: [
      { match: 'fib daddr type', types: ['local'] },
      { match: 'oifname', names: ['eth*'] },
    ],
    statements: [{ statement: 'accept' }],
  };
  assert.equal(
    bytesOf(compileRule('inet', rule)),
    hex(
      '28000180 08000100 66696200 1c000280 08000300 00000002 08000200 00000003 08000100 00000001',
      '2c000180 08000100 636d7000 20000280 08000100 00000001 08000200 00000000 0c000380 08000100 02000000',
      '24000180 09000100 6d65746100000000 14000280 08000200 00000007 08000100 00000001',
      '2c000180 08000100 636d7000 20000280 08000100 00000001 08000200 00000000 0c000380 07000100 65746800',
      '30000180 0e000100 696d6d6564696174 65000000 1c000280 08000100 00000000 10000280 0c000280 08000100 00000001',
    ),
  );
});

test('a list of ports and a reject have the bytes that nft sends', () => {
  const rule: NftRule = {
    matches: [{ match: 'dport', protocol: 'tcp', ports: [80, { from: 443, to: 500 }] }],
    statements: [{ statement: 'reject', with: { type: 'icmpx', code: 'port-unreachable' } }],
  };
  const exprs = compileRule('inet', rule);
  assert.equal(
    bytesOf(exprs),
    hex(
      '24000180 09000100 6d65746100000000 14000280 08000200 00000010 08000100 00000001',
      '2c000180 08000100 636d7000 20000280 08000100 00000001 08000200 00000000 0c000380 05000100 06000000',
      '34000180 0c000100 7061796c6f616400 24000280 08000100 00000001 08000200 00000002 08000300 00000002 08000400 00000002',
      '30000180 0b000100 6c6f6f6b75700000 20000280 08000200 00000001 0c000100 5f5f73657425 6400 08000400 00000001',
      '24000180 0b000100 72656a6563740000 14000280 08000100 00000002 05000200 01000000',
    ),
  );
  const set = exprs.find((expr) => expr.expr === 'lookup')?.set as AnonymousSet;
  const writer = new MessageWriter();
  writeElements(writer, 't', { id: 1, points: setPoints(set) });
  assert.equal(
    writer.take().toString('hex'),
    hex(
      '06000100 74000000 0c000200 5f5f736574256400 08000400 00000001 6c000380',
      // The elements of nft are numbered; the kernel does not look at their type.
      '18000180 08000300 00000001 0c000180 06000100 00000000 10000180 0c000180 06000100 00500000',
      '18000180 08000300 00000001 0c000180 06000100 00510000 10000180 0c000180 06000100 01bb0000',
      '18000180 08000300 00000001 0c000180 06000100 01f50000',
    ),
  );
});

test('expressions that are written are read back', () => {
  fc.assert(
    fc.property(nftRuleArbitrary, (rule) => {
      const exprs = compileRule('inet', rule);
      const back: (Expr | undefined)[] = [];
      eachAttribute(Buffer.from(bytesOf(exprs), 'hex'), 0, (_type, element) => back.push(readExpr(element)));
      const named = exprs.map((expr) => (expr.expr === 'lookup' ? { ...expr, set: '__set%d' } : expr));
      assert.deepEqual(back, named);
    }),
  );
});

test('reading never throws, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readExpr(Buffer.from(bytes));
      readPoints(Buffer.from(bytes), 0);
    }),
    { numRuns: 2000 },
  );
});

test('reading a damaged rule never throws', () => {
  fc.assert(
    fc.property(nftRuleArbitrary, fc.nat(), fc.nat(255), (rule, place, value) => {
      const bytes = Buffer.from(bytesOf(compileRule('inet', rule)), 'hex');
      if (bytes.length > 0) bytes[place % bytes.length] = value;
      eachAttribute(bytes, 0, (_type, element) => readExpr(element));
    }),
  );
});

const interval = fc
  .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }))
  .map(([a, b]) => ({ from: BigInt(Math.min(a, b)), to: BigInt(Math.max(a, b)) }));

test('canonical intervals hold the same values, apart from each other and in order', () => {
  fc.assert(
    fc.property(
      fc.array(interval, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(0n, 1n),
      (values, gap) => {
        const canonical = canonicalIntervals(values, gap as 0n | 1n);
        for (let n = 0n; n < 256n; n++) {
          const holds = (list: readonly { from: bigint; to: bigint }[]): boolean =>
            list.some(({ from, to }) => from <= n && n <= to);
          assert.equal(holds(canonical), holds(values));
        }
        const ranges = values.some(({ from, to }) => from !== to);
        canonical.forEach(({ from }, i) => {
          const before = canonical[i - 1];
          if (before !== undefined) assert.ok(from > before.to + (ranges ? (gap as bigint) : 0n));
        });
      },
    ),
  );
});

test('a prefix is an interval whose size and place fit each other', () => {
  assert.equal(prefixOf({ from: 0n, to: 255n }, 8), 0);
  assert.equal(prefixOf({ from: 128n, to: 255n }, 8), 1);
  assert.equal(prefixOf({ from: 64n, to: 191n }, 8), undefined);
  assert.equal(prefixOf({ from: 4n, to: 6n }, 8), undefined);
  assert.equal(prefixOf({ from: 5n, to: 5n }, 8), 8);
});

test('the points of a set stand for its elements, in any order', () => {
  fc.assert(
    fc.property(
      fc.array(interval, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(0n, 1n),
      fc.infiniteStream(fc.nat(20)),
      (values, gap, order) => {
        const hexOf = (n: bigint): string => n.toString(16).padStart(2, '0');
        const canonical = canonicalIntervals(values, gap as 0n | 1n);
        const ranges = canonical.some(({ from, to }) => from !== to);
        const elements = canonical.map(({ from, to }) => ({ from: hexOf(from), to: hexOf(to) }));
        const set: AnonymousSet = { datatype: 12, bytes: 1, ranges, elements };
        const shuffled = setPoints(set)
          .map((point) => ({ point, key: order.next().value }))
          .sort((a, b) => a.key - b.key);
        assert.deepEqual(
          elementsOf(
            shuffled.map(({ point }) => point),
            set,
          ),
          elements,
        );
      },
    ),
  );
});

test('an interval set tells where it begins, and leaves its last interval open at the highest value', () => {
  const set: AnonymousSet = {
    datatype: 12,
    bytes: 1,
    ranges: true,
    elements: [
      { from: '01', to: '02' },
      { from: 'f0', to: 'ff' },
    ],
  };
  assert.deepEqual(setPoints(set), [
    { key: '00', end: true },
    { key: '01', end: false },
    { key: '03', end: true },
    { key: 'f0', end: false, open: true },
  ]);
});
