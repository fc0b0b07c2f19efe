// Ports of a bridge, their VLANs, and forwarding databases, as `ip -j -d link` and `bridge -j` show them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import type { IpAddress } from '../../src/base/ip.ts';
import type { MacAddress } from '../../src/base/names.ts';
import {
  addPortVlans,
  type BridgePort,
  delPortVlans,
  getPortVlans,
  parseBridgePort,
  setBridgePort,
} from '../../src/rtnl/bridge-port.ts';
import { getLink, newLink, setLink } from '../../src/rtnl/link.ts';
import { appendFdbEntry, delFdbEntry, type FdbEntry, getFdb, newFdbEntry } from '../../src/rtnl/neigh.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { type Json, type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

const BR = 50;
const PORT = 60;
const VX = 70;
const ip = (text: string): IpAddress => text as IpAddress;
const mac = (text: string): MacAddress => text as MacAddress;

function skipUnlessVlanFiltering(t: TestContext): boolean {
  try {
    execFileSync('unshare', ['-n', 'ip', 'link', 'add', 'b0', 'type', 'bridge', 'vlan_filtering', '1'], {
      stdio: 'ignore',
    });
    return false;
  } catch {
    skipKernelLacks(t, 'bridge vlan_filtering');
    return true;
  }
}

function bridged(ns: ThrowawayNetns, vlanFiltering: boolean): Transport {
  const transport = ns.inside(() => Transport.open(NETLINK_ROUTE));
  const filtering = vlanFiltering ? ({ vlan_filtering: true } as const) : {};
  transport.request(
    newLink({ ifname: 'br0', ifindex: BR, up: true, info: { kind: 'bridge', ...filtering } }),
  );
  const peer = { ifname: 'far', ifindex: 61 };
  transport.request(
    newLink({ ifname: 'port', ifindex: PORT, master: BR, up: true, info: { kind: 'veth', peer } }),
  );
  transport.request(setLink({ ifindex: 61 }, { up: true }));
  return transport;
}

function shown(ns: ThrowawayNetns): Json {
  return ns.ip('-d link show dev port')[0].linkinfo.info_slave_data;
}

const fields: readonly { readonly port: BridgePort; readonly shown: Json }[] = [
  { port: { priority: 5 }, shown: { priority: 5 } },
  { port: { cost: 77 }, shown: { cost: 77 } },
  { port: { hairpin: true }, shown: { hairpin: true } },
  { port: { guard: true }, shown: { guard: true } },
  { port: { root_block: true }, shown: { root_block: true } },
  { port: { fastleave: true }, shown: { fastleave: true } },
  { port: { learning: false }, shown: { learning: false } },
  { port: { flood: false }, shown: { flood: false } },
  { port: { proxy_arp: true }, shown: { proxy_arp: true } },
  { port: { proxy_arp_wifi: true }, shown: { proxy_arp_wifi: true } },
  { port: { multicast_router: 2 }, shown: { multicast_router: 2 } },
  { port: { mcast_flood: false }, shown: { mcast_flood: false } },
  { port: { mcast_to_unicast: true }, shown: { mcast_to_unicast: true } },
  { port: { vlan_tunnel: true }, shown: { vlan_tunnel: true } },
  { port: { bcast_flood: false }, shown: { bcast_flood: false } },
  { port: { group_fwd_mask: 8 }, shown: { group_fwd_mask_str: '0x8' } },
  { port: { neigh_suppress: true }, shown: { neigh_suppress: true } },
  { port: { isolated: true }, shown: { isolated: true } },
  { port: { locked: true }, shown: { locked: true } },
  { port: { state: 'learning' }, shown: { state: 'learning' } },
];

test('every field of a bridge port is set, and read back', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, false);
  // The kernel sees the carrier of the far end a moment later, and sets the state itself then.
  for (let i = 0; shown(ns).state !== 'forwarding'; i++) assert.ok(i < 500, 'the port does not forward');
  for (const field of fields) {
    const [name] = Object.keys(field.port);
    const [shownName, value] = Object.entries(field.shown)[0] ?? [];
    assert.notDeepEqual(shown(ns)[shownName ?? ''], value, `${name} has the value from the beginning`);
    transport.request(setBridgePort(PORT, field.port));
    assert.deepEqual(shown(ns)[shownName ?? ''], value, name);
  }
  const read = parseBridgePort(getLink(transport, { ifindex: PORT })?.slaveData ?? Buffer.alloc(0));
  const all: BridgePort = Object.assign({}, ...fields.map(({ port }) => port));
  for (const [name, value] of Object.entries(all)) assert.deepEqual(Reflect.get(read, name), value, name);
});

test('several fields of a port are set by one message', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, false);
  transport.request(setBridgePort(PORT, { cost: 5, priority: 3, isolated: true, learning: false }));
  const { cost, priority, isolated, learning } = shown(ns);
  assert.deepEqual(
    { cost, priority, isolated, learning },
    { cost: 5, priority: 3, isolated: true, learning: false },
  );
});

test('a link that is no port is refused', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, false);
  assert.equal(transport.batch([setBridgePort(61, { cost: 5 })])[0]?.code, 'EOPNOTSUPP');
});

