// Transactions on the real kernel: all or nothing, errors that name the rule, replacing, removing, and what a large table
// costs in messages. Asserted through nft(8), in namespaces that the test makes.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test, { type TestContext } from 'node:test';
import type { IpAddress } from '../../src/base/ip.ts';
import { applyTable, deleteTable, listTables } from '../../src/nfnl/apply.ts';
import { batchBytes, chainsBatch } from '../../src/nfnl/batch.ts';
import { NfnlError } from '../../src/nfnl/error.ts';
import { filterChain } from '../../src/nfnl/firewall.ts';
import { masqueradeRule, snatChain } from '../../src/nfnl/nat.ts';
import { formOf, readTable } from '../../src/nfnl/read.ts';
import type { NftRule, NftTable } from '../../src/nfnl/ruleset.ts';
import { printTable } from '../../src/nfnl/text.ts';
import { KernelSocket, type NetlinkSocket } from '../../src/rtnl/socket.ts';
import { NETLINK_NETFILTER, Transport } from '../../src/rtnl/transport.ts';
import { type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { skipUnlessRoot } from '../support/skip.ts';

function open(ns: ThrowawayNetns): Transport {
  return ns.inside(() => Transport.open(NETLINK_NETFILTER));
}

function ruleset(ns: ThrowawayNetns): string {
  return ns.exec('nft', 'list', 'ruleset');
}

/** nft takes it, the kernel does not: the rate in nanoseconds does not fit (EOVERFLOW of nft_limit_init). */
const overflowing: NftRule = {
  matches: [{ match: 'dport', protocol: 'tcp', ports: [22] }],
  statements: [
    { statement: 'limit', rate: 2 ** 50, unit: 'bytes', per: 'week', over: true },
    { statement: 'drop' },
  ],
};
const accepting: NftRule = { matches: [], statements: [{ statement: 'accept' }] };

function inputTable(rules: readonly NftRule[], name = 'nslab-t'): NftTable {
  return {
    family: 'inet',
    name,
    chains: [{ name: 'input', base: { type: 'filter', hook: 'input', priority: 0 }, rules }],
  };
}

function errorOf(body: () => void): NfnlError {
  try {
    body();
  } catch (error) {
    if (error instanceof NfnlError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'nothing was refused' });
}

test('a rule refused in the middle leaves nothing, and the error names it', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const error = errorOf(() =>
    applyTable(transport, inputTable([accepting, accepting, overflowing, accepting])),
  );
  assert.equal(ruleset(ns), '');
  assert.equal(error.code, 'EOVERFLOW');
  assert.deepEqual(error.place, {
    chain: 'input',
    index: 2,
    rule: 'tcp dport 22 limit rate over 1073741824 mbytes/week drop',
  });
  assert.equal(
    error.message,
    'table inet nslab-t, chain input, rule 3: tcp dport 22 limit rate over 1073741824 mbytes/week drop: EOVERFLOW',
  );
});

test('of several refused rules the first is named and the others are counted', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const error = errorOf(() => applyTable(transport, inputTable([overflowing, accepting, overflowing])));
  assert.equal(error.place.index, 0);
  assert.match(error.message, /EOVERFLOW \(and 1 more refused\)$/);
  assert.equal(ruleset(ns), '');
});

test('a table that is there already is refused and keeps its rules, or is replaced as a whole', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  applyTable(transport, inputTable([accepting]));
  const before = ruleset(ns);
  const other = inputTable([{ matches: [], statements: [{ statement: 'drop' }] }]);
  const error = errorOf(() => applyTable(transport, other));
  assert.equal(error.code, 'EEXIST');
  assert.match(error.message, /^table inet nslab-t: EEXIST.*: there is a table of this name/);
  assert.equal(ruleset(ns), before);

  const failing = errorOf(() => applyTable(transport, inputTable([overflowing]), { onExisting: 'replace' }));
  assert.equal(failing.code, 'EOVERFLOW');
  assert.equal(ruleset(ns), before, 'a replacement that fails leaves the old table');

  applyTable(transport, other, { onExisting: 'replace' });
  assert.match(ruleset(ns), /\t\tdrop\n/);
  assert.doesNotMatch(ruleset(ns), /\t\taccept\n/);
  deleteTable(transport, 'inet', 'nslab-t');
  applyTable(transport, other, { onExisting: 'replace' });
  assert.match(ruleset(ns), /\t\tdrop\n/, 'replacing works where nothing is there');
});

