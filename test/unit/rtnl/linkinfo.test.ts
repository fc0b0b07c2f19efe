import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type LinkInfo,
  moduleOfKind,
  readLinkInfo,
  writeLinkInfo,
} from '../../../src/rtnl/linkinfo/linkinfo.ts';
import { attributeMap, MessageWriter } from '../../../src/rtnl/message.ts';
import { ifindex, ifname, ipAddress, ipv4, ipv6, mac, optional, u8, u16, u32, yes } from './arbitrary.ts';

const bool = fc.boolean();
const word = <const W extends readonly string[]>(...words: W): fc.Arbitrary<W[number]> =>
  fc.constantFrom(...words);
const s32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });

/** The member of the union that has the kind among its kinds. */
type InfoOf<K, I = LinkInfo> = I extends { readonly kind: infer L } ? (K extends L ? I : never) : never;
type DataOf<K extends LinkInfo['kind']> = Omit<InfoOf<K>, 'kind'>;

const tunnel = { link: ifindex, ttl: u8, tos: u8, pmtudisc: bool, encap_limit: u8, fwmark: u32 };
const peer = optional<NonNullable<DataOf<'veth'>['peer']>>({
  ifname,
  ifindex,
  mac,
  mtu: u32,
  txqlen: u32,
  group: u32,
  netnsFd: u16,
  numTxQueues: u16,
  numRxQueues: u16,
});
const vlanFlags = optional<NonNullable<DataOf<'vlan'>['flags']>>({
  reorder_hdr: bool,
  gvrp: bool,
  loose_binding: bool,
  mvrp: bool,
  bridge_binding: bool,
});
const greKeys = { ikey: u32, okey: u32, iseq: yes, oseq: yes, icsum: yes, ocsum: yes };

/** One generator of data for every kind: a kind without one does not compile. */
const data: { readonly [K in LinkInfo['kind']]: fc.Arbitrary<Partial<DataOf<K>>> } = {
  veth: optional<DataOf<'veth'>>({ peer }),
  bridge: optional<DataOf<'bridge'>>({
    stp_state: u32,
    forward_delay: u32,
    hello_time: u32,
    max_age: u32,
    ageing_time: u32,
    priority: u16,
    vlan_filtering: bool,
    vlan_protocol: word('802.1Q', '802.1ad'),
    vlan_default_pvid: u16,
    group_fwd_mask: u16,
    mcast_snooping: bool,
    mcast_querier: bool,
    mcast_router: u8,
    nf_call_iptables: bool,
    nf_call_ip6tables: bool,
    nf_call_arptables: bool,
  }),
  vxlan: optional<DataOf<'vxlan'>>({
    id: u32,
    link: ifindex,
    local: ipAddress,
    remote: ipAddress,
    ttl: u8,
    tos: u8,
    learning: bool,
    ageing: u32,
    limit: u32,
    port: u16,
    proxy: bool,
    rsc: bool,
    l2miss: bool,
    l3miss: bool,
    udp_csum: bool,
    udp_zero_csum6_tx: bool,
    udp_zero_csum6_rx: bool,
    external: bool,
    label: u32,
    gbp: yes,
  }),
  macvlan: optional<DataOf<'macvlan'>>({
    mode: word('private', 'vepa', 'bridge', 'passthru', 'source'),
    flags: u16,
  }),
  macvtap: optional<DataOf<'macvtap'>>({ mode: word('private', 'vepa', 'bridge', 'passthru'), flags: u16 }),
  ipvlan: optional<DataOf<'ipvlan'>>({
    mode: word('l2', 'l3', 'l3s'),
    flag: word('bridge', 'private', 'vepa'),
  }),
  vlan: optional<DataOf<'vlan'>>({ id: u16, protocol: word('802.1Q', '802.1ad'), flags: vlanFlags }),
  vrf: optional<DataOf<'vrf'>>({ table: u32 }),
  bond: optional<DataOf<'bond'>>({
    mode: word(
      'balance-rr',
      'active-backup',
      'balance-xor',
      'broadcast',
      '802.3ad',
      'balance-tlb',
      'balance-alb',
    ),
    miimon: u32,
    updelay: u32,
    downdelay: u32,
    use_carrier: u8,
    arp_interval: u32,
    arp_ip_target: fc.array(ipv4, { maxLength: 16 }),
    arp_validate: word('none', 'active', 'backup', 'all', 'filter', 'filter_active', 'filter_backup'),
    arp_all_targets: word('any', 'all'),
    active_slave: ifindex,
    primary: ifindex,
    primary_reselect: word('always', 'better', 'failure'),
    fail_over_mac: word('none', 'active', 'follow'),
    xmit_hash_policy: word('layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4', 'vlan+srcmac'),
    resend_igmp: s32,
    num_peer_notif: u8,
    all_slaves_active: u8,
    min_links: u32,
    lp_interval: u32,
    packets_per_slave: s32,
    ad_lacp_rate: word('slow', 'fast'),
    ad_select: word('stable', 'bandwidth', 'count'),
    tlb_dynamic_lb: u8,
  }),
  gre: optional<DataOf<'gre'>>({ ...tunnel, ...greKeys, local: ipv4, remote: ipv4 }),
  gretap: optional<DataOf<'gretap'>>({ ...tunnel, ...greKeys, local: ipv4, remote: ipv4 }),
  ip6gre: optional<DataOf<'ip6gre'>>({ ...tunnel, ...greKeys, local: ipv6, remote: ipv6 }),
  ip6gretap: optional<DataOf<'ip6gretap'>>({ ...tunnel, ...greKeys, local: ipv6, remote: ipv6 }),
  ipip: optional<DataOf<'ipip'>>({
    ...tunnel,
    local: ipv4,
    remote: ipv4,
    proto: word('any', 'ipip', 'mplsip'),
  }),
  sit: optional<DataOf<'sit'>>({ ...tunnel, local: ipv4, remote: ipv4, proto: word('any', 'ip6ip') }),
  ip6tnl: optional<DataOf<'ip6tnl'>>({ ...tunnel, local: ipv6, remote: ipv6, proto: word('any', 'ip6ip') }),
  tun: optional<DataOf<'tun'>>({
    user: u32,
    group: u32,
    type: word('tun', 'tap'),
    pi: bool,
    vnet_hdr: bool,
    persist: bool,
    multi_queue: bool,
  }),
  dummy: fc.constant({}),
  ifb: fc.constant({}),
  wireguard: fc.constant({}),
};

