// Addresses and subnets: what is refused, and what real labs do that must not be.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { found, having, interfaces, messages, wired } from './check-yaml.ts';

const a1 = 'nodes.a.interfaces.eth0.addresses[0]';
const b1 = 'nodes.b.interfaces.eth0.addresses[0]';

test('one address at both ends of a wire is an error at the second', () => {
  assert.deepEqual(
    found(wired({ a: having('10.0.0.1/24'), b: having('10.0.0.1/24') }, ['a:eth0', 'b:eth0'])),
    [`error ADDRESS_DUPLICATE ${b1}`],
  );
});

test('one address twice on a switch is an error, also across two switches', () => {
  const nodes = {
    a: having('10.0.0.1/24'),
    b: having('10.0.0.1/24'),
    s: '{ kind: bridge }',
    t: '{ kind: bridge }',
  };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 's'], ['b:eth0', 't'], ['s', 't'])), [
    `error ADDRESS_DUPLICATE ${b1}`,
  ]);
});

test('IPv6 addresses are compared in their canonical form', () => {
  const nodes = { a: having('2001:db8:0:0::1/64'), b: having('2001:DB8::0001/64') };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 'b:eth0'])), [`error ADDRESS_DUPLICATE ${b1}`]);
});

test('the same private network behind two NAT routers is no mistake', () => {
  const gateway = (uplink: string) =>
    `{ kind: router, ${interfaces('192.168.1.1/24', uplink)}, nat: [ { masquerade: { out: eth1 } } ] }`;
  const home = `{ ${interfaces('192.168.1.10/24')}, routes: [ "default via 192.168.1.1" ] }`;
  const nodes = { a: home, b: home, g: gateway('203.0.113.1/24'), h: gateway('203.0.113.2/24') };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 'g:eth0'], ['b:eth0', 'h:eth0'], ['g:eth1', 'h:eth1'])), []);
});

test('the same link-local or loopback address at many nodes is no mistake', () => {
  const lo = (eth: string) =>
    `{ interfaces: { lo: { addresses: [10.9.9.9/32] }, eth0: { addresses: [${eth}] } } }`;
  assert.deepEqual(found(wired({ a: lo('10.0.0.1/24'), b: lo('10.0.0.2/24') }, ['a:eth0', 'b:eth0'])), []);
  const v6 = (...own: string[]) => having(...own.map((address) => `${address}/64`));
  const nodes = { a: v6('fe80::1'), r: v6('fe80::2', 'fe80::2'), b: v6('fe80::1') };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 'r:eth0'], ['r:eth1', 'b:eth0'])), []);
});

test('VLANs of one trunk keep equal addresses apart, and one VLAN does not', () => {
  const host = (id: number) =>
    `{ interfaces: { eth0: {}, v: { type: vlan, link: eth0, id: ${id}, addresses: [10.0.0.1/24] } } }`;
  const lab = (id: number) => found(wired({ a: host(10), b: host(id) }, ['a:eth0', 'b:eth0']));
  assert.deepEqual(lab(20), []);
  assert.deepEqual(lab(10), ['error ADDRESS_DUPLICATE nodes.b.interfaces.v.addresses[0]']);
});

test('a bridge with vlan_filtering keeps its access ports apart', () => {
  const yaml = (vlan: number) => `
nodes:
  a: ${having('10.0.0.1/24')}
  b: ${having('10.0.0.1/24')}
  s: { kind: bridge, vlan_filtering: true }
links:
  - endpoints: ["a:eth0", { node: s, port: { vlan: 10 } }]
  - endpoints: ["b:eth0", { node: s, port: { vlan: ${vlan} } }]
`;
  assert.deepEqual(found(yaml(20)), []);
  assert.deepEqual(found(yaml(10)), [`error ADDRESS_DUPLICATE ${b1}`]);
});

test('a tagged port and a VLAN interface behind it are on one network', () => {
  const yaml = (id: number) => `
nodes:
  a: ${having('10.0.0.1/24')}
  r: { interfaces: { eth0: {}, v: { type: vlan, link: eth0, id: ${id}, addresses: [10.0.0.1/24] } } }
  s: { kind: bridge, vlan_filtering: true }
links:
  - endpoints: ["a:eth0", { node: s, port: { vlan: 10 } }]
  - endpoints: ["r:eth0", { node: s, port: { vlans: [10, 20] } }]
`;
  assert.deepEqual(found(yaml(10)), ['error ADDRESS_DUPLICATE nodes.r.interfaces.v.addresses[0]']);
  assert.deepEqual(found(yaml(20)), []);
});

test('what a vxlan tunnel joins is one network', () => {
  const end = (own: string, far: string, inner: string) =>
    `{ interfaces: { eth0: { addresses: [${own}/24] }, vx: { type: vxlan, id: 7, remote: ${far}, addresses: [${inner}/24] } } }`;
  const lab = (inner: string) =>
    found(
      wired({ a: end('10.0.0.1', '10.0.0.2', '10.7.0.1'), b: end('10.0.0.2', '10.0.0.1', inner) }, [
        'a:eth0',
        'b:eth0',
      ]),
    );
  assert.deepEqual(lab('10.7.0.2'), []);
  assert.deepEqual(lab('10.7.0.1'), ['error ADDRESS_DUPLICATE nodes.b.interfaces.vx.addresses[0]']);
});

