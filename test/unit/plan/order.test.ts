// The order of the ops and what rides in which: the choices that the golden plans show only by example.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Lab } from '../../../src/model/lab.ts';
import { describeOp } from '../../../src/plan/describe.ts';
import type { Op } from '../../../src/plan/op.ts';
import { planLab } from '../../../src/plan/order.ts';
import {
  address,
  end,
  iface,
  ifname,
  ip,
  lab,
  node,
  ring,
  route,
  star,
  sysctl,
  twoNamespaces,
  veth,
} from '../../support/sample-labs.ts';

function linesOf(made: Lab): string[] {
  return planLab(made).map(describeOp);
}

function of<K extends Op['kind']>(made: Lab, kind: K): Extract<Op, { kind: K }>[] {
  return planLab(made).filter((op): op is Extract<Op, { kind: K }> => op.kind === kind);
}

/** How often the place changes from one op to the next. */
function turns(ops: readonly Op[]): number {
  const places = ops.map((op) => ('place' in op ? op.place : undefined));
  return places.filter((place, i) => i > 0 && place !== places[i - 1]).length;
}

test('all namespaces come before all devices, and files and commands at the end', () => {
  const made = lab('l', [
    node('a', [veth('eth0', end('b', 'eth0'), ['10.0.0.1/24'])], { exec: [['true']] }),
    node('b', [veth('eth0', end('a', 'eth0'), ['10.0.0.2/24'])]),
  ]);
  const kinds = planLab(made).map(({ kind }) => kind);
  const order = ['createNetns', 'createLink', 'setLink', 'addAddress', 'writeEtc', 'linkEtc', 'runCommand'];
  const firsts = order.map((kind) => kinds.indexOf(kind as Op['kind']));
  assert.deepEqual(
    firsts,
    [...firsts].sort((x, y) => x - y),
  );
  assert.ok(kinds.lastIndexOf('createNetns') < kinds.indexOf('createLink'));
  assert.ok(kinds.lastIndexOf('createLink') < kinds.indexOf('addAddress'));
});

test('the wires of a switch are made from the switch, plugged in and up, as one batch', () => {
  const wires = of(star(50), 'createLink').filter(({ link }) => link.type === 'veth');
  assert.equal(wires.length, 50);
  for (const { place, link } of wires) {
    assert.equal(place, 'sw');
    assert.equal(link.master, 'br0');
    assert.equal(link.up, true);
  }
});

test('a batch is not torn: places change twice for a switch and once for each node', () => {
  const ops = planLab(star(50)).filter(({ kind }) => !['createNetns', 'writeEtc', 'linkEtc'].includes(kind));
  assert.equal(turns(ops), 50);
});

test('a wire to the machine is made from the machine, and its end there carries the mark of the lab', () => {
  const [wire] = of(twoNamespaces(), 'createLink');
  assert.equal(wire?.place, null);
  assert.ok((wire?.link.group ?? 0) > 0x3fff_ffff);
  assert.ok(wire?.link.type === 'veth' && wire.link.peer.group === undefined);
});

test('a wire from a switch to the machine is made from the switch, and the far end carries the mark', () => {
  const made = lab('l', [
    node('sw', [
      iface('br0', { type: 'bridge' }),
      veth('p1', end('host', 'up0'), [], { master: ifname('br0') }),
    ]),
    node('host', [veth('up0', end('sw', 'p1'), ['10.0.0.1/24'])]),
  ]);
  const wire = of(made, 'createLink').find(({ link }) => link.type === 'veth');
  assert.equal(wire?.place, 'sw');
  assert.equal(wire?.link.group, undefined);
  assert.ok(wire?.link.type === 'veth' && (wire.link.peer.group ?? 0) > 0);
});

test('an interface with a mode of its own to set is not born up', () => {
  for (const { link } of of(ring(3), 'createLink')) assert.equal(link.up, undefined);
  const lines = linesOf(ring(3));
  assert.ok(
    lines.indexOf('ip -n r0 link set dev left addrgenmode none') <
      lines.indexOf('ip -n r0 link set dev left up'),
  );
});

