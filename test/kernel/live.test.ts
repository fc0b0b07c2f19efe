// Namespaces that ip(8), bridge(8), wg(8) and nft(8) made, read by src/live.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import type { NetnsName } from '../../src/base/names.ts';
import { isAutomaticAddress, isAutomaticRoute, isAutomaticRule } from '../../src/live/automatic.ts';
import { newNetnsSysctls, readDetails } from '../../src/live/details.ts';
import type { LiveDevice, LiveNetns } from '../../src/live/netns.ts';
import { namedNetns, ownNetns, readNetns } from '../../src/live/read.ts';
import { formOf } from '../../src/nfnl/read.ts';
import type { NftTable } from '../../src/nfnl/ruleset.ts';
import { type ThrowawayNetns, throwawayNetns } from '../support/netns.ts';
import { hasLinkKind, skipKernelLacks, skipUnlessRoot } from '../support/skip.ts';

/** Lines of `ip -n NAME ...`. */
function ip(ns: ThrowawayNetns, script: string): void {
  for (const line of script.split('\n').map((text) => text.trim())) {
    if (line !== '') execFileSync('ip', ['-n', ns.name, ...line.split(/ +/)]);
  }
}

function read(ns: ThrowawayNetns, ...sysctls: readonly string[]): LiveNetns {
  const found = readNetns([namedNetns(ns.name as NetnsName)], { sysctls: () => sysctls });
  const [one] = found.values();
  assert.ok(one !== undefined);
  return one;
}

function device(netns: LiveNetns, ifname: string): LiveDevice {
  const found = netns.devices.find((one) => one.ifname === ifname);
  assert.ok(found !== undefined, `${ifname} was not read`);
  return found;
}

test('both ends of every wire are found, though all of them have the same indexes', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using first = await throwawayNetns('t-live');
  await using second = await throwawayNetns('t-live');
  await using third = await throwawayNetns('t-live');
  const ring = [first, second, third];
  const after = (i: number) => ring[(i + 1) % ring.length]?.name ?? '';
  for (const [i, ns] of ring.entries()) {
    ip(ns, `link add name right index 10 type veth peer name left index 20 netns ${after(i)}`);
  }
  ip(first, 'link add name one type veth peer name two');
  const toHost = ['link', 'add', 't-live-host', 'type', 'veth', 'peer', 'name', 'up', 'netns', first.name];
  execFileSync('ip', toHost);
  const refs = ring.map(({ name }) => namedNetns(name as NetnsName));
  const all = readNetns([...refs, ownNetns]);
  const peer = (place: string | null, ifname: string) => {
    const netns = all.get(place as NetnsName);
    assert.ok(netns !== undefined);
    const { data } = device(netns, ifname);
    assert.ok(data.type === 'veth');
    return { place: data.peer.place, ifname: data.peer.ifname };
  };
  for (const [i, { name }] of ring.entries()) {
    assert.deepEqual(peer(name, 'right'), { place: after(i), ifname: 'left' });
    assert.deepEqual(peer(after(i), 'left'), { place: name, ifname: 'right' });
  }
  assert.deepEqual(peer(first.name, 'one'), { place: first.name, ifname: 'two' });
  assert.deepEqual(peer(first.name, 'up'), { place: null, ifname: 't-live-host' });
  assert.deepEqual(peer(null, 't-live-host'), { place: first.name, ifname: 'up' });
  // Alone it knows the machine's own, and no other.
  const alone = readNetns(refs.slice(0, 1)).get(first.name as NetnsName);
  assert.ok(alone !== undefined);
  assert.deepEqual(device(alone, 'right').data, { type: 'veth', peer: { ifindex: 20 } });
  execFileSync('ip', ['link', 'del', 't-live-host']);
});

test('every sysctl is read, though of devices that are alike only one, and which MAC addresses were set', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  ip(
    ns,
    `link add name a0 type veth peer name a1
     link add name b.0 address 02:00:00:00:00:01 type veth peer name b1
     link set a1 address 02:00:00:00:00:02
     link set a0 up
     link set a1 up`,
  );
  const set = [
    'net.ipv4.conf.b1.rp_filter=2',
    'net.ipv6.neigh.a1.gc_stale_time=77',
    'net.ipv4.neigh.a0.delay_first_probe_time=9',
  ];
  ns.exec('sysctl', '-qw', ...set);
  const details = readDetails([namedNetns(ns.name as NetnsName)]).get(ns.name as NetnsName);
  assert.ok(details !== undefined);
  assert.deepEqual([...details.macs].sort(), ['a1', 'b.0']);
  const script = 'grep -rs . /proc/sys/net | grep -v "_count:"; true';
  const shown = execFileSync('ip', ['netns', 'exec', ns.name, 'sh', '-c', script], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const wanted = shown
    .trim()
    .split('\n')
    .map((line): [string, string] => {
      const [, path = '', value = ''] = /^\/proc\/sys\/([^:]*):(.*)$/.exec(line) ?? [];
      return [
        path.replaceAll(/[./]/g, (one) => (one === '/' ? '.' : '/')),
        value.replaceAll('\t', ' ').trimEnd(),
      ];
    });
  assert.ok(wanted.length > 500);
  for (const [key, value] of wanted) assert.equal(details.sysctls[key], value, key);
  const other = newNetnsSysctls({ 4: true, 6: false });
  assert.equal(other['net.ipv4.ip_forward'], '1');
  assert.equal(other['net.ipv4.conf.all.accept_redirects'], '0');
  assert.equal(other['net.ipv6.conf.all.forwarding'], '0');
});

