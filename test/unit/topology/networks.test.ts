// Networks of containers and their ports, lowered: bridges, wires, addresses, routes; what follows from the machine and what stays as
// it is. Mistakes are in test/golden/errors/networks-invalid.yaml and its neighbours.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NslabError } from '../../../src/base/error.ts';
import type { IpAddress, IpPrefix } from '../../../src/base/ip.ts';
import type { IfName } from '../../../src/base/names.ts';
import type { Lab, Node } from '../../../src/model/lab.ts';
import { type MachineFacts, portLines, portsMeet } from '../../../src/model/network.ts';
import { loadText } from '../../../src/topology/load.ts';

const nothing: MachineFacts = {
  subnets: [],
  kept: new Map(),
  keptPorts: new Map(),
  isFree: () => true,
  network: () => undefined,
};

function lower(nodes: object, more: object = {}, machine: Partial<MachineFacts> = {}): Lab {
  const each = Object.entries(nodes).map(([name, keys]) => [name, { rootfs: 'host', ...keys }]);
  const text = JSON.stringify({ name: 'x', nodes: Object.fromEntries(each), ...more });
  return loadText(text, { path: 'x.yaml', env: {}, machine: () => ({ ...nothing, ...machine }) }).lab;
}

function problemOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof NslabError) return `${error.code} ${error.message}`;
    throw error;
  }
  return '';
}

function node(lab: Lab, name: string): Node {
  const found = lab.nodes.find((one) => one.name === name);
  assert.ok(found !== undefined, name);
  return found;
}

const addresses = (lab: Lab, name: string): string[] =>
  node(lab, name).interfaces.flatMap((iface) => iface.addresses.map(({ ip }) => `${iface.ifname} ${ip}`));
const routes = (lab: Lab, name: string): string[] =>
  node(lab, name).routes.map(({ to, via, dev }) => `${to} via ${via} dev ${dev}`);

test('a container without a word is on the bridge of its lab', () => {
  const lab = lower({ a: {}, b: {} });
  assert.deepEqual(addresses(lab, 'a'), ['eth0 172.18.0.2/16']);
  assert.deepEqual(addresses(lab, 'b'), ['eth0 172.18.0.3/16']);
  assert.deepEqual(routes(lab, 'a'), ['0.0.0.0/0 via 172.18.0.1 dev eth0']);
  assert.deepEqual(addresses(lab, 'host'), ['br-x 172.18.0.1/16']);
  const ports = node(lab, 'host').interfaces.filter(({ type }) => type === 'veth');
  assert.deepEqual(
    ports.map(({ master }) => master),
    ['br-x', 'br-x'],
  );
  assert.deepEqual(
    node(lab, 'host').sysctls.map(({ key }) => key),
    ['net.ipv4.conf.br-x.forwarding'],
  );
  assert.equal(lab.links.length, 2);
});

test('wires, interfaces and network modes of the file keep a container off it', () => {
  const lab = lower(
    {
      wired: {},
      dummy: { interfaces: { d0: { type: 'dummy' } } },
      none: { network_mode: 'none' },
      host2: { network_mode: 'host' },
      guest: { network_mode: 'container:none' },
      plain: { rootfs: undefined },
      both: { network_mode: 'bridge' },
      sw: { kind: 'bridge', rootfs: undefined },
    },
    { links: [{ endpoints: ['wired:eth0', 'sw'] }, { endpoints: ['both:eth0', 'sw'] }] },
  );
  for (const name of ['wired', 'dummy', 'none', 'host2', 'guest', 'plain'])
    assert.deepEqual(addresses(lab, name), []);
  assert.deepEqual(addresses(lab, 'both'), ['eth1 172.18.0.2/16']);
});

test('a lab without containers has nothing of it', () => {
  const lab = lower({ pc: { rootfs: undefined } });
  assert.equal(JSON.stringify(lab).includes('networks'), false);
  assert.equal(lab.nodes.length, 1);
});

test('several networks: the first that leads out has the default route, unless the file prefers another', () => {
  const networks = { front: {}, back: { internal: true }, third: {} };
  const lab = lower(
    {
      a: { networks: ['back', 'third', 'front'] },
      b: { networks: ['back'] },
      c: { networks: { front: null, third: { gw_priority: 1 } } },
    },
    { networks },
  );
  assert.deepEqual(addresses(lab, 'a'), ['eth0 172.19.0.2/16', 'eth1 172.20.0.2/16', 'eth2 172.18.0.2/16']);
  assert.deepEqual(routes(lab, 'a'), ['0.0.0.0/0 via 172.20.0.1 dev eth1']);
  assert.deepEqual(routes(lab, 'b'), []);
  assert.deepEqual(routes(lab, 'c'), ['0.0.0.0/0 via 172.20.0.1 dev eth1']);
  assert.deepEqual(
    node(lab, 'host').networks?.map(({ name, bridge, internal }) => [name, bridge, internal]),
    [
      ['front', 'br-x-front', false],
      ['back', 'br-x-back', true],
      ['third', 'br-x-third', false],
    ],
  );
});

