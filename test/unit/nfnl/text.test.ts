// The nft text of tables, as `nft list ruleset` of nft 1.0.6 prints it; that the kernel agrees is test/kernel/nfnl-*.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { IpAddress, IpPrefix } from '../../../src/base/ip.ts';
import { filterChain, filterRules } from '../../../src/nfnl/firewall.ts';
import { dnatChain, dnatRule, masqueradeRule, snatChain, snatRule } from '../../../src/nfnl/nat.ts';
import type { NftFamily, NftMatch, NftRule, NftStatement } from '../../../src/nfnl/ruleset.ts';
import { printBase, printRule, printTable } from '../../../src/nfnl/text.ts';

const ip = (text: string): IpAddress => text as IpAddress;
const net = (text: string): IpPrefix => text as IpPrefix;

function matchText(...matches: NftMatch[]): string {
  return printRule('inet', { matches, statements: [{ statement: 'accept' }] }).replace(/ accept$/, '');
}

function statementText(statement: NftStatement, family: NftFamily = 'inet'): string {
  const matches: NftMatch[] = [{ match: 'l4proto', protocols: ['tcp'] }];
  return printRule(family, { matches, statements: [statement] }).replace('meta l4proto tcp ', '');
}

test('a whole table reads as nft list prints it', () => {
  const text = printTable({
    family: 'inet',
    name: 'nslab-nat-lab',
    chains: [
      dnatChain('prerouting', [
        dnatRule({
          iifname: 'uplink',
          proto: 'tcp',
          dport: 8080,
          to: { address: { from: ip('10.1.1.10') }, port: 80 },
        }),
      ]),
      snatChain([masqueradeRule({ oifname: 'uplink', counter: true, comment: 'nat[0]' })]),
      filterChain('input', { policy: 'drop', rules: [{ ct: ['related', 'established'], action: 'accept' }] }),
      { name: 'empty', rules: [] },
    ],
  });
  assert.equal(
    text,
    `table inet nslab-nat-lab {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		iifname "uplink" tcp dport 8080 dnat ip to 10.1.1.10:80
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "uplink" counter masquerade comment "nat[0]"
	}

	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
	}

	chain empty {
	}
}
`,
  );
});

test('a priority is named where nft names it', () => {
  const base = (hook: 'prerouting' | 'postrouting' | 'input', priority: number): string =>
    printBase({ type: 'filter', hook, priority }).replace(/.*priority (.*); policy.*/, '$1');
  assert.equal(base('prerouting', -100), 'dstnat');
  assert.equal(base('input', -100), '-100');
  assert.equal(base('postrouting', 110), 'srcnat + 10');
  assert.equal(base('postrouting', 111), '111');
  assert.equal(base('input', -153), 'mangle - 3');
  assert.equal(base('input', 0), 'filter');
});

test('matches are written with nft words and in its canonical order', () => {
  const cases: [NftMatch, string][] = [
    [{ match: 'iifname', op: '!=', names: ['b', 'a', 'b'] }, 'iifname != { "a", "b" }'],
    [{ match: 'oifname', names: ['eth1', 'eth*', 'x'] }, 'oifname { "eth*", "x" }'],
    [{ match: 'saddr', protocol: 'ip', addresses: [net('10.0.0.1/32')] }, 'ip saddr 10.0.0.1'],
    [
      { match: 'saddr', protocol: 'ip', addresses: [net('10.0.1.0/24'), net('10.0.0.0/24')] },
      'ip saddr 10.0.0.0/23',
    ],
    [
      { match: 'daddr', protocol: 'ip', addresses: [{ from: ip('10.0.0.0'), to: ip('10.0.0.255') }] },
      'ip daddr 10.0.0.0/24',
    ],
    [
      { match: 'daddr', protocol: 'ip6', addresses: [{ from: ip('::1'), to: ip('::2') }] },
      'ip6 daddr ::1-::2',
    ],
    [{ match: 'dport', protocol: 'tcp', ports: [443, 80, 443] }, 'tcp dport { 80, 443 }'],
    [{ match: 'dport', protocol: 'udp', op: '!=', ports: [{ from: 7, to: 7 }] }, 'udp dport != 7'],
    [{ match: 'dport', protocol: 'tcp', ports: [80, { from: 81, to: 90 }] }, 'tcp dport 80-90'],
    [{ match: 'l4proto', protocols: ['icmpv6', 17, 200] }, 'meta l4proto { udp, ipv6-icmp, 200 }'],
    [{ match: 'nfproto', op: '!=', value: 'ipv6' }, 'meta nfproto != ipv6'],
    [{ match: 'icmp type', protocol: 'icmp', types: [8] }, 'icmp type echo-request'],
    [
      { match: 'icmp type', protocol: 'icmpv6', types: ['mld-listener-reduction'] },
      'icmpv6 type mld-listener-done',
    ],
    [{ match: 'ct state', states: ['new', 'invalid'] }, 'ct state invalid,new'],
    [{ match: 'ct state', op: '!=', states: ['new', 'invalid'] }, 'ct state != { invalid, new }'],
    [{ match: 'ct status', op: '!=', status: ['dnat'] }, 'ct status ! dnat'],
    [{ match: 'fib daddr type', types: ['local'] }, 'fib daddr type local'],
    [{ match: 'mark', marks: [16] }, 'meta mark 0x00000010'],
    [{ match: 'mark', op: '!=', mask: 0xff, marks: [1] }, 'meta mark & 0x000000ff != 0x00000001'],
  ];
  for (const [match, text] of cases) assert.equal(matchText(match), text);
  assert.equal(
    matchText(
      { match: 'dport', protocol: 'tcp', ports: [2] },
      { match: 'sport', protocol: 'tcp', ports: [1] },
    ),
    'tcp sport 1 tcp dport 2',
  );
});

