// NAT, firewall, sysctls and hosts: names and numbers that must fit the node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { found, having, interfaces, wired } from './check-yaml.ts';

/** A gateway with these keys between an inner and an outer host. */
function gateway(keys: string): string[] {
  const nodes = {
    g: `{ kind: router, ${interfaces('10.0.0.1/24', '192.0.2.1/24')}, ${keys} }`,
    a: having('10.0.0.2/24'),
    o: having('192.0.2.2/24'),
  };
  return found(wired(nodes, ['g:eth0', 'a:eth0'], ['g:eth1', 'o:eth0']));
}

test('NAT and firewall name interfaces of the node, or a pattern', () => {
  assert.deepEqual(gateway('nat: [ { masquerade: { out: eth1 } } ]'), []);
  assert.deepEqual(gateway('nat: [ { masquerade: { out: "eth*" } } ]'), []);
  assert.deepEqual(gateway('nat: [ { masquerade: { out: eth2 } } ]'), [
    'error INTERFACE_UNDEFINED nodes.g.nat[0].masquerade.out',
  ]);
  assert.deepEqual(gateway('firewall: { input: { rules: [ { in: lo, action: accept } ] } }'), []);
  assert.deepEqual(gateway('firewall: { forward: { rules: [ { in: eth0, out: wan, action: drop } ] } }'), [
    'error INTERFACE_UNDEFINED nodes.g.firewall.forward.rules[0].out',
  ]);
});

test('a long interface name is known by its full name', () => {
  const nodes = {
    g: '{ interfaces: { a-very-long-interface-name: {} }, nat: [ { masquerade: { out: a-very-long-interface-name } } ] }',
    a: '{}',
  };
  assert.deepEqual(found(wired(nodes, ['g:a-very-long-interface-name', 'a:eth0'])), []);
});

test('a port says whose port it is', () => {
  const dnat = (keys: string) => gateway(`nat: [ { dnat: { in: eth1, ${keys} } } ]`);
  assert.deepEqual(dnat('proto: tcp, port: 80, to: "10.0.0.2:80"'), []);
  assert.deepEqual(dnat('to: 10.0.0.2'), []);
  assert.deepEqual(dnat('port: 80, to: 10.0.0.2'), ['error PORT_NO_PROTO nodes.g.nat[0].dnat.port']);
  const rule = (keys: string) => gateway(`firewall: { input: { rules: [ { ${keys}, action: accept } ] } }`);
  assert.deepEqual(rule('proto: udp, port: 53'), []);
  assert.deepEqual(rule('proto: 132, port: 53'), []);
  assert.deepEqual(rule('port: 22'), ['error PORT_NO_PROTO nodes.g.firewall.input.rules[0].port']);
  assert.deepEqual(rule('proto: icmp, sport: 22'), [
    'error PORT_NO_PROTO nodes.g.firewall.input.rules[0].sport',
  ]);
});

test('an ICMP type goes with ICMP', () => {
  const rule = (keys: string) => gateway(`firewall: { input: { rules: [ { ${keys}, action: accept } ] } }`);
  assert.deepEqual(rule('icmp_type: echo-request, proto: icmp'), []);
  assert.deepEqual(rule('icmp_type: echo-request, proto: tcp'), [
    'error FIREWALL_INVALID nodes.g.firewall.input.rules[0].icmp_type',
  ]);
});

test('connections sent to an address that nobody has are a warning', () => {
  const to = (address: string) => gateway(`nat: [ { dnat: { in: eth1, to: ${address} } } ]`);
  assert.deepEqual(to('10.0.0.2'), []);
  assert.deepEqual(to('10.0.0.77'), ['warning NAT_TARGET_NOWHERE nodes.g.nat[0].dnat.to']);
});

test('a sysctl of an interface names one of the node, however its dots are written', () => {
  const set = (key: string) => gateway(`sysctls: { "${key}": 0 }`);
  assert.deepEqual(set('net.ipv4.conf.eth0.rp_filter'), []);
  assert.deepEqual(set('net.ipv4.conf.all.rp_filter'), []);
  assert.deepEqual(
    set('net.ipv6.conf.eth9.disable_ipv6').map((line) => line.split(' ')[1]),
    ['INTERFACE_UNDEFINED'],
  );
  const vlan = `{ interfaces: { d: { type: dummy }, d.5: { type: vlan, link: d, id: 5 } }, sysctls: { net.ipv4.conf.d/5.rp_filter: 0 } }`;
  assert.deepEqual(found(`nodes: { a: ${vlan} }\n`), []);
});

test('a host entry that hides a node behind another address is a warning', () => {
  assert.deepEqual(gateway('hosts: { a: 10.0.0.2, db: 10.5.5.5 }'), []);
  assert.deepEqual(gateway('hosts: { a: 10.5.5.5 }'), ['warning HOSTS_INVALID nodes.g.hosts.a']);
});
