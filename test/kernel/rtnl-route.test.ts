// Routes, rules and neighbours as `ip -j` shows them: made by us in one namespace and by ip(8) with the same words in another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpAddress, IpInterface, IpPrefix } from '../../src/base/ip.ts';
import type { MacAddress } from '../../src/base/names.ts';
import { newAddress } from '../../src/rtnl/addr.ts';
import { newLink, setLink } from '../../src/rtnl/link.ts';
import {
  delNeighbour,
  getNeighbours,
  type NewNeighbour,
  newNeighbour,
  replaceNeighbour,
} from '../../src/rtnl/neigh.ts';
import {
  delRoute,
  getRoutePayloads,
  getRoutes,
  lookupRoute,
  type NewRoute,
  newRoute,
  rawRoute,
  replaceRoute,
} from '../../src/rtnl/route.ts';
import { delRule, getRules, newRule, type Rule } from '../../src/rtnl/rule.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { type Json, type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { skipUnlessLinkKind, skipUnlessRoot } from '../support/skip.ts';

const ip = (text: string): IpAddress => text as IpAddress;
const net = (text: string): IpPrefix => text as IpPrefix;
const V0 = 50;
const W0 = 60;

/** Two wires, v0 and w0, with 10.1.1.1/24, 10.1.2.1/24 and IPv6 beside; the same in every namespace of this file. */
function wired(ns: ThrowawayNetns): Transport {
  const transport = ns.inside(() => Transport.open(NETLINK_ROUTE));
  const on = (text: string): IpInterface => text as IpInterface;
  const wire = (ifname: string, ifindex: number, peer: number): Parameters<typeof newLink>[0] => ({
    ifname,
    ifindex,
    mac: `02:00:00:00:00:${ifindex}` as MacAddress,
    info: { kind: 'veth', peer: { ifname: `${ifname}p`, ifindex: peer } },
  });
  const failures = transport.batch([
    setLink({ ifindex: 1 }, { up: true }),
    newLink(wire('v0', V0, 51)),
    newLink(wire('w0', W0, 61)),
    ...[V0, W0, 51, 61].map((ifindex) => setLink({ ifindex }, { addrGenMode: 'none' })),
    ...[V0, W0, 51, 61].map((ifindex) => setLink({ ifindex }, { up: true })),
    newAddress({ ifindex: V0, address: on('10.1.1.1/24') }),
    newAddress({ ifindex: W0, address: on('10.1.2.1/24') }),
    newAddress({ ifindex: V0, address: on('2001:db8:1::1/64'), nodad: true }),
    newAddress({ ifindex: W0, address: on('2001:db8:2::1/64'), nodad: true }),
  ]);
  assert.deepEqual(
    failures.filter((failure) => failure !== undefined),
    [],
  );
  return transport;
}

type RouteCase = { readonly words: string; readonly route: NewRoute };

