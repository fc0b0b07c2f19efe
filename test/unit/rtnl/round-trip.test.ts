// Messages that are written and then read by the parser of the kernel's answers: what a dump says of an object is what made it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IpInterface } from '../../../src/base/ip.ts';
import { type NewAddress, newAddress, parseAddress } from '../../../src/rtnl/addr.ts';
import {
  addPortVlans,
  type BridgePort,
  type PortVlan,
  parseBridgePort,
  parsePortVlans,
  setBridgePort,
} from '../../../src/rtnl/bridge-port.ts';
import { addAltnames, type NewLink, newLink, parseLink, setLink } from '../../../src/rtnl/link.ts';
import { attributeMap, type Request } from '../../../src/rtnl/message.ts';
import {
  appendFdbEntry,
  type FdbEntry,
  newNeighbour,
  parseFdbEntry,
  parseNeighbour,
} from '../../../src/rtnl/neigh.ts';
import { type NewRoute, newRoute, parseRoute, type WeightedNexthop } from '../../../src/rtnl/route.ts';
import { newRule, parseRule, type Rule } from '../../../src/rtnl/rule.ts';
import { parseWireguard, setWireguard } from '../../../src/rtnl/wireguard.ts';
import {
  ifindex,
  ifname,
  ipAddress,
  ipInterface,
  ipv4,
  ipv4Prefix,
  ipv6,
  ipv6Prefix,
  mac,
  optional,
  u8,
  u16,
  u32,
  yes,
} from './arbitrary.ts';
import { payloadOf } from './canonical.ts';

/** The parser's answer has every member of the object, with the same value. */
function includes(read: object | undefined, object: object): void {
  assert.ok(read !== undefined);
  const found = Object.fromEntries(Object.keys(object).map((key) => [key, Reflect.get(read, key)]));
  assert.deepEqual(found, object);
}

const linkMembers = optional<Omit<NewLink, 'info' | 'netnsFd'>>({
  ifname,
  ifindex,
  mac,
  mtu: u32,
  master: ifindex,
  link: ifindex,
  linkNetnsid: u16,
  txqlen: u32,
  group: u32,
  alias: fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !text.includes('\0')),
  numTxQueues: u16,
  numRxQueues: u16,
  up: fc.boolean(),
});

test('a link is read back as it was written', () => {
  fc.assert(
    fc.property(linkMembers, (members) => {
      const link: NewLink = { ...members, info: { kind: 'vrf', table: 5 } };
      includes(parseLink(payloadOf(newLink(link))), link);
    }),
  );
});

test('a change of a link is read back as it was written', () => {
  const modes = fc.constantFrom('none', 'eui64', 'random', 'stable_secret');
  fc.assert(
    fc.property(ifindex, modes, (index, addrGenMode) => {
      includes(parseLink(payloadOf(setLink({ ifindex: index }, { addrGenMode, mtu: 1400 }))), {
        ifindex: index,
        addrGenMode,
        mtu: 1400,
      });
    }),
  );
});

test('altnames are read back as they were written', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 127 }).filter((s) => !s.includes('\0'))),
      (names) => {
        assert.deepEqual(parseLink(payloadOf(addAltnames({ ifindex: 3 }, names)))?.altnames, names);
      },
    ),
  );
});

test('a link is named by its index, its name, or by an altname where the name is longer than 15 bytes', () => {
  const attributesOf = (request: Request): string => payloadOf(request).subarray(16).toString('latin1');
  assert.equal(attributesOf(setLink({ ifname: 'abcdefghijklmno' }, {})), '\x14\0\x03\0abcdefghijklmno\0');
  assert.equal(
    attributesOf(setLink({ ifname: 'abcdefghijklmnop' }, {})),
    '\x15\0\x35\0abcdefghijklmnop\0\0\0\0',
  );
  assert.equal(attributesOf(setLink({ ifindex: 7 }, {})), '');
});

test('a link cannot be renamed by its name, nor brought up together with its addrGenMode', () => {
  assert.throws(() => setLink({ ifname: 'a' }, { ifname: 'b' }), /by its ifindex/);
  assert.throws(() => setLink({ ifindex: 1 }, { up: true, addrGenMode: 'none' }), /before/);
});

const addressMembers = optional<Omit<NewAddress, 'ifindex' | 'address' | 'peer' | 'broadcast' | 'label'>>({
  scope: fc.constantFrom('global', 'site', 'link', 'host', 'nowhere'),
  nodad: fc.boolean(),
  noprefixroute: fc.boolean(),
  validLft: u32,
  metric: u32,
  proto: u8,
});