test('what is no namespace is left out, and one under two names is read twice', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  const path = '/proc/self/ns/net';
  const found = readNetns([
    { place: 't-live-none' as NetnsName, path: '/run/netns/t-live-none' },
    { place: 't-live-file' as NetnsName, path: '/etc/hostname' },
    ownNetns,
    { place: 't-live-self' as NetnsName, path },
    namedNetns(ns.name as NetnsName),
  ]);
  assert.deepEqual([...found.keys()], [null, 't-live-self', ns.name]);
  assert.equal(found.get(null)?.identity, found.get('t-live-self' as NetnsName)?.identity);
  assert.notEqual(found.get(null)?.identity, found.get(ns.name as NetnsName)?.identity);
});

test('addresses, routes, rules, neighbours, sysctls are in the words of a file', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  ip(
    ns,
    `link set lo up
     link add name eth0 mtu 1400 address 02:00:00:00:00:01 type veth peer name far
     link property add dev eth0 altname a-name-that-is-longer-than-fifteen
     link set eth0 group 7 up
     link set far up
     address add 10.1.0.1/24 dev eth0
     address add 10.2.0.1 peer 10.2.0.2/30 dev eth0
     address add fd00::1/64 dev eth0 nodad
     route add default via 10.1.0.254
     route add 10.9.0.0/16 nexthop via 10.1.0.7 weight 3 nexthop via 10.1.0.8
     route add blackhole 10.8.0.0/16 table 100 metric 5
     route add 10.7.0.0/16 via 10.1.0.9 src 10.1.0.1 mtu 1300 proto 66 table 1000
     -6 route add fd01::/64 via fd00::2
     rule add from 10.1.0.0/24 iif eth0 fwmark 0x1/0xff ipproto tcp dport 80-90 lookup 100 priority 50
     -6 rule add not to fd02::/64 prohibit priority 60
     neighbour add 10.1.0.9 lladdr 02:00:00:00:00:09 dev eth0
     neighbour add proxy 10.1.0.10 dev eth0`,
  );
  ns.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  const netns = read(ns, 'net.ipv4.conf.eth0.rp_filter', 'net.ipv4.nothing');
  const eth0 = device(netns, 'eth0');
  const { mtu, mac, altnames, group, up, addrgenmode } = eth0;
  assert.deepEqual(
    { mtu, mac, altnames, group, up, addrgenmode },
    {
      mtu: 1400,
      mac: '02:00:00:00:00:01',
      altnames: ['a-name-that-is-longer-than-fifteen'],
      group: 7,
      up: true,
      addrgenmode: 'eui64',
    },
  );
  const given = eth0.addresses.filter((address) => !isAutomaticAddress(address));
  assert.deepEqual(
    given.map((address) => [address.ip, address.peer, address.nodad]),
    [
      ['10.1.0.1/24', undefined, false],
      ['10.2.0.1/32', '10.2.0.2/30', false],
      ['fd00::1/64', undefined, true],
    ],
  );
  // The link-local one of the kernel.
  assert.equal(eth0.addresses.length, given.length + 1);
  assert.ok(device(netns, 'lo').addresses.every(isAutomaticAddress));
  assert.deepEqual(
    new Set(netns.routes.filter((route) => !isAutomaticRoute(route))),
    new Set([
      {
        ...{ type: 'unicast', family: 4, to: '0.0.0.0/0', via: '10.1.0.254', dev: 'eth0', table: 254 },
        ...{ scope: 'global', protocol: 3, dead: false },
      },
      {
        ...{ type: 'unicast', family: 4, to: '10.9.0.0/16', table: 254, scope: 'global', protocol: 3 },
        nexthops: [
          { via: '10.1.0.7', dev: 'eth0', weight: 3 },
          { via: '10.1.0.8', dev: 'eth0', weight: 1 },
        ],
        dead: false,
      },
      {
        ...{ type: 'blackhole', family: 4, to: '10.8.0.0/16', metric: 5, table: 100 },
        ...{ scope: 'global', protocol: 3, dead: false },
      },
      {
        ...{ type: 'unicast', family: 4, to: '10.7.0.0/16', via: '10.1.0.9', dev: 'eth0', src: '10.1.0.1' },
        ...{ table: 1000, scope: 'global', mtu: 1300, protocol: 66, dead: false },
      },
      {
        ...{ type: 'unicast', family: 6, to: 'fd01::/64', via: 'fd00::2', dev: 'eth0', metric: 1024 },
        ...{ table: 254, scope: 'global', protocol: 3, dead: false },
      },
    ]),
  );
  assert.deepEqual(
    netns.rules.filter((rule) => !isAutomaticRule(rule)),
    [
      {
        ...{ family: 4, from: '10.1.0.0/24', iif: 'eth0', fwmark: 1, fwmask: 255, ipproto: 'tcp' },
        ...{ dport: { from: 80, to: 90 }, priority: 50, action: { kind: 'lookup', table: 100 } },
        ...{ protocol: 0, strange: false },
      },
      {
        ...{ family: 6, not: true, to: 'fd02::/64', priority: 60, action: { kind: 'prohibit' } },
        ...{ protocol: 0, strange: false },
      },
    ],
  );
  assert.deepEqual(netns.neighbours, [
    { ip: '10.1.0.9', dev: 'eth0', lladdr: '02:00:00:00:00:09' },
    { ip: '10.1.0.10', dev: 'eth0', proxy: true },
  ]);
  assert.deepEqual(netns.sysctls, {
    'net.ipv4.ip_forward': '1',
    'net.ipv6.conf.all.forwarding': '0',
    'net.ipv4.conf.eth0.rp_filter': ns.exec('sysctl', '-n', 'net.ipv4.conf.eth0.rp_filter').trim(),
  });
});

