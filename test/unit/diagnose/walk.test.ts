// The walk on made-up namespaces: what needs a lab of many parts, or a state that no kernel keeps for long. On the real kernel it
// is tested by kernel/diagnose.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpAddress, IpInterface } from '../../../src/base/ip.ts';
import { type Ask, diagnose } from '../../../src/diagnose/walk.ts';
import type { NftTable } from '../../../src/nfnl/ruleset.ts';
import { type FakeNetns, fakeWorld } from '../../support/fake-netns.ts';

const any = '0.0.0.0' as IpAddress;
const to = '203.0.113.2' as IpAddress;

const gateway = (table: NftTable[]): FakeNetns => ({
  forwarding: true,
  links: {
    lan: { addresses: ['10.1.0.254/24'], peer: 'sw:p2' },
    wan: { addresses: ['203.0.113.1/24'], peer: 'web:eth0' },
  },
  tables: table,
});

const masquerade: NftTable = {
  family: 'inet',
  name: 'nslab',
  chains: [
    {
      name: 'postrouting',
      base: { type: 'nat', hook: 'postrouting', priority: 100 },
      rules: [{ matches: [{ match: 'oifname', names: ['wan'] }], statements: [{ statement: 'masquerade' }] }],
    },
  ],
};

function office(gw: FakeNetns, web: Partial<FakeNetns> = {}) {
  return fakeWorld({
    pc: {
      links: { eth0: { addresses: ['10.1.0.1/24'], peer: 'sw:p1' } },
      routes: ['default via 10.1.0.254'],
    },
    sw: {
      links: {
        br0: { kind: 'bridge' },
        p1: { peer: 'pc:eth0', master: 'br0' },
        p2: { peer: 'gw:lan', master: 'br0' },
      },
    },
    gw,
    web: {
      links: { eth0: { addresses: ['203.0.113.2/24'], peer: 'gw:wan' } },
      listeners: [{ address: any, port: 80 }],
      ...web,
    },
  });
}

function textOf(world: ReturnType<typeof fakeWorld>, ask: Partial<Ask> = {}): string {
  const { cause, back } = diagnose(world, { from: world.of('pc'), to, proto: 'tcp', port: 80, ...ask });
  return `${back ? 'back: ' : ''}${cause?.text ?? 'fine'}`;
}

test('with NAT the answer finds its way back, without it does not', () => {
  assert.equal(textOf(office(gateway([masquerade]))), 'fine');
  assert.equal(
    textOf(office(gateway([]))),
    'back: web: no route to 10.1.0.0/24 in table main (on the way there, gw gave it no other source address)',
  );
});

test('the way is told, through switches that are no hops', () => {
  const world = office(gateway([masquerade]));
  assert.deepEqual(diagnose(world, { from: world.of('pc'), to, proto: 'icmp' }).path, ['pc', 'gw', 'web']);
});