test('an address is read back as it was written', () => {
  fc.assert(
    fc.property(ifindex, ipInterface, addressMembers, (index, address, members) => {
      const written = { ifindex: index, address, ...members };
      includes(parseAddress(payloadOf(newAddress(written))), written);
    }),
  );
});

test('an IPv4 address with peer, label and broadcast is read back as it was written', () => {
  const label = ifname.map((name) => `${name.slice(0, 12)}:a`);
  fc.assert(
    fc.property(ipv4, ipv4, ipv4, label, (local, peer, broadcast, name) => {
      fc.pre(local !== peer);
      const address = `${local}/32` as IpInterface;
      const written = { ifindex: 4, address, peer, broadcast, label: name };
      includes(parseAddress(payloadOf(newAddress(written))), written);
    }),
  );
});

test('broadcast + sets the host bits, and makes none where there are no two hosts', () => {
  for (const [address, broadcast] of [
    ['10.1.2.3/8', '10.255.255.255'],
    ['10.1.2.3/24', '10.1.2.255'],
    ['10.1.2.3/25', '10.1.2.127'],
    ['10.1.2.5/30', '10.1.2.7'],
    ['10.1.2.3/31', undefined],
    ['10.1.2.3/32', undefined],
    ['10.1.2.3/0', '255.255.255.255'],
    ['2001:db8::1/64', undefined],
  ] as const) {
    const request = newAddress({ ifindex: 1, address: address as IpInterface, broadcast: '+' });
    assert.equal(parseAddress(payloadOf(request))?.broadcast, broadcast, address);
  }
});

test('addresses of 127.0.0.0/8 have scope host, as ip-address(8) gives them', () => {
  const scope = (address: string): unknown =>
    parseAddress(payloadOf(newAddress({ ifindex: 1, address: address as IpInterface })))?.scope;
  assert.equal(scope('127.0.0.2/8'), 'host');
  assert.equal(scope('10.0.0.1/8'), 'global');
  assert.equal(scope('::1/128'), 'global');
});

const routeMembers = optional<
  Omit<NewRoute, 'to' | 'family' | 'from' | 'via' | 'src' | 'nexthops' | 'metrics'>
>({
  dev: ifindex,
  metric: u32,
  table: fc.integer({ min: 1, max: 0xffff_ffff }),
  scope: fc.constantFrom('global', 'site', 'link', 'host'),
  type: fc.constantFrom('unicast', 'blackhole', 'unreachable', 'prohibit', 'throw', 'local'),
  proto: u8,
  onlink: fc.boolean(),
});
const metrics = optional<NonNullable<NewRoute['metrics']>>({
  mtu: u32,
  window: u32,
  advmss: u32,
  hoplimit: u32,
  initcwnd: u32,
  initrwnd: u32,
}).filter((values) => Object.keys(values).length > 0);
const hop = (via: fc.Arbitrary<WeightedNexthop['via'] & {}>): fc.Arbitrary<WeightedNexthop> =>
  fc.record(
    { via, dev: ifindex, onlink: yes, weight: fc.integer({ min: 1, max: 256 }) },
    { requiredKeys: ['weight'], noNullPrototype: true },
  );

for (const [name, prefix, address] of [
  ['IPv4', ipv4Prefix, ipv4],
  ['IPv6', ipv6Prefix, ipv6],
] as const) {
  test(`an ${name} route is read back as it was written`, () => {
    const addresses = optional<Pick<NewRoute, 'via' | 'src' | 'from'>>({
      via: ipAddress,
      src: address,
      from: prefix,
    });
    fc.assert(
      fc.property(prefix, addresses, routeMembers, metrics, (to, named, members, values) => {
        const route: NewRoute = { to, ...named, ...members, metrics: values };
        includes(parseRoute(payloadOf(newRoute(route))), route);
      }),
    );
  });

  test(`an ${name} route with several ways on is read back as it was written`, () => {
    fc.assert(
      fc.property(prefix, fc.array(hop(ipAddress), { minLength: 1, maxLength: 40 }), (to, nexthops) => {
        const route: NewRoute = { to, nexthops };
        includes(parseRoute(payloadOf(newRoute(route))), route);
      }),
    );
  });
}