test('a bridge and its ports', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  ip(
    ns,
    `link add name br0 type bridge stp_state 1 ageing_time 20000 forward_delay 400 priority 4096
     link add name p1 type veth peer name q1
     link set p1 master br0
     link set p1 type bridge_slave cost 77 priority 5 hairpin on isolated on learning off guard on`,
  );
  const netns = read(ns);
  const br0 = device(netns, 'br0').data;
  assert.ok(br0.type === 'bridge');
  const { stp, ageing_time, forward_delay, priority } = br0;
  assert.deepEqual(
    { stp, ageing_time, forward_delay, priority },
    { stp: true, ageing_time: 200, forward_delay: 4, priority: 4096 },
  );
  const { master, port } = device(netns, 'p1');
  assert.equal(master, 'br0');
  const { vlan, vlans, strangeVlans, ...settings } = port ?? assert.fail('p1 is no port');
  assert.deepEqual(settings, {
    ...{ cost: 77, priority: 5, hairpin: true, isolated: true, learning: false, guard: true },
  });
  assert.equal(device(netns, 'q1').port, undefined);
});

test('VLANs of a port', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  try {
    ip(ns, 'link add name br0 type bridge vlan_filtering 1');
  } catch {
    skipKernelLacks(t, 'bridge vlan_filtering');
    return;
  }
  ip(
    ns,
    `link add name p1 type veth peer name q1
     link set p1 master br0`,
  );
  ns.bridge('vlan del dev p1 vid 1');
  ns.bridge('vlan add dev p1 vid 10 pvid untagged');
  ns.bridge('vlan add dev p1 vid 100-109');
  ns.bridge('vlan add dev p1 vid 300 untagged');
  const { port } = device(read(ns), 'p1');
  assert.equal(port?.vlan, 10);
  assert.deepEqual(port?.vlans, [{ from: 100, to: 109 }]);
  assert.deepEqual(port?.strangeVlans, [{ from: 300, to: 300 }]);
});

type Kind = {
  /** As `ip link` calls it, which says whether the kernel has it. */
  readonly kind: string;
  readonly make: string;
  readonly data: unknown;
};