const routes: readonly RouteCase[] = [
  { words: 'default via 10.1.1.254', route: { to: 'default', via: ip('10.1.1.254') } },
  {
    words: '10.2.0.0/16 via 10.1.1.254 dev v0 metric 100 src 10.1.2.1',
    route: { to: net('10.2.0.0/16'), via: ip('10.1.1.254'), dev: V0, metric: 100, src: ip('10.1.2.1') },
  },
  { words: '10.3.0.0/16 dev v0', route: { to: net('10.3.0.0/16'), dev: V0 } },
  {
    words: '10.4.0.0/16 via 192.0.2.1 dev v0 onlink table 100',
    route: { to: net('10.4.0.0/16'), via: ip('192.0.2.1'), dev: V0, onlink: true, table: 100 },
  },
  {
    words: '10.5.0.0/16 via 10.1.1.254 table 100000',
    route: { to: net('10.5.0.0/16'), via: ip('10.1.1.254'), table: 100_000 },
  },
  {
    words: '10.6.0.0/16 via 10.1.1.254 scope link proto static',
    route: { to: net('10.6.0.0/16'), dev: V0, via: ip('10.1.1.254'), scope: 'global', proto: 4 },
  },
  { words: 'blackhole 10.7.0.0/16', route: { to: net('10.7.0.0/16'), type: 'blackhole' } },
  {
    words: 'unreachable 10.8.0.0/16 metric 9',
    route: { to: net('10.8.0.0/16'), type: 'unreachable', metric: 9 },
  },
  { words: 'prohibit 10.9.0.0/16', route: { to: net('10.9.0.0/16'), type: 'prohibit' } },
  { words: 'throw 10.10.0.0/16 table 100', route: { to: net('10.10.0.0/16'), type: 'throw', table: 100 } },
  { words: 'local 10.11.0.1/32 dev v0', route: { to: net('10.11.0.1/32'), type: 'local', dev: V0 } },
  {
    words: '10.12.0.0/16 nexthop via 10.1.1.2 weight 3 nexthop via 10.1.2.2 dev w0 weight 256',
    route: {
      to: net('10.12.0.0/16'),
      nexthops: [
        { via: ip('10.1.1.2'), weight: 3 },
        { via: ip('10.1.2.2'), dev: W0, weight: 256 },
      ],
    },
  },
  {
    words: '10.13.0.0/16 nexthop via 192.0.2.1 dev v0 onlink nexthop dev w0',
    route: {
      to: net('10.13.0.0/16'),
      nexthops: [{ via: ip('192.0.2.1'), dev: V0, onlink: true }, { dev: W0 }],
    },
  },
  {
    words: '10.14.0.0/16 via inet6 2001:db8:1::2 dev v0',
    route: { to: net('10.14.0.0/16'), via: ip('2001:db8:1::2'), dev: V0 },
  },
  {
    words: '10.15.0.0/16 via 10.1.1.254 mtu 1400 advmss 1300 window 9000 initcwnd 20 initrwnd 30 hoplimit 9',
    route: {
      to: net('10.15.0.0/16'),
      via: ip('10.1.1.254'),
      metrics: { mtu: 1400, advmss: 1300, window: 9000, initcwnd: 20, initrwnd: 30, hoplimit: 9 },
    },
  },
  { words: '-6 default via 2001:db8:1::fe', route: { to: 'default', via: ip('2001:db8:1::fe') } },
  {
    words: '-6 2001:db8:5::/48 via 2001:db8:1::fe dev v0 metric 77',
    route: { to: net('2001:db8:5::/48'), via: ip('2001:db8:1::fe'), dev: V0, metric: 77 },
  },
  { words: '-6 2001:db8:6::/48 dev w0', route: { to: net('2001:db8:6::/48'), dev: W0 } },
  { words: '-6 blackhole 2001:db8:7::/48', route: { to: net('2001:db8:7::/48'), type: 'blackhole' } },
  { words: '-6 prohibit 2001:db8:8::/48', route: { to: net('2001:db8:8::/48'), type: 'prohibit' } },
  {
    words: '-6 2001:db8:9::/48 via 2001:db8:1::fe table 100000 mtu 1300',
    route: { to: net('2001:db8:9::/48'), via: ip('2001:db8:1::fe'), table: 100_000, metrics: { mtu: 1300 } },
  },
  {
    words: '-6 2001:db8:a::/48 nexthop via 2001:db8:1::2 weight 2 nexthop via 2001:db8:2::2 weight 5',
    route: {
      to: net('2001:db8:a::/48'),
      nexthops: [
        { via: ip('2001:db8:1::2'), weight: 2 },
        { via: ip('2001:db8:2::2'), weight: 5 },
      ],
    },
  },
];

/** All routes of a namespace, without the kernel's own, in a fixed order. */
function shownRoutes(ns: ThrowawayNetns): string[] {
  const all: Json[] = [...ns.ip('-d -4 route show table all'), ...ns.ip('-d -6 route show table all')];
  return all
    .filter((route) => route.protocol !== 'kernel')
    .map((route) => JSON.stringify(route))
    .sort();
}

