// One file as several labs: test of src/lab/copies.ts and of how topology/ lowers a copy.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NslabError } from '../../../src/base/error.ts';
import { assertApart } from '../../../src/lab/copies.ts';
import type { Loaded } from '../../../src/lab/load.ts';
import type { Lab } from '../../../src/model/lab.ts';
import { loadText } from '../../../src/topology/load.ts';
import { addresses, interfaceOf, nodeOf } from '../../support/check-yaml.ts';

function copies(text: string, number = 3): Loaded[] {
  return Array.from({ length: number }, (_, index) => {
    const { lab, locate, warnings } = loadText(text, { path: 'lab.yaml', env: {}, copy: index + 1 });
    return { lab, locate, warnings, file: '/lab.yaml', again: () => lab };
  });
}

function copy(text: string, number: number): Lab {
  return copies(text, number)[number - 1]?.lab as Lab;
}

function clashes(text: string): string[] {
  try {
    assertApart(copies(text));
    return [];
  } catch (error) {
    assert.ok(error instanceof NslabError && error.code === 'COPIES_OVERLAP', String(error));
    return error.problems.map(({ where }) => `${where?.line}: ${where?.path}`);
  }
}

const docker0 = (net: string) => `
name: d
nodes:
  c1: { routes: ["default via ${net}.1"] }
  host:
    interfaces: { br-docker0: { type: bridge, addresses: ["${net}.1/24"] } }
    nat: [ { masquerade: { out: uplink-of-the-lab, source: "${net}.0/24" } } ]
    sysctls: { net.ipv4.conf.br-docker0.rp_filter: 2 }
links:
  - endpoints:
      - { node: host, interface: vethc1, master: br-docker0 }
      - { node: c1, interface: eth0, addresses: ["${net}.2/24"] }
  - endpoints: [ "host:uplink-of-the-lab", "c1:eth1" ]
`;
// biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
const numbered = docker0('10.${COPY}.0');

test('a copy has its number in the names of the lab, the namespaces and the devices of the machine', () => {
  const lab = copy(numbered, 7);
  assert.deepEqual([lab.name, lab.prefix, lab.copy], ['d-7', 'd-7-', { of: 'd', number: 7 }]);
  assert.equal(nodeOf(lab, 'c1').place, 'd-7-c1');
  const host = nodeOf(lab, 'host');
  assert.deepEqual(
    host.interfaces.map(({ name, ifname }) => [name, ifname]),
    [
      ['br-docker0', 'br-docker0-7'],
      ['vethc1', 'vethc1-7'],
      ['uplink-of-the-lab', interfaceOf(lab, 'host', 'uplink-of-the-lab').ifname],
    ],
  );
  assert.equal(interfaceOf(lab, 'host', 'vethc1').master, 'br-docker0-7');
  assert.equal(interfaceOf(lab, 'host', 'uplink-of-the-lab').altname, 'uplink-of-the-lab-7');
  const [rule] = host.nat;
  assert.equal(rule?.kind === 'masquerade' && rule.out, interfaceOf(lab, 'host', 'uplink-of-the-lab').ifname);
  assert.ok(host.sysctls.some(({ key }) => key === 'net.ipv4.conf.br-docker0-7.rp_filter'));
  // Inside, every student sees the same.
  assert.equal(interfaceOf(lab, 'c1', 'eth0').ifname, 'eth0');
  assert.deepEqual(addresses(lab, 'c1', 'eth0'), ['10.7.0.2/24']);
});

test('names of devices stay within 15 bytes and apart for 300 copies', () => {
  const labs = copies(numbered.replaceAll(/10\.\$\{COPY\}\.0/g, '10.1.0'), 300);
  const names = labs.flatMap(({ lab }) => nodeOf(lab, 'host').interfaces.map(({ ifname }) => ifname));
  assert.equal(new Set(names).size, names.length);
  assert.deepEqual(
    names.filter((name) => Buffer.byteLength(name) > 15),
    [],
  );
});

test('a prefix goes before the name and the number', () => {
  const { lab } = loadText('name: d\nnodes: { a: {} }', { path: 'x', env: {}, copy: 2, prefix: 'b-' });
  assert.deepEqual([lab.name, nodeOf(lab, 'a').place, lab.copy?.of], ['b-d-2', 'b-d-2-a', 'b-d']);
});

test('a named volume is the own one of each copy, a path is that of the machine', () => {
  const text = `
name: d
nodes: { a: { rootfs: /x, network_mode: none, volumes: ["data:/data", "/srv:/srv", "/anonymous", { source: db, target: /db }] } }
`;
  const { options } = nodeOf(copy(text, 2), 'a').container ?? assert.fail();
  assert.deepEqual(options['volumes'], [
    'd-2-data:/data',
    '/srv:/srv',
    '/anonymous',
    { source: 'd-2-db', target: '/db' },
  ]);
});

test('copies with the number in their addresses on the machine are apart', () => {
  assert.deepEqual(clashes(numbered), []);
  // Not on the machine: the same subnet in every copy.
  const inside =
    'nodes: { a: {}, b: {} }\nlinks: [ { endpoints: [ "a:e", "b:e" ], ipv4: [10.1.1.1/24, 10.1.1.2/24] } ]';
  assert.deepEqual(clashes(`name: x\n${inside}`), []);
});

test('what copies would take from each other on the machine is refused, each place once', () => {
  assert.deepEqual(clashes(docker0('10.17.0')), ['6: nodes.host.interfaces.br-docker0.addresses[0]']);
  const base = 'name: x\nnodes:\n  a: {}\n';
  const wire = 'links: [ { endpoints: [ "host:v", "a:e" ] } ]\n';
  // 10.0.0.0/8 of the first has those of the others in it.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
  const wide = '  host: { interfaces: { v: { addresses: ["10.${COPY}.0.1/8"] } } }\n';
  assert.deepEqual(clashes(base + wide + wire), ['4: nodes.host.interfaces.v.addresses[0]']);
  assert.deepEqual(
    clashes(`${base}  host: { interfaces: { v: {} }, routes: ["10.9.0.0/16 dev v"] }\n${wire}`),
    ['4: nodes.host.routes[0]'],
  );
  assert.deepEqual(clashes(`${base}  host: { rules: ["from 10.9.0.0/16 table 100 priority 5"] }\n${wire}`), [
    '4: nodes.host.rules[0]',
  ]);
  assert.deepEqual(
    clashes('name: x\nnodes: { a: { interfaces: { e: { type: physical, device: eth7 } } } }'),
    ['2: nodes.a.interfaces.e'],
  );
});

test('a pool whose subnets the machine is in has the number in it, or is refused', () => {
  const pool = (ipv4: string) => `
name: x
addressing: { p2p: { ipv4: "${ipv4}" } }
nodes: { a: {} }
links: [ { endpoints: [ { node: host, interface: v, addresses: [auto] }, { node: a, interface: e, addresses: [auto] } ] } ]
`;
  assert.equal(clashes(pool('10.5.0.0/16')).length, 1);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
  assert.deepEqual(clashes(pool('10.${COPY}.0.0/16')), []);
});