test('a network may be described: subnet, gateway, range, IPv6, fixed addresses', () => {
  const config = [{ subnet: '10.5.0.0/24', gateway: '10.5.0.254', ip_range: '10.5.0.128/25' }];
  const lab = lower(
    {
      a: { networks: { net: { ipv4_address: '10.5.0.130', mac_address: '02:00:00:00:00:07' } } },
      b: { networks: ['net'] },
      c: { networks: ['net'] },
    },
    { networks: { net: { enable_ipv6: true, ipam: { config } } } },
  );
  const [v4, v6] = addresses(lab, 'a');
  assert.equal(v4, 'eth0 10.5.0.130/24');
  assert.match(v6 ?? '', /^eth0 fd[0-9a-f]{2}:[0-9a-f]+:[0-9a-f]+::2\/64$/);
  assert.equal(addresses(lab, 'b')[0], 'eth0 10.5.0.129/24');
  assert.equal(addresses(lab, 'c')[0], 'eth0 10.5.0.131/24');
  assert.equal(addresses(lab, 'host')[0], 'br-x-net 10.5.0.254/24');
  assert.equal(routes(lab, 'b').length, 2);
  assert.equal(node(lab, 'a').interfaces[0]?.mac, '02:00:00:00:00:07');
});

test('Compose calls the network of all containers `default`', () => {
  const lab = lower({ a: {} }, { networks: { default: { ipam: { config: [{ subnet: '10.9.0.0/24' }] } } } });
  assert.deepEqual(addresses(lab, 'host'), ['br-x 10.9.0.1/24']);
});

test('subnets that the machine reaches, or that the file has, are gone around', () => {
  const subnets = ['172.18.0.0/15', '172.20.5.0/24', '172.16.0.0/14'] as IpPrefix[];
  assert.deepEqual(addresses(lower({ a: {} }, {}, { subnets }), 'a'), ['eth0 172.21.0.2/16']);
  const own = { interfaces: { d: { type: 'dummy', addresses: ['172.18.7.1/24'] } } };
  assert.deepEqual(addresses(lower({ a: {}, b: own }), 'a'), ['eth0 172.19.0.2/16']);
  const all = ['172.16.0.0/12'] as IpPrefix[];
  assert.deepEqual(addresses(lower({ a: {} }, {}, { subnets: all }), 'a'), ['eth0 192.168.0.2/20']);
  const everything = [...all, '192.168.0.0/16'] as IpPrefix[];
  assert.match(
    problemOf(() => lower({ a: {} }, {}, { subnets: everything })),
    /^POOL_EXHAUSTED /,
  );
});

test('what a lab that is up has stays, though another would be free', () => {
  const kept = new Map([['br-x', ['172.25.0.0/16' as IpPrefix]]]);
  assert.deepEqual(addresses(lower({ a: {} }, {}, { kept }), 'a'), ['eth0 172.25.0.2/16']);
});

test('a network of another lab: its bridge, its gateway, addresses that nobody has', () => {
  const bridge = 'br-default' as IfName;
  const ip = (text: string) => text as IpAddress;
  const subnets = [{ prefix: '172.18.0.0/16' as IpPrefix, gateway: ip('172.18.0.1') }];
  const taken = new Set([ip('172.18.0.1'), ip('172.18.0.2')]);
  const other = { bridge, subnets, internal: false, taken, kept: new Map<string, IpAddress[]>() };
  const networks = { away: { external: true, name: 'default/bridge' } };
  const at = (kept: typeof other.kept) =>
    lower(
      { a: { networks: ['away'] } },
      { networks },
      { network: (name) => (name === 'default/bridge' ? { ...other, kept } : undefined) },
    );
  const lab = at(new Map());
  assert.deepEqual(addresses(lab, 'a'), ['eth0 172.18.0.3/16']);
  assert.deepEqual(routes(lab, 'a'), ['0.0.0.0/0 via 172.18.0.1 dev eth0']);
  assert.deepEqual(addresses(lab, 'host'), []);
  assert.equal(node(lab, 'host').interfaces[0]?.master, 'br-default');
  assert.deepEqual(node(lab, 'host').networks, []);
  assert.deepEqual(addresses(at(new Map([['a', [ip('172.18.0.9')]]])), 'a'), ['eth0 172.18.0.9/16']);
});

const shown = (lab: Lab): string[] => portLines(node(lab, 'host').ports ?? []);

test('published ports: one entry for each family, and where they lead', () => {
  const lab = lower({ a: { ports: ['8080:80', '127.0.0.1:53:53/udp'] } });
  assert.deepEqual(
    node(lab, 'host').ports?.map(({ address, proto, port, to }) => [
      address,
      proto,
      port.from,
      to.address,
      to.port.from,
    ]),
    [
      ['0.0.0.0', 'tcp', 8080, '172.18.0.2', 80],
      ['::', 'tcp', 8080, '172.18.0.2', 80],
      ['127.0.0.1', 'udp', 53, '172.18.0.2', 53],
    ],
  );
  assert.deepEqual(shown(lab), ['0.0.0.0:8080->80/tcp', '127.0.0.1:53->53/udp']);
  const wire = node(lab, 'host').interfaces.find(({ type }) => type === 'veth');
  assert.deepEqual(wire?.port, { hairpin: true });
});