/** `bridge -j vlan` of one link; some versions print no flags as an empty list. */
function vlans(ns: ThrowawayNetns, ifname: string): Json {
  const entry = ns.bridge('-compressvlans vlan show').find((one: Json) => one.ifname === ifname);
  return entry.vlans.map(({ flags = [], ...vlan }: Json) => (flags.length === 0 ? vlan : { ...vlan, flags }));
}

test('VLANs are added to a port and taken away, ranges and pvid as well', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessVlanFiltering(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, true);
  assert.deepEqual(getPortVlans(transport).get(PORT), [{ vid: 1, pvid: true, untagged: true }]);
  transport.request(delPortVlans({ ifindex: PORT }, [{ vid: 1 }]));
  transport.request(
    addPortVlans({ ifindex: PORT }, [
      { vid: 10, pvid: true, untagged: true },
      { vid: 100, vidEnd: 109 },
      { vid: 200, vidEnd: 200 },
      { vid: 300, untagged: true },
    ]),
  );
  assert.deepEqual(vlans(ns, 'port'), [
    { vlan: 10, flags: ['PVID', 'Egress Untagged'] },
    { vlan: 100, vlanEnd: 109 },
    { vlan: 200 },
    { vlan: 300, flags: ['Egress Untagged'] },
  ]);
  assert.deepEqual(getPortVlans(transport).get(PORT), [
    { vid: 10, pvid: true, untagged: true },
    { vid: 100, vidEnd: 109 },
    { vid: 200 },
    { vid: 300, untagged: true },
  ]);
  transport.request(delPortVlans({ ifindex: PORT }, [{ vid: 103, vidEnd: 105 }, { vid: 300 }]));
  assert.deepEqual(getPortVlans(transport).get(PORT)?.slice(1), [
    { vid: 100, vidEnd: 102 },
    { vid: 106, vidEnd: 109 },
    { vid: 200 },
  ]);
});

test('VLANs are added to the bridge itself', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessVlanFiltering(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, true);
  transport.request(addPortVlans({ ifindex: BR, self: true }, [{ vid: 20 }]));
  assert.deepEqual(vlans(ns, 'br0'), [{ vlan: 1, flags: ['PVID', 'Egress Untagged'] }, { vlan: 20 }]);
  transport.request(delPortVlans({ ifindex: BR, self: true }, [{ vid: 1 }]));
  assert.deepEqual(getPortVlans(transport).get(BR), [{ vid: 20 }]);
});

/** The entries of `bridge -j fdb` for one address of one link. */
function fdb(ns: ThrowawayNetns, ifname: string, lladdr: string): Json[] {
  return ns.bridge('fdb show').filter((entry: Json) => entry.ifname === ifname && entry.mac === lladdr);
}

function sameEntry(transport: Transport, entry: FdbEntry): boolean {
  return getFdb(transport).some((read) =>
    Object.entries(entry).every(([name, value]) => Reflect.get(read, name) === value),
  );
}

test('entries of a bridge are static, permanent or dynamic', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, false);
  for (const [state, last, shownState] of [
    ['static', '01', 'static'],
    ['permanent', '02', 'permanent'],
    ['dynamic', '03', ''],
  ] as const) {
    const entry: FdbEntry = { ifindex: PORT, lladdr: mac(`02:00:00:00:09:${last}`), in: 'master', state };
    transport.request(newFdbEntry(entry));
    const [json] = fdb(ns, 'port', entry.lladdr);
    assert.deepEqual([json.master, json.state], ['br0', shownState]);
    assert.ok(sameEntry(transport, entry), state);
    assert.equal(transport.batch([newFdbEntry(entry)])[0]?.code, 'EEXIST');
    transport.request(delFdbEntry(entry));
    assert.deepEqual(fdb(ns, 'port', entry.lladdr), []);
  }
});

test('a vxlan floods to every destination that is appended to the address of zeros', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = bridged(ns, false);
  transport.request(newLink({ ifname: 'vx', ifindex: VX, info: { kind: 'vxlan', id: 7, port: 4789 } }));
  const entry = (dst: string): FdbEntry => ({
    ifindex: VX,
    lladdr: '00:00:00:00:00:00',
    in: 'self',
    state: 'permanent',
    dst: ip(dst),
  });
  const destinations = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  for (const dst of destinations) transport.request(appendFdbEntry(entry(dst)));
  assert.deepEqual(
    fdb(ns, 'vx', '00:00:00:00:00:00').map(({ dst }) => dst),
    destinations,
  );
  assert.deepEqual(
    getFdb(transport, { ifindex: VX }).map(({ dst }) => dst),
    destinations,
  );
  transport.request(delFdbEntry(entry('10.0.0.2')));
  assert.equal(fdb(ns, 'vx', '00:00:00:00:00:00').length, 2);

  const unicast: FdbEntry = {
    ifindex: VX,
    lladdr: mac('02:00:00:00:00:77'),
    in: 'self',
    state: 'static',
    dst: ip('10.0.0.9'),
    port: 8472,
    vni: 99,
    via: 61,
  };
  transport.request(newFdbEntry(unicast));
  const [json] = fdb(ns, 'vx', unicast.lladdr);
  assert.deepEqual(
    [json.dst, Number(json.port), Number(json.vni), json.viaIf],
    ['10.0.0.9', 8472, 99, 'far'],
  );
  assert.ok(sameEntry(transport, unicast));
});