const stand = { ifindex: 99, place: 'HERE', ifname: 'base' };
const kinds: readonly Kind[] = [
  { kind: 'dummy', make: 'link add name x type dummy', data: { type: 'dummy' } },
  { kind: 'ifb', make: 'link add name x type ifb', data: { type: 'ifb' } },
  {
    kind: 'vlan',
    make: 'link add name x link base type vlan id 7 protocol 802.1ad',
    data: { type: 'vlan', link: stand, id: 7, protocol: '802.1ad' },
  },
  {
    kind: 'vxlan',
    make: `link add name x type vxlan id 9 dstport 4789 local 10.1.0.1 dev base ttl 12 nolearning`,
    data: {
      ...{ type: 'vxlan', id: 9, local: '10.1.0.1', remotes: ['10.1.0.5', '10.1.0.6'], dstport: 4789 },
      ...{ link: stand, learning: false, ttl: 12 },
    },
  },
  {
    kind: 'macvlan',
    make: 'link add name x link base type macvlan mode bridge',
    data: { type: 'macvlan', link: stand, mode: 'bridge' },
  },
  {
    kind: 'ipvlan',
    make: 'link add name x link base type ipvlan mode l3s private',
    data: { type: 'ipvlan', link: stand, mode: 'l3s', flag: 'private' },
  },
  { kind: 'vrf', make: 'link add name x type vrf table 1234', data: { type: 'vrf', table: 1234 } },
  {
    kind: 'gre',
    make: 'link add name x type gretap local 10.1.0.1 remote 10.1.0.2 key 5 ttl 9',
    data: { type: 'gretap', local: '10.1.0.1', remote: '10.1.0.2', key: 5, ttl: 9 },
  },
  {
    kind: 'ip6gre',
    make: 'link add name x type ip6gre local fd00::1 remote fd00::2',
    data: { type: 'gre', local: 'fd00::1', remote: 'fd00::2', ttl: 64 },
  },
  {
    kind: 'bond',
    make: 'link add name x type bond mode active-backup miimon 100',
    data: { type: 'bond', mode: 'active-backup', miimon: 100 },
  },
  {
    kind: 'tun',
    make: 'tuntap add dev x mode tap user 33 group 44',
    data: { type: 'tap', owner: 33, group: 44 },
  },
  { kind: 'nlmon', make: 'link add name x type nlmon', data: { type: 'other', kind: 'nlmon' } },
];

for (const { kind, make, data } of kinds) {
  test(`a device of kind ${kind}`, async (t: TestContext) => {
    if (skipUnlessRoot(t)) return;
    await using ns = await throwawayNetns('t-live');
    ip(ns, 'link add name base index 99 type bridge');
    try {
      ip(ns, make);
    } catch (error) {
      if (kind === 'tun' || hasLinkKind(kind)) throw error;
      skipKernelLacks(t, kind);
      return;
    }
    if (kind === 'vxlan') {
      for (const dst of ['10.1.0.5', '10.1.0.6']) {
        ns.bridge(`fdb append 00:00:00:00:00:00 dev x dst ${dst}`);
      }
    }
    const found = JSON.parse(JSON.stringify(device(read(ns), 'x').data).replaceAll(ns.name, 'HERE'));
    assert.deepEqual(found, data);
  });
}

test('a WireGuard device with its peers', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  if (!hasLinkKind('wireguard')) {
    skipKernelLacks(t, 'wireguard');
    return;
  }
  ip(ns, 'link add name wg0 type wireguard');
  assert.deepEqual(device(read(ns), 'wg0').data, {
    ...{ type: 'wireguard', listen_port: 0, fwmark: 0, peers: [] },
  });
});

const table: NftTable = {
  family: 'inet',
  name: 'mine',
  chains: [
    {
      name: 'in',
      base: { type: 'filter', hook: 'input', priority: 0, policy: 'drop' },
      rules: [
        {
          matches: [
            { match: 'l4proto', protocols: ['tcp'] },
            { match: 'dport', protocol: 'tcp', ports: [22] },
          ],
          statements: [{ statement: 'counter' }, { statement: 'accept' }],
          comment: 'ssh',
        },
      ],
    },
  ],
};

test('nft tables, whoever made them', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  assert.deepEqual([read(ns).tables, read(ns).strangeTables], [[], []]);
  const rules = [
    'add table inet mine',
    'add chain inet mine in { type filter hook input priority 0; policy drop; }',
    'add rule inet mine in tcp dport 22 counter accept comment "ssh"',
  ];
  ns.exec('nft', rules.join('\n'));
  assert.deepEqual(read(ns).tables, [formOf(table)]);
  ns.exec('nft', 'add table arp strange');
  assert.deepEqual(read(ns).strangeTables, ['arp strange']);
});

test('reading changes nothing', async (t) => {
  if (skipUnlessRoot(t)) return;
  await using ns = await throwawayNetns('t-live');
  await using other = await throwawayNetns('t-live');
  ip(ns, `link add name eth0 type veth peer name eth0 netns ${other.name}`);
  const look = () => [
    ...['-d link', 'address', 'route show table all', 'rule', 'neighbour', 'netns list-id'].map((args) =>
      ns.ip(args),
    ),
    execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }),
    ns.exec('nft', 'list', 'ruleset'),
  ];
  const before = look();
  readNetns([namedNetns(ns.name as NetnsName), namedNetns(other.name as NetnsName), ownNetns]);
  assert.deepEqual(look(), before);
});
