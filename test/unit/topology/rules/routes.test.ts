// Routes, gateways and rules: what the kernel refuses (each case was tried with ip(8)), and what it takes and never works.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { found, having, interfaces, messages, wired } from './check-yaml.ts';

/** A host with one wire to a router; `routes` are the host's. */
function host(...routes: string[]): string {
  return wired(
    {
      a: `{ ${interfaces(['10.0.0.1/24', '2001:db8::1/64'])}, routes: [ ${routes.join(', ')} ] }`,
      r: `{ kind: router, ${interfaces(['10.0.0.2/24', '10.0.0.3/24', '2001:db8::2/64', '2001:db8::3/64'])} }`,
    },
    ['a:eth0', 'r:eth0'],
  );
}

const first = 'nodes.a.routes[0]';

test('a gateway in a subnet of the node is right', () => {
  assert.deepEqual(found(host('"default via 10.0.0.2"', '"default via 2001:db8::2"')), []);
  assert.deepEqual(
    found(host('{ to: 10.9.0.0/16, nexthops: [ { via: 10.0.0.2 }, { via: 10.0.0.3, weight: 2 } ] }')),
    [],
  );
});

test('a gateway in no subnet of the node is an error, in every nexthop', () => {
  assert.deepEqual(found(host('"default via 10.0.1.2"')), [`error ROUTE_GATEWAY_UNREACHABLE ${first}.via`]);
  assert.deepEqual(found(host('"default via 2001:db8:1::2"')), [
    `error ROUTE_GATEWAY_UNREACHABLE ${first}.via`,
  ]);
  assert.deepEqual(found(host('{ to: 10.9.0.0/16, nexthops: [ { via: 10.0.0.2 }, { via: 10.0.1.3 } ] }')), [
    `error ROUTE_GATEWAY_UNREACHABLE ${first}.nexthops[1].via`,
  ]);
});

test('onlink and a route to the gateway itself make it a neighbour', () => {
  assert.deepEqual(found(host('"default via 10.0.1.2 dev eth0 onlink"')), []);
  assert.deepEqual(found(host('"10.0.1.2 dev eth0"', '"default via 10.0.1.2"')), []);
  assert.deepEqual(found(host('"10.0.1.2 dev eth0"', '"default via 10.0.1.3"')), [
    'error ROUTE_GATEWAY_UNREACHABLE nodes.a.routes[1].via',
  ]);
});

test('a link-local gateway needs its interface', () => {
  assert.deepEqual(found(host('"default via fe80::1"')), [`error ROUTE_GATEWAY_UNREACHABLE ${first}.via`]);
  assert.deepEqual(found(host('"default via fe80::1 dev eth0"')), []);
});

test('the far end of a point-to-point address is a neighbour', () => {
  const peer = (own: string, far: string) =>
    `interfaces: { eth0: { addresses: [ { address: ${own}/32, peer: ${far} } ] } }`;
  const nodes = {
    a: `{ ${peer('10.0.0.1', '10.9.9.9')}, routes: [ "default via 10.9.9.9" ] }`,
    r: `{ kind: router, ${peer('10.9.9.9', '10.0.0.1')} }`,
  };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 'r:eth0'])), []);
});

test('a gateway behind an interface that is down, or behind another one than dev, is an error with its reason', () => {
  const nodes = (keys: string) => ({
    a: `{ ${keys} }`,
    r: `{ kind: router, ${interfaces('10.0.0.2/24', '10.0.1.2/24')} }`,
  });
  const wires = [['a:eth0', 'r:eth0'] as const, ['a:eth1', 'r:eth1'] as const];
  const down =
    'interfaces: { eth0: { up: false, addresses: [10.0.0.1/24] }, eth1: {} }, routes: [ "default via 10.0.0.2" ]';
  assert.match(messages(wired(nodes(down), ...wires), 'ROUTE_GATEWAY_UNREACHABLE')[0] ?? '', /not up/);
  const other = `${interfaces('10.0.0.1/24', '10.0.1.1/24')}, routes: [ "default via 10.0.0.2 dev eth1" ]`;
  assert.match(
    messages(wired(nodes(other), ...wires), 'ROUTE_GATEWAY_UNREACHABLE')[0] ?? '',
    /says dev eth1/,
  );
});

