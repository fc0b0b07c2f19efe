// nft tables as NAT and firewall of the model: what a file can say comes back as what makes the same table, and the rest is told.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { IpAddress, IpPrefix } from '../../../src/base/ip.ts';
import type { Lab, Node } from '../../../src/model/lab.ts';
import { formOf, type TableForm } from '../../../src/nfnl/read.ts';
import type { NftChain, NftFamily, NftRule } from '../../../src/nfnl/ruleset.ts';
import { nodeTable } from '../../../src/plan/filter.ts';
import { type Concerns, type Filters, filtersOf } from '../../../src/snapshot/filter.ts';
import { loadLab, loadText } from '../../../src/topology/load.ts';
import { randomLabYaml } from '../../support/random-lab.ts';

function read(
  tables: readonly TableForm[],
  more: { exits?: readonly string[]; concerns?: Concerns } = {},
): Filters {
  return filtersOf({ tables, strangeTables: [], ownTable: 'nslab', exits: [], ...more });
}

function assertComesBack(lab: Lab): number {
  let tables = 0;
  for (const node of lab.nodes) {
    // Networks of containers are the lab's own business: only its record has words for their rules.
    const { networks: _networks, ports: _ports, ...plain } = node;
    const table = nodeTable(plain, 'nslab');
    if (table === undefined) continue;
    const { nat, firewall, notes } = read([formOf(table)]);
    const again: Node = { ...plain, nat, ...(firewall === undefined ? {} : { firewall }) };
    assert.deepEqual(notes, []);
    assert.deepEqual(nodeTable(again, 'nslab') && formOf(nodeTable(again, 'nslab') ?? table), formOf(table));
    tables++;
  }
  return tables;
}

test('the tables of the shipped topologies come back', () => {
  const folder = join(import.meta.dirname, '../../../topologies');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const counts = files.map((name) => assertComesBack(loadLab({ path: join(folder, name), env: {} }).lab));
  assert.ok(counts.reduce((a, b) => a + b, 0) >= 4);
});

test('the tables of random labs come back', () => {
  fc.assert(
    fc.property(randomLabYaml('q-'), (yaml) => {
      assertComesBack(loadText(yaml, { path: 'random.yaml', env: {} }).lab);
    }),
    { numRuns: 60 },
  );
});

test('published ports come back from the record, those of a container that has ended too', () => {
  const lab = loadText(
    'name: x\nnodes: { web: { rootfs: host, ports: ["8080:80"] }, db: { rootfs: host, ports: ["81:81"] } }',
    { path: 'x.yaml', env: {} },
  ).lab;
  const record = lab.nodes.find(({ place }) => place === null);
  assert.ok(record?.ports !== undefined);
  const table = nodeTable(record, 'nslab');
  assert.ok(table !== undefined);
  const { chains, ...rest } = formOf(table);
  const emptied = (suffix: string) => ({
    ...rest,
    chains: chains.map((chain) => (chain.name.endsWith(suffix) ? { ...chain, rules: [] } : chain)),
  });
  const ports = (found: TableForm) =>
    filtersOf({ tables: [found], strangeTables: [], ownTable: 'nslab', exits: [], record }).ports;
  assert.deepEqual(ports(emptied('none')), record.ports);
  assert.deepEqual(ports(emptied('-web')), record.ports);
  // What somebody took out by hand is not told as if it were there.
  assert.equal(ports(emptied('postrouting')), undefined);
});

test('rules of every form that a file has come back', () => {
  const text = `
name: all
nodes:
  a:
    kind: router
    interfaces: { eth0: { addresses: [10.1.1.1/24, "fd00::1/64"] }, wan: { addresses: [192.0.2.1/24] } }
    nat:
      - { masquerade: { out: "wa*", family: 6 } }
      - { snat: { out: wan, source: 10.1.1.0/24, to: 192.0.2.5-192.0.2.9 } }
      - { dnat: { in: wan, destination: 192.0.2.1, proto: udp, port: 53, to: "10.1.1.2:5353" } }
      - { dnat: { proto: tcp, port: 8000-8010, to: "[fd00::2]:80" } }
      - { dnat: { to: 10.1.1.9 } }
    firewall:
      input:
        rules:
          - { in: "et*", source: [10.1.1.0/24, 10.2.0.1-10.2.0.9], destination: 10.1.1.1, action: drop, log: seen }
          - { source: [10.1.1.0/24, "fd00::/64"], proto: icmp, action: accept }
          - { proto: gre, counter: true, log: true, action: accept }
          - { proto: 41, action: reject }
          - { proto: icmpv6, icmp_type: nd-neighbor-solicit, action: accept }
          - { proto: udp, sport: [53, 67-68], port: 1024-65535, ct: [new, untracked], action: accept }
      output: { policy: drop }
  b: {}
links: [{ endpoints: ["a:eth0", "b:eth0"] }, { endpoints: ["a:wan", "b:wan"] }]
`;
  assert.equal(assertComesBack(loadText(text, { path: 'all.yaml', env: {} }).lab), 1);
});

function table(family: NftFamily, chain: Omit<NftChain, 'name'>): TableForm {
  return formOf({ family, name: 'theirs', chains: [{ name: 'chain', ...chain }] });
}

