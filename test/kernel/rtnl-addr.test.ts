// Addresses as `ip -j addr` shows them, and as our own reader reads them back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpAddress, IpInterface } from '../../src/base/ip.ts';
import {
  delAddress,
  getAddresses,
  type NewAddress,
  newAddress,
  replaceAddress,
} from '../../src/rtnl/addr.ts';
import { newLink } from '../../src/rtnl/link.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { type Json, type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const V0 = 50;
const ip = (text: string): IpAddress => text as IpAddress;
const on = (text: string): IpInterface => text as IpInterface;
const FOREVER = 4294967295;

type Case = { readonly of: string; readonly address: Omit<NewAddress, 'ifindex'>; readonly shown: Json };

const cases: readonly Case[] = [
  {
    of: 'a plain IPv4 address has no broadcast address and lasts for ever',
    address: { address: on('10.1.2.3/24') },
    shown: {
      local: '10.1.2.3',
      prefixlen: 24,
      scope: 'global',
      broadcast: undefined,
      label: 'v0',
      valid_life_time: FOREVER,
      preferred_life_time: FOREVER,
    },
  },
  {
    of: 'broadcast +',
    address: { address: on('10.1.2.3/20'), broadcast: '+' },
    shown: { local: '10.1.2.3', prefixlen: 20, broadcast: '10.1.15.255' },
  },
  {
    of: 'a broadcast address of its own',
    address: { address: on('10.1.2.3/24'), broadcast: ip('10.1.2.0') },
    shown: { local: '10.1.2.3', broadcast: '10.1.2.0' },
  },
  {
    of: 'a peer',
    address: { address: on('10.1.2.3/30'), peer: ip('10.1.2.4') },
    shown: { local: '10.1.2.3', address: '10.1.2.4', prefixlen: 30 },
  },
  {
    of: 'scope, label, lifetimes, metric',
    address: {
      address: on('10.1.2.3/24'),
      scope: 'link',
      label: 'v0:x',
      validLft: 4000,
      preferredLft: 3000,
      metric: 77,
    },
    shown: { scope: 'link', label: 'v0:x', dynamic: true, metric: 77 },
  },
  {
    of: 'noprefixroute',
    address: { address: on('10.1.2.3/24'), noprefixroute: true },
    shown: { local: '10.1.2.3', noprefixroute: true },
  },
  {
    of: 'an IPv6 address that is usable at once',
    address: { address: on('2001:db8::1/64'), nodad: true },
    shown: { local: '2001:db8::1', prefixlen: 64, scope: 'global', nodad: true, tentative: undefined },
  },
  {
    of: 'an IPv6 peer',
    address: { address: on('2001:db8::1/128'), peer: ip('2001:db8::2'), nodad: true },
    shown: { local: '2001:db8::1', address: '2001:db8::2', prefixlen: 128 },
  },
  {
    of: 'IPv6 flags and lifetimes',
    address: { address: on('fd00::5/64'), noprefixroute: true, nodad: true, validLft: 500, preferredLft: 0 },
    shown: { local: 'fd00::5', noprefixroute: true, nodad: true, deprecated: true, preferred_life_time: 0 },
  },
  {
    of: 'a link-local address',
    address: { address: on('fe80::77/64'), nodad: true },
    shown: { local: 'fe80::77', scope: 'link' },
  },
];

function open(ns: ThrowawayNetns): Transport {
  const transport = ns.inside(() => Transport.open(NETLINK_ROUTE));
  transport.request(newLink({ ifname: 'v0', ifindex: V0, info: { kind: 'veth', peer: { ifname: 'v1' } } }));
  return transport;
}

function shownOf(ns: ThrowawayNetns): Json[] {
  return ns.ip('-d addr show dev v0')[0].addr_info;
}

for (const { of, address, shown } of cases) {
  test(`${of}: as described`, async (t) => {
    if (skipUnlessRoot(t)) return;
    await using ns = await throwawayNetns('t-rtnl');
    using transport = open(ns);
    const written = { ifindex: V0, ...address };
    transport.request(newAddress(written));
    const [json, ...rest] = shownOf(ns);
    assert.deepEqual(rest, []);
    for (const [name, value] of Object.entries(shown)) assert.deepEqual(json[name], value, name);

    const [read] = getAddresses(transport, { ifindex: V0 });
    for (const [name, value] of Object.entries(written)) {
      if (name === 'broadcast' && value === '+') assert.equal(read?.broadcast, json.broadcast);
      else if (name.endsWith('Lft'))
        assert.ok(Math.abs(Number(Reflect.get(read ?? {}, name)) - Number(value)) <= 2);
      else assert.deepEqual(Reflect.get(read ?? {}, name), value, name);
    }

    assert.equal(transport.batch([newAddress(written)])[0]?.code, 'EEXIST');
    transport.request(delAddress(written));
    assert.deepEqual(shownOf(ns), []);
    assert.equal(transport.batch([delAddress(written)])[0]?.code, 'EADDRNOTAVAIL');
  });
}

test('replacing an address changes its lifetimes', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  const address = on('2001:db8::1/64');
  transport.request(newAddress({ ifindex: V0, address, nodad: true }));
  transport.request(replaceAddress({ ifindex: V0, address, nodad: true, validLft: 1000, preferredLft: 900 }));
  const [json] = shownOf(ns);
  assert.ok(json.valid_life_time <= 1000 && json.valid_life_time > 990);
});

test('addresses are dumped by link and by family', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = open(ns);
  transport.request(newAddress({ ifindex: V0, address: on('10.0.0.1/24') }));
  transport.request(newAddress({ ifindex: V0, address: on('10.0.0.2/24') }));
  transport.request(newAddress({ ifindex: 1, address: on('127.0.0.1/8') }));
  transport.request(newAddress({ ifindex: 1, address: on('::1/128'), nodad: true }));
  const text = (filter: Parameters<typeof getAddresses>[1]): string[] =>
    getAddresses(transport, filter).map(({ ifindex, address }) => `${ifindex} ${address}`);
  assert.deepEqual(text({ ifindex: V0 }), [`${V0} 10.0.0.1/24`, `${V0} 10.0.0.2/24`]);
  assert.deepEqual(text({ family: 10 }), ['1 ::1/128']);
  assert.deepEqual(text({ family: 2 }), ['1 127.0.0.1/8', `${V0} 10.0.0.1/24`, `${V0} 10.0.0.2/24`]);
  assert.equal(text({}).length, 4);
  assert.deepEqual(
    getAddresses(transport, { ifindex: V0 }).map(({ secondary }) => secondary),
    [false, true],
  );
});