test('a default route has the family of its gateway, of its source, or of what is said', () => {
  const family = (route: Omit<NewRoute, 'to'>): unknown =>
    parseRoute(payloadOf(newRoute({ to: 'default', ...route })))?.family;
  fc.assert(
    fc.property(ipv6, (via) => {
      assert.equal(family({ via }), 10);
      assert.equal(family({ src: via, dev: 1 }), 10);
      assert.equal(family({ nexthops: [{ dev: 1 }, { via }] }), 10);
      assert.equal(family({ via, family: 2 }), 2);
    }),
    { numRuns: 20 },
  );
  assert.equal(family({ dev: 1 }), 2);
  assert.equal(family({ dev: 1, family: 10 }), 10);
});

test('a destination of length 0 is the default route of its family', () => {
  for (const to of ['0.0.0.0/0', '::/0'] as const) {
    const payload = payloadOf(newRoute({ to: to as NewRoute['to'] & IpInterface, dev: 1 }));
    assert.equal(attributeMap(payload, 12).has(1), false);
    includes(parseRoute(payload), { to: 'default', family: to.includes(':') ? 10 : 2 });
  }
});

const range = fc.tuple(u16, u16).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
const ruleMembers = (prefix: typeof ipv4Prefix): fc.Arbitrary<Partial<Rule>> =>
  optional<Omit<Rule, 'family' | 'action' | 'priority'>>({
    from: prefix,
    to: prefix,
    iif: ifname,
    oif: ifname,
    fwmark: u32,
    fwmask: u32,
    tos: fc.integer({ min: 1, max: 255 }),
    ipproto: u8,
    sport: range,
    dport: range,
    uidrange: range,
    not: yes,
    table: fc.integer({ min: 1, max: 0xffff_ffff }),
    goto: u32,
    l3mdev: yes,
    suppressPrefixlength: fc.integer({ min: 0, max: 128 }),
    proto: u8,
  });

for (const [family, prefix] of [
  [2, ipv4Prefix],
  [10, ipv6Prefix],
] as const) {
  test(`a rule of family ${family} is read back as it was written`, () => {
    const actions = fc.constantFrom('table', 'goto', 'nop', 'blackhole', 'unreachable', 'prohibit');
    fc.assert(
      fc.property(actions, u32, ruleMembers(prefix), (action, priority, members) => {
        const rule: Rule = { family, action, priority, ...members };
        assert.deepEqual(parseRule(payloadOf(newRule(rule))), rule);
      }),
    );
  });
}

test('a neighbour is read back as it was written', () => {
  const states = fc.constantFrom('permanent', 'reachable', 'stale', 'noarp');
  fc.assert(
    fc.property(ifindex, ipAddress, mac, states, (index, address, lladdr, state) => {
      assert.deepEqual(parseNeighbour(payloadOf(newNeighbour({ ifindex: index, address, lladdr, state }))), {
        ifindex: index,
        address,
        lladdr,
        state,
        proxy: false,
        router: false,
      });
    }),
  );
});

test('an entry of the forwarding database is read back as it was written', () => {
  const members = optional<Omit<FdbEntry, 'ifindex' | 'lladdr' | 'in' | 'state'>>({
    vlan: u16,
    dst: ipAddress,
    port: u16,
    vni: u32,
    srcVni: u32,
    via: ifindex,
    extLearned: yes,
  });
  const required = fc.record({
    ifindex,
    lladdr: mac,
    in: fc.constantFrom('master' as const, 'self' as const),
    state: fc.constantFrom('permanent' as const, 'static' as const, 'dynamic' as const),
  });
  fc.assert(
    fc.property(required, members, (base, more) => {
      const entry: FdbEntry = { ...base, ...more };
      assert.deepEqual(parseFdbEntry(payloadOf(appendFdbEntry(entry))), entry);
    }),
  );
});

test('a bridge port is read back as it was written', () => {
  const bool = fc.boolean();
  const port = optional<BridgePort>({
    state: fc.constantFrom('disabled', 'listening', 'learning', 'forwarding', 'blocking'),
    priority: u16,
    cost: u32,
    hairpin: bool,
    guard: bool,
    root_block: bool,
    fastleave: bool,
    learning: bool,
    flood: bool,
    proxy_arp: bool,
    proxy_arp_wifi: bool,
    multicast_router: u8,
    mcast_flood: bool,
    mcast_to_unicast: bool,
    vlan_tunnel: bool,
    bcast_flood: bool,
    group_fwd_mask: u16,
    neigh_suppress: bool,
    isolated: bool,
    locked: bool,
  });
  fc.assert(
    fc.property(port, (written) => {
      const link = parseLink(payloadOf(setBridgePort(5, written)));
      assert.equal(link?.slaveKind, 'bridge');
      assert.deepEqual(parseBridgePort(link?.slaveData ?? Buffer.alloc(0)), written);
    }),
  );
});