test('a route through the node itself is an error', () => {
  assert.deepEqual(found(host('"default via 10.0.0.1"')), [`error ROUTE_GATEWAY_SELF ${first}.via`]);
});

test('a gateway whose address nobody has is a warning', () => {
  assert.deepEqual(found(host('"default via 10.0.0.77"')), [`warning ROUTE_GATEWAY_NOBODY ${first}.via`]);
});

test('a gateway whose address only a node elsewhere has is a warning that names it', () => {
  const nodes = {
    a: `{ ${interfaces('10.0.0.1/24')}, routes: [ "default via 10.0.0.9" ] }`,
    b: having('10.0.0.2/24'),
    c: `{ kind: router, ${interfaces('10.0.0.9/24')} }`,
    d: '{}',
  };
  const lab = wired(nodes, ['a:eth0', 'b:eth0'], ['c:eth0', 'd:eth0']);
  assert.match(messages(lab, 'ROUTE_GATEWAY_NOBODY')[0] ?? '', /only c has it, elsewhere/);
});

test('where something outside the file may answer, an absent gateway proves nothing', () => {
  const nodes = {
    a: '{ interfaces: { nic: { type: physical, device: enp7s0, addresses: [10.0.0.1/24] } }, routes: [ "default via 10.0.0.254" ] }',
    b: '{ interfaces: { t: { type: tap, addresses: [10.0.1.1/24] } }, routes: [ "default via 10.0.1.254" ] }',
  };
  assert.deepEqual(found(wired(nodes)), []);
});

test('the machine has addresses and interfaces that the file does not know', () => {
  const nodes = {
    host: '{ interfaces: { veth0: { addresses: [10.0.0.1/24] } }, routes: [ "10.9.0.0/16 via 172.31.0.1", "10.8.0.0/16 dev docker0" ] }',
    a: having('10.0.0.2/24'),
  };
  assert.deepEqual(found(wired(nodes, ['host:veth0', 'a:eth0'])), []);
});

test('a gateway that does not forward is warned about once per node and family', () => {
  const via = (address: string, gateway: string) =>
    `{ ${interfaces(address)}, routes: [ "default via ${gateway}" ] }`;
  const lab = (keys: string) =>
    found(
      wired(
        {
          a: via('10.0.0.1/24', '10.0.0.2'),
          g: `{ ${keys}${interfaces('10.0.0.2/24', '10.0.1.2/24')} }`,
          b: via('10.0.1.1/24', '10.0.1.2'),
        },
        ['a:eth0', 'g:eth0'],
        ['g:eth1', 'b:eth0'],
      ),
    );
  assert.deepEqual(lab(''), ['warning FORWARDING_OFF nodes.a.routes[0].via']);
  assert.deepEqual(lab('kind: router, '), []);
  assert.deepEqual(lab('sysctls: { net.ipv4.ip_forward: 1 }, '), []);
  assert.deepEqual(lab('sysctls: { net.ipv4.ip_forward: 0 }, '), [
    'warning FORWARDING_OFF nodes.a.routes[0].via',
  ]);
});

test('a route to an address of the gateway itself needs no forwarding', () => {
  const nodes = {
    a: `{ ${interfaces('10.0.0.1/24')}, routes: [ "10.9.9.9 via 10.0.0.2" ] }`,
    b: '{ interfaces: { lo: { addresses: [10.9.9.9/32] }, eth0: { addresses: [10.0.0.2/24] } } }',
  };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 'b:eth0'])), []);
});

test('a switch that auto addresses make a gateway is not told to forward', () => {
  const nodes = { s: '{ kind: bridge, subnet: 10.0.0.0/24 }', a: having('auto'), b: having('auto') };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 's'], ['b:eth0', 's'])), []);
});