test('a table is deleted once, and a second time is as good', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  ns.exec('nft', 'add', 'table', 'ip', 'nslab-t');
  applyTable(transport, inputTable([accepting]));
  assert.deepEqual(listTables(transport), [
    { family: 'ip', name: 'nslab-t', chains: 0 },
    { family: 'inet', name: 'nslab-t', chains: 1 },
  ]);
  assert.equal(deleteTable(transport, 'inet', 'nslab-t'), true);
  assert.equal(deleteTable(transport, 'inet', 'nslab-t'), false);
  assert.equal(ruleset(ns), 'table ip nslab-t {\n}\n', 'the table of another family stays');
});

test('chains are emptied and filled by bytes that were made before, and the others stay', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const set: NftRule = {
    matches: [{ match: 'dport', protocol: 'tcp', ports: [22, 80, { from: 8000, to: 8010 }] }],
    statements: [{ statement: 'drop' }],
  };
  const [first, second] = [inputTable([accepting, set]), { ...inputTable([set]).chains[0], name: 'other' }];
  const table: NftTable = { ...first, chains: [...first.chains, second as (typeof first.chains)[number]] };
  applyTable(transport, table);
  const before = ruleset(ns);
  const send = (part: NftTable, fill: boolean): number => {
    const socket = ns.inside(() => new KernelSocket(NETLINK_NETFILTER));
    const bytes = batchBytes(chainsBatch(part, { fill }));
    socket.send(bytes, bytes.length);
    const answer = Buffer.alloc(8192);
    const length = socket.receive(answer);
    socket.close();
    // struct nlmsgerr after its header.
    return length < 0 ? 0 : -answer.readInt32LE(16);
  };
  assert.equal(send(first, false), 0);
  assert.equal(rulesOf(ns, 'input').length, 0);
  assert.equal(rulesOf(ns, 'other').length, 1);
  // Twice is as good as once.
  assert.equal(send(first, false), 0);
  assert.equal(send(first, true), 0);
  assert.equal(send(first, true), 0);
  assert.equal(ruleset(ns), before);
  assert.equal(send({ ...first, name: 'gone' }, true), 2, 'ENOENT');
});

function rulesOf(ns: ThrowawayNetns, chain: string): unknown[] {
  const { nftables } = JSON.parse(ns.exec('nft', '-j', 'list', 'chain', 'inet', 'nslab-t', chain));
  return nftables.filter((one: object) => 'rule' in one);
}

test('a table that cannot be is refused before the kernel is asked', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const table = inputTable([{ matches: [], statements: [{ statement: 'masquerade' }] }]);
  const error = errorOf(() => applyTable(transport, table));
  assert.equal(error.code, 'EINVAL');
  assert.equal(error.failure, undefined);
  assert.match(
    error.message,
    /chain input, rule 1: masquerade: masquerade works only in a chain of type nat at postrouting$/,
  );
});

test('without CAP_NET_ADMIN the error says so', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  const script = `
    const { Transport } = await import('./src/rtnl/transport.ts');
    const { applyTable } = await import('./src/nfnl/apply.ts');
    try { applyTable(Transport.open(12), { family: 'inet', name: 'x', chains: [] }); } catch (e) { console.log(e.message); }`;
  const argv = ['netns', 'exec', ns.name, 'setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'];
  const node = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script];
  const out = execFileSync('ip', [...argv, ...node], { encoding: 'utf8' });
  assert.match(out, /^table inet x: EPERM.*: changing nf_tables needs CAP_NET_ADMIN\n$/);
});

