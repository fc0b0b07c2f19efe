// What the record keeps of a plan, and the ops of `down` that follow from it.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { LabName, NetnsName } from '../../../src/base/names.ts';
import { describeUndo } from '../../../src/plan/describe.ts';
import { labGroup } from '../../../src/plan/mark.ts';
import { planLab } from '../../../src/plan/order.ts';
import { type HostBefore, planDown, undoFacts, undoFactsOfNames } from '../../../src/plan/undo.ts';
import {
  end,
  everything,
  iface,
  ifname,
  lab,
  node,
  star,
  sysctl,
  twoNamespaces,
  veth,
} from '../../support/sample-labs.ts';

const nothing: HostBefore = { readSysctl: () => undefined, readLinkState: () => undefined };

test('the record of a thousand nodes stays small', () => {
  const made = star(1000);
  const text = JSON.stringify(undoFacts(made.name, planLab(made), nothing));
  assert.ok(text.length < 12_000, `${text.length} bytes`);
});

test('what is inside the lab has no undo of its own', () => {
  const made = star(3);
  const kinds = planDown(undoFacts(made.name, planLab(made), nothing)).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['stopProcesses', 'unlinkEtc', 'deleteNetns']);
});

test('processes are stopped first and namespaces go last', () => {
  const made = everything();
  const before: HostBefore = {
    readSysctl: (key) => (key.includes('uplink') ? undefined : '0'),
    readLinkState: () => undefined,
  };
  const ops = planDown(undoFacts(made.name, planLab(made), before));
  assert.equal(ops[0]?.kind, 'stopProcesses');
  assert.equal(ops.at(-1)?.kind, 'deleteNetns');
  assert.deepEqual(ops.map(describeUndo), [
    'stop the processes in guest, gw, sw, m1, m2',
    'nft delete table inet nslab-everything',
    'ip rule del priority 5000 from 198.51.100.0/24 lookup 77 protocol 110',
    'ip route del blackhole 198.51.100.0/24 proto 110',
    'ip route del 10.1.1.0/24 proto 110 via 192.0.2.2',
    'ip link del xbr0, uplink, tohost',
    'sysctl -w net.ipv4.conf.lo.accept_local=0',
    'rm /etc/netns/guest, gw, sw, m1, m2',
    'ip netns del guest, gw, sw, m1, m2',
  ]);
});

test('devices of the machine are deleted by name and mark together', () => {
  const made = twoNamespaces();
  const op = planDown(undoFacts(made.name, planLab(made), nothing)).find(
    ({ kind }) => kind === 'deleteLinks',
  );
  assert.deepEqual(op, { kind: 'deleteLinks', group: labGroup(made.name), ifnames: ['veth0'] });
});

test('a setting of the machine is put back to what it was before the first write', () => {
  const made = lab('l', [
    node('host', [veth('v0', end('a', 'eth0'))], {
      sysctls: [
        sysctl('net.ipv4.conf.v0.forwarding', '1'),
        sysctl('net.ipv4.conf.eth7.forwarding', '0'),
        sysctl('net.ipv4.conf.eth7.forwarding', '1'),
        sysctl('net.ipv4.conf.absent.forwarding', '1'),
      ],
    }),
    node('a', [veth('eth0', end('host', 'v0'))]),
  ]);
  const asked: string[] = [];
  const facts = undoFacts(made.name, planLab(made), {
    readSysctl: (key) => {
      asked.push(key);
      return key.includes('absent') ? undefined : 'before';
    },
    readLinkState: () => undefined,
  });
  assert.deepEqual(facts.sysctls, [{ key: 'net.ipv4.conf.eth7.forwarding', value: '1', was: 'before' }]);
  assert.ok(!asked.includes('net.ipv4.conf.v0.forwarding'), 'a device of the lab is not there yet');
});

test('a NIC goes back with the state it had', () => {
  const state = {
    ifname: ifname('enp3s0'),
    mac: '02:00:00:00:00:09',
    mtu: 1500,
    up: true,
    addresses: [],
    routes: [],
    sysctls: {},
  };
  const made = lab('l', [node('a', [iface('wan', { type: 'physical', device: ifname('enp3s0') })])]);
  const ops = planDown(
    undoFacts(made.name, planLab(made), { readSysctl: () => undefined, readLinkState: () => state }),
  );
  assert.deepEqual(ops[1], { kind: 'returnLink', place: 'a', ifname: 'wan', state });
});

test('without a record the namespaces and the table are still known by their names', () => {
  const facts = undoFactsOfNames('x' as LabName, ['a', 'b'] as NetnsName[]);
  assert.deepEqual(planDown(facts).map(describeUndo), [
    'stop the processes in a, b',
    'nft delete table inet nslab-x',
    'rm /etc/netns/a, b',
    'ip netns del a, b',
  ]);
});

test('the mark of a lab is stable, its own, and above all that people choose', () => {
  const groups = Array.from({ length: 2000 }, (_, i) => labGroup(`lab-${i}` as LabName));
  assert.equal(new Set(groups).size, groups.length);
  for (const group of groups) assert.ok(group >= 0x4000_0000 && group <= 0x7fff_ffff);
  assert.equal(labGroup('two-namespaces' as LabName), 1129116781);
});