test('the name of a subnet and its broadcast address are refused, but for /31 and /32', () => {
  const one = (address: string) => found(wired({ a: having(address), b: '{}' }, ['a:eth0', 'b:eth0']));
  assert.deepEqual(one('10.0.0.0/24'), [`error ADDRESS_NETWORK ${a1}`]);
  assert.deepEqual(one('10.0.0.255/24'), [`error ADDRESS_NETWORK ${a1}`]);
  assert.deepEqual(one('10.0.0.3/30'), [`error ADDRESS_NETWORK ${a1}`]);
  assert.deepEqual(one('2001:db8::/64'), [`error ADDRESS_NETWORK ${a1}`]);
  for (const good of [
    '10.0.0.0/31',
    '10.0.0.1/31',
    '10.0.0.0/32',
    '10.0.0.255/16',
    '2001:db8::/127',
    '2001:db8::ffff/112',
  ]) {
    assert.deepEqual(one(good), [], good);
  }
});

test('groups and the unspecified address belong to no interface', () => {
  for (const bad of [
    '224.0.0.5/24',
    '239.255.255.250/8',
    'ff02::1/64',
    '0.0.0.0/8',
    '::/64',
    '255.255.255.255/32',
  ]) {
    const lab = wired({ a: having(bad), b: '{}' }, ['a:eth0', 'b:eth0']);
    assert.deepEqual(found(lab), [`error ADDRESS_MULTICAST ${a1}`], bad);
  }
});

test('two ends in different subnets are warned about once, at the second', () => {
  assert.deepEqual(
    found(wired({ a: having('10.0.1.1/24'), b: having('10.0.2.1/24') }, ['a:eth0', 'b:eth0'])),
    [`warning SUBNET_MISMATCH ${b1}`],
  );
});

test('the one node on a switch that fits nobody is the one that is named', () => {
  const nodes = {
    a: having('10.0.1.1/24'),
    b: having('10.0.2.1/24'),
    c: having('10.0.1.3/24'),
    s: '{ kind: bridge }',
  };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 's'], ['b:eth0', 's'], ['c:eth0', 's'])), [
    `warning SUBNET_MISMATCH ${b1}`,
  ]);
});

test('unnumbered wires, second addresses and one family alone are no mismatch', () => {
  const pair = (a: string, b: string) => found(wired({ a, b }, ['a:eth0', 'b:eth0']));
  assert.deepEqual(pair(having('10.0.1.1/32'), having('10.0.2.1/32')), []);
  assert.deepEqual(pair(having(['10.0.1.1/24', '10.0.2.1/24']), having('10.0.2.2/24')), []);
  assert.deepEqual(pair(having('10.0.1.1/24'), having('2001:db8::1/64')), []);
  const peer = '{ interfaces: { eth0: { addresses: [ { address: 10.0.1.1/32, peer: 10.0.2.1 } ] } } }';
  assert.deepEqual(pair(peer, having('10.0.2.1/24')), []);
});

test('two interfaces of one node in one subnet are an error, unless rules choose between them', () => {
  const keys = interfaces('10.0.0.1/24', '10.0.0.2/24');
  const lab = (more: string) =>
    found(wired({ a: `{ ${keys}${more} }`, b: '{}', c: '{}' }, ['a:eth0', 'b:eth0'], ['a:eth1', 'c:eth0']));
  const where = 'nodes.a.interfaces.eth1.addresses[0]';
  assert.deepEqual(lab(''), [`error SUBNET_OVERLAP ${where}`]);
  const byRule = ', routes: [ "10.0.0.0/24 dev eth1 table 7" ], rules: [ "from 10.0.0.2 table 7" ]';
  assert.deepEqual(lab(byRule), [`warning SUBNET_OVERLAP ${where}`]);
});

test('a subnet inside a wider one is a warning that names both', () => {
  const lab = wired(
    { a: having('10.0.0.1/16', '10.0.1.1/24'), b: '{}', c: '{}' },
    ['a:eth0', 'b:eth0'],
    ['a:eth1', 'c:eth0'],
  );
  assert.deepEqual(found(lab), ['warning SUBNET_OVERLAP nodes.a.interfaces.eth1.addresses[0]']);
  assert.match(
    messages(lab, 'SUBNET_OVERLAP')[0] ?? '',
    /10\.0\.0\.0\/16 on eth0 and 10\.0\.1\.0\/24 on eth1/,
  );
});

test('loopbacks inside a LAN, link-local addresses and vrfs are no overlap', () => {
  const two = (keys: string) =>
    found(wired({ a: keys, b: '{}', c: '{}' }, ['a:eth0', 'b:eth0'], ['a:eth1', 'c:eth0']));
  assert.deepEqual(
    two('{ interfaces: { lo: { addresses: [10.0.0.9/32] }, eth0: { addresses: [10.0.0.1/24] }, eth1: {} } }'),
    [],
  );
  assert.deepEqual(two(having('fe80::1/64', 'fe80::2/64')), []);
  const vrfs = `{ interfaces: {
    red: { type: vrf, table: 10 }, blue: { type: vrf, table: 20 },
    eth0: { master: red, addresses: [10.0.0.1/24] }, eth1: { master: blue, addresses: [10.0.0.1/24] } } }`;
  assert.deepEqual(two(vrfs.replaceAll('\n', ' ')), []);
});

test('adjacent subnets do not overlap', () => {
  const lab = wired(
    { a: having('10.0.0.1/25', '10.0.0.129/25'), b: '{}', c: '{}' },
    ['a:eth0', 'b:eth0'],
    ['a:eth1', 'c:eth0'],
  );
  assert.deepEqual(found(lab), []);
});