for (const { words, route } of routes) {
  test(`the route "${words}" is the one ip-route(8) makes`, async (t) => {
    if (skipUnlessRoot(t)) return;
    await using ours = await throwawayNetns('t-rtnl');
    await using theirs = await throwawayNetns('t-rtnl');
    using transport = wired(ours);
    wired(theirs).close();
    const six = words.startsWith('-6 ');
    const plain = words.replace('-6 ', '').replace(' scope link', '');
    theirs.exec('ip', ...(six ? ['-6'] : []), 'route', 'add', ...plain.split(' '));
    const before = shownRoutes(ours);
    assert.deepEqual(before, []);

    transport.request(newRoute(route));
    const shown = shownRoutes(ours);
    assert.equal(shown.length, 1);
    assert.deepEqual(shown, shownRoutes(theirs));

    const read = getRoutes(transport).find(({ proto }) => proto !== 2);
    assert.ok(read !== undefined);
    for (const [name, value] of Object.entries(route)) {
      if (name !== 'nexthops') assert.deepEqual(Reflect.get(read, name), value, name);
    }
    for (const [i, hop] of (route.nexthops ?? []).entries()) {
      for (const [name, value] of Object.entries(hop)) {
        assert.deepEqual(Reflect.get(read.nexthops?.[i] ?? {}, name), value, `nexthops[${i}].${name}`);
      }
    }

    assert.equal(transport.batch([newRoute(route)])[0]?.code, 'EEXIST');
    transport.request(delRoute(route));
    assert.deepEqual(shownRoutes(ours), []);
    assert.equal(transport.batch([delRoute(route)])[0]?.code, 'ESRCH');
  });
}

test('replacing a route leaves one', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = wired(ns);
  transport.request(newRoute({ to: 'default', via: ip('10.1.1.254') }));
  transport.request(replaceRoute({ to: 'default', via: ip('10.1.2.254') }));
  const found = getRoutes(transport, { family: 2, table: 254 }).filter(({ to }) => to === 'default');
  assert.deepEqual(
    found.map(({ via }) => via),
    ['10.1.2.254'],
  );
});

test('dumps of routes are narrowed by the kernel, and a table without routes is empty', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = wired(ns);
  transport.request(newRoute({ to: net('10.20.0.0/16'), dev: V0, table: 777 }));
  transport.request(newRoute({ to: net('10.21.0.0/16'), dev: W0, table: 777, proto: 110 }));
  const found = (filter: Parameters<typeof getRoutes>[1]): string[] =>
    getRoutes(transport, filter).map(({ to }) => to);
  assert.deepEqual(found({ table: 777 }), ['10.20.0.0/16', '10.21.0.0/16']);
  assert.deepEqual(found({ table: 777, dev: W0 }), ['10.21.0.0/16']);
  assert.deepEqual(found({ proto: 110 }), ['10.21.0.0/16']);
  assert.deepEqual(found({ table: 778 }), []);
  assert.deepEqual(found({ table: 778, family: 10 }), []);
});

test('a route is put back word for word from its payload', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = wired(ns);
  for (const { route } of routes.filter(({ words }) => !words.includes('local')))
    transport.request(newRoute(route));
  const before = shownRoutes(ns);
  const saved = ([2, 10] as const).flatMap((family) => getRoutePayloads(transport, { family }));
  // Taking the link down takes its routes with it.
  for (const ifindex of [V0, W0]) transport.request(setLink({ ifindex }, { up: false }));
  for (const ifindex of [V0, W0]) transport.request(setLink({ ifindex }, { up: true }));
  transport.request(newAddress({ ifindex: V0, address: '2001:db8:1::1/64' as IpInterface, nodad: true }));
  transport.request(newAddress({ ifindex: W0, address: '2001:db8:2::1/64' as IpInterface, nodad: true }));
  assert.notDeepEqual(shownRoutes(ns), before);
  const failures = transport.batch(saved.map(rawRoute)).filter((failure) => failure !== undefined);
  assert.deepEqual(failures, []);
  assert.deepEqual(shownRoutes(ns), before);
});

