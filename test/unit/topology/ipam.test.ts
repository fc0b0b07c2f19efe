// Addresses and subnets that nslab hands out: test of src/topology/ipam.ts and of the way files reach it (lower-auto.ts).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addressOf,
  type IpAddress,
  type IpPrefix,
  prefixContains,
  prefixesOverlap,
  subnetOf,
} from '../../../src/base/ip.ts';
import { subnetsOf } from '../../../src/model/subnets.ts';
import { Addresses, Pool, Subnets } from '../../../src/topology/ipam.ts';
import { addresses, errorsOf, labOf, nodeOf } from '../../support/check-yaml.ts';

const none: ReadonlySet<IpAddress> = new Set();

function take(subnet: string, count: number, taken = none): (string | undefined)[] {
  const range = new Addresses(subnet as IpPrefix);
  return Array.from({ length: count }, () => range.next(taken));
}

function pool(prefix: string, length: number): Pool {
  return new Pool(prefix as IpPrefix, { length, path: [] });
}

describe('addresses of one subnet', () => {
  it('leave out the name of an IPv4 subnet and its broadcast address', () => {
    assert.deepEqual(take('10.0.0.0/30', 3), ['10.0.0.1/30', '10.0.0.2/30', undefined]);
  });

  it('use both addresses of a /31 and of a /127, and the one of a /32 and of a /128', () => {
    assert.deepEqual(take('10.0.0.0/31', 3), ['10.0.0.0/31', '10.0.0.1/31', undefined]);
    assert.deepEqual(take('fd00::/127', 3), ['fd00::/127', 'fd00::1/127', undefined]);
    assert.deepEqual(take('10.0.0.7/32', 2), ['10.0.0.7/32', undefined]);
    assert.deepEqual(take('fd00::7/128', 2), ['fd00::7/128', undefined]);
  });

  it('leave out the routers-anycast address of an IPv6 subnet, and have no broadcast address', () => {
    assert.deepEqual(take('fd00::/126', 4), ['fd00::1/126', 'fd00::2/126', 'fd00::3/126', undefined]);
  });

  it('go around what is taken', () => {
    const taken = new Set(['10.0.0.1', '10.0.0.3'] as IpAddress[]);
    assert.deepEqual(take('10.0.0.0/29', 2, taken), ['10.0.0.2/29', '10.0.0.4/29']);
  });

  it('come from the biggest subnets without counting them through', () => {
    assert.deepEqual(take('10.0.0.0/8', 1), ['10.0.0.1/8']);
    assert.deepEqual(take('2000::/3', 1), ['2000::1/3']);
  });
});

describe('subnets of a pool', () => {
  it('are handed out in ascending order until the pool is empty', () => {
    const subnets = new Subnets();
    const from = pool('10.0.0.0/23', 24);
    assert.deepEqual(
      [subnets.next(from), subnets.next(from), subnets.next(from)],
      ['10.0.0.0/24', '10.0.1.0/24', undefined],
    );
  });

  it('never overlap what the file has, whatever its size', () => {
    const arbitrary = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 17, max: 32 })),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 17, max: 30 }), (used, length) => {
        const subnets = new Subnets();
        const reserved = used.map(([host, bits]) =>
          subnetOf(`10.9.${host >> 8}.${host & 255}/${bits}` as never),
        );
        for (const one of reserved) subnets.reserve(one);
        const from = pool('10.9.0.0/16', length);
        const found: IpPrefix[] = [];
        for (
          let next = subnets.next(from);
          next !== undefined && found.length < 40;
          next = subnets.next(from)
        )
          found.push(next);
        for (const one of found) {
          assert.ok(prefixContains('10.9.0.0/16' as IpPrefix, addressOf(one)));
          for (const other of [...reserved, ...found.filter((f) => f !== one)])
            assert.ok(!prefixesOverlap(one, other), `${one} ${other}`);
        }
      }),
    );
  });

  it('jump over a reserved subnet of any size in one step', () => {
    const subnets = new Subnets();
    subnets.reserve('10.0.0.0/9' as IpPrefix);
    assert.equal(subnets.next(pool('10.0.0.0/8', 32)), '10.128.0.0/32');
  });
});