test('a set of five thousand addresses goes in and comes back', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const addresses = Array.from({ length: 5000 }, (_, i) => `10.${i >> 8}.${i & 255}.1` as IpAddress);
  const ranges = addresses.map((from) => ({ from, to: from.replace(/1$/, '7') as IpAddress }));
  const table = inputTable([
    { matches: [{ match: 'saddr', protocol: 'ip', addresses }], statements: [{ statement: 'accept' }] },
    {
      matches: [{ match: 'daddr', protocol: 'ip', addresses: ranges }],
      statements: [{ statement: 'accept' }],
    },
  ]);
  applyTable(transport, table);
  assert.deepEqual(readTable(transport, 'inet', 'nslab-t')?.form, formOf(table));
  const nftables = JSON.parse(ns.exec('nft', '-j', 'list', 'ruleset')).nftables;
  const sets = nftables.flatMap((entry: { rule?: { expr: { match?: { right: { set: unknown[] } } }[] } }) =>
    (entry.rule?.expr ?? []).flatMap(({ match }) => match?.right.set.length ?? []),
  );
  assert.deepEqual(sets, [5000, 5000]);
});

test('a rule that a stranger added is read, and shows as a difference', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const table = inputTable([accepting]);
  applyTable(transport, table);
  ns.exec('nft', 'add rule inet nslab-t input tcp option maxseg size 1-500 drop comment "mine"');
  const state = readTable(transport, 'inet', 'nslab-t');
  assert.notDeepEqual(state?.form, formOf(table));
  const [ours, theirs] = state?.form.chains[0]?.rules ?? [];
  assert.deepEqual(ours, formOf(table).chains[0]?.rules[0]);
  assert.equal(theirs?.comment, 'mine');
  assert.ok(theirs.exprs.some((expr) => expr.expr === 'foreign' && expr.name === 'exthdr'));
  assert.equal(readTable(transport, 'inet', 'nslab-none'), undefined);
});

test('the text of an everyday table is what nft list prints', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  using transport = open(ns);
  const table: NftTable = {
    family: 'inet',
    name: 'nslab-nat-lab',
    chains: [
      snatChain([masqueradeRule({ oifname: 'uplink', comment: 'out' })]),
      filterChain('forward', {
        policy: 'drop',
        rules: [
          { ct: ['related', 'established'], action: 'accept' },
          { iifname: 'eth*', proto: 'tcp', dport: [443, 80], action: 'accept' },
          { iifname: 'uplink', proto: 'icmp', icmpType: 'echo-request', action: 'drop' },
        ],
      }),
    ],
  };
  applyTable(transport, table);
  assert.equal(ruleset(ns), printTable(table));
});

/** The kernel's socket, with everything that goes through it counted. */
class CountingSocket implements NetlinkSocket {
  readonly #socket = new KernelSocket(NETLINK_NETFILTER);
  sent = 0;
  bytes = 0;
  received = 0;

  send(bytes: Uint8Array, length: number): void {
    this.sent++;
    this.bytes += length;
    this.#socket.send(bytes, length);
  }

  receive(into: Uint8Array): number {
    const length = this.#socket.receive(into);
    if (length >= 0) this.received++;
    return length;
  }

  close(): void {
    this.#socket.close();
  }
}

test('a table is one datagram out and one answer, however many rules it has', async (t: TestContext) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-nfnl');
  const tableOf = (count: number): NftTable => {
    const rules = Array.from({ length: count }, (_, i) => ({
      saddr: [`10.0.${i >> 8}.${i & 255}` as IpAddress],
      proto: 'tcp',
      dport: i % 10 === 0 ? [i + 1, { from: i + 1000, to: i + 1010 }] : [i + 1],
      action: 'accept' as const,
    }));
    return {
      family: 'inet',
      name: 'nslab-t',
      chains: [filterChain('input', { policy: 'drop', rules })],
    };
  };
  const cost = (count: number) => {
    const socket = ns.inside(() => new CountingSocket());
    using transport = new Transport(socket);
    applyTable(transport, tableOf(count));
    const { sent, bytes, received } = socket;
    assert.equal(ruleset(ns), printTable(tableOf(count)));
    deleteTable(transport, 'inet', 'nslab-t');
    return { sent, bytes, received };
  };
  const [few, many] = [cost(30), cost(300)];
  assert.deepEqual([few.sent, many.sent], [1, 1]);
  assert.equal(many.received, few.received, 'the kernel answers rules that it takes');
  // One message a rule, none of them bigger for the others; the table and its chain are counted ten times on the right.
  assert.ok(many.bytes < few.bytes * 10, `${many.bytes} bytes for 300 rules, ${few.bytes} for 30`);
  assert.ok(many.bytes < 300 * 700, `${many.bytes} bytes for 300 rules`);
});
