// Rules of the kernel read as what they could have been made from.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { compileRule } from '../../../src/nfnl/compile.ts';
import { decompileRule, ruleText } from '../../../src/nfnl/decompile.ts';
import type { Expr } from '../../../src/nfnl/expr.ts';
import type { NftFamily, NftRule } from '../../../src/nfnl/ruleset.ts';
import { printRule } from '../../../src/nfnl/text.ts';
import { nftRuleArbitrary } from '../../support/nft-rules.ts';

test('a compiled rule comes back as one that compiles to the same, and prints the same', () => {
  fc.assert(
    fc.property(nftRuleArbitrary, (rule) => {
      const exprs = compileRule('inet', rule);
      const again = decompileRule('inet', { exprs });
      assert.ok(again !== undefined, printRule('inet', rule));
      assert.deepEqual(compileRule('inet', again), exprs);
    }),
    { numRuns: 1000 },
  );
});

test('what is printed of a compiled rule is what nft prints of it', () => {
  const rule: NftRule = {
    matches: [
      { match: 'iifname', names: ['eth0'] },
      { match: 'saddr', protocol: 'ip', addresses: ['10.1.0.0/16' as never] },
      { match: 'dport', protocol: 'tcp', ports: [80, { from: 8000, to: 8010 }] },
    ],
    statements: [{ statement: 'counter' }, { statement: 'accept' }],
    comment: 'the web',
  };
  const text = ruleText('inet', { exprs: compileRule('inet', rule), comment: 'the web' });
  assert.equal(text, printRule('inet', rule));
});

const zeros = (bytes: number) => '00'.repeat(bytes);
const target = (data: string): Expr => ({ expr: 'foreign', name: 'target', data });
const match = (flags: string): Expr => ({
  expr: 'foreign',
  name: 'match',
  // struct xt_conntrack_mtinfo3 as `iptables -m conntrack` sends it: only its flags and states are set.
  data: `0e000100636f6e6e747261636b0000000800020000000003ac000300${zeros(146)}${flags}${zeros(16)}`,
});
const counter: Expr = { expr: 'counter', bytes: 0, packets: 0 };
const out = (data: string): Expr[] => [
  { expr: 'meta', key: 7, dreg: 1 },
  { expr: 'cmp', sreg: 1, op: 0, data },
];

/** Bytes that iptables 1.8.9 sent. */
const iptables: readonly (readonly [NftFamily, Expr[], string])[] = [
  [
    'ip',
    [
      ...out('6574683000'),
      counter,
      target(`0f0001004d415351554552414445000008000200000000001c0003000100000000000000${zeros(16)}`),
    ],
    'oifname "eth0" counter masquerade',
  ],
  ['ip', [...out('657468'), counter, { expr: 'verdict', code: 1 }], 'oifname "eth*" counter accept'],
  [
    'ip',
    [
      ...out('6574683000'),
      counter,
      target(
        `09000100534e41540000000008000200000000001c000300010000000100000001020304010203090000000000000000`,
      ),
    ],
    'oifname "eth0" counter snat to 1.2.3.4-1.2.3.9',
  ],
  [
    'ip',
    [
      { expr: 'meta', key: 16, dreg: 1 },
      { expr: 'cmp', sreg: 1, op: 0, data: '06' },
      { expr: 'payload', dreg: 1, base: 2, offset: 2, length: 2 },
      { expr: 'cmp', sreg: 1, op: 0, data: '1f90' },
      target(
        `09000100444e415400000000080002000000000234000300030000000a000002${zeros(12)}0a000002${zeros(12)}00500050${zeros(8)}`,
      ),
    ],
    'tcp dport 8080 dnat to 10.0.0.2:80',
  ],
  [
    'ip6',
    [
      { expr: 'meta', key: 16, dreg: 1 },
      { expr: 'cmp', sreg: 1, op: 0, data: '11' },
      target(
        `09000100444e4154000000000800020000000002340003000300000020010db8${zeros(11)}0120010db8${zeros(11)}0114e914e9${zeros(8)}`,
      ),
    ],
    'meta l4proto udp dnat to [2001:db8::1]:5353',
  ],
  [
    'ip',
    [match('010000000801'), counter, { expr: 'verdict', code: 1 }],
    'ct state new,untracked counter accept',
  ],
  // Those of NAT, and what is inverted, have no words here.
  ['ip', [match('010000008000'), counter], '<match conntrack> counter'],
  ['ip', [match('010001000800'), counter], '<match conntrack> counter'],
  [
    'ip',
    [counter, target(`0f0001004d415351554552414445000008000200000000001c0003000100000004000000${zeros(16)}`)],
    'counter <target MASQUERADE>',
  ],
];

for (const [family, exprs, text] of iptables) {
  test(`of iptables-nft: ${text}`, () => {
    assert.equal(ruleText(family, { exprs }), text);
    assert.equal(decompileRule(family, { exprs }) === undefined, text.includes('<'));
  });
}

test('what nobody has a word for stands in angle brackets, and the rest beside it', () => {
  const exprs: Expr[] = [...out('6574683000'), { expr: 'foreign', name: 'numgen', data: '' }, counter];
  assert.equal(decompileRule('inet', { exprs }), undefined);
  assert.equal(
    ruleText('inet', { exprs, comment: 'every second' }),
    'oifname "eth0" <numgen> counter comment "every second"',
  );
});
