// The names a node sees: whom it knows, in which order, and who shares files with whom.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Interface } from '../../../src/model/interface.ts';
import type { Lab } from '../../../src/model/lab.ts';
import { planLab } from '../../../src/plan/order.ts';
import { address, end, iface, ip, lab, node, ring, star, veth } from '../../support/sample-labs.ts';

/** The files that a node sees. */
function seenBy(made: Lab, name: string): Readonly<Record<string, string>> {
  const ops = planLab(made);
  const link = ops.find((op) => op.kind === 'linkEtc' && op.netns === (name as never));
  assert.ok(link?.kind === 'linkEtc', `${name} has no files`);
  const view = ops.find((op) => op.kind === 'writeEtc' && op.view === link.view);
  assert.ok(view?.kind === 'writeEtc');
  return view.files;
}

/** The addresses of a name in the order in which a resolver finds them. */
function resolve(made: Lab, reader: string, name: string): string[] {
  const lines = (seenBy(made, reader)['hosts'] ?? '').split('\n').map((line) => line.split(' '));
  return lines.filter((words) => words.slice(1).includes(name)).map((words) => words[0] ?? '');
}

function routed(): Lab {
  return lab('routed', [
    node('gw', [
      veth('inside', end('pc', 'eth0'), ['10.1.0.1/24', '2001:db8:1::1/64']),
      veth('outside', end('far', 'eth0'), ['192.0.2.1/30', '2001:db8:2::1/64']),
    ]),
    node('pc', [veth('eth0', end('gw', 'inside'), ['10.1.0.2/24', '2001:db8:1::2/64'])]),
    node('far', [veth('eth0', end('gw', 'outside'), ['192.0.2.2/30', '2001:db8:2::2/64'])]),
  ]);
}

test('every node knows every node, itself too, in both families and with the name of the lab', () => {
  for (const reader of ['gw', 'pc', 'far']) {
    assert.deepEqual(resolve(routed(), reader, 'pc'), ['10.1.0.2', '2001:db8:1::2']);
    assert.deepEqual(resolve(routed(), reader, 'far.routed'), ['192.0.2.2', '2001:db8:2::2']);
    assert.deepEqual(resolve(routed(), reader, 'localhost'), ['127.0.0.1', '::1']);
  }
});

test('of a router a node finds the near side first', () => {
  assert.deepEqual(resolve(routed(), 'pc', 'gw'), [
    '10.1.0.1',
    '2001:db8:1::1',
    '192.0.2.1',
    '2001:db8:2::1',
  ]);
  assert.deepEqual(resolve(routed(), 'far', 'gw'), [
    '192.0.2.1',
    '2001:db8:2::1',
    '10.1.0.1',
    '2001:db8:1::1',
  ]);
});

test('the near side of a point-to-point address is where its peer is', () => {
  const made = lab('p2p', [
    node('a', [
      veth('x', end('c', 'x'), ['10.8.0.1/24']),
      {
        ...veth('y', end('b', 'y')),
        addresses: [{ ...address('10.9.0.1/32'), peer: '10.9.0.2/32' as never }],
      },
    ]),
    node('b', [
      {
        ...veth('y', end('a', 'y')),
        addresses: [{ ...address('10.9.0.2/32'), peer: '10.9.0.1/32' as never }],
      },
    ]),
    node('c', [veth('x', end('a', 'x'), ['10.8.0.2/24'])]),
  ]);
  assert.deepEqual(resolve(made, 'b', 'a'), ['10.9.0.1', '10.8.0.1']);
  assert.deepEqual(resolve(made, 'c', 'a'), ['10.8.0.1', '10.9.0.1']);
});

test('nodes that see the lab alike share one view', () => {
  const views = planLab(star(200)).filter(({ kind }) => kind === 'writeEtc');
  assert.equal(views.length, 1);
});

test('a large lab has one view even where nodes have many addresses', () => {
  const count = (n: number): number => planLab(ring(n)).filter(({ kind }) => kind === 'writeEtc').length;
  assert.equal(count(256), 256);
  assert.equal(count(257), 1);
});

test('own hosts and dns are for the node that has them', () => {
  const base = routed();
  const nodes = base.nodes.map((n) =>
    n.name === 'pc'
      ? {
          ...n,
          hosts: [{ address: ip('203.0.113.1'), names: ['www', 'www.example'] }],
          dns: {
            servers: [ip('192.0.2.53'), ip('2001:db8::53')],
            search: ['a.example', 'b'],
            options: ['ndots:2'],
          },
        }
      : n,
  );
  const made = { ...base, nodes };
  assert.deepEqual(resolve(made, 'pc', 'www.example'), ['203.0.113.1']);
  assert.deepEqual(resolve(made, 'far', 'www'), []);
  assert.equal(
    seenBy(made, 'pc')['resolv.conf'],
    'nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a.example b\noptions ndots:2\n',
  );
  assert.equal(seenBy(made, 'far')['resolv.conf'], undefined);
});

test('addresses that mean nothing to others are not in the table, and those of lo are', () => {
  const made = lab('l', [
    node('a', [
      iface('lo', { type: 'loopback' }, ['10.255.0.1/32', '127.0.0.5/8', '::1/128']),
      veth('eth0', end('b', 'eth0'), ['fe80::5/64']),
      { ...iface('d0', { type: 'dummy' }), addresses: [{ ...address('10.3.0.1/24'), scope: 'host' }] },
    ]),
    node('b', [veth('eth0', end('a', 'eth0'))]),
  ]);
  assert.deepEqual(resolve(made, 'b', 'a'), ['10.255.0.1']);
});

test('the machine is known as host, and has no files of its own', () => {
  const made = lab('l', [
    node('a', [veth('eth0', end('host', 'v0'), ['10.1.0.1/24'])]),
    node('host', [veth('v0', end('a', 'eth0'), ['10.1.0.2/24'])]),
  ]);
  assert.deepEqual(resolve(made, 'a', 'host'), ['10.1.0.2']);
  assert.equal(planLab(made).filter(({ kind }) => kind === 'linkEtc').length, 1);
});

test('an alias is a name for those in its network, and for no others', () => {
  const alias = (one: Interface): Interface => ({ ...one, aliases: ['database', 'store'] });
  const made = lab('aliases', [
    node('db', [
      alias(veth('eth0', end('web', 'eth1'), ['10.2.0.2/24'])),
      veth('eth1', end('far', 'eth0'), ['10.3.0.2/24']),
    ]),
    node('web', [veth('eth1', end('db', 'eth0'), ['10.2.0.3/24'])]),
    node('far', [veth('eth0', end('db', 'eth1'), ['10.3.0.3/24'])]),
  ]);
  assert.deepEqual(resolve(made, 'web', 'database'), ['10.2.0.2']);
  assert.deepEqual(resolve(made, 'db', 'store'), ['10.2.0.2']);
  assert.deepEqual(resolve(made, 'far', 'database'), []);
  assert.deepEqual(resolve(made, 'far', 'db'), ['10.3.0.2', '10.2.0.2']);
});
