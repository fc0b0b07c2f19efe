// Every kind of link with every field of its data, as `ip -j -d link` shows it, and as our own reader reads it back.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import type { IpAddress } from '../../src/base/ip.ts';
import { getLink, newLink, setLink } from '../../src/rtnl/link.ts';
import type { LinkInfo } from '../../src/rtnl/linkinfo/linkinfo.ts';
import { NETLINK_ROUTE, Transport } from '../../src/rtnl/transport.ts';
import { type Json, throwawayNetns } from '../support/netns.ts';
import { skipKernelLacks, skipUnlessLinkKind, skipUnlessRoot } from '../support/skip.ts';

const ip = (text: string): IpAddress => text as IpAddress;
/** The parent that every namespace here has: one end of a veth. Low numbers are taken where tunnel modules add a device of their own. */
const PARENT = 70;

/** Skips where the kernel lacks what the words after `ip link add` ask for, tried in a namespace of their own. */
function skipUnlessLink(t: TestContext, feature: string, words: string): boolean {
  const script = `ip link add p0 type veth && ip link add x0 ${words}`;
  try {
    execFileSync('unshare', ['-n', 'sh', '-c', script], { stdio: 'ignore' });
    return false;
  } catch {
    skipKernelLacks(t, feature);
    return true;
  }
}

/** What a kind needs to be tried, where its name alone is not enough: without addresses a tunnel is its module's own device. */
const probes: Readonly<Record<string, string>> = {
  macvtap: 'link p0 type macvtap',
  gre: 'type gre local 127.0.0.1 remote 127.0.0.2',
  gretap: 'type gretap local 127.0.0.1 remote 127.0.0.2',
  ip6gre: 'type ip6gre local 2001:db8::1 remote 2001:db8::2',
  ip6gretap: 'type ip6gretap local 2001:db8::1 remote 2001:db8::2',
  ipip: 'type ipip local 127.0.0.1 remote 127.0.0.2',
  sit: 'type sit local 127.0.0.1 remote 127.0.0.2',
  ip6tnl: 'type ip6tnl local 2001:db8::1 remote 2001:db8::2',
};

function skipUnlessKind(t: TestContext, kind: string): boolean {
  const words = probes[kind];
  return words === undefined ? skipUnlessLinkKind(t, kind) : skipUnlessLink(t, kind, words);
}

type Case = {
  readonly of: string;
  readonly info: LinkInfo;
  /** Members of `linkinfo.info_data` as `ip -j -d link` prints them. */
  readonly shown: Json;
  readonly link?: number;
  /** A change of the link that is made then. */
  readonly change?: { readonly info: LinkInfo; readonly shown: Json };
};