test('a look-up says where a packet would go, and refuses where it would go nowhere', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = wired(ns);
  transport.batch([
    newRoute({ to: net('10.7.0.0/16'), type: 'blackhole' }),
    newRoute({ to: net('10.8.0.0/16'), type: 'unreachable' }),
    newRoute({ to: net('10.9.0.0/16'), type: 'prohibit' }),
    newRoute({ to: net('10.2.0.0/16'), via: ip('10.1.2.254') }),
    newRoute({ to: net('2001:db8:5::/48'), via: ip('2001:db8:1::fe') }),
  ]);
  const found = lookupRoute(transport, { to: ip('10.2.3.4') });
  assert.deepEqual([found.via, found.dev, found.src], ['10.1.2.254', W0, '10.1.2.1']);
  const [json] = ns.ip('route get 10.2.3.4');
  assert.deepEqual([json.gateway, json.dev, json.prefsrc], ['10.1.2.254', 'w0', '10.1.2.1']);
  const six = lookupRoute(transport, { to: ip('2001:db8:5::9') });
  assert.deepEqual([six.via, six.dev, six.src], ['2001:db8:1::fe', V0, '2001:db8:1::1']);
  assert.equal(lookupRoute(transport, { to: ip('10.1.1.1') }).type, 'local');
  assert.equal(lookupRoute(transport, { to: ip('10.2.3.4'), from: ip('10.1.1.1') }).via, '10.1.2.254');
  for (const [to, code] of [
    ['10.7.0.1', 'EINVAL'],
    ['10.8.0.1', 'EHOSTUNREACH'],
    ['10.9.0.1', 'EACCES'],
    ['203.0.113.1', 'ENETUNREACH'],
  ] as const) {
    assert.throws(() => lookupRoute(transport, { to: ip(to) }), { code }, to);
  }
});

type RuleCase = { readonly words: string; readonly rule: Rule };

const rules: readonly RuleCase[] = [
  {
    words: 'from 10.0.0.0/24 table 100 priority 5',
    rule: { family: 2, from: net('10.0.0.0/24'), action: 'table', table: 100, priority: 5 },
  },
  {
    words: 'to 10.9.0.0/16 iif v0 oif w0 table 100000 priority 6',
    rule: {
      family: 2,
      to: net('10.9.0.0/16'),
      iif: 'v0',
      oif: 'w0',
      action: 'table',
      table: 100_000,
      priority: 6,
    },
  },
  {
    words: 'fwmark 0x10/0xff tos 0x10 table 254 suppress_prefixlength 0 priority 7',
    rule: {
      family: 2,
      fwmark: 0x10,
      fwmask: 0xff,
      tos: 0x10,
      action: 'table',
      table: 254,
      suppressPrefixlength: 0,
      priority: 7,
    },
  },
  {
    words: 'not ipproto udp sport 100-200 dport 53 uidrange 5-10 blackhole priority 8',
    rule: {
      family: 2,
      not: true,
      ipproto: 17,
      sport: { start: 100, end: 200 },
      dport: { start: 53, end: 53 },
      uidrange: { start: 5, end: 10 },
      action: 'blackhole',
      priority: 8,
    },
  },
  { words: 'unreachable priority 9', rule: { family: 2, action: 'unreachable', priority: 9 } },
  { words: 'goto 32766 priority 10', rule: { family: 2, action: 'goto', goto: 32766, priority: 10 } },
  {
    words: '-6 from 2001:db8::/32 prohibit priority 11',
    rule: { family: 10, from: net('2001:db8::/32'), action: 'prohibit', priority: 11 },
  },
  {
    words: '-6 to 2001:db8:5::/48 table 100 protocol static priority 12',
    rule: { family: 10, to: net('2001:db8:5::/48'), action: 'table', table: 100, proto: 4, priority: 12 },
  },
];

function shownRules(ns: ThrowawayNetns): Json[] {
  return [...ns.ip('-d rule'), ...ns.ip('-d -6 rule')].filter(
    (rule: Json) => rule.priority > 0 && rule.priority < 32766,
  );
}

async function compareRule(
  t: Parameters<typeof skipUnlessRoot>[0],
  { words, rule }: RuleCase,
): Promise<void> {
  if (skipUnlessRoot(t)) return;
  await using ours = await throwawayNetns('t-rtnl');
  await using theirs = await throwawayNetns('t-rtnl');
  using transport = wired(ours);
  wired(theirs).close();
  const six = words.startsWith('-6 ');
  theirs.exec('ip', ...(six ? ['-6'] : []), 'rule', 'add', ...words.replace('-6 ', '').split(' '));
  transport.request(newRule(rule));
  assert.equal(shownRules(ours).length, 1);
  assert.deepEqual(shownRules(ours), shownRules(theirs));
  const read = getRules(transport, rule.family).find(({ priority }) => priority === rule.priority);
  for (const [name, value] of Object.entries(rule))
    assert.deepEqual(Reflect.get(read ?? {}, name), value, name);
  assert.equal(transport.batch([newRule(rule)])[0]?.code, 'EEXIST');
  transport.request(delRule(rule));
  assert.deepEqual(shownRules(ours), []);
  assert.equal(transport.batch([delRule(rule)])[0]?.code, 'ENOENT');
}