test('in a switch one setting keeps all ports without IPv6, and an interface that wants it says so', () => {
  const made = lab('l', [
    node('sw', [
      iface('br0', { type: 'bridge' }, ['2001:db8::1/64']),
      veth('p1', end('a', 'eth0'), [], { master: ifname('br0') }),
    ]),
    node('a', [veth('eth0', end('sw', 'p1'), ['2001:db8::2/64'])]),
  ]);
  const lines = linesOf(made);
  assert.ok(lines.includes('ip netns exec sw sysctl -qw net.ipv6.conf.default.addr_gen_mode=1'));
  assert.ok(
    lines.indexOf('ip -n sw link set dev br0 addrgenmode eui64') <
      lines.indexOf('ip -n sw link set dev br0 up'),
  );
  assert.ok(!lines.some((line) => line.includes('-n a link set dev eth0 addrgenmode')));
});

test('the default of the machine for new devices is never touched', () => {
  const made = lab('l', [node('host', [iface('xbr', { type: 'bridge' }, ['10.0.0.1/24'])])]);
  assert.deepEqual(of(made, 'setSysctl'), []);
  assert.ok(linesOf(made).includes('ip link set dev xbr addrgenmode none'));
});

test('forwarding is written before the settings that it resets, and those of a device after the device', () => {
  const made = lab('l', [
    node('a', [veth('eth0.5', end('b', 'eth0'), ['10.0.0.1/24'])], {
      sysctls: [
        sysctl('net.ipv4.conf.eth0/5.rp_filter', '0'),
        sysctl('net.ipv4.conf.all.accept_redirects', '1'),
        sysctl('net.ipv4.ip_forward', '1'),
      ],
    }),
    node('b', [veth('eth0', end('a', 'eth0.5'))]),
  ]);
  const lines = linesOf(made);
  const at = (text: string): number => lines.findIndex((line) => line.includes(text));
  assert.ok(at('ip_forward') < at('accept_redirects'));
  assert.ok(at('accept_redirects') < at('type veth'));
  assert.ok(at('type veth') < at('rp_filter'));
  assert.ok(at('rp_filter') < at('link set dev eth0.5 up'));
});

test('a gateway that is reached through another route comes after that route', () => {
  const made = lab('l', [
    node('a', [veth('eth0', end('b', 'eth0'), ['10.0.0.1/24'])], {
      routes: [route('0.0.0.0/0', { via: ip('192.0.2.1') }), route('192.0.2.1/32', { dev: ifname('eth0') })],
    }),
    node('b', [veth('eth0', end('a', 'eth0'))]),
  ]);
  const lines = linesOf(made);
  assert.ok(
    lines.indexOf('ip -n a route add 192.0.2.1/32 dev eth0') <
      lines.indexOf('ip -n a route add default via 192.0.2.1'),
  );
});

test('the VLAN of the file takes the place of the default VLAN of the bridge', () => {
  const port = (defaultPvid: number | undefined): string[] =>
    linesOf(
      lab('l', [
        node('sw', [
          iface('br0', {
            type: 'bridge',
            vlan_filtering: true,
            ...(defaultPvid !== undefined && { vlan_default_pvid: defaultPvid }),
          }),
          veth('p1', end('a', 'eth0'), [], {
            master: ifname('br0'),
            port: { vlan: 10, vlans: [{ from: 20, to: 30 }] },
          }),
        ]),
        node('a', [veth('eth0', end('sw', 'p1'))]),
      ]),
    ).filter((line) => line.includes(' vlan '));
  const add = ['bridge -n sw vlan add dev p1 vid 20-30', 'bridge -n sw vlan add dev p1 vid 10 pvid untagged'];
  assert.deepEqual(port(undefined), [add[0], 'bridge -n sw vlan del dev p1 vid 1', add[1]]);
  assert.deepEqual(port(0), add);
  assert.deepEqual(port(10), add);
  assert.deepEqual(port(25), add, 'a default that the file carries with its tag stays');
});

