// Two ways into the kernel, one result: a table applied through netlink, and the same table's text given to `nft -f -`, in
// two namespaces, must read the same through `nft -j list ruleset`. Our own reader must find what was meant, too.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { type TestContext } from 'node:test';
import fc from 'fast-check';
import type { IpAddress, IpPrefix } from '../../src/base/ip.ts';
import { applyTable, deleteTable, listTables } from '../../src/nfnl/apply.ts';
import { checkTable } from '../../src/nfnl/check.ts';
import { formOf, readTable } from '../../src/nfnl/read.ts';
import type {
  NftChain,
  NftFamily,
  NftMatch,
  NftRule,
  NftStatement,
  NftTable,
} from '../../src/nfnl/ruleset.ts';
import { printTable } from '../../src/nfnl/text.ts';
import { NETLINK_NETFILTER, Transport } from '../../src/rtnl/transport.ts';
import { rounds } from '../support/emulated.ts';
import { type Json, type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { nftRuleArbitrary } from '../support/nft-rules.ts';
import { skipUnlessRoot } from '../support/skip.ts';

/** Rules that are compared in one go. Each go starts nft four times. */
const TOGETHER = rounds(1, 12);

const ip = (text: string): IpAddress => text as IpAddress;
const net = (text: string): IpPrefix => text as IpPrefix;

/** `nft -j list ruleset` without what is not meant to be equal: handles and the version of nft. */
function nftJson(ns: ThrowawayNetns): Json {
  const { nftables } = JSON.parse(ns.exec('nft', '-j', 'list', 'ruleset'));
  return nftables
    .filter((entry: Json) => entry.metainfo === undefined)
    .map((entry: Json) =>
      JSON.parse(JSON.stringify(entry, (key, value) => (key === 'handle' ? undefined : value))),
    );
}

function loadText(ns: ThrowawayNetns, text: string): void {
  execFileSync('ip', ['netns', 'exec', ns.name, 'nft', '-f', '-'], {
    input: text,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

type Pair = AsyncDisposable & {
  readonly ours: ThrowawayNetns;
  readonly theirs: ThrowawayNetns;
  readonly transport: Transport;
};

async function pair(): Promise<Pair> {
  const ours = await throwawayNetns('t-nfnl');
  const theirs = await throwawayNetns('t-nfnl');
  const transport = ours.inside(() => Transport.open(NETLINK_NETFILTER));
  return {
    ours,
    theirs,
    transport,
    async [Symbol.asyncDispose]() {
      transport.close();
      await ours[Symbol.asyncDispose]();
      await theirs[Symbol.asyncDispose]();
    },
  };
}

/** Applies the table both ways and compares, then removes both, so that what comes next begins with nothing. */
function assertSame({ ours, theirs, transport }: Pair, table: NftTable): void {
  const text = printTable(table);
  try {
    loadText(theirs, text);
    applyTable(transport, table);
    assert.deepEqual(nftJson(ours), nftJson(theirs), text);
    assert.deepEqual(readTable(transport, table.family, table.name)?.form, formOf(table), text);
    assert.equal(deleteTable(transport, table.family, table.name), true);
  } finally {
    deleteTable(transport, table.family, table.name);
    theirs.exec('nft', 'flush', 'ruleset');
  }
}

/** True when nft itself came to grief: 1.0.6 has assertions that some valid rulesets trip over, which says nothing about ours. */
function nftAborted(error: unknown): boolean {
  return (
    error instanceof Error &&
    /Assertion `|SIGABRT|core dumped/.test(
      `${error.message}${String((error as { stderr?: unknown }).stderr ?? '')}`,
    )
  );
}

const accept: NftStatement = { statement: 'accept' };
const matching = (...matches: NftMatch[]): NftRule => ({ matches, statements: [accept] });
const doing = (...statements: NftStatement[]): NftRule => ({ matches: [], statements });
const tcp80: NftMatch = { match: 'dport', protocol: 'tcp', ports: [80] };

const filterRules: readonly NftRule[] = [
  matching({ match: 'iifname', names: ['eth0'] }),
  matching({ match: 'iifname', op: '!=', names: ['eth0'] }),
  matching({ match: 'iifname', names: ['eth*'] }),
  matching({ match: 'iifname', op: '!=', names: ['verylongname1*'] }),
  matching({ match: 'oifname', names: ['verylongname123', 'b'] }),
  matching({ match: 'oifname', op: '!=', names: ['a', 'b', 'c'] }),
  matching({ match: 'iifname', names: ['veth1', 'eth*', 'eth1'] }),
  matching({ match: 'saddr', protocol: 'ip', addresses: [ip('10.0.0.1')] }),
  matching({ match: 'saddr', protocol: 'ip', op: '!=', addresses: [net('10.0.0.0/8')] }),
  matching({ match: 'daddr', protocol: 'ip', addresses: [net('10.128.0.0/9')] }),
  matching({ match: 'daddr', protocol: 'ip', op: '!=', addresses: [net('10.0.0.2/31')] }),
  matching({ match: 'daddr', protocol: 'ip', addresses: [net('0.0.0.0/0')] }),
  matching({ match: 'daddr', protocol: 'ip', addresses: [net('10.0.0.1/32')] }),
  matching({ match: 'daddr', protocol: 'ip', addresses: [{ from: ip('10.0.0.1'), to: ip('10.0.0.9') }] }),
  matching({
    match: 'daddr',
    protocol: 'ip',
    op: '!=',
    addresses: [{ from: ip('10.0.0.1'), to: ip('10.0.0.9') }],
  }),
  matching({ match: 'saddr', protocol: 'ip', addresses: [ip('10.0.0.1'), ip('10.0.0.2'), ip('10.0.0.1')] }),
  matching({
    match: 'saddr',
    protocol: 'ip',
    op: '!=',
    addresses: [
      net('10.0.0.0/24'),
      net('10.0.1.0/24'),
      ip('192.0.2.1'),
      { from: ip('255.255.255.0'), to: ip('255.255.255.255') },
    ],
  }),
  matching({ match: 'saddr', protocol: 'ip', addresses: [net('0.0.0.0/8'), ip('10.9.9.9')] }),
  matching({ match: 'saddr', protocol: 'ip6', addresses: [ip('2001:db8::1')] }),
  matching({ match: 'saddr', protocol: 'ip6', addresses: [net('2001:db8::/32')] }),
  matching({ match: 'saddr', protocol: 'ip6', op: '!=', addresses: [net('fe80::/10')] }),
  matching({
    match: 'daddr',
    protocol: 'ip6',
    addresses: [ip('::1'), net('ff00::/8'), net('2001:db8::/33')],
  }),
  matching({
    match: 'daddr',
    protocol: 'ip6',
    addresses: [{ from: ip('::ffff:102:304'), to: ip('::ffff:102:309') }],
  }),
  matching(
    { match: 'saddr', protocol: 'ip', addresses: [ip('10.0.0.1')] },
    { match: 'daddr', protocol: 'ip', addresses: [ip('10.0.0.2')] },
    { match: 'sport', protocol: 'tcp', ports: [1] },
    { match: 'dport', protocol: 'tcp', ports: [2] },
  ),
  matching({ match: 'nfproto', value: 'ipv4' }),
  matching({ match: 'nfproto', op: '!=', value: 'ipv6' }),
  matching({ match: 'l4proto', protocols: ['icmpv6'] }),
  matching({ match: 'l4proto', op: '!=', protocols: ['tcp', 'udp', 99] }),
  matching({ match: 'l4proto', op: '!=', protocols: ['udp'] }, tcp80),
  matching(tcp80),
  matching({ match: 'dport', protocol: 'udp', op: '!=', ports: [53] }),
  matching({ match: 'dport', protocol: 'tcp', ports: [{ from: 8000, to: 8010 }] }),
  matching({ match: 'dport', protocol: 'tcp', op: '!=', ports: [{ from: 8000, to: 8010 }] }),
  matching({ match: 'dport', protocol: 'tcp', ports: [443, 80, 22] }),
  matching({
    match: 'dport',
    protocol: 'tcp',
    ports: [80, { from: 90, to: 100 }, { from: 101, to: 110 }, 65535],
  }),
  matching({ match: 'dport', protocol: 'tcp', op: '!=', ports: [0, { from: 60000, to: 65535 }] }),
  matching({ match: 'dport', protocol: 'tcp', ports: [2] }, { match: 'sport', protocol: 'tcp', ports: [1] }),
  matching({ match: 'sport', protocol: 'sctp', ports: [5] }),
  matching({ match: 'l4proto', protocols: ['tcp', 'udp'] }, { match: 'dport', protocol: 'th', ports: [53] }),
  matching({ match: 'icmp type', protocol: 'icmp', types: ['echo-request'] }),
  matching({ match: 'icmp type', protocol: 'icmp', types: ['echo-request', 200, 'redirect'] }),
  matching({ match: 'icmp type', protocol: 'icmpv6', op: '!=', types: ['nd-neighbor-solicit'] }),
  matching({ match: 'l4proto', protocols: ['icmp'] }, { match: 'icmp type', protocol: 'icmp', types: [8] }),
  matching({ match: 'ct state', states: ['established', 'related'] }),
  matching({ match: 'ct state', states: ['new'] }),
  matching({ match: 'ct state', op: '!=', states: ['established'] }),
  matching({ match: 'ct state', op: '!=', states: ['related', 'established', 'untracked'] }),
  matching({ match: 'ct status', status: ['dnat'] }),
  matching({ match: 'ct status', op: '!=', status: ['dnat', 'snat'] }),
  matching({ match: 'fib daddr type', types: ['local'] }),
  matching({ match: 'fib daddr type', op: '!=', types: ['local', 'broadcast'] }),
  matching({ match: 'mark', marks: [0x10] }),
  matching({ match: 'mark', op: '!=', marks: [5, 0xffffffff, 0x100] }),
  matching({ match: 'mark', mask: 0xff00, marks: [0x100] }),
  matching({ match: 'mark', op: '!=', mask: 0xf0000000, marks: [0x80000000] }),
  doing({ statement: 'counter' }),
  doing({ statement: 'counter' }, { statement: 'drop' }),
  doing({ statement: 'return' }),
  doing({ statement: 'jump', chain: 'other' }),
  { matches: [tcp80], statements: [{ statement: 'goto', chain: 'other' }], comment: "why ' $x é" },
  doing({ statement: 'reject' }),
  { matches: [tcp80], statements: [{ statement: 'reject', with: { type: 'tcp reset' } }] },
  doing({ statement: 'counter' }, { statement: 'reject', with: { type: 'tcp reset' } }),
  {
    matches: [{ match: 'iifname', names: ['a'] }],
    statements: [
      { statement: 'log' },
      { statement: 'reject', with: { type: 'icmp', code: 'host-unreachable' } },
    ],
  },
  {
    matches: [{ match: 'saddr', protocol: 'ip6', addresses: [ip('::1')] }],
    statements: [{ statement: 'reject' }],
  },
  doing({ statement: 'reject', with: { type: 'icmpv6', code: 'no-route' } }),
  doing({ statement: 'reject', with: { type: 'icmpx', code: 'admin-prohibited' } }),
  doing({ statement: 'log', prefix: 'in: ', level: 'debug' }, accept),
  doing({ statement: 'log', prefix: 'x', group: 2 }),
  doing({ statement: 'limit', rate: 10, per: 'second' }, accept),
  doing({ statement: 'limit', rate: 7, per: 'hour', burst: 9, over: true }, { statement: 'drop' }),
  doing({ statement: 'limit', rate: 2048, unit: 'bytes', per: 'second', burst: 512 }, accept),
  doing({ statement: 'mark set', value: 0xdeadbeef }, accept),
];

const postroutingRules: readonly NftRule[] = [
  { matches: [{ match: 'oifname', names: ['eth0'] }], statements: [{ statement: 'masquerade' }] },
  doing({ statement: 'masquerade', flags: ['persistent', 'random'] }),
  doing({ statement: 'masquerade', flags: ['fully-random'] }),
  {
    matches: [{ match: 'l4proto', protocols: ['tcp', 'udp'] }],
    statements: [{ statement: 'masquerade', port: { from: 1000, to: 2000 }, flags: ['random'] }],
  },
  { matches: [tcp80], statements: [{ statement: 'masquerade', port: 1000 }] },
  doing({ statement: 'snat', address: { from: ip('192.0.2.1') } }),
  doing({ statement: 'snat', address: { from: ip('192.0.2.1'), to: ip('192.0.2.1') } }),
  doing({
    statement: 'snat',
    address: { from: ip('192.0.2.1'), to: ip('192.0.2.9') },
    flags: ['persistent'],
  }),
  {
    matches: [tcp80],
    statements: [
      {
        statement: 'snat',
        address: { from: ip('192.0.2.1'), to: ip('192.0.2.9') },
        port: { from: 1, to: 9 },
      },
    ],
  },
  { matches: [tcp80], statements: [{ statement: 'snat', port: { from: 1, to: 9 } }] },
  {
    matches: [{ match: 'saddr', protocol: 'ip6', addresses: [net('2001:db8::/32')] }],
    statements: [{ statement: 'snat', address: { from: ip('2001:db8::1') } }],
  },
  {
    matches: [tcp80],
    statements: [{ statement: 'snat', address: { from: ip('2001:db8::1'), to: ip('2001:db8::5') }, port: 7 }],
  },
];

const preroutingRules: readonly NftRule[] = [
  {
    matches: [{ match: 'iifname', names: ['eth0'] }, tcp80],
    statements: [
      { statement: 'counter' },
      { statement: 'dnat', address: { from: ip('10.0.0.1') }, port: 8080 },
    ],
  },
  {
    matches: [tcp80],
    statements: [{ statement: 'dnat', address: { from: ip('10.0.0.1'), to: ip('10.0.0.4') } }],
  },
  {
    matches: [{ match: 'dport', protocol: 'udp', ports: [{ from: 80, to: 89 }] }],
    statements: [{ statement: 'dnat', port: { from: 8080, to: 8089 } }],
  },
  {
    matches: [tcp80],
    statements: [{ statement: 'dnat', address: { from: ip('2001:db8::1') }, port: 8080, flags: ['random'] }],
  },
  doing({ statement: 'dnat', address: { from: ip('2001:db8::1'), to: ip('2001:db8::3') } }),
  { matches: [tcp80], statements: [{ statement: 'redirect', port: 8080 }] },
  {
    matches: [{ match: 'fib daddr type', types: ['local'] }, tcp80],
    statements: [{ statement: 'redirect', port: { from: 1, to: 2 }, flags: ['fully-random'] }],
  },
  doing({ statement: 'redirect' }),
];

function chains(filter: readonly NftRule[]): NftChain[] {
  return [
    { name: 'input', base: { type: 'filter', hook: 'input', priority: 0, policy: 'drop' }, rules: filter },
    { name: 'forward', base: { type: 'filter', hook: 'forward', priority: -153 }, rules: [] },
    { name: 'prerouting', base: { type: 'nat', hook: 'prerouting', priority: -100 }, rules: preroutingRules },
    {
      name: 'postrouting',
      base: { type: 'nat', hook: 'postrouting', priority: 103 },
      rules: postroutingRules,
    },
    { name: 'route', base: { type: 'route', hook: 'output', priority: 1000 }, rules: [] },
    { name: 'other', rules: [doing({ statement: 'counter' })] },
  ];
}

/** What a table of one family can hold. */
function fits(family: NftFamily, chain: NftChain, rule: NftRule): boolean {
  return (
    checkTable({
      family,
      name: 't',
      chains: [
        { ...chain, name: 'chain', rules: [rule] },
        { name: 'other', rules: [] },
      ],
    }).length === 0
  );
}

for (const family of ['inet', 'ip', 'ip6'] as const) {
  test(`rules of every kind in a table of ${family} are the same through netlink and through nft`, async (t: TestContext) => {
    if (skipUnlessRoot(t)) return;
    await using both = await pair();
    const fitting = chains(filterRules).map((chain) => ({
      ...chain,
      rules: chain.rules.filter((rule) => fits(family, chain, rule)),
    }));
    const count = fitting.reduce((sum, chain) => sum + chain.rules.length, 0);
    assert.ok(count >= 40, `only ${count} rules`);
    if (family === 'inet')
      assert.equal(count, filterRules.length + preroutingRules.length + postroutingRules.length + 1);
    for (const chain of fitting) {
      const others = fitting
        .filter(({ name }) => name !== chain.name)
        .map((other) => ({ ...other, rules: [] }));
      for (let at = 0; at < chain.rules.length; at += TOGETHER) {
        const rules = chain.rules.slice(at, at + TOGETHER);
        assertSame(both, { family, name: 'nslab-one', chains: [{ ...chain, rules }, ...others] });
      }
    }
    assertSame(both, { family, name: 'nslab-all', chains: fitting });
    assert.deepEqual(listTables(both.transport), []);
  });
}

test('random rules are the same through netlink and through nft', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using both = await pair();
  const tables = fc.array(nftRuleArbitrary, { minLength: 1, maxLength: 6 });
  let aborted = 0;
  fc.assert(
    fc.property(tables, (rules) => {
      const table: NftTable = { family: 'inet', name: 'nslab-random', chains: [...chains(rules)] };
      assert.deepEqual(checkTable(table), []);
      try {
        assertSame(both, table);
      } catch (error) {
        if (!nftAborted(error)) throw error;
        aborted++;
        fc.pre(false);
      }
    }),
    { numRuns: Number(process.env['NSLAB_RUNS'] ?? rounds(150, 10)) },
  );
  t.diagnostic(`nft aborted on ${aborted} tables of its own accord`);
  assert.ok(aborted < 15, 'nft aborts so often that nothing is compared any more');
});