test('VLANs of a port are read back as they were written, ranges as ranges', () => {
  const vid = fc.integer({ min: 1, max: 4094 });
  const single = fc.record(
    { vid, pvid: yes, untagged: yes },
    { requiredKeys: ['vid'], noNullPrototype: true },
  );
  const several = fc
    .record(
      { vid, more: fc.integer({ min: 1, max: 50 }), untagged: yes },
      { requiredKeys: ['vid', 'more'], noNullPrototype: true },
    )
    .map(({ vid: first, more, ...rest }) => ({ vid: first, vidEnd: first + more, ...rest }));
  fc.assert(
    fc.property(fc.array(fc.oneof(single, several) as fc.Arbitrary<PortVlan>, { maxLength: 20 }), (vlans) => {
      const spec = attributeMap(payloadOf(addPortVlans({ ifindex: 5 }, vlans)), 16).get(26);
      assert.deepEqual(parsePortVlans(spec ?? Buffer.alloc(0)), vlans);
    }),
  );
});

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => {
  bytes[0] = 1;
  return Buffer.from(bytes).toString('base64');
});
const endpoint = fc.record({ address: ipAddress, port: u16 }, { noNullPrototype: true });
const wireguardPeer = fc.record(
  {
    publicKey: key,
    presharedKey: key,
    endpoint,
    persistentKeepalive: u16,
    allowedIps: fc.array(ipInterface, { maxLength: 5 }),
  },
  { requiredKeys: ['publicKey', 'allowedIps'], noNullPrototype: true },
);

const family = { id: 30, version: 1 };

test('a WireGuard configuration is read back as it was written, however many messages it takes', () => {
  fc.assert(
    fc.property(
      key,
      fc.array(wireguardPeer, { maxLength: 250 }),
      fc.array(ipInterface, { maxLength: 2000 }),
      (privateKey, some, many) => {
        const peers = some.map((peer, i) => (i === 1 ? { ...peer, allowedIps: many } : peer));
        fc.pre(new Set(peers.map((peer) => peer.publicKey)).size === peers.length);
        const requests = setWireguard(family, {
          ifindex: 9,
          privateKey,
          listenPort: 51820,
          fwmark: 7,
          peers,
        });
        const read = parseWireguard(requests.map(payloadOf));
        assert.equal(read?.privateKey, privateKey);
        assert.deepEqual([read?.ifindex, read?.listenPort, read?.fwmark], [9, 51820, 7]);
        assert.deepEqual(
          read?.peers.map(({ lastHandshake, rxBytes, txBytes, ...peer }) => peer),
          peers,
        );
      },
    ),
    { numRuns: 30 },
  );
});

test('a WireGuard key that is not 32 bytes is refused', () => {
  const [request] = setWireguard(family, { ifindex: 1, privateKey: 'c2hvcnQ=', peers: [] });
  assert.ok(request !== undefined);
  assert.throws(() => payloadOf(request), /32 bytes/);
});

test('random bytes are read without an exception by every parser', () => {
  const parsers = [parseLink, parseAddress, parseRoute, parseRule, parseNeighbour, parseFdbEntry] as const;
  const bytes = fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.from(raw));
  fc.assert(
    fc.property(bytes, fc.constantFrom(0, 2, 7, 10), (payload, familyByte) => {
      if (payload.length > 0) payload[0] = familyByte;
      for (const parse of parsers) parse(payload);
      parseBridgePort(payload);
      parsePortVlans(payload);
      parseWireguard([payload, payload]);
    }),
    { numRuns: 5000 },
  );
});

test('attributes with lengths at random are read without an exception by every parser', () => {
  const attribute = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.uint8Array({ maxLength: 40 }));
  fc.assert(
    fc.property(
      fc.constantFrom(2, 7, 10),
      fc.constantFrom(8, 12, 16),
      fc.array(attribute, { maxLength: 20 }),
      (familyByte, header, attributes) => {
        const payload = payloadOf({
          type: 1,
          payload(writer) {
            writer.u8(familyByte);
            writer.zeros(header - 1);
            for (const [type, value] of attributes) writer.attrBytes(type, value);
          },
        });
        for (const parse of [parseLink, parseAddress, parseRoute, parseRule, parseNeighbour, parseFdbEntry])
          parse(payload);
        parseWireguard([payload]);
      },
    ),
    { numRuns: 3000 },
  );
});
