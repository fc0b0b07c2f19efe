// Faults of tables that are found before the kernel is asked: each with its place and its words.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { IpAddress } from '../../../src/base/ip.ts';
import { checkTable } from '../../../src/nfnl/check.ts';
import { type FilterRuleOptions, filterChain } from '../../../src/nfnl/firewall.ts';
import { dnatChain, dnatRule } from '../../../src/nfnl/nat.ts';
import type {
  NftBase,
  NftChain,
  NftFamily,
  NftMatch,
  NftRule,
  NftStatement,
} from '../../../src/nfnl/ruleset.ts';

const ip = (text: string): IpAddress => text as IpAddress;
const filter: NftBase = { type: 'filter', hook: 'input', priority: 0 };
const nat = (hook: NftBase['hook'], priority = 0): NftBase => ({ type: 'nat', hook, priority });

function faults(rule: NftRule, base: NftBase | undefined = filter, family: NftFamily = 'inet'): string[] {
  const chain: NftChain = { name: 'c', rules: [rule], ...(base === undefined ? {} : { base }) };
  return checkTable({ family, name: 't', chains: [chain, { name: 'x', rules: [] }] }).map(
    ({ message }) => message,
  );
}

const ofMatch = (...matches: NftMatch[]): string[] =>
  faults({ matches, statements: [{ statement: 'accept' }] });
const ofStatement = (...statements: NftStatement[]): string[] => faults({ matches: [], statements });
const tcp: NftMatch = { match: 'l4proto', protocols: ['tcp'] };