const cases: readonly Case[] = [
  { of: 'dummy', info: { kind: 'dummy' }, shown: {} },
  { of: 'ifb', info: { kind: 'ifb' }, shown: {} },
  { of: 'wireguard', info: { kind: 'wireguard' }, shown: {} },
  {
    of: 'bridge with every field',
    info: {
      kind: 'bridge',
      stp_state: 1,
      forward_delay: 400,
      hello_time: 300,
      max_age: 1500,
      ageing_time: 12300,
      priority: 4096,
      group_fwd_mask: 8,
      mcast_snooping: false,
      mcast_querier: false,
      mcast_router: 2,
      nf_call_iptables: false,
      nf_call_ip6tables: false,
      nf_call_arptables: false,
    },
    shown: {
      stp_state: 1,
      forward_delay: 400,
      hello_time: 300,
      max_age: 1500,
      ageing_time: 12300,
      priority: 4096,
      group_fwd_mask: '0x8',
      mcast_snooping: 0,
      mcast_router: 2,
    },
    change: {
      info: { kind: 'bridge', ageing_time: 780, stp_state: 0 },
      shown: { ageing_time: 780, stp_state: 0 },
    },
  },
  {
    of: 'vxlan with one remote',
    info: {
      kind: 'vxlan',
      id: 4242,
      link: PARENT,
      local: ip('10.0.0.1'),
      remote: ip('10.0.0.2'),
      ttl: 33,
      tos: 16,
      learning: false,
      ageing: 123,
      limit: 77,
      port: 4789,
      proxy: true,
      rsc: true,
      l2miss: true,
      l3miss: true,
      udp_csum: true,
      gbp: true,
    },
    shown: {
      id: 4242,
      link: 'parent',
      local: '10.0.0.1',
      remote: '10.0.0.2',
      ttl: 33,
      tos: '0x10',
      learning: false,
      ageing: 123,
      limit: 77,
      port: 4789,
      proxy: true,
      rsc: true,
      l2miss: true,
      l3miss: true,
      udp_csum: true,
      gbp: true,
    },
  },
  {
    of: 'vxlan with a multicast group',
    info: { kind: 'vxlan', id: 5, link: PARENT, remote: ip('239.1.1.1'), port: 8472, learning: true },
    shown: { id: 5, link: 'parent', group: '239.1.1.1', port: 8472, learning: true },
  },
  {
    of: 'vxlan over IPv6',
    info: {
      kind: 'vxlan',
      id: 6,
      local: ip('2001:db8::1'),
      remote: ip('2001:db8::2'),
      port: 4789,
      label: 0x12345,
      udp_zero_csum6_tx: true,
      udp_zero_csum6_rx: true,
    },
    shown: {
      id: 6,
      local6: '2001:db8::1',
      remote6: '2001:db8::2',
      label: '0x12345',
      udp_zero_csum6_tx: true,
      udp_zero_csum6_rx: true,
    },
  },
  {
    of: 'vxlan that takes its peers from routes',
    info: { kind: 'vxlan', external: true, port: 4789 },
    shown: { external: true, port: 4789 },
  },
  ...(['private', 'vepa', 'bridge', 'passthru', 'source'] as const).map(
    (mode): Case => ({
      of: `macvlan in mode ${mode}`,
      info: { kind: 'macvlan', mode },
      link: PARENT,
      shown: { mode },
    }),
  ),
  {
    of: 'macvlan with a flag',
    info: { kind: 'macvlan', mode: 'passthru', flags: 1 },
    link: PARENT,
    shown: { mode: 'passthru', nopromisc: true },
  },
  { of: 'macvtap', info: { kind: 'macvtap', mode: 'bridge' }, link: PARENT, shown: { mode: 'bridge' } },
  ...(['l2', 'l3', 'l3s'] as const).map(
    (mode): Case => ({
      of: `ipvlan in mode ${mode}`,
      info: { kind: 'ipvlan', mode, flag: 'private' },
      link: PARENT,
      shown: { mode, private: true },
    }),
  ),
  {
    of: 'ipvlan with flag vepa',
    info: { kind: 'ipvlan', mode: 'l2', flag: 'vepa' },
    link: PARENT,
    shown: { mode: 'l2', vepa: true },
    change: { info: { kind: 'ipvlan', mode: 'l3' }, shown: { mode: 'l3' } },
  },
  {
    of: 'vlan of 802.1Q',
    info: { kind: 'vlan', id: 4000 },
    link: PARENT,
    shown: { protocol: '802.1Q', id: 4000, flags: ['REORDER_HDR'] },
  },
  {
    of: 'vlan of 802.1ad with flags',
    info: { kind: 'vlan', id: 5, protocol: '802.1ad', flags: { reorder_hdr: false, loose_binding: true } },
    link: PARENT,
    shown: { protocol: '802.1ad', id: 5, flags: ['LOOSE_BINDING'] },
    change: {
      info: { kind: 'vlan', flags: { reorder_hdr: true } },
      shown: { flags: ['REORDER_HDR', 'LOOSE_BINDING'] },
    },
  },
  { of: 'vrf', info: { kind: 'vrf', table: 1234 }, shown: { table: 1234 } },
  {
    of: 'bond of 802.3ad',
    info: {
      kind: 'bond',
      mode: '802.3ad',
      miimon: 100,
      updelay: 200,
      downdelay: 300,
      use_carrier: 1,
      xmit_hash_policy: 'layer3+4',
      ad_lacp_rate: 'fast',
      ad_select: 'bandwidth',
      min_links: 2,
      all_slaves_active: 1,
      lp_interval: 3,
      num_peer_notif: 2,
      resend_igmp: 3,
    },
    shown: {
      mode: '802.3ad',
      miimon: 100,
      updelay: 200,
      downdelay: 300,
      use_carrier: 1,
      xmit_hash_policy: 'layer3+4',
      ad_lacp_rate: 'fast',
      ad_select: 'bandwidth',
      min_links: 2,
      all_slaves_active: 1,
      lp_interval: 3,
      num_peer_notif: 2,
      resend_igmp: 3,
    },
  },
  {
    of: 'bond that probes with ARP',
    info: {
      kind: 'bond',
      mode: 'active-backup',
      arp_interval: 500,
      arp_ip_target: [ip('10.0.0.1'), ip('10.0.0.2')],
      arp_validate: 'active',
      arp_all_targets: 'all',
      fail_over_mac: 'active',
      primary_reselect: 'failure',
    },
    shown: {
      mode: 'active-backup',
      arp_interval: 500,
      arp_ip_target: ['10.0.0.1', '10.0.0.2'],
      arp_validate: 'active',
      arp_all_targets: 'all',
      fail_over_mac: 'active',
      primary_reselect: 'failure',
    },
  },
  ...(['balance-rr', 'balance-xor', 'broadcast', 'balance-tlb', 'balance-alb'] as const).map(
    (mode): Case => ({ of: `bond in mode ${mode}`, info: { kind: 'bond', mode }, shown: { mode } }),
  ),
  ...(['gre', 'gretap'] as const).map(
    (kind): Case => ({
      of: `${kind} with different keys`,
      info: {
        kind,
        link: PARENT,
        local: ip('10.0.0.1'),
        remote: ip('10.0.0.2'),
        ikey: 7,
        okey: 0x0102_0304,
        ttl: 64,
        tos: 16,
        pmtudisc: true,
        iseq: true,
        oseq: true,
        icsum: true,
        ocsum: true,
        fwmark: 9,
      },
      shown: {
        link: 'parent',
        local: '10.0.0.1',
        remote: '10.0.0.2',
        ikey: '0.0.0.7',
        okey: '1.2.3.4',
        ttl: 64,
        tos: '0x10',
        pmtudisc: true,
        iseq: true,
        oseq: true,
        icsum: true,
        ocsum: true,
        fwmark: '0x9',
      },
    }),
  ),
  ...(['ip6gre', 'ip6gretap'] as const).map(
    (kind): Case => ({
      of: `${kind} with a key`,
      info: { kind, local: ip('2001:db8::1'), remote: ip('2001:db8::2'), ikey: 5, okey: 5, ttl: 9 },
      shown: { local: '2001:db8::1', remote: '2001:db8::2', ikey: '0.0.0.5', okey: '0.0.0.5', ttl: 9 },
    }),
  ),
  {
    of: 'ipip',
    info: {
      kind: 'ipip',
      local: ip('10.0.0.1'),
      remote: ip('10.0.0.2'),
      ttl: 5,
      tos: 16,
      pmtudisc: true,
      proto: 'any',
    },
    shown: { local: '10.0.0.1', remote: '10.0.0.2', ttl: 5, tos: '0x10', pmtudisc: true, proto: 'any' },
    change: {
      info: { kind: 'ipip', local: ip('10.0.0.1'), remote: ip('10.0.0.9') },
      shown: { remote: '10.0.0.9' },
    },
  },
  {
    of: 'sit',
    info: { kind: 'sit', local: ip('10.0.0.1'), remote: ip('10.0.0.2'), ttl: 5, proto: 'ip6ip' },
    shown: { local: '10.0.0.1', remote: '10.0.0.2', ttl: 5, proto: 'ip6ip' },
  },
  {
    of: 'ip6tnl',
    info: {
      kind: 'ip6tnl',
      local: ip('2001:db8::1'),
      remote: ip('2001:db8::2'),
      ttl: 5,
      encap_limit: 3,
      proto: 'any',
    },
    shown: { local: '2001:db8::1', remote: '2001:db8::2', ttl: 5, encap_limit: 3, proto: 'any' },
  },
];

