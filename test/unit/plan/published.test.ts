// Networks and published ports as nft rules of the machine's table, as nft prints them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IfName, NodeName } from '../../../src/base/names.ts';
import type { PublishedPort } from '../../../src/model/network.ts';
import { checkTable } from '../../../src/nfnl/check.ts';
import { printTable } from '../../../src/nfnl/text.ts';
import { nodeTable, publishedChainNames } from '../../../src/plan/filter.ts';
import { planLab } from '../../../src/plan/order.ts';
import { loadText } from '../../../src/topology/load.ts';

type Parts = { readonly outside: string; readonly inside: string; readonly proto?: 'tcp' | 'udp' };

function range(text: string): { from: number; to?: number } {
  const [from = 0, to] = text.split('-').map(Number);
  return to === undefined ? { from } : { from, to };
}

function port(address: string, { outside, inside, proto = 'tcp' }: Parts, to = '172.18.0.2'): PublishedPort {
  const subnet = to.includes(':') ? '2001:db8::/64' : '172.18.0.0/16';
  return {
    node: 'web',
    proto,
    address,
    port: range(outside),
    to: { address: to, subnet, port: range(inside) },
    path: 'nodes.web.ports[0]',
  } as unknown as PublishedPort;
}

/** The rules of each chain. */
function chains(extra: object): Record<string, string[]> {
  const host = { name: 'host', place: null, kind: 'host', interfaces: [], nat: [], ...extra } as never;
  const table = nodeTable(host, 'nslab-x');
  if (table === undefined) return {};
  assert.deepEqual(checkTable(table), []);
  const found: Record<string, string[]> = {};
  let chain = '';
  for (const line of printTable(table)
    .split('\n')
    .map((one) => one.trim())) {
    const [, name] = /^chain (\S+) \{$/.exec(line) ?? [];
    if (name !== undefined) {
      chain = name;
      found[chain] = [];
    } else if (chain !== '' && !/^(type |\}|$)/.test(line)) found[chain]?.push(line);
  }
  return found;
}

test('without either the machine has no table', () => {
  assert.deepEqual(chains({}), {});
  assert.deepEqual(chains({ networks: [], ports: [] }), {});
});

test('a port of all addresses: for packets that come in and for those of the machine, loopback left out', () => {
  const rule = 'ip daddr != 127.0.0.0/8 fib daddr type local tcp dport 8080 dnat ip to 172.18.0.2:80';
  assert.deepEqual(chains({ ports: [port('0.0.0.0', { outside: '8080', inside: '80' })] }), {
    'prerouting-web': [rule],
    'output-web': [rule],
    postrouting: ['ip saddr 172.18.0.0/16 ip daddr 172.18.0.0/16 ct status dnat masquerade'],
  });
});

test('a port of one address, of IPv6, and of UDP', () => {
  const one = chains({ ports: [port('192.0.2.1', { outside: '53', inside: '53', proto: 'udp' })] });
  assert.deepEqual(one['prerouting-web'], ['ip daddr 192.0.2.1 udp dport 53 dnat ip to 172.18.0.2:53']);
  const six = chains({ ports: [port('::', { outside: '8080', inside: '80' }, '2001:db8::2')] });
  assert.deepEqual(six['output-web'], [
    'ip6 daddr != ::1 fib daddr type local tcp dport 8080 dnat ip6 to [2001:db8::2]:80',
  ]);
  assert.deepEqual(six['postrouting'], [
    'ip6 saddr 2001:db8::/64 ip6 daddr 2001:db8::/64 ct status dnat masquerade',
  ]);
});

test('what no rule can serve has none: loopback, and the other family', () => {
  assert.deepEqual(chains({ ports: [port('127.0.0.1', { outside: '80', inside: '80' })] }), {});
  assert.deepEqual(chains({ ports: [port('::1', { outside: '80', inside: '80' }, '2001:db8::2')] }), {});
  assert.deepEqual(chains({ ports: [port('::', { outside: '80', inside: '80' })] }), {});
});