const ip = (text: string) => text as IpAddress;
const net = (text: string) => text as IpPrefix;
const postrouting = { type: 'nat', hook: 'postrouting', priority: 100 } as const;
const forward = { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' } as const;
const masquerade: NftRule = {
  matches: [
    { match: 'saddr', protocol: 'ip', addresses: [net('10.1.0.0/16')] },
    { match: 'oifname', op: '!=', names: ['br0'] },
  ],
  statements: [{ statement: 'counter' }, { statement: 'masquerade' }],
};

test('masquerading by all interfaces but one is told for those that there are', () => {
  const { nat, notes } = read([table('ip', { base: postrouting, rules: [masquerade] })], {
    exits: ['br0', 'wan', 'lan'],
  });
  assert.deepEqual(
    nat.map((rule) => rule.kind === 'masquerade' && [rule.out, rule.source, rule.family]),
    [
      ['wan', '10.1.0.0/16', 4],
      ['lan', '10.1.0.0/16', 4],
    ],
  );
  assert.deepEqual(notes, ['told for wan, lan: ip saddr 10.1.0.0/16 oifname != "br0" counter masquerade']);
});

test('a filter for one family is told for that family, its policy as the last rule', () => {
  const accept: NftRule = {
    matches: [{ match: 'iifname', names: ['lan'] }],
    statements: [{ statement: 'accept' }],
  };
  const { firewall, notes } = read([
    table('ip', { base: forward, rules: [accept] }),
    table('ip6', { base: forward, rules: [accept] }),
  ]);
  assert.deepEqual(notes, []);
  assert.deepEqual(firewall?.forward, {
    policy: 'accept',
    rules: [
      { in: 'lan', source: ['0.0.0.0/0'], counter: false, action: 'accept', path: '' },
      { source: ['0.0.0.0/0'], counter: false, action: 'drop', path: '' },
      { in: 'lan', source: ['::/0'], counter: false, action: 'accept', path: '' },
      { source: ['::/0'], counter: false, action: 'drop', path: '' },
    ],
    path: '',
  });
});

test('what no file can say is told as nft text', () => {
  const jump: NftRule = { matches: [], statements: [{ statement: 'jump', chain: 'other' }] };
  const redirect: NftRule = {
    matches: [{ match: 'dport', protocol: 'tcp', ports: [80] }],
    statements: [{ statement: 'redirect', port: 8080 }],
  };
  const { nat, firewall, notes } = read([
    table('inet', { base: { ...forward, policy: 'accept' }, rules: [jump] }),
    table('ip', { base: { type: 'nat', hook: 'prerouting', priority: -100 }, rules: [redirect] }),
    table('ip', { base: { ...forward, priority: 10 }, rules: [masquerade].map(() => jump) }),
    // It filters what the first one filters as well.
    table('ip', { base: forward, rules: [] }),
  ]);
  assert.deepEqual(nat, []);
  assert.deepEqual(firewall?.forward?.rules, []);
  assert.deepEqual(
    notes.map((note) => note.split('\n').map((line) => line.trim())),
    [
      ['not told: table inet theirs, chain chain: jump other'],
      ['not told: table ip theirs, chain chain: tcp dport 80 redirect to :8080'],
      [
        'not told: table ip theirs {',
        'chain chain {',
        'type filter hook forward priority filter + 10; policy drop;',
        'jump other',
        '}',
        '}',
      ],
      [
        'not told: table ip theirs {',
        'chain chain {',
        'type filter hook forward priority filter; policy drop;',
        '}',
        '}',
      ],
    ],
  );
});

test('of the machine only NAT that is about the namespaces is told, and of its filter what names them as text', () => {
  const concerns = { interfaces: new Set(['br0']), subnets: [net('10.1.0.0/16')] };
  const other: NftRule = {
    matches: [{ match: 'oifname', names: ['eth0'] }],
    statements: [{ statement: 'masquerade' }],
  };
  const dnat: NftRule = {
    matches: [{ match: 'dport', protocol: 'tcp', ports: [8080] }],
    statements: [{ statement: 'dnat', address: { from: ip('10.1.0.2') }, port: 80 }],
  };
  const pass: NftRule = {
    matches: [{ match: 'iifname', names: ['br0'] }],
    statements: [{ statement: 'accept' }],
  };
  const foreign: NftRule = {
    matches: [{ match: 'iifname', names: ['eth9'] }],
    statements: [{ statement: 'drop' }],
  };
  const { nat, firewall, notes } = read(
    [
      table('ip', { base: postrouting, rules: [masquerade, other] }),
      table('ip', { base: { type: 'nat', hook: 'prerouting', priority: -100 }, rules: [dnat] }),
      table('ip', { base: forward, rules: [pass, foreign] }),
    ],
    { concerns, exits: ['br0', 'eth0'] },
  );
  assert.deepEqual(
    nat.map(({ kind }) => kind),
    ['masquerade', 'dnat'],
  );
  assert.equal(firewall, undefined);
  const text = notes.join('\n');
  assert.match(text, /iifname "br0" accept/);
  assert.doesNotMatch(text, /eth9/);
});