test('two routes that the kernel takes for one are an error, and a metric or table tells them apart', () => {
  const two = (a: string, b: string) => found(host(`"${a}"`, `"${b}"`));
  const twice = ['error ROUTE_DUPLICATE nodes.a.routes[1]'];
  assert.deepEqual(two('default via 10.0.0.2', 'default via 10.0.0.3'), twice);
  assert.deepEqual(two('default via 10.0.0.2', '0.0.0.0/0 via 10.0.0.3 table main'), twice);
  assert.deepEqual(two('10.9.0.0/16 via 10.0.0.2', 'blackhole 10.9.0.0/16'), twice);
  assert.deepEqual(
    two('2001:db8:9::/48 via 2001:db8::2', '2001:db8:9::/48 via 2001:db8::3 metric 1024'),
    twice,
  );
  assert.deepEqual(two('default via 10.0.0.2', 'default via 10.0.0.3 metric 10'), []);
  assert.deepEqual(two('default via 10.0.0.2', 'default via 10.0.0.3 table 7'), []);
  assert.deepEqual(two('default via 10.0.0.2', 'default via 2001:db8::2'), []);
});

test('the route that an IPv4 address brings cannot be added again, the one of an IPv6 address can', () => {
  assert.deepEqual(found(host('"10.0.0.0/24 dev eth0"')), [`error ROUTE_DUPLICATE ${first}`]);
  assert.deepEqual(found(host('"10.0.0.0/24 dev eth0 metric 5"')), []);
  assert.deepEqual(found(host('"10.0.0.0/24 dev eth0 table 7"')), []);
  assert.deepEqual(found(host('"2001:db8::/64 dev eth0"')), []);
});

test('src is an address of the node', () => {
  assert.deepEqual(found(host('"default via 10.0.0.2 src 10.0.0.1"')), []);
  assert.deepEqual(found(host('"default via 10.0.0.2 src 10.0.0.9"')), [
    `error ROUTE_SRC_FOREIGN ${first}.src`,
  ]);
});

function ruled(rules: string[], routes: string[] = ['"default via 10.0.0.2 table 7"']): string {
  return wired(
    {
      a: `{ ${interfaces('10.0.0.1/24')}, routes: [ ${routes.join(', ')} ], rules: [ ${rules.map((r) => `"${r}"`).join(', ')} ] }`,
      r: `{ kind: router, ${interfaces('10.0.0.2/24')} }`,
    },
    ['a:eth0', 'r:eth0'],
  );
}

test('the same rule twice is an error, and another priority makes it another rule', () => {
  assert.deepEqual(
    found(ruled(['from 10.0.0.0/24 table 7 priority 5', 'from 10.0.0.0/24 table 7 priority 5'])),
    ['error RULE_DUPLICATE nodes.a.rules[1]'],
  );
  assert.deepEqual(
    found(ruled(['from 10.0.0.0/24 table 7 priority 5', 'from 10.0.0.0/24 table 7 priority 6'])),
    [],
  );
});

test('a rule that looks into a table without routes is a warning', () => {
  assert.deepEqual(found(ruled(['from 10.0.0.0/24 table 8'])), [
    'warning RULE_TABLE_EMPTY nodes.a.rules[0].table',
  ]);
  assert.deepEqual(
    found(ruled(['from 10.0.0.0/24 table 7', 'to 10.9.0.0/16 table main', 'from 10.5.0.0/16 blackhole'])),
    [],
  );
});

test('two neighbours of one interface with one address are one too many, and a proxy entry is none', () => {
  const lab = (...neighbours: string[]) =>
    wired(
      {
        a: `{ ${interfaces('10.0.0.1/24', '10.0.1.1/24')}, neighbours: [ ${neighbours.join(', ')} ] }`,
        b: '{}',
      },
      ['a:eth0', 'b:eth0'],
      ['a:eth1', 'b:eth1'],
    );
  const one = '"10.0.0.9 lladdr 02:00:00:00:00:01 dev eth0"';
  const proxy = '{ ip: 10.0.0.9, dev: eth0, proxy: true }';
  assert.deepEqual(found(lab(one, one.replace('eth0', 'eth1'), one.replace('.9', '.8'), proxy, proxy)), []);
  assert.deepEqual(found(lab(one, proxy, one.replace(':01', ':02'))), [
    'error NEIGHBOUR_DUPLICATE nodes.a.neighbours[2]',
  ]);
});