const lan = (rest: string) => `
nodes:
  a: {}
  b: {}
  sw: { kind: bridge, ${rest} }
links:
  - endpoints: [ { node: a, interface: eth0, addresses: [auto] }, sw ]
  - endpoints: [ { node: b, interface: eth0, addresses: [auto] }, sw ]
`;

describe('auto on a switch', () => {
  it('gives the bridge the first address, and the nodes the next ones and a default route to it', () => {
    const lab = labOf(lan('subnet: 10.1.1.0/24'));
    assert.deepEqual(addresses(lab, 'sw', 'br0'), ['10.1.1.1/24']);
    assert.deepEqual(addresses(lab, 'a', 'eth0'), ['10.1.1.2/24']);
    assert.deepEqual(addresses(lab, 'b', 'eth0'), ['10.1.1.3/24']);
    const [route] = nodeOf(lab, 'b').routes;
    assert.deepEqual([route?.to, route?.via, route?.dev], ['0.0.0.0/0', '10.1.1.1', 'eth0']);
  });

  it('gives one address of each family that the subnet has', () => {
    const lab = labOf(lan('subnet: [10.1.1.0/24, "fd00:1::/64"]'));
    assert.deepEqual(addresses(lab, 'a', 'eth0'), ['10.1.1.2/24', 'fd00:1::2/64']);
    assert.deepEqual(
      nodeOf(lab, 'a').routes.map(({ to, via }) => [to, via]),
      [
        ['0.0.0.0/0', '10.1.1.1'],
        ['::/0', 'fd00:1::1'],
      ],
    );
    assert.equal(nodeOf(lab, 'a').interfaces[0]?.ipv6, true);
    assert.equal(nodeOf(lab, 'sw').interfaces.find(({ name }) => name === 'p1')?.ipv6, false);
  });

  it('leaves the bridge without an address when the file names another gateway, and hands that one to nobody', () => {
    const lab = labOf(lan('subnet: 10.1.1.0/29, gateway: 10.1.1.1'));
    assert.deepEqual(addresses(lab, 'sw', 'br0'), []);
    assert.deepEqual(addresses(lab, 'a', 'eth0'), ['10.1.1.2/29']);
    assert.equal(nodeOf(lab, 'a').routes[0]?.via, '10.1.1.1');
  });

  it('keeps a default route that the node has, in its family only', () => {
    const text = lan('subnet: [10.1.1.0/24, "fd00:1::/64"]').replace(
      'a: {}',
      'a: { routes: [ "default via 10.1.1.99" ] }',
    );
    const routes = nodeOf(labOf(text), 'a').routes.map(({ via }) => via);
    assert.deepEqual(routes, ['10.1.1.99', 'fd00:1::1']);
  });

  it('takes a subnet from the pool where the bridge has none, and says so in the lab', () => {
    const lab = labOf(`addressing: { lan: { ipv4: 10.8.0.0/16, prefix: 25 } }\n${lan('')}`);
    assert.deepEqual(addresses(lab, 'a', 'eth0'), ['10.8.0.2/25']);
    assert.deepEqual(lab.allocated, ['10.8.0.0/25']);
    assert.deepEqual(subnetsOf(lab), [
      { subnet: '10.8.0.0/25', path: 'links[0].endpoints[0].addresses[0]', host: false, pool: true },
    ]);
  });

  it('serves bridges that a wire joins from one subnet', () => {
    const lab = labOf(`
nodes: { a: {}, b: {}, s1: { kind: bridge, subnet: 10.1.1.0/24 }, s2: { kind: bridge } }
links:
  - endpoints: [ s1, s2 ]
  - endpoints: [ { node: a, interface: eth0, addresses: [auto] }, s1 ]
  - endpoints: [ { node: b, interface: eth0, addresses: [auto] }, s2 ]
`);
    assert.deepEqual(addresses(lab, 'b', 'eth0'), ['10.1.1.3/24']);
    assert.deepEqual(addresses(lab, 's2', 'br0'), []);
  });

  it('uses the address that a bridge on the machine has, as docker0, and leaves the routes of the machine alone', () => {
    const lab = labOf(`
nodes:
  host: { interfaces: { docker9: { type: bridge, addresses: [172.31.9.1/24], subnet: 172.31.9.0/24 } } }
  c1: {}
links:
  - endpoints: [ { node: host, interface: vethc1, master: docker9 }, { node: c1, interface: eth0, addresses: [auto] } ]
`);
    assert.deepEqual(addresses(lab, 'host', 'docker9'), ['172.31.9.1/24']);
    assert.deepEqual(addresses(lab, 'c1', 'eth0'), ['172.31.9.2/24']);
    assert.equal(nodeOf(lab, 'c1').routes[0]?.via, '172.31.9.1');
    assert.deepEqual(nodeOf(lab, 'host').routes, []);
    assert.deepEqual(
      subnetsOf(lab).map(({ subnet, host }) => [subnet, host]),
      [['172.31.9.0/24', true]],
    );
  });

  it('gives a macvlan an address of the LAN of its parent', () => {
    const lab = labOf(`
nodes:
  a: { interfaces: { mv0: { type: macvlan, link: eth0, addresses: [auto] } } }
  sw: { kind: bridge, subnet: 10.1.1.0/24 }
links: [ { endpoints: [ "a:eth0", sw ] } ]`);
    assert.deepEqual(addresses(lab, 'a', 'mv0'), ['10.1.1.2/24']);
    assert.equal(nodeOf(lab, 'a').routes[0]?.dev, 'mv0');
  });

  it('changes nobody else when a node is added at the end', () => {
    const hosts = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.boolean()), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(hosts, fc.nat({ max: 2 }), (members, last) => {
        const before = labOf(manyHosts(members));
        const after = labOf(manyHosts([...members, [last, true]]));
        for (const [index] of members.entries()) {
          assert.deepEqual(addresses(after, `h${index}`, 'eth0'), addresses(before, `h${index}`, 'eth0'));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('names a subnet that is used up, and the place that asked', () => {
    assert.deepEqual(errorsOf(lan('subnet: 10.1.1.0/30')), [
      'POOL_EXHAUSTED links[1].endpoints[0].addresses[0]',
    ]);
  });

  it('names a pool that is used up once, at the pool', () => {
    const text = `addressing: { p2p: { ipv4: 10.0.0.0/30 } }
nodes: { a: {}, b: {} }
links:
  - endpoints: [ { node: a, interface: e0, addresses: [auto] }, { node: b, interface: e0, addresses: [auto] } ]
  - endpoints: [ { node: a, interface: e1, addresses: [auto] }, { node: b, interface: e1, addresses: [auto] } ]
  - endpoints: [ { node: a, interface: e2, addresses: [auto] }, { node: b, interface: e2, addresses: [auto] } ]`;
    assert.deepEqual(errorsOf(text), ['POOL_EXHAUSTED addressing.p2p.ipv4']);
  });

  it('refuses a place where there is no subnet at all', () => {
    assert.deepEqual(errorsOf(lan('')), [
      'AUTO_NO_SUBNET links[0].endpoints[0].addresses[0]',
      'AUTO_NO_SUBNET links[1].endpoints[0].addresses[0]',
    ]);
  });

  it('refuses a gateway outside the subnet, a second subnet of one family and host bits', () => {
    assert.deepEqual(errorsOf(lan('subnet: 10.1.1.0/24, gateway: 10.1.2.1')), [
      'ROUTE_GATEWAY_UNREACHABLE nodes.sw.gateway',
    ]);
    assert.deepEqual(errorsOf(lan('subnet: [10.1.1.0/24, 10.1.2.0/24]')), [
      'SUBNET_INVALID nodes.sw.subnet[1]',
    ]);
    assert.deepEqual(errorsOf(lan('subnet: 10.1.1.1/24')).slice(0, 1), ['SUBNET_INVALID nodes.sw.subnet']);
  });
});

function manyHosts(members: readonly (readonly [number, boolean])[]): string {
  const nodes = members.map((_, index) => `  h${index}: {}`);
  const links = members.map(([lan, auto], index) => {
    const address = auto ? 'auto' : `192.0.2.${index + 1}/24`;
    return `  - endpoints: [ { node: h${index}, interface: eth0, addresses: [${address}] }, s${lan} ]`;
  });
  const switches = [0, 1, 2].map((index) => `  s${index}: { kind: bridge }`);
  return [
    'addressing: { lan: { ipv4: 10.8.0.0/16, ipv6: "fd00:8::/48" } }',
    'nodes:',
    ...switches,
    ...nodes,
    'links:',
    ...links,
  ].join('\n');
}

describe('auto on a wire', () => {
  const wire = (a: string, b: string) => `
addressing: { p2p: { ipv4: 10.255.0.0/16, prefix: 31, ipv6: "fd00:ff::/48", prefix6: 127 } }
nodes: { a: {}, b: {} }
links: [ { endpoints: [ { node: a, interface: e, addresses: [${a}] }, { node: b, interface: e, addresses: [${b}] } ] } ]`;

  it('takes the next subnet of the pool for both ends, and brings no default route', () => {
    const lab = labOf(wire('auto', 'auto'));
    assert.deepEqual(addresses(lab, 'a', 'e'), ['10.255.0.0/31', 'fd00:ff::/127']);
    assert.deepEqual(addresses(lab, 'b', 'e'), ['10.255.0.1/31', 'fd00:ff::1/127']);
    assert.deepEqual(nodeOf(lab, 'a').routes, []);
  });

  it('shares the subnet of the other end where that has an address', () => {
    const lab = labOf(wire('192.0.2.1/29', 'auto'));
    assert.deepEqual(addresses(lab, 'b', 'e'), ['192.0.2.2/29']);
    assert.deepEqual(lab.allocated, []);
  });
});

describe('auto on lo', () => {
  it('takes single addresses from the loopback pool', () => {
    const lab = labOf(`
addressing: { loopback: { ipv4: 10.0.0.0/24, ipv6: "fd00::/64" } }
nodes: { a: { interfaces: { lo: { addresses: [auto] } } }, b: { interfaces: { lo: { addresses: [auto] } } } }`);
    assert.deepEqual(addresses(lab, 'b', 'lo'), ['10.0.0.2/32', 'fd00::2/128']);
    assert.equal(nodeOf(lab, 'b').interfaces[0]?.type, 'loopback');
  });
});

describe('pools', () => {
  it('go around each other: the smaller range keeps its subnets', () => {
    const lab = labOf(`
addressing: { lan: { ipv4: 10.0.0.0/8, prefix: 9 }, p2p: { ipv4: 10.0.0.0/30, prefix: 31 } }
nodes: { a: {}, b: {}, sw: { kind: bridge } }
links:
  - endpoints: [ { node: a, interface: e, addresses: [auto] }, { node: b, interface: e, addresses: [auto] } ]
  - endpoints: [ { node: b, interface: f, addresses: [auto] }, sw ]`);
    assert.deepEqual(addresses(lab, 'a', 'e'), ['10.0.0.0/31']);
    assert.deepEqual(addresses(lab, 'sw', 'br0'), ['10.128.0.1/9']);
  });

  it('must be a subnet of their family that holds what is cut from it', () => {
    const pools = (text: string) => errorsOf(`addressing: { lan: { ${text} } }\nnodes: { a: {} }`);
    assert.deepEqual(pools('ipv4: 10.0.0.0/24, prefix: 16'), ['POOL_INVALID addressing.lan.prefix']);
    assert.deepEqual(pools('ipv4: "fd00::/48"'), ['POOL_INVALID addressing.lan.ipv4']);
    assert.deepEqual(pools('prefix: 24'), ['POOL_INVALID addressing.lan']);
    assert.deepEqual(pools('ipv4: 10.0.0.1/24'), ['SUBNET_INVALID addressing.lan.ipv4']);
  });
});

describe('many addresses', () => {
  it('4096 of them are handed out in file order, none twice', () => {
    const text = [
      'nodes:',
      '  sw: { kind: bridge, subnet: 10.16.0.0/16 }',
      ...Array.from({ length: 4096 }, (_, index) => `  h${index}: {}`),
      'links:',
      ...Array.from(
        { length: 4096 },
        (_, i) => `  - endpoints: [ { node: h${i}, interface: e, addresses: [auto] }, sw ]`,
      ),
    ].join('\n');
    // More than 1023 ports are one mistake; the addresses are there all the same.
    const { problems } = { problems: errorsOf(text) };
    assert.deepEqual(problems, ['BRIDGE_PORTS nodes.sw']);
    const range = new Addresses('10.16.0.0/16' as IpPrefix);
    const start = process.cpuUsage();
    const all = new Set(Array.from({ length: 4096 }, () => range.next(none)));
    const { user } = process.cpuUsage(start);
    assert.equal(all.size, 4096);
    assert.ok(user < 500_000, `${user} microseconds`);
  });
});