/** The members of the expected object, as the actual one has them. */
function pick(actual: Json, expected: Json): Json {
  return Object.fromEntries(Object.keys(expected).map((key) => [key, actual?.[key]]));
}

/** Every member of the expected object is in the actual one; nested objects may have more. */
function assertIncludes(actual: Json, expected: Json): void {
  for (const [name, value] of Object.entries(expected)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      assertIncludes(actual[name], value);
    else assert.deepEqual(actual[name], value, name);
  }
}

for (const { of, info, shown, link, change } of cases) {
  test(`${of} is made as described`, async (t) => {
    if (skipUnlessRoot(t) || skipUnlessKind(t, info.kind)) return;
    await using ns = await throwawayNetns('t-rtnl');
    using transport = ns.inside(() => Transport.open(NETLINK_ROUTE));
    transport.request(
      newLink({ ifname: 'parent', ifindex: PARENT, info: { kind: 'veth', peer: { ifname: 'far' } } }),
    );
    transport.request(newLink({ ifname: 'x0', ifindex: 99, ...(link === undefined ? {} : { link }), info }));

    const [json] = ns.ip('-d link show dev x0');
    assert.equal(json.ifindex, 99);
    assert.equal(json.linkinfo.info_kind, info.kind);
    assert.deepEqual(pick(json.linkinfo.info_data, shown), shown);
    if (link !== undefined) assert.equal(json.link, 'parent');

    const read = getLink(transport, { ifindex: 99 });
    assert.equal(read?.kind, info.kind);
    assertIncludes(read.info, info);

    if (change === undefined) return;
    transport.request(setLink({ ifindex: 99 }, { info: change.info }));
    const [changed] = ns.ip('-d link show dev x0');
    assert.deepEqual(pick(changed.linkinfo.info_data, change.shown), change.shown);
  });
}

test('a bridge filters VLANs when it is told to', async (t) => {
  if (skipUnlessRoot(t) || skipUnlessLink(t, 'bridge vlan_filtering', 'type bridge vlan_filtering 1')) return;
  await using ns = await throwawayNetns('t-rtnl');
  using transport = ns.inside(() => Transport.open(NETLINK_ROUTE));
  const info = {
    kind: 'bridge',
    vlan_filtering: true,
    vlan_default_pvid: 77,
    vlan_protocol: '802.1ad',
  } as const;
  transport.request(newLink({ ifname: 'br0', info }));
  const data = ns.ip('-d link show dev br0')[0].linkinfo.info_data;
  assert.deepEqual([data.vlan_filtering, data.vlan_default_pvid, data.vlan_protocol], [1, 77, '802.1ad']);
  assert.deepEqual(pick(getLink(transport, { ifname: 'br0' })?.info, info), info);
});