for (const one of rules) {
  test(`the rule "${one.words}" is the one ip-rule(8) makes`, (t) => compareRule(t, one));
}

test('the rule "l3mdev priority 13" is the one ip-rule(8) makes', async (t) => {
  // CONFIG_NET_L3_MASTER_DEV comes with vrf.
  if (skipUnlessLinkKind(t, 'vrf')) return;
  await compareRule(t, {
    words: 'l3mdev priority 13',
    rule: { family: 2, l3mdev: true, action: 'table', priority: 13 },
  });
});

type NeighbourCase = { readonly words: string; readonly neighbour: NewNeighbour };

const neighbours: readonly NeighbourCase[] = [
  {
    words: '10.1.1.9 lladdr 02:00:00:00:00:09 dev v0',
    neighbour: { ifindex: V0, address: ip('10.1.1.9'), lladdr: '02:00:00:00:00:09' as MacAddress },
  },
  {
    words: '2001:db8:1::9 lladdr 02:00:00:00:00:09 dev v0 router',
    neighbour: {
      ifindex: V0,
      address: ip('2001:db8:1::9'),
      lladdr: '02:00:00:00:00:09' as MacAddress,
      router: true,
    },
  },
  { words: 'proxy 10.1.1.10 dev v0', neighbour: { ifindex: V0, address: ip('10.1.1.10'), proxy: true } },
  {
    words: 'proxy 2001:db8:1::10 dev v0',
    neighbour: { ifindex: V0, address: ip('2001:db8:1::10'), proxy: true },
  },
];

function shownNeighbours(ns: ThrowawayNetns): Json[] {
  const permanent = ns.ip('neigh show nud permanent');
  return [...permanent, ...ns.ip('neigh show proxy'), ...ns.ip('-6 neigh show proxy')];
}

for (const { words, neighbour } of neighbours) {
  test(`the neighbour "${words}" is the one ip-neighbour(8) makes`, async (t) => {
    if (skipUnlessRoot(t)) return;
    await using ours = await throwawayNetns('t-rtnl');
    await using theirs = await throwawayNetns('t-rtnl');
    using transport = wired(ours);
    wired(theirs).close();
    theirs.exec('ip', 'neigh', 'add', ...words.split(' '));
    transport.request(newNeighbour(neighbour));
    assert.ok(shownNeighbours(ours).length > 0);
    assert.deepEqual(shownNeighbours(ours), shownNeighbours(theirs));
    const filter = neighbour.proxy ? ({ proxy: true } as const) : {};
    const read = getNeighbours(transport, filter).find(({ address }) => address === neighbour.address);
    for (const [name, value] of Object.entries(neighbour))
      assert.deepEqual(Reflect.get(read ?? {}, name), value, name);
    transport.request(delNeighbour(neighbour));
    assert.deepEqual(shownNeighbours(ours), []);
    assert.equal(transport.batch([delNeighbour(neighbour)])[0]?.code, 'ENOENT');
  });
}

test('replacing a neighbour changes its hardware address', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = wired(ns);
  const address = ip('10.1.1.9');
  transport.request(newNeighbour({ ifindex: V0, address, lladdr: '02:00:00:00:00:01' as MacAddress }));
  const other = '02:00:00:00:00:02' as MacAddress;
  assert.equal(transport.batch([newNeighbour({ ifindex: V0, address, lladdr: other })])[0]?.code, 'EEXIST');
  transport.request(replaceNeighbour({ ifindex: V0, address, lladdr: other }));
  assert.equal(ns.ip('neigh show nud permanent')[0].lladdr, other);
  const permanent = getNeighbours(transport, { ifindex: W0 }).filter(({ state }) => state === 'permanent');
  assert.deepEqual(permanent, []);
});