test('a firewall that lets answers pass needs the question to have passed', () => {
  const firewall = (states: 'established'[] | ['established', 'new']): NftTable => ({
    family: 'inet',
    name: 'nslab-office',
    chains: [
      {
        name: 'forward',
        base: { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' },
        rules: [
          {
            matches: [
              { match: 'iifname', names: ['wan'] },
              { match: 'ct state', states: ['established'] },
            ],
            statements: [{ statement: 'accept' }],
          },
          {
            matches: [
              { match: 'iifname', names: ['lan'] },
              { match: 'ct state', states },
            ],
            statements: [{ statement: 'accept' }],
          },
        ],
      },
    ],
  });
  assert.equal(textOf(office(gateway([masquerade, firewall(['established', 'new'])]))), 'fine');
  assert.equal(
    textOf(office(gateway([masquerade, firewall(['established'])]))),
    'gw: dropped by the policy of firewall.forward',
  );
});

test('sets, ranges, prefixes, negations, jumps and returns are understood', () => {
  const table = (port: number, except: string): NftTable => ({
    family: 'ip',
    name: 'mine',
    chains: [
      {
        name: 'in',
        base: { type: 'filter', hook: 'input', priority: 0 },
        rules: [
          {
            matches: [{ match: 'iifname', names: ['eth*'] }],
            statements: [{ statement: 'jump', chain: 'ports' }],
          },
          { matches: [], statements: [{ statement: 'counter' }, { statement: 'accept' }] },
        ],
      },
      {
        name: 'ports',
        rules: [
          {
            matches: [{ match: 'saddr', protocol: 'ip', addresses: [except as never] }],
            statements: [{ statement: 'return' }],
          },
          {
            matches: [{ match: 'dport', protocol: 'tcp', ports: [22, { from: port, to: port + 5 }] }],
            statements: [{ statement: 'drop' }],
          },
        ],
      },
    ],
  });
  const at = (port: number, except: string) =>
    textOf(office(gateway([masquerade]), { tables: [table(port, except)] }));
  assert.equal(at(78, '192.0.2.0/24'), 'web: dropped by rule 2 of chain ports of table ip mine');
  assert.equal(at(81, '192.0.2.0/24'), 'fine');
  assert.equal(at(78, '203.0.113.0/24'), 'fine');
});

test('who listens elsewhere is told', () => {
  const listeners = [{ address: '127.0.0.1' as IpAddress, port: 80 }];
  assert.equal(
    textOf(office(gateway([masquerade]), { listeners })),
    'web: who listens on tcp port 80 does so on 127.0.0.1, not on 203.0.113.2',
  );
});

test('what leaves to where nobody can look is said to do so', () => {
  const world = fakeWorld({
    pc: { links: { eth0: { addresses: ['203.0.113.9/24'], kind: 'physical' } } },
  });
  const { cause, unseen } = diagnose(world, { from: world.of('pc'), to, proto: 'icmp' });
  assert.deepEqual([cause, unseen], [undefined, 'packets leave by pc:eth0']);
});

test('an MTU between the ends of a wire swallows what is too long', () => {
  const narrow = {
    ...gateway([masquerade]),
    links: {
      lan: { addresses: ['10.1.0.254/24'], peer: 'sw:p2' },
      wan: { addresses: ['203.0.113.1/24'], peer: 'web:eth0', mtu: 1300 },
    },
  };
  const world = office(narrow);
  assert.equal(textOf(world), 'fine');
  assert.equal(
    textOf(world, { long: true }),
    'back: gw:wan has MTU 1300, and drops packets of 1500 bytes that come over its wire',
  );
});

test('WireGuard: both sides need the other’s key, its addresses and a way between them', () => {
  const tunnel = (allowed: string, key = 'near', wan = '203.0.113.2/24') => {
    const peer = (publicKey: string, address: string, allowedIps: string) => ({
      publicKey,
      endpoint: { address: address as IpAddress },
      allowedIps: [allowedIps as IpInterface],
    });
    return fakeWorld({
      pc: {
        links: {
          eth0: { addresses: ['203.0.113.1/24'], peer: 'far:eth0' },
          wg0: { addresses: ['10.99.0.1/24'], kind: 'wireguard' },
        },
        wireguard: { publicKey: 'near', peers: [peer('far', '203.0.113.2', '10.99.0.2/32')] },
      },
      far: {
        links: {
          eth0: { addresses: [wan], peer: 'pc:eth0' },
          wg0: { addresses: ['10.99.0.2/24', '10.99.0.3/24'], kind: 'wireguard' },
        },
        wireguard: { publicKey: 'far', peers: [peer(key, '203.0.113.1', allowed)] },
      },
    });
  };
  const ping = (world: ReturnType<typeof fakeWorld>, address = '10.99.0.2') =>
    textOf(world, { to: address as IpAddress, proto: 'icmp' });
  assert.equal(ping(tunnel('10.99.0.1/32')), 'fine');
  assert.equal(
    ping(tunnel('10.99.0.1/32'), '10.99.0.3'),
    'pc: no peer of wg0 has 10.99.0.3 in its allowed_ips',
  );
  assert.equal(
    ping(tunnel('10.99.0.9/32')),
    'far: the peer of wg0 that is pc:wg0 has not 10.99.0.1 in its allowed_ips',
  );
  assert.equal(ping(tunnel('10.99.0.1/32', 'other')), 'far: no peer of wg0 has the key of pc:wg0');
  assert.equal(
    ping(tunnel('10.99.0.1/32', 'near', '203.0.113.9/24')),
    'pc: nobody has 203.0.113.2 on the wire of eth0 (there are far:eth0 203.0.113.9/24)',
  );
});
