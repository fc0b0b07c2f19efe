// What has changed, told from how things are now: the memory of one namespace, and its words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventLine, eventText } from '../../../src/cli/output/event.ts';
import type { Notification } from '../../../src/kernel/netlink-events.ts';
import { NamespaceMemory } from '../../../src/lab/events.ts';

const NOTHING = { deleted: false, dumped: false, replaces: false };

function link(ifindex: number, ifname: string, more: object = {}, told: object = {}): Notification {
  const shape = {
    ifindex,
    ifname,
    type: 1,
    flags: 0,
    up: true,
    lowerUp: true,
    altnames: [],
    mac: '02:00:00:00:00:01',
    mtu: 1500,
  };
  return { ...NOTHING, ...told, kind: 'link', link: { ...shape, ...more } } as unknown as Notification;
}

function neighbour(more: object, told: object = {}): Notification {
  const shape = { ifindex: 2, address: '10.0.0.2', state: 'reachable', proxy: false, router: false };
  return {
    ...NOTHING,
    ...told,
    kind: 'neighbour',
    neighbour: { ...shape, ...more },
  } as unknown as Notification;
}

function route(more: object, told: object = {}): Notification {
  const shape = {
    family: 2,
    to: '10.0.3.0/24',
    table: 254,
    type: 'unicast',
    scope: 'global',
    onlink: false,
    proto: 4,
    flags: 0,
  };
  return { ...NOTHING, ...told, kind: 'route', route: { ...shape, ...more } } as unknown as Notification;
}

function address(more: object, told: object = {}): Notification {
  const shape = { ifindex: 2, address: '10.0.0.1/24', dadfailed: false };
  return { ...NOTHING, ...told, kind: 'address', address: { ...shape, ...more } } as unknown as Notification;
}

/** The lines about a node `r1` that has eth0, 2, and br0, 3. */
function lines(
  told: readonly Notification[],
  target = { only: [], maybe: [] as string[], others: true },
): string[] {
  const memory = new NamespaceMemory(target);
  const start = [link(2, 'eth0', {}, { dumped: true }), link(3, 'br0', {}, { dumped: true })];
  return [...start, ...told]
    .flatMap((one) => memory.changes(one))
    .map((change) => eventText({ node: 'r1', ...change }));
}

test('a link is told in the words of the lab, and only when something has changed', () => {
  assert.deepEqual(
    lines([
      link(2, 'eth0'),
      link(2, 'eth0', { up: false, lowerUp: false }),
      link(2, 'eth0', { lowerUp: false }),
      link(2, 'eth0'),
      link(2, 'eth0', { lowerUp: false }),
      link(2, 'eth0', { mtu: 1400 }),
      link(2, 'eth0', { mtu: 1400, master: 3 }),
      link(2, 'wan', { mtu: 1400 }),
      link(2, 'wan', { mtu: 1400, mac: '02:00:00:00:00:09' }),
      link(7, 'tun0', { kind: 'tun' }),
      link(7, 'tun0', {}, { deleted: true }),
    ]),
    [
      'r1:eth0 is down',
      'r1:eth0 is up',
      'r1:eth0 has carrier',
      'r1:eth0 has no carrier: the other side is down',
      'r1:eth0 has mtu 1400',
      'r1:eth0 has carrier',
      'r1:eth0 is in br0',
      'r1:eth0 is now called wan',
      'r1:wan has left its master',
      'r1:wan has mac 02:00:00:00:00:09',
      'r1:tun0 was added (tun)',
      'r1:tun0 is up',
      'r1:tun0 was removed',
    ],
  );
});

test('routes say where they lead, and those that the kernel keeps for itself are not told', () => {
  assert.deepEqual(
    lines([
      route({ via: '10.0.2.1', dev: 2 }, { deleted: true }),
      route({ dev: 2 }),
      route({ to: 'default', via: '10.0.2.1', dev: 2 }, { replaces: true }),
      route({ type: 'blackhole', table: 100 }),
      route({ nexthops: [{ via: '10.0.1.1', dev: 2 }, { dev: 3 }] }),
      route({ dev: 2, table: 255 }),
      route({ dev: 2, to: 'ff00::/8' }),
    ]),
    [
      'r1: route to 10.0.3.0/24 via 10.0.2.1 removed',
      'r1: route to 10.0.3.0/24 on eth0 added',
      'r1: default route via 10.0.2.1 replaced',
      'r1: blackhole route to 10.0.3.0/24 in table 100 added',
      'r1: route to 10.0.3.0/24 via 10.0.1.1 and on br0 added',
    ],
  );
});

test('a neighbour is told when it is found, moves or is not there, not at each of its states', () => {
  const at = (mac: string, state = 'reachable'): Notification => neighbour({ lladdr: mac, state });
  assert.deepEqual(
    lines([
      neighbour({ state: 'incomplete' }),
      at('02:00:00:00:00:02'),
      at('02:00:00:00:00:02', 'stale'),
      at('02:00:00:00:00:03'),
      neighbour({ state: 'failed' }),
      neighbour({ state: 'failed' }),
      at('02:00:00:00:00:03'),
      neighbour({ lladdr: '02:00:00:00:00:03' }, { deleted: true }),
      neighbour({ address: '224.0.0.1', lladdr: '01:00:5e:00:00:01', state: 'noarp' }),
    ]),
    [
      'r1:eth0: neighbour 10.0.0.2 is at 02:00:00:00:00:02',
      'r1:eth0: neighbour 10.0.0.2 is at 02:00:00:00:00:03',
      'r1:eth0: neighbour 10.0.0.2 does not answer',
      'r1:eth0: neighbour 10.0.0.2 is at 02:00:00:00:00:03',
      'r1:eth0: neighbour 10.0.0.2 removed',
    ],
  );
});

test('an address is told once, and one that another has as such', () => {
  assert.deepEqual(
    lines([
      address({}),
      address({}),
      address({}, { deleted: true }),
      address({}),
      address({ dadfailed: true }),
    ]),
    [
      'r1:eth0: address 10.0.0.1/24 added',
      'r1:eth0: address 10.0.0.1/24 removed',
      'r1:eth0: address 10.0.0.1/24 added',
      'r1:eth0: another has address 10.0.0.1/24 as well',
    ],
  );
});

test('of the machine itself only what the lab has made is told', () => {
  const made = { only: [], maybe: ['br0'], others: false };
  const told = [
    link(2, 'eth0', { up: false }),
    link(3, 'br0', { up: false }),
    route({ dev: 2 }),
    route({ dev: 3 }),
    route({ type: 'blackhole' }),
    address({}),
    neighbour({ lladdr: '02:00:00:00:00:02' }),
    link(9, 'eth9'),
  ];
  assert.deepEqual(lines(told, made), ['r1:br0 is down', 'r1: route to 10.0.3.0/24 on br0 added']);
});

test('a name with escape sequences is harmless in a line', () => {
  const time = new Date(0).toISOString();
  const line = eventLine({ time, lab: 'x', node: 'r1', event: 'link', change: 'up', interface: '\x1b[2J' });
  assert.match(line, /^\d\d:\d\d:00\.000 r1:␛\[2J is up$/);
});
