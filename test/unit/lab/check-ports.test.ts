// Ports and subnets that others have, told before anything is made, with who has them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpPrefix } from '../../../src/base/ip.ts';
import { checkPublished } from '../../../src/lab/check-ports.ts';
import type { Lab } from '../../../src/model/lab.ts';
import type { MachineFacts } from '../../../src/model/network.ts';
import { loadText } from '../../../src/topology/load.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';

function made(name: string, ports: readonly string[], subnets: readonly string[] = []): Lab {
  const facts: MachineFacts = {
    subnets: subnets as IpPrefix[],
    kept: new Map(),
    keptPorts: new Map(),
    isFree: () => true,
    network: () => undefined,
  };
  const text = JSON.stringify({ name, nodes: { web: { rootfs: 'host', ports } } });
  return loadText(text, { path: 'x.yaml', env: {}, machine: () => facts }).lab;
}

function check(
  lab: Lab,
  { others = [], taken = {} }: { others?: Lab[]; taken?: Record<string, object> } = {},
): string[] {
  const kernel = new FakeKernel();
  for (const [port, refusal] of Object.entries(taken)) kernel.takenPorts.set(port, refusal as never);
  return checkPublished(lab, others, kernel).map(({ code, path, message }) => `${code} ${path}: ${message}`);
}

test('ports that nobody has are free', () => {
  assert.deepEqual(check(made('x', ['8080:80', '8000-8010:8000-8010'])), []);
});

test('a program that listens is named, once for both families and once for a range', () => {
  const holder = { code: 'EADDRINUSE', holder: { pid: 42, program: 'nginx' } };
  const taken = { 'tcp 8080': holder, 'tcp 8001': holder, 'tcp 8002': holder };
  assert.deepEqual(check(made('x', ['8080:80', '8000-8010:8000-8010', '8080:80/udp']), { taken }), [
    'HOST_PORT_TAKEN nodes.web.ports[0]: port 0.0.0.0:8080/tcp of the machine is taken: process 42 (nginx) listens there',
    'HOST_PORT_TAKEN nodes.web.ports[1]: port 0.0.0.0:8001/tcp of the machine is taken: process 42 (nginx) listens there',
  ]);
  assert.match(
    check(made('x', ['80:80']), { taken: { 'tcp 80': { code: 'EADDRINUSE' } } })[0] ?? '',
    /cannot be seen from here/,
  );
  assert.match(
    check(made('x', ['80:80']), { taken: { 'tcp 80': { code: 'EACCES' } } })[0] ?? '',
    /cannot be had \(EACCES\)/,
  );
});

test('a container of another lab is named, also where nobody listens', () => {
  // On another subnet, so that the ports alone meet.
  const others = [made('other', ['127.0.0.1:8002:80'], ['172.18.0.0/16'])];
  assert.deepEqual(check(made('x', ['127.0.0.2:8002:80']), { others }), []);
  assert.deepEqual(check(made('x', ['8000-8010:8000-8010']), { others }), [
    'HOST_PORT_TAKEN nodes.web.ports[0]: port 0.0.0.0:8002/tcp of the machine is taken: container web of lab other publishes it',
  ]);
});

test('an address that the machine lacks is told, unless the lab brings it', () => {
  const taken = { 'tcp 80': { code: 'EADDRNOTAVAIL' } };
  assert.deepEqual(check(made('x', ['192.0.2.7:80:80']), { taken }), [
    'HOST_ADDRESS_MISSING nodes.web.ports[0]: the machine has no address 192.0.2.7 to publish a port on',
  ]);
  assert.deepEqual(check(made('x', ['172.18.0.1:80:80']), { taken }), []);
});

test('a subnet that another lab is just taking is told', () => {
  assert.deepEqual(check(made('x', []), { others: [made('other', [])] }), [
    'HOST_SUBNET_TAKEN nodes.web: the subnet 172.18.0.0/16 is one of lab other already',
  ]);
});