test('values that cannot be are named', () => {
  const cases: [NftMatch, RegExp][] = [
    [{ match: 'iifname', names: [] }, /has no value/],
    [{ match: 'iifname', names: [''] }, /is empty/],
    [{ match: 'iifname', names: ['*'] }, /no match for every/],
    [{ match: 'iifname', names: ['a"b'] }, /"a\\"b" cannot be written/],
    [{ match: 'iifname', names: ['a b'] }, /has the character " "/],
    [{ match: 'iifname', names: ['sixteencharacter'] }, /longer than 15 bytes/],
    [{ match: 'iifname', names: ['fifteencharacte*'] }, /longer than 15 bytes/],
    [{ match: 'saddr', protocol: 'ip', addresses: [ip('::1')] }, /::1 is no address of ip$/],
    [
      { match: 'saddr', protocol: 'ip', addresses: [{ from: ip('10.0.0.2'), to: ip('10.0.0.1') }] },
      /ends before it begins/,
    ],
    [{ match: 'dport', protocol: 'tcp', ports: [65536] }, /0 to 65535, not 65536/],
    [{ match: 'dport', protocol: 'tcp', ports: [1.5] }, /not 1.5/],
    [{ match: 'dport', protocol: 'tcp', ports: [{ from: 2, to: 1 }] }, /2-1 ends before it begins/],
    [{ match: 'l4proto', protocols: ['tpc'] }, /unknown protocol "tpc"; nft has icmp, /],
    [{ match: 'l4proto', protocols: ['constructor'] }, /unknown protocol/],
    [{ match: 'l4proto', protocols: [256] }, /0 to 255, not 256/],
    [{ match: 'icmp type', protocol: 'icmp', types: ['nd-redirect'] }, /unknown icmp type/],
    [{ match: 'ct state', states: [] }, /has no value/],
    [{ match: 'fib daddr type', types: ['here'] }, /unknown address type/],
    [{ match: 'mark', marks: [-1] }, /0 to 0xffffffff/],
    [{ match: 'mark', mask: 1, marks: [2] }, /never matches/],
    [{ match: 'mark', mask: 1, marks: [0, 1] }, /a mask goes with one mark/],
    [{ match: 'dport', protocol: 'th', ports: [1] }, /"th" needs a match of l4proto/],
  ];
  for (const [match, words] of cases) {
    const [first = '', ...more] = ofMatch(match);
    assert.match(first, words);
    assert.equal(more.length, 0);
  }
});

test('matches that exclude each other are named', () => {
  const v4: NftMatch = { match: 'saddr', protocol: 'ip', addresses: [ip('10.0.0.1')] };
  const v6: NftMatch = { match: 'saddr', protocol: 'ip6', addresses: [ip('::1')] };
  assert.deepEqual(ofMatch(v4, v6), ['conflicting protocols: ip and ip6']);
  assert.deepEqual(ofMatch(tcp, { match: 'dport', protocol: 'udp', ports: [1] }), [
    'conflicting protocols: tcp and udp',
  ]);
  assert.deepEqual(ofMatch(v6, { match: 'icmp type', protocol: 'icmp', types: [8] }), [
    'conflicting protocols: ip6 and ip',
  ]);
  assert.deepEqual(ofMatch({ match: 'nfproto', value: 'ipv4' }, v6), ['conflicting protocols: ip and ip6']);
  assert.deepEqual(ofMatch(v4, { match: 'nfproto', op: '!=', value: 'ipv6' }), []);
  assert.deepEqual(faults({ matches: [v6], statements: [{ statement: 'accept' }] }, filter, 'ip'), [
    'conflicting protocols: ip and ip6',
  ]);
  assert.deepEqual(
    faults(
      { matches: [{ match: 'nfproto', value: 'ipv4' }], statements: [{ statement: 'accept' }] },
      filter,
      'ip',
    ),
    ['meta nfproto is only useful in the inet family'],
  );
});

test('statements that cannot be are named', () => {
  const one = (statement: NftStatement): string => ofStatement(statement).join();
  assert.match(one({ statement: 'log', prefix: 'a"b' }), /no quote/);
  assert.match(one({ statement: 'log', prefix: 'x'.repeat(128) }), /at most 127 bytes/);
  assert.match(one({ statement: 'log', level: 'info', group: 1 }), /either a level or a group/);
  assert.match(one({ statement: 'limit', rate: 0, per: 'second' }), /at least 1/);
  assert.match(one({ statement: 'limit', rate: 1, per: 'second', burst: 0 }), /burst of at least 1/);
  assert.match(one({ statement: 'jump', chain: 'nowhere' }), /there is no chain nowhere/);
  assert.match(one({ statement: 'jump', chain: 'c' }), /c is a base chain/);
  assert.match(one({ statement: 'reject', with: { type: 'icmp', code: 'no' } }), /unknown reject code "no"/);
  assert.deepEqual(ofStatement(), ['a rule has at least one statement']);
  assert.deepEqual(ofStatement({ statement: 'accept' }, { statement: 'counter' }), [
    'nothing can follow "accept"',
  ]);
  assert.deepEqual(faults({ matches: [], statements: [{ statement: 'counter' }], comment: 'é'.repeat(65) }), [
    'the comment has 130 bytes, nft allows 128',
  ]);
  assert.match(
    faults({ matches: [], statements: [{ statement: 'counter' }], comment: 'a"' }).join(),
    /a comment has no quote/,
  );
});

test('NAT and reject are refused where the kernel would refuse them', () => {
  const at = (statement: NftStatement, base: NftBase): string[] =>
    faults({ matches: [tcp], statements: [statement] }, base);
  const dnat: NftStatement = { statement: 'dnat', address: { from: ip('10.0.0.1') }, port: 80 };
  assert.deepEqual(at(dnat, nat('prerouting')), []);
  assert.deepEqual(at(dnat, nat('postrouting')), [
    'dnat works only in a chain of type nat at prerouting or output',
  ]);
  assert.deepEqual(at({ statement: 'masquerade' }, filter), [
    'masquerade works only in a chain of type nat at postrouting',
  ]);
  assert.deepEqual(at({ statement: 'reject' }, { type: 'filter', hook: 'postrouting', priority: 0 }), [
    'reject works only in a chain of type filter at prerouting or input or forward or output',
  ]);
  assert.deepEqual(faults({ matches: [], statements: [dnat] }, nat('prerouting')), [
    'dnat to a port needs a match of the transport protocol, as tcp dport 80',
  ]);
  assert.deepEqual(at({ statement: 'snat' }, nat('postrouting')), ['snat has no target']);
});

test('chains and tables that cannot be are named', () => {
  const table = (...chains: NftChain[]): string[] =>
    checkTable({ family: 'inet', name: 't', chains }).map(({ chain, message }) => `${chain}: ${message}`);
  const jump = (chain: string): NftRule => ({ matches: [], statements: [{ statement: 'jump', chain }] });
  assert.deepEqual(table({ name: 'a', rules: [] }, { name: 'a', rules: [] }), [
    'a: a second chain of this name',
  ]);
  assert.deepEqual(table({ name: 'a', base: nat('forward'), rules: [] }), [
    'a: type nat has no hook forward',
  ]);
  assert.deepEqual(table({ name: 'a', base: nat('output', -200), rules: [] }), [
    'a: type nat has a priority above -200, where connections are tracked',
  ]);
  assert.deepEqual(table({ name: 'a', base: { ...nat('output'), policy: 'drop' }, rules: [] }), [
    'a: type nat has no policy drop',
  ]);
  assert.deepEqual(
    table(
      { name: 'a', rules: [jump('b')] },
      { name: 'b', rules: [jump('a')] },
      { name: 'd', rules: [jump('a')] },
    ),
    ['a: the chain jumps back to itself', 'b: the chain jumps back to itself'],
  );
  assert.match(table({ name: '1', rules: [] }).join(), /the chain's name "1" may have letters/);
  assert.match(
    checkTable({ family: 'inet', name: 'a b', chains: [] })[0]?.message ?? '',
    /the table's name "a b"/,
  );
});

test('every fault of a table is told, with its place', () => {
  const bad: NftRule = { matches: [], statements: [{ statement: 'jump', chain: 'no' }] };
  const good: NftRule = { matches: [], statements: [{ statement: 'accept' }] };
  const found = checkTable({
    family: 'inet',
    name: 't',
    chains: [{ name: 'a', base: filter, rules: [good, bad, good, bad] }],
  });
  assert.deepEqual(found, [
    { chain: 'a', index: 1, rule: 'jump no', message: 'there is no chain no' },
    { chain: 'a', index: 3, rule: 'jump no', message: 'there is no chain no' },
  ]);
});

test('lines of a lab that can never match are refused, and do not go missing', () => {
  const line = (options: FilterRuleOptions): string[] =>
    checkTable({
      family: 'inet',
      name: 't',
      chains: [filterChain('input', { policy: 'accept', rules: [options] })],
    }).map(({ message }) => message);
  assert.deepEqual(line({ saddr: [ip('10.0.0.1')], daddr: [ip('::2')], action: 'drop' }), [
    'conflicting protocols: ip and ip6',
  ]);
  assert.deepEqual(line({ saddr: [], action: 'drop' }), ['a match has no value']);
  assert.deepEqual(line({ dport: [80], action: 'drop' }), ['"th" needs a match of l4proto before it']);
  assert.deepEqual(line({ proto: 'tcp', icmpType: 8, action: 'drop' }), [
    'conflicting protocols: tcp and icmp',
  ]);
  assert.deepEqual(line({ proto: 'tcp', dport: [80], icmpType: 8, action: 'drop' }), [
    'conflicting protocols: tcp and icmp',
  ]);
  assert.deepEqual(line({ saddr: undefined, proto: 89, sport: [1], action: 'drop' }), []);
  const dnat = dnatRule({ dport: 80, to: { address: { from: ip('10.0.0.1') } } });
  assert.deepEqual(
    checkTable({ family: 'inet', name: 't', chains: [dnatChain('prerouting', [dnat])] }).map(
      ({ message }) => message,
    ),
    ['"th" needs a match of l4proto before it'],
  );
});