test('a range keeps its order: one rule where the ports stay, one for each where they move', () => {
  const same = chains({ ports: [port('192.0.2.1', { outside: '8000-8002', inside: '8000-8002' })] });
  assert.deepEqual(same['output-web'], ['ip daddr 192.0.2.1 tcp dport 8000-8002 dnat ip to 172.18.0.2']);
  const moved = chains({ ports: [port('192.0.2.1', { outside: '8000-8001', inside: '9000-9001' })] });
  assert.deepEqual(moved['output-web'], [
    'ip daddr 192.0.2.1 tcp dport 8000 dnat ip to 172.18.0.2:9000',
    'ip daddr 192.0.2.1 tcp dport 8001 dnat ip to 172.18.0.2:9001',
  ]);
});

test('each container has chains of its own, beside the NAT of the file, and those of one that rests are empty', () => {
  const other = { ...port('0.0.0.0', { outside: '81', inside: '81' }, '172.18.0.3'), node: 'db' };
  const ports = [port('0.0.0.0', { outside: '8080', inside: '80' }), other] as never;
  const found = chains({ ports, nat: [{ kind: 'dnat', in: 'eth0', to: { address: { from: '10.0.0.1' } } }] });
  assert.deepEqual(
    Object.entries(found).map(([name, rules]) => `${name} ${rules.length}`),
    ['prerouting 1', 'prerouting-web 1', 'output-web 1', 'prerouting-db 1', 'output-db 1', 'postrouting 1'],
  );
  const host = { name: 'host', place: null, kind: 'host', interfaces: [], nat: [], ports } as never;
  const rests = new Set(publishedChainNames('web' as NodeName));
  const table = nodeTable(host, 'nslab-x', (chain) => rests.has(chain));
  assert.deepEqual(
    table?.chains.map(({ name, rules }) => `${name} ${rules.length}`),
    ['prerouting-web 0', 'output-web 0', 'prerouting-db 1', 'output-db 1', 'postrouting 1'],
  );
});

test('into a network only answers and what was published pass, and nothing leaves an internal one', () => {
  const network = (bridge: string, subnet: string, internal = false) => ({
    name: bridge,
    bridge: bridge as IfName,
    subnets: [{ prefix: subnet, gateway: '' }],
    internal,
    path: '',
  });
  assert.deepEqual(
    chains({ networks: [network('br-a', '10.1.0.0/24'), network('br-b', '10.2.0.0/24', true)] }),
    {
      postrouting: ['ip saddr 10.1.0.0/24 oifname != "br-a" masquerade'],
      networks: [
        'oifname "br-a" iifname != "br-a" ct state established,related accept',
        'oifname "br-a" iifname != "br-a" ct status dnat accept',
        'oifname "br-a" iifname != "br-a" reject with icmpx admin-prohibited',
        'oifname "br-b" iifname != "br-b" reject with icmpx admin-prohibited',
        'iifname "br-b" oifname != "br-b" reject with icmpx admin-prohibited',
      ],
    },
  );
});

test('the monitor of a container is told all of its ports and no others', () => {
  const text = JSON.stringify({
    name: 'x',
    nodes: {
      a: { rootfs: 'host', ports: ['8080:80'] },
      b: { rootfs: 'host' },
      c: { rootfs: 'host', ports: ['81:81/udp'] },
    },
  });
  const ops = planLab(loadText(text, { path: 'x.yaml', env: {} }).lab);
  const ports = ops.flatMap((op) =>
    op.kind === 'startContainer'
      ? [[op.node, op.ports?.map(({ address, proto }) => `${address}/${proto}`)]]
      : [],
  );
  assert.deepEqual(ports, [
    ['a', ['0.0.0.0/tcp', '::/tcp']],
    ['b', undefined],
    ['c', ['0.0.0.0/udp', '::/udp']],
  ]);
  const published = ops.flatMap((op) =>
    op.kind === 'startContainer'
      ? [op.published?.chains.map(({ name, rules }) => `${op.published?.name} ${name} ${rules.length}`)]
      : [],
  );
  assert.deepEqual(published, [
    ['nslab-x prerouting-a 1', 'nslab-x output-a 1'],
    undefined,
    ['nslab-x prerouting-c 1', 'nslab-x output-c 1'],
  ]);
});