test('a port that is left open is the same every time, free, and kept', () => {
  const first = shown(lower({ a: { ports: ['80', '81'] } }));
  assert.deepEqual(first, shown(lower({ a: { ports: ['80', '81'] } })));
  const [port = 0] = first.map((line) => Number(/:(\d+)->80/.exec(line)?.[1]));
  assert.ok(port >= 49_153);
  const busy = shown(lower({ a: { ports: ['80'] } }, {}, { isFree: (_proto, one) => one !== port }));
  assert.deepEqual(busy, [`0.0.0.0:${port === 65_535 ? 49_153 : port + 1}->80/tcp`]);
  const keptPorts = new Map([['a 0.0.0.0 80/tcp', 50_000]]);
  assert.deepEqual(shown(lower({ a: { ports: ['80'] } }, {}, { keptPorts, isFree: () => false })), [
    '0.0.0.0:50000->80/tcp',
  ]);
  // What the file chooses itself is not chosen for another.
  assert.notEqual(shown(lower({ a: { ports: ['80', `${port}:82`] } }))[0], first[0]);
  assert.match(
    problemOf(() => lower({ a: { ports: ['80'] } }, {}, { isFree: () => false })),
    /^POOL_EXHAUSTED /,
  );
});

test('a range of the machine for one port of the container: the first that is free', () => {
  const isFree = (_proto: string, port: number) => port !== 8000;
  assert.deepEqual(
    shown(lower({ a: { ports: ['8000-8002:80'] }, b: { ports: ['8000-8002:80'] } }, {}, { isFree })),
    ['0.0.0.0:8001->80/tcp', '0.0.0.0:8002->80/tcp'],
  );
});

test('a container publishes where the machine reaches it by a link or a route of the file', () => {
  const links = [
    {
      endpoints: [
        { node: 'gw', interface: 'up', addresses: ['10.1.0.2/30'] },
        { node: 'host', interface: 'gw0', addresses: ['10.1.0.1/30'] },
      ],
    },
    {
      endpoints: [
        { node: 'gw', interface: 'lan', addresses: ['10.2.0.1/24'] },
        { node: 'far', interface: 'eth0', addresses: ['10.2.0.2/24'] },
      ],
    },
  ];
  const nodes = {
    gw: { rootfs: undefined, kind: 'router' },
    far: { ports: ['8080:80'], routes: ['default via 10.2.0.1'] },
    host: { rootfs: undefined, routes: ['10.2.0.0/24 via 10.1.0.2'] },
  };
  assert.deepEqual(shown(lower(nodes, { links })), ['0.0.0.0:8080->80/tcp']);
  const { host: _host, ...without } = nodes;
  assert.match(
    problemOf(() => lower(without, { links })),
    /^PORT_UNREACHABLE /,
  );
});

test('of a container in an internal network and another, the other is published', () => {
  const networks = { back: { internal: true }, front: {} };
  const lab = lower({ a: { networks: ['back', 'front'], ports: ['80:80'] } }, { networks });
  assert.equal(node(lab, 'host').ports?.[0]?.to.address, '172.19.0.2');
});

test('sockets that could not be had both', () => {
  const port = (address: string, from: number, to?: number) =>
    ({
      proto: 'tcp',
      address: address as IpAddress,
      port: to === undefined ? { from } : { from, to },
    }) as const;
  assert.ok(portsMeet(port('0.0.0.0', 80), port('127.0.0.1', 80)));
  assert.ok(portsMeet(port('127.0.0.1', 70, 90), port('0.0.0.0', 80)));
  assert.ok(portsMeet(port('127.0.0.1', 80), port('127.0.0.1', 70, 80)));
  assert.ok(!portsMeet(port('127.0.0.1', 80), port('127.0.0.2', 80)));
  assert.ok(!portsMeet(port('0.0.0.0', 80), port('::', 80)));
  assert.ok(!portsMeet(port('0.0.0.0', 80), { ...port('0.0.0.0', 80), proto: 'udp' }));
  assert.ok(!portsMeet(port('0.0.0.0', 80, 89), port('0.0.0.0', 90)));
});

test('Compose spells parts of `dns` and `hosts` otherwise', () => {
  const lab = lower({
    a: {
      dns: '192.0.2.53',
      dns_search: 'lab.example',
      dns_opt: ['ndots:2'],
      extra_hosts: ['me:host-gateway'],
    },
  });
  assert.deepEqual(node(lab, 'a').dns, {
    servers: ['192.0.2.53'],
    search: ['lab.example'],
    options: ['ndots:2'],
  });
  assert.deepEqual(node(lab, 'a').hosts, [{ address: '172.18.0.1', names: ['me'] }]);
});