function roundTrip(info: LinkInfo): LinkInfo | undefined {
  const writer = new MessageWriter(16);
  writeLinkInfo(writer, 18, info);
  const payload = attributeMap(writer.take()).get(18);
  assert.ok(payload !== undefined);
  const read = readLinkInfo(payload);
  assert.equal(read.kind, info.kind);
  return read.info;
}

for (const kind of Object.keys(data) as LinkInfo['kind'][]) {
  test(`the data of a ${kind} is read back as it was written`, () => {
    fc.assert(
      fc.property(data[kind], (members) => {
        const info = { kind, ...members } as LinkInfo;
        assert.deepEqual(roundTrip(info), info);
      }),
      { numRuns: 300 },
    );
  });

  test(`random bytes in the data of a ${kind} are read without an exception`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const writer = new MessageWriter();
        writer.attrString(1, kind);
        writer.attrBytes(2, bytes);
        assert.equal(readLinkInfo(writer.take()).info?.kind, kind);
      }),
    );
  });
}

test('attributes with lengths at random are read without an exception', () => {
  const attribute = fc.tuple(fc.integer({ min: 0, max: 64 }), fc.uint8Array({ maxLength: 20 }));
  const kinds = fc.constantFrom(...(Object.keys(data) as LinkInfo['kind'][]));
  fc.assert(
    fc.property(kinds, fc.array(attribute, { maxLength: 12 }), (kind, attributes) => {
      const writer = new MessageWriter();
      writer.attrString(1, kind);
      const list = writer.nest(2);
      for (const [type, bytes] of attributes) writer.attrBytes(type, bytes);
      writer.endNest(list);
      assert.equal(readLinkInfo(writer.take()).info?.kind, kind);
    }),
    { numRuns: 3000 },
  );
});

test('a kind that is not known has a name and no data', () => {
  for (const name of ['team', 'toString', '__proto__', '']) {
    const writer = new MessageWriter();
    writer.attrString(1, name);
    writer.attrBytes(2, Uint8Array.of(1, 2, 3));
    assert.deepEqual(readLinkInfo(writer.take()), { kind: name });
  }
});

test('a kind without data has no IFLA_INFO_DATA', () => {
  const writer = new MessageWriter();
  writeLinkInfo(writer, 18, { kind: 'dummy' });
  assert.equal(writer.take().toString('hex'), '10001200' + '0a00010064756d6d79000000');
});

test('the module of a kind is named where it is called otherwise', () => {
  assert.equal(moduleOfKind('vlan'), '8021q');
  assert.equal(moduleOfKind('bond'), 'bonding');
  assert.equal(moduleOfKind('gretap'), 'ip_gre');
  assert.equal(moduleOfKind('wireguard'), 'wireguard');
  assert.equal(moduleOfKind('something'), 'something');
  assert.equal(moduleOfKind('toString'), 'toString');
});
