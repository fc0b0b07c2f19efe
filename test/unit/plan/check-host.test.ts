// Conflicts of a lab with the machine, found before anything is touched.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { IpPrefix } from '../../../src/base/ip.ts';
import type { Lab } from '../../../src/model/lab.ts';
import { checkHost, type HostFacts } from '../../../src/plan/check-host.ts';
import {
  end,
  iface,
  ifname,
  lab,
  node,
  prefix,
  star,
  twoNamespaces,
  veth,
} from '../../support/sample-labs.ts';

const empty: HostFacts = { netns: [], links: [{ ifname: 'lo' }, { ifname: 'eth0' }], routes: [], tables: [] };

function check(made: Lab, facts: Partial<HostFacts>): string[] {
  return checkHost(made, { ...empty, ...facts }).map(
    ({ code, path, message }) => `${code} ${path}: ${message}`,
  );
}

const to = (text: string, dev = 'eth0'): { to: IpPrefix; dev: string } => ({ to: prefix(text), dev });

test('an empty machine has room', () => {
  assert.deepEqual(check(twoNamespaces(), {}), []);
});

test('every name that is taken is told, with the place that asks for it', () => {
  const made = twoNamespaces();
  const facts = { netns: ['test_ns', 'other'], links: [{ ifname: 'veth0' }, { ifname: 'veth1' }] };
  assert.deepEqual(check(made, facts), [
    "HOST_NAME_TAKEN nodes.test_ns: there is a network namespace test_ns already, and it is not this lab's",
    "HOST_NAME_TAKEN interfaces.veth0: the machine has a device veth0 already, and it is not this lab's",
  ]);
});

test('the nft table of the machine is looked at only when the lab has one there', () => {
  const nat = [{ kind: 'masquerade', out: 'eth0', path: 'nat[0]' } as const];
  const inside = lab('x', [node('a', [], { nat })]);
  const outside = lab('x', [node('host', [], { nat })]);
  assert.deepEqual(check(inside, { tables: ['inet nslab-x', 'inet nslab'] }), []);
  assert.match(
    check(outside, { tables: ['inet nslab-x'] }).join(),
    /^HOST_NAME_TAKEN nodes\.host: .*inet nslab-x/,
  );
  assert.deepEqual(check(outside, { tables: ['ip nslab-x', 'inet nslab-y'] }), []);
});

test('a NIC to move in must be there', () => {
  const made = lab('x', [node('a', [iface('wan', { type: 'physical', device: ifname('enp3s0') })])]);
  assert.match(
    check(made, {}).join(),
    /^HOST_DEVICE_MISSING interfaces\.wan: the machine has no device enp3s0/,
  );
  assert.deepEqual(check(made, { links: [{ ifname: 'enp3s0' }] }), []);
});

test('a subnet of the machine and the lab is refused when the machine is attached, naming both', () => {
  const facts = { routes: [to('10.1.0.0/16', 'tun0')] };
  assert.match(
    check(twoNamespaces(), facts).join(),
    /HOST_SUBNET_TAKEN .*10\.1\.1\.0\/24 overlaps 10\.1\.0\.0\/16.*tun0/,
  );
  const inside = lab('x', [
    node('a', [veth('e', end('b', 'e'), ['10.1.1.1/24'])]),
    node('b', [veth('e', end('a', 'e'), ['10.1.1.2/24'])]),
  ]);
  assert.deepEqual(check(inside, facts), [], 'nodes alone may use what the machine uses');
});

test('a subnet that a pool handed out is refused wherever it is', () => {
  const made = {
    ...lab('x', [
      node('a', [veth('e', end('b', 'e'), ['10.1.1.1/24'])]),
      node('b', [veth('e', end('a', 'e'), ['10.1.1.2/24'])]),
    ]),
    allocated: [prefix('10.1.1.0/24')],
  };
  assert.match(check(made, { routes: [to('10.1.1.128/25')] }).join(), /HOST_SUBNET_TAKEN/);
  assert.deepEqual(check(made, { routes: [to('10.1.2.0/24')] }), []);
});

test('the routes of a NIC that moves in are no rivals', () => {
  const made = lab('x', [
    node('a', [
      iface('wan', { type: 'physical', device: ifname('eth0') }),
      veth('e', end('host', 'v0'), ['192.0.2.1/24']),
    ]),
    node('host', [veth('v0', end('a', 'e'), ['192.0.2.2/24'])]),
  ]);
  assert.deepEqual(check(made, { routes: [to('192.0.2.0/24', 'eth0')] }), []);
  assert.equal(check(made, { routes: [to('192.0.2.0/24', 'wlan0')] }).length, 1);
});

test('a bridge with more ports than Linux allows is refused', () => {
  assert.deepEqual(check(star(1023), {}), []);
  assert.match(check(star(1024), {}).join(), /^HOST_LIMIT nodes\.sw: bridge br0 has 1024 ports/);
});

test('a bridge of the machine that the lab plugs into must be there, or be in the file', () => {
  const port = veth('v0', end('a', 'eth0'), [], { master: ifname('br9') });
  const made = lab('x', [node('a', [veth('eth0', end('host', 'v0'))]), node('host', [port])]);
  assert.match(check(made, {}).join(), /^HOST_DEVICE_MISSING interfaces\.v0: the machine has no device br9/);
  assert.deepEqual(check(made, { links: [{ ifname: 'br9' }] }), []);
});