test('statements are written with nft words', () => {
  const cases: [NftStatement, string][] = [
    [{ statement: 'log', prefix: 'in: ', level: 'debug' }, 'log prefix "in: " level debug'],
    [{ statement: 'log', level: 'warn' }, 'log'],
    [{ statement: 'limit', rate: 5, per: 'minute' }, 'limit rate 5/minute'],
    [
      { statement: 'limit', rate: 2 ** 21, unit: 'bytes', per: 'second', burst: 1536, over: true },
      'limit rate over 2 mbytes/second burst 1536 bytes',
    ],
    [{ statement: 'mark set', value: 255 }, 'meta mark set 0x000000ff'],
    [{ statement: 'goto', chain: 'x' }, 'goto x'],
    [{ statement: 'reject' }, 'reject with icmpx port-unreachable'],
    [{ statement: 'reject', with: { type: 'tcp reset' } }, 'reject with tcp reset'],
    [
      { statement: 'masquerade', port: { from: 1, to: 9 }, flags: ['persistent', 'random'] },
      'masquerade to :1-9 random,persistent',
    ],
    [{ statement: 'redirect', port: 80 }, 'redirect to :80'],
    [{ statement: 'dnat', port: 80 }, 'dnat to :80'],
    [
      { statement: 'snat', address: { from: ip('10.0.0.1'), to: ip('10.0.0.9') }, port: 5 },
      'snat ip to 10.0.0.1-10.0.0.9:5',
    ],
    [{ statement: 'dnat', address: { from: ip('::1'), to: ip('::9') } }, 'dnat ip6 to ::1-::9'],
    [
      { statement: 'dnat', address: { from: ip('::1'), to: ip('::9') }, port: 5 },
      'dnat ip6 to [::1]-[::9]:5',
    ],
  ];
  for (const [statement, text] of cases) assert.equal(statementText(statement), text);
  assert.equal(
    statementText({ statement: 'dnat', address: { from: ip('10.0.0.1') } }, 'ip'),
    'dnat to 10.0.0.1',
  );
});

test('a match that a reject needs is written out', () => {
  const reset: NftRule = {
    matches: [],
    statements: [{ statement: 'counter' }, { statement: 'reject', with: { type: 'tcp reset' } }],
  };
  assert.equal(printRule('inet', reset), 'meta l4proto tcp counter reject with tcp reset');
  const icmp: NftRule = {
    matches: [],
    statements: [{ statement: 'reject', with: { type: 'icmp', code: 'host-unreachable' } }],
  };
  assert.equal(printRule('inet', icmp), 'meta nfproto ipv4 reject with icmp host-unreachable');
  assert.equal(printRule('ip', icmp), 'reject with icmp host-unreachable');
});

test('a rule that cannot be is printed as its data instead of throwing', () => {
  const rule: NftRule = { matches: [{ match: 'dport', protocol: 'tcp', ports: [70000] }], statements: [] };
  assert.equal(printRule('inet', rule), JSON.stringify(rule));
});

test('nat rules are what the words of a lab mean', () => {
  const text = (rule: NftRule): string => printRule('inet', rule);
  assert.equal(
    text(masqueradeRule({ oifname: 'up', family: 4 })),
    'oifname "up" meta nfproto ipv4 masquerade',
  );
  assert.equal(
    text(masqueradeRule({ oifname: 'up', saddr: net('10.0.0.0/8'), family: 4 })),
    'oifname "up" ip saddr 10.0.0.0/8 masquerade',
  );
  assert.equal(
    text(
      snatRule({
        oifname: 'up',
        proto: 'udp',
        to: { address: { from: ip('::1') }, port: { from: 1, to: 2 } },
        flags: ['fully-random'],
      }),
    ),
    'oifname "up" meta l4proto udp snat ip6 to [::1]:1-2 fully-random',
  );
  assert.equal(
    text(dnatRule({ daddr: net('192.0.2.0/24'), to: { address: { from: ip('10.0.0.1') } } })),
    'ip daddr 192.0.2.0/24 dnat ip to 10.0.0.1',
  );
});

test('a firewall line with addresses of both families becomes a rule for each that source and destination share', () => {
  const texts = (options: Parameters<typeof filterRules>[0]): string[] =>
    filterRules(options).map((rule) => printRule('inet', rule));
  const both = [net('10.0.0.0/8'), ip('2001:db8::1')];
  assert.deepEqual(texts({ saddr: both, proto: 'tcp', dport: [80], action: 'accept' }), [
    'ip saddr 10.0.0.0/8 tcp dport 80 accept',
    'ip6 saddr 2001:db8::1 tcp dport 80 accept',
  ]);
  assert.deepEqual(texts({ saddr: both, daddr: [ip('::2')], action: 'drop' }), [
    'ip6 saddr 2001:db8::1 ip6 daddr ::2 drop',
  ]);
  assert.deepEqual(
    texts({
      iifname: 'a',
      ct: ['new'],
      proto: 89,
      counter: true,
      log: 'x ',
      action: 'reject',
      rejectWith: { type: 'icmpx', code: 'no-route' },
      comment: 'c',
    }),
    [
      'iifname "a" ct state new meta l4proto ospf counter log prefix "x " reject with icmpx no-route comment "c"',
    ],
  );
  assert.deepEqual(texts({ proto: 'icmp', icmpType: 'echo-request', action: 'accept' }), [
    'icmp type echo-request accept',
  ]);
});