test('lo is set up in every namespace, with the MTU and the addresses of the file', () => {
  const made = lab('l', [
    node('a', [iface('lo', { type: 'loopback' }, ['10.255.0.1/32'], { mtu: 1500 })]),
    node('b', [iface('lo', { type: 'loopback' }, [], { up: false })]),
    node('c', []),
  ]);
  const lines = linesOf(made);
  assert.deepEqual(
    lines.filter((line) => / lo/.test(line)),
    [
      'ip -n a link set dev lo mtu 1500',
      'ip -n a link set dev lo up',
      'ip -n a addr add 10.255.0.1/32 dev lo',
      'ip -n c link set dev lo up',
    ],
  );
});

test('the machine is configured after all nodes', () => {
  const places = planLab({ ...twoNamespaces(), nodes: [...twoNamespaces().nodes].reverse() })
    .filter((op) => op.kind === 'setLink' || op.kind === 'addAddress')
    .map((op) => ('place' in op ? op.place : ''));
  assert.equal(places.lastIndexOf('test_ns' as never) < places.indexOf(null), true);
});

test('a point-to-point address and one that is checked for duplicates are added as the file has them', () => {
  const made = lab('l', [
    node('a', [
      {
        ...veth('eth0', end('b', 'eth0')),
        addresses: [
          { ...address('10.0.0.1/32'), peer: '10.0.0.2/32' as never },
          { ...address('2001:db8::1/64'), nodad: false },
          { ...address('2001:db8::2/64'), scope: 'link' },
        ],
      },
    ]),
    node('b', [veth('eth0', end('a', 'eth0'))]),
  ]);
  assert.deepEqual(
    linesOf(made).filter((line) => line.includes(' addr ')),
    [
      'ip -n a addr add 10.0.0.1 peer 10.0.0.2/32 dev eth0',
      'ip -n a addr add 2001:db8::1/64 dev eth0',
      'ip -n a addr add 2001:db8::2/64 dev eth0 scope link nodad',
    ],
  );
});

test('a wire whose other end is missing is a bug that names the place', () => {
  const made = lab('l', [node('a', [veth('eth0', end('b', 'eth0'))])]);
  assert.throws(() => planLab(made), /interfaces\.eth0: the other end/);
});

test('the plan of a thousand nodes grows with the lab and no faster', () => {
  const count = (n: number): number => planLab(star(n)).length;
  assert.equal(count(1000) - count(500), 500 * (count(3) - count(2)));
  const time = (n: number): number => {
    const made = star(n);
    const runs = Array.from({ length: 9 }, () => {
      const start = process.cpuUsage();
      planLab(made);
      const { user, system } = process.cpuUsage(start);
      return user + system;
    });
    return Math.min(...runs);
  };
  // A square would be 64 times as long.
  assert.ok(time(2000) < 32 * time(250), 'quadratic');
});

test('a loop of devices, which the kernel refuses, does not keep the planner from ending', () => {
  const bridgeOver = (name: string, other: string): Lab['nodes'][number] =>
    node(name, [
      iface('br0', { type: 'bridge' }),
      iface('v0', { type: 'vlan', link: end(other, 'br0'), id: 5, protocol: '802.1Q' }, [], {
        master: ifname('br0'),
      }),
    ]);
  const made = lab('l', [bridgeOver('a', 'b'), bridgeOver('b', 'a')]);
  assert.equal(of(made, 'createLink').length, 4);
});

test('a vlan has its settings before what it stands on goes up, which takes it along', () => {
  const parent = end('b', 'eth0');
  const vlan = iface('v10', { type: 'vlan', link: parent, id: 10, protocol: '802.1Q' }, ['10.0.0.1/24']);
  // The one that stands on the other comes first in the file.
  const made = lab('x', [
    node('a', [vlan]),
    node('b', [veth('eth0', end('c', 'eth0'))]),
    node('c', [veth('eth0', end('b', 'eth0'))]),
  ]);
  const lines = planLab(made).map(describeOp);
  const quiet = lines.indexOf('ip -n a link set dev v10 addrgenmode none');
  const up = lines.indexOf('ip -n b link set dev eth0 up');
  assert.ok(quiet >= 0 && quiet < up, lines.join('\n'));
});
