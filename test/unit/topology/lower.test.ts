// A checked file to a lab: test of src/topology/lower.ts and its parts, through the whole way from YAML.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { IFNAME_MAX } from '../../../src/base/names.ts';
import { checkTree } from '../../../src/topology/check.ts';
import { lowerLab } from '../../../src/topology/lower.ts';
import { shortIfname } from '../../../src/topology/lower-names.ts';
import { parseYaml } from '../../../src/topology/parse.ts';
import { checkShape } from '../../../src/topology/schema.ts';
import { addresses, checkYaml, errorsOf, interfaceOf, labOf, nodeOf } from '../../support/check-yaml.ts';
import { randomLab } from '../../support/random-lab.ts';

const wire = (rest = '') => `
nodes: { a: {}, b: {} }
links: [ { endpoints: [ "a:eth0", "b:eth0" ]${rest} } ]
`;

describe('the lab of the textbook', () => {
  const text = `
name: two-namespaces
nodes:
  test_ns: {}
links:
  - endpoints:
      - { node: host, interface: veth0, addresses: [10.1.1.2/24] }
      - { node: test_ns, interface: veth1, addresses: [10.1.1.1/24] }
tests:
  - { from: test_ns, ping: 10.1.1.2 }
`;

  it('has the machine as its last node, and both ends of the wire', () => {
    const lab = labOf(text);
    assert.equal(lab.name, 'two-namespaces');
    assert.deepEqual(
      lab.nodes.map(({ name, place, kind }) => [name, place, kind]),
      [
        ['test_ns', 'test_ns', 'netns'],
        ['host', null, 'host'],
      ],
    );
    const veth0 = interfaceOf(lab, 'host', 'veth0');
    assert.deepEqual(veth0.type === 'veth' && veth0.peer, {
      node: 'test_ns',
      place: 'test_ns',
      ifname: 'veth1',
    });
    assert.deepEqual(addresses(lab, 'test_ns', 'veth1'), ['10.1.1.1/24']);
    assert.deepEqual(lab.tests[0]?.probe, { kind: 'ping', target: '10.1.1.2' });
  });

  it('is plain data: JSON keeps it whole', () => {
    const lab = labOf(text);
    assert.deepEqual(JSON.parse(JSON.stringify(lab.nodes)), lab.nodes);
  });

  it('puts the prefix before lab and namespaces, and leaves names of nodes and interfaces alone', () => {
    const lab = labOf(`prefix: a-\n${text}`);
    assert.deepEqual(
      [lab.name, lab.nodes[0]?.name, lab.nodes[0]?.place],
      ['a-two-namespaces', 'test_ns', 'a-test_ns'],
    );
    assert.equal(labOf(`prefix: a-\n${text}`, { prefix: 'b-' }).name, 'b-two-namespaces');
    assert.equal(labOf(`prefix: a-\n${text}`, { prefix: '' }).name, 'two-namespaces');
  });

  it('is called like its file where it has no name', () => {
    assert.equal(labOf('nodes: { a: {} }').name, 'lab');
  });
});

describe('node kinds', () => {
  it('follow from what is there', () => {
    const lab = labOf(
      'nodes: { n: , l: { kind: linux }, i: { rootfs: /srv/i }, f: { rootfs: host }, r: { kind: router, rootfs: host }, s: { kind: bridge } }',
    );
    assert.deepEqual(
      lab.nodes.map(({ kind }) => kind),
      // The containers are on a bridge of the machine, which is a node then.
      ['netns', 'netns', 'container', 'container', 'container', 'bridge', 'host'],
    );
  });

  it('a router forwards both families', () => {
    const lab = labOf('nodes: { r: { kind: router } }');
    assert.deepEqual(
      nodeOf(lab, 'r').sysctls.map(({ key, value }) => [key, value]),
      [
        ['net.ipv4.ip_forward', '1'],
        ['net.ipv6.conf.all.forwarding', '1'],
      ],
    );
  });

  it('mistakes are named: a container without a root, a host that is none, two hosts, keys of another kind', () => {
    assert.deepEqual(errorsOf('nodes: { c: { kind: container } }'), ['MISSING_KEY nodes.c.kind']);
    assert.deepEqual(errorsOf('nodes: { host: { kind: router } }'), ['NAME_RESERVED nodes.host.kind']);
    assert.deepEqual(errorsOf('nodes: { x: { kind: host }, y: { kind: host } }'), ['NAME_DUPLICATE nodes.y']);
    assert.deepEqual(errorsOf('nodes: { a: { env: { A: b } } }'), ['UNKNOWN_KEY nodes.a.env']);
    assert.deepEqual(errorsOf('nodes: { a: { stp: true } }'), ['UNKNOWN_KEY nodes.a.stp']);
    assert.deepEqual(errorsOf('nodes: { host: { hosts: { x: 10.0.0.1 } } }'), [
      'KEY_UNSUPPORTED nodes.host.hosts',
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { kind: netns, rootfs: host } }'), [
      'INTERFACE_CONFLICT nodes.a.kind',
    ]);
    assert.deepEqual(errorsOf('nodes: { "a b": {} }'), ['NAME_INVALID nodes["a b"]']);
  });

  it('a node of kind host may have any name, and `host` means it too', () => {
    const lab = labOf(
      'nodes: { pc: { kind: host }, a: {} }\nlinks: [ { endpoints: [ "pc:x", "a:x" ] }, { endpoints: [ "host:y", "a:y" ] } ]',
    );
    assert.deepEqual(
      lab.nodes.map(({ name }) => name),
      ['a', 'host'],
    );
    assert.deepEqual(
      nodeOf(lab, 'host').interfaces.map(({ name }) => name),
      ['x', 'y'],
    );
  });
});

describe('a bridge node', () => {
  it('is a bridge br0 and one port for each link, named in their order around the names that the file uses', () => {
    const lab = labOf(`
nodes: { a: {}, b: {}, c: {}, sw: { kind: bridge, stp: true, vlan_filtering: true, forward_delay: 4s, ageing_time: 5m } }
links: [ { endpoints: [ "a:e", sw ] }, { endpoints: [ "b:e", "sw:p2" ] }, { endpoints: [ "c:e", { node: sw, port: { vlans: [10, "20-30"] } } ] } ]`);
    const { interfaces } = nodeOf(lab, 'sw');
    assert.deepEqual(
      interfaces.map(({ name, master }) => [name, master]),
      [
        ['br0', undefined],
        ['p1', 'br0'],
        ['p2', 'br0'],
        ['p3', 'br0'],
      ],
    );
    const bridge = interfaceOf(lab, 'sw', 'br0');
    assert.ok(bridge.type === 'bridge');
    assert.deepEqual([bridge.stp, bridge.forward_delay, bridge.ageing_time], [true, 4, 300]);
    assert.deepEqual(interfaceOf(lab, 'sw', 'p3').port, {
      vlans: [
        { from: 10, to: 10 },
        { from: 20, to: 30 },
      ],
    });
  });

  it('comes before its ports whatever the file says first', () => {
    const lab = labOf(`
nodes: { a: {}, h: { interfaces: { e: { master: z }, z: { type: bridge } } } }
links: [ { endpoints: [ "h:e", "a:e" ] } ]`);
    assert.deepEqual(
      nodeOf(lab, 'h').interfaces.map(({ name }) => name),
      ['z', 'e'],
    );
  });
});

describe('ends of links', () => {
  it('and interfaces of nodes are one description; the same address in both is one', () => {
    const lab = labOf(`
nodes: { a: { interfaces: { eth0: { addresses: [10.0.0.1/24], mac: 02-00-00-00-00-AB } } }, b: {} }
links: [ { endpoints: [ { node: a, interface: eth0, addresses: [10.0.0.1/24, 10.0.1.1/24], mtu: 1400 }, "b:e" ], mtu: 1300 } ]`);
    const eth0 = interfaceOf(lab, 'a', 'eth0');
    assert.deepEqual(addresses(lab, 'a', 'eth0'), ['10.0.0.1/24', '10.0.1.1/24']);
    assert.deepEqual([eth0.mac, eth0.mtu], ['02:00:00:00:00:ab', 1400]);
    assert.equal(interfaceOf(lab, 'b', 'e').mtu, 1300);
  });

  it('take the default MTU unless a parent gives them theirs', () => {
    const lab = labOf(`
defaults: { mtu: 1400 }
nodes:
  a:
    interfaces:
      t: { type: tap }
      u: { type: tun }
      i: { type: ifb }
      o: { type: bond }
      d: { type: dummy, master: o }
      own: { type: tap, mtu: 1300 }
      w: { type: vlan, link: d, id: 5 }
      m: { type: macvlan, link: d }
`);
    const mtus = ['t', 'u', 'i', 'o', 'd', 'own', 'w', 'm'].map((name) => interfaceOf(lab, 'a', name).mtu);
    assert.deepEqual(mtus, [1400, 1400, 1400, 1400, 1400, 1300, undefined, undefined]);
  });

  it('that contradict the node are a problem with both places', () => {
    const text = `
nodes: { a: { interfaces: { eth0: { mtu: 1500 } } }, b: {} }
links: [ { endpoints: [ { node: a, interface: eth0, mtu: 1400 }, "b:e" ] } ]`;
    const problem = checkYaml(text).problems.find(({ code }) => code === 'INTERFACE_CONFLICT');
    assert.deepEqual(problem?.path, ['links', 0, 'endpoints', 0, 'mtu']);
    assert.deepEqual(problem?.related?.path, ['nodes', 'a', 'interfaces', 'eth0', 'mtu']);
  });

  it('that are no ends are refused each with its own words', () => {
    const end = (text: string) =>
      errorsOf(`nodes: { a: {}, b: {}, sw: { kind: bridge } }\nlinks: [ { endpoints: [ ${text}, "b:e" ] } ]`);
    assert.deepEqual(end('"c:e"'), ['NODE_UNDEFINED links[0].endpoints[0]']);
    assert.deepEqual(end('a'), ['ENDPOINT_INVALID links[0].endpoints[0]']);
    assert.deepEqual(end('"a:"'), ['ENDPOINT_INVALID links[0].endpoints[0]']);
    assert.deepEqual(end('"a:b:c"'), ['ENDPOINT_INVALID links[0].endpoints[0]']);
    assert.deepEqual(end('"sw:br0"'), ['ENDPOINT_INVALID links[0].endpoints[0]']);
    assert.deepEqual(end('"a:lo"'), ['NAME_RESERVED links[0].endpoints[0]']);
    assert.deepEqual(end('"a:x y"'), ['IFNAME_INVALID links[0].endpoints[0]']);
    assert.deepEqual(errorsOf('nodes: { a: {} }\nlinks: [ { endpoints: [ "a:e" ] } ]'), [
      'ENDPOINT_INVALID links[0].endpoints',
    ]);
  });

  it('that no link names need a type', () => {
    assert.deepEqual(errorsOf('nodes: { a: { interfaces: { eth0: { addresses: [10.0.0.1/24] } } } }'), [
      'INTERFACE_NO_LINK nodes.a.interfaces.eth0',
    ]);
  });

  it('cannot be an interface of another type', () => {
    assert.deepEqual(errorsOf(wire().replace('a: {}', 'a: { interfaces: { eth0: { type: dummy } } }')), [
      'INTERFACE_CONFLICT links[0].endpoints[0]',
    ]);
  });

  it("take containerlab's ipv4 and ipv6, at the end and at the link", () => {
    const lab = labOf(
      'nodes: { a: {}, b: {} }\nlinks: [ { endpoints: [ { node: a, interface: e, ipv4: 10.0.0.1/30 }, "b:e" ], ipv6: [ "fd00::1/64", "fd00::2/64" ] } ]',
    );
    assert.deepEqual(addresses(lab, 'a', 'e'), ['10.0.0.1/30', 'fd00::1/64']);
    assert.deepEqual(addresses(lab, 'b', 'e'), ['fd00::2/64']);
  });
});

describe('long interface names', () => {
  it('become short ones that depend on the name alone, and stay as altnames', () => {
    const lab = labOf(wire().replaceAll('eth0', 'to-the-other-router'));
    const a = interfaceOf(lab, 'a', 'to-the-other-router');
    const b = interfaceOf(lab, 'b', 'to-the-other-router');
    assert.equal(a.ifname, b.ifname);
    assert.match(a.ifname, /^to-the-ot-[0-9a-f]{5}$/);
    assert.equal(a.altname, 'to-the-other-router');
  });

  it('can be used everywhere in the file', () => {
    const lab = labOf(`
nodes:
  a:
    interfaces: { to-the-other-router: { addresses: [10.0.0.1/24] }, mv: { type: macvlan, link: to-the-other-router } }
    routes: [ "10.1.0.0/16 dev to-the-other-router" ]
    rules: [ "iif to-the-other-router table 100" ]
    neighbours: [ "10.0.0.9 lladdr 02:00:00:00:00:09 dev to-the-other-router" ]
    nat: [ { masquerade: { out: to-the-other-router } } ]
    firewall: { input: { rules: [ { in: to-the-other-router, action: drop } ] } }
    sysctls: { net.ipv4.conf.to-the-other-router.rp_filter: 0 }
  b: {}
links: [ { endpoints: [ "a:to-the-other-router", "b:e" ] } ]`);
    const a = nodeOf(lab, 'a');
    const short = interfaceOf(lab, 'a', 'to-the-other-router').ifname;
    const mv = interfaceOf(lab, 'a', 'mv');
    assert.equal(mv.type === 'macvlan' && mv.link.ifname, short);
    const nat = a.nat[0];
    assert.deepEqual(
      [
        a.routes[0]?.dev,
        a.rules[0]?.iif,
        a.neighbours[0]?.dev,
        nat?.kind === 'masquerade' && nat.out,
        a.firewall?.input?.rules[0]?.in,
      ],
      [short, short, short, short, short],
    );
    assert.ok(a.sysctls.some(({ key }) => key === `net.ipv4.conf.${short}.rp_filter`));
  });

  it('fit the kernel, whatever their characters, and never meet one that is taken', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 16, unit: 'grapheme' }), (name) => {
        const first = shortIfname(name, new Set());
        const second = shortIfname(name, new Set([first]));
        assert.ok(Buffer.byteLength(first) <= IFNAME_MAX);
        assert.notEqual(first, second);
        assert.equal(shortIfname(name, new Set()), first);
      }),
    );
  });

  it('have a limit as well', () => {
    assert.deepEqual(errorsOf(wire().replace('a:eth0', `a:${'x'.repeat(128)}`)), [
      'IFNAME_LONG links[0].endpoints[0]',
    ]);
  });
});

describe('IPv6 of an interface', () => {
  const flags = (text: string, file = wire()) => {
    const lab = labOf(`${text}\n${file}`);
    return [interfaceOf(lab, 'a', 'eth0').ipv6, interfaceOf(lab, 'b', 'eth0').ipv6];
  };

  it('is off unless the file gives it', () => {
    assert.deepEqual(flags(''), [false, false]);
    assert.deepEqual(flags('ipv6: true'), [true, true]);
    assert.deepEqual(flags('defaults: { ipv6: true }'), [true, true]);
  });

  it('is decided by the nearest word, and by an address', () => {
    assert.deepEqual(flags('ipv6: true', wire().replace('a: {}', 'a: { ipv6: false }')), [false, true]);
    const addressed = wire().replace('"a:eth0"', '{ node: a, interface: eth0, addresses: ["fd00::1/64"] }');
    assert.deepEqual(flags('', addressed), [true, false]);
  });

  it('is never there on a switch', () => {
    const lab = labOf(
      'ipv6: true\nnodes: { a: {}, sw: { kind: bridge } }\nlinks: [ { endpoints: [ "a:e", sw ] } ]',
    );
    assert.deepEqual(
      nodeOf(lab, 'sw').interfaces.map(({ ipv6 }) => ipv6),
      [false, false],
    );
  });

  it('cannot be off where there is an address', () => {
    const text = wire().replace(
      'a: {}',
      'a: { interfaces: { eth0: { ipv6: false, addresses: ["fd00::1/64"] } } }',
    );
    assert.deepEqual(errorsOf(text), ['INTERFACE_CONFLICT nodes.a.interfaces.eth0.ipv6']);
  });
});

describe('types of interfaces', () => {
  const of = (text: string) =>
    interfaceOf(labOf(`nodes: { a: { interfaces: { x: { ${text} }, y: { type: bridge } } } }`), 'a', 'x');
  const rest = (text: string) => {
    const { name, ifname, up, addresses: list, ipv6, path, ...type } = of(text);
    return type;
  };
  const y = { node: 'a', place: 'a', ifname: 'y' };

  it('have their defaults filled in', () => {
    assert.deepEqual(rest('type: vlan, link: y, id: 5'), {
      type: 'vlan',
      link: y,
      id: 5,
      protocol: '802.1Q',
    });
    assert.deepEqual(rest('type: macvlan, link: y'), { type: 'macvlan', link: y, mode: 'bridge' });
    assert.deepEqual(rest('type: ipvlan, link: y'), { type: 'ipvlan', link: y, mode: 'l2', flag: 'bridge' });
    assert.deepEqual(rest('type: vxlan, id: 7, remote: 192.0.2.1'), {
      type: 'vxlan',
      id: 7,
      remotes: [],
      dstport: 4789,
      learning: true,
      remote: '192.0.2.1',
    });
    assert.deepEqual(rest('type: bond, miimon: 100ms'), { type: 'bond', mode: 'balance-rr', miimon: 100 });
    assert.deepEqual(rest('type: physical'), { type: 'physical', device: 'x' });
    assert.deepEqual(rest('type: gre, local: 192.0.2.1, remote: 192.0.2.2, key: 9'), {
      type: 'gre',
      local: '192.0.2.1',
      remote: '192.0.2.2',
      key: 9,
    });
  });

  it('may stand on an interface of the machine', () => {
    assert.deepEqual(rest('type: macvlan, link: "host:enp1s0"'), {
      type: 'macvlan',
      link: { node: 'host', place: null, ifname: 'enp1s0' },
      mode: 'bridge',
    });
  });

  it('read WireGuard keys, peers and endpoints', () => {
    const key = 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=';
    const type = rest(
      `type: wireguard, private_key: "${key}", peers: [ { public_key: "${key}", endpoint: "[fd00::1]:51820", allowed_ips: [10.0.0.2, "10.1.0.0/16"], persistent_keepalive: 25s } ]`,
    );
    assert.deepEqual(type.type === 'wireguard' && type.peers, [
      {
        public_key: key,
        endpoint: { address: 'fd00::1', port: 51820 },
        allowed_ips: ['10.0.0.2/32', '10.1.0.0/16'],
        persistent_keepalive: 25,
      },
    ]);
    const bad = (text: string) =>
      errorsOf(`nodes: { a: { interfaces: { x: { type: wireguard, ${text} } } } }`);
    assert.deepEqual(bad('private_key: short'), ['VALUE_INVALID nodes.a.interfaces.x.private_key']);
  });

  it('take no key of another type', () => {
    assert.deepEqual(errorsOf('nodes: { a: { interfaces: { x: { type: dummy, id: 5 } } } }'), [
      'UNKNOWN_KEY nodes.a.interfaces.x.id',
    ]);
  });

  it('name what they stand on, and it must be there', () => {
    assert.deepEqual(errorsOf('nodes: { a: { interfaces: { x: { type: vlan, link: nope, id: 5 } } } }'), [
      'INTERFACE_UNDEFINED nodes.a.interfaces.x.link',
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { interfaces: { x: { type: macvlan, link: "nope:eth0" } } } }'), [
      'NODE_UNDEFINED nodes.a.interfaces.x.link',
    ]);
  });

  it('lo is there from birth: addresses are all it can be given, and that of the machine is left alone', () => {
    assert.equal(
      interfaceOf(labOf('nodes: { a: { interfaces: { lo: { addresses: [10.0.0.1/32] } } } }'), 'a', 'lo')
        .type,
      'loopback',
    );
    assert.deepEqual(errorsOf('nodes: { a: { interfaces: { lo: { type: dummy } } } }'), [
      'NAME_RESERVED nodes.a.interfaces.lo.type',
    ]);
    assert.deepEqual(errorsOf('nodes: { host: { interfaces: { lo: { addresses: [10.0.0.1/32] } } } }'), [
      'NAME_RESERVED nodes.host.interfaces.lo',
    ]);
  });
});

describe('addresses', () => {
  it('may be objects with a peer, a scope and duplicate address detection', () => {
    const lab = labOf(
      wire().replace(
        '"a:eth0"',
        '{ node: a, interface: eth0, addresses: [ { address: 10.0.0.1/32, peer: 10.0.0.2 }, { address: "fd00::1/64", dad: true, scope: link } ] }',
      ),
    );
    assert.deepEqual(interfaceOf(lab, 'a', 'eth0').addresses, [
      { ip: '10.0.0.1/32', peer: '10.0.0.2/32', nodad: true, path: 'links[0].endpoints[0].addresses[0]' },
      { ip: 'fd00::1/64', scope: 'link', nodad: false, path: 'links[0].endpoints[0].addresses[1]' },
    ]);
  });

  it('lack nothing: a bare address asks for the length of its subnet', () => {
    const text = wire().replace('"a:eth0"', '{ node: a, interface: eth0, addresses: [10.0.0.1] }');
    const [problem] = checkYaml(text).problems;
    assert.equal(problem?.code, 'ADDRESS_INVALID');
    assert.match(problem?.hint ?? '', /10\.0\.0\.1\/24/);
  });
});

describe('sysctls', () => {
  const keys = (text: string) =>
    nodeOf(labOf(`nodes: { a: { ${text} } }`), 'a').sysctls.map(({ key, value }) => `${key}=${value}`);

  it('of the user come after those that are implied, and replace them', () => {
    assert.deepEqual(keys('kind: router, sysctls: { net.ipv4.ip_forward: 0, net.core.somaxconn: 5 }'), [
      'net.ipv6.conf.all.forwarding=1',
      'net.ipv4.ip_forward=0',
      'net.core.somaxconn=5',
    ]);
  });

  it('may be written with slashes, with dots in interface names, as a list, and as truth values', () => {
    const vlan = 'interfaces: { d: { type: dummy }, eth0.100: { type: vlan, link: d, id: 100 } }';
    assert.deepEqual(keys(`${vlan}, sysctls: { net/ipv4/conf/eth0.100/forwarding: true }`), [
      'net.ipv4.conf.eth0/100.forwarding=1',
    ]);
    assert.deepEqual(keys(`${vlan}, sysctls: { net.ipv4.conf.eth0.100.forwarding: true }`), [
      'net.ipv4.conf.eth0/100.forwarding=1',
    ]);
    assert.deepEqual(keys('sysctls: [ "net.ipv4.ip_forward = 1" ]'), ['net.ipv4.ip_forward=1']);
  });

  it('of the whole machine are refused, but for the IPC ones of a container', () => {
    assert.deepEqual(errorsOf('nodes: { a: { sysctls: { vm.swappiness: 1 } } }'), [
      'SYSCTL_INVALID nodes.a.sysctls["vm.swappiness"]',
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { sysctls: { kernel.shmmax: 1 } } }'), [
      'SYSCTL_INVALID nodes.a.sysctls["kernel.shmmax"]',
    ]);
    assert.deepEqual(keys('rootfs: host, sysctls: { kernel.shmmax: 1 }'), ['kernel.shmmax=1']);
    // `hostname` says it.
    assert.deepEqual(errorsOf('nodes: { a: { rootfs: host, sysctls: { kernel.hostname: x } } }'), [
      'SYSCTL_INVALID nodes.a.sysctls["kernel.hostname"]',
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { sysctls: { "net..x": 1 } } }'), [
      'SYSCTL_INVALID nodes.a.sysctls["net..x"]',
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { sysctls: { net.ipv4.conf.../../x: 1 } } }').length, 1);
  });

  it('that NAT needs are implied: both families for masquerade, one where an address tells it', () => {
    const of = (nat: string) =>
      nodeOf(labOf(wire().replace('a: {}', `a: { nat: [ { ${nat} } ] }`)), 'a').sysctls.map(({ key }) => key);
    assert.deepEqual(of('masquerade: { out: eth0 }'), [
      'net.ipv4.ip_forward',
      'net.ipv6.conf.all.forwarding',
    ]);
    assert.deepEqual(of('masquerade: { out: eth0, source: 10.0.0.0/8 }'), ['net.ipv4.ip_forward']);
    assert.deepEqual(of('snat: { out: eth0, to: "fd00::1" }'), ['net.ipv6.conf.all.forwarding']);
  });

  it('of the machine turn on forwarding for the interfaces concerned, and nothing for all', () => {
    const lab = labOf(`
nodes: { a: {}, host: { nat: [ { masquerade: { out: eth9, source: 10.0.0.0/24 } } ], interfaces: { br9: { type: bridge, addresses: [10.0.0.1/24] } } } }
links: [ { endpoints: [ { node: host, interface: v9, master: br9 }, "a:eth0" ] } ]`);
    assert.deepEqual(
      nodeOf(lab, 'host').sysctls.map(({ key }) => key),
      ['net.ipv4.conf.br9.forwarding', 'net.ipv4.conf.eth9.forwarding'],
    );
  });

  it('of the machine forward IPv6 by interface too where the lab has it there, unless the file says `all`', () => {
    const text = (sysctls: string) => `
nodes: { a: {}, host: { nat: [ { masquerade: { out: eth9 } } ]${sysctls} } }
links: [ { endpoints: [ { node: host, interface: v9, addresses: ["fd00:9::1/64"] }, "a:eth0" ] } ]`;
    const keys = (sysctls: string) => nodeOf(labOf(text(sysctls)), 'host').sysctls.map(({ key }) => key);
    assert.ok(keys('').includes('net.ipv6.conf.v9.force_forwarding'));
    assert.ok(!keys(', sysctls: { net.ipv6.conf.all.forwarding: 1 }').some((key) => key.includes('force')));
  });

  it('of `defaults` are for all nodes but the machine', () => {
    const lab = labOf(
      `defaults: { sysctls: { net.core.somaxconn: 5 } }\n${wire().replace('"b:eth0"', '"host:eth0"')}`,
    );
    assert.deepEqual(nodeOf(lab, 'b').sysctls.length, 1);
    assert.deepEqual(nodeOf(lab, 'host').sysctls, []);
  });
});

describe('names', () => {
  it('of hosts are a mapping, lines as in /etc/hosts, or entries as in Compose', () => {
    const hosts = (text: string) => nodeOf(labOf(`nodes: { a: { ${text} } }`), 'a').hosts;
    const db = [{ address: '10.0.0.2', names: ['db'] }];
    assert.deepEqual(hosts('hosts: { db: 10.0.0.2 }'), db);
    assert.deepEqual(hosts('hosts: { db: [10.0.0.2, "fd00::2"] }'), [
      ...db,
      { address: 'fd00::2', names: ['db'] },
    ]);
    assert.deepEqual(hosts('hosts: [ "10.0.0.2 db db.lab" ]'), [
      { address: '10.0.0.2', names: ['db', 'db.lab'] },
    ]);
    assert.deepEqual(hosts('rootfs: host, extra_hosts: [ "db:10.0.0.2", "six=fd00::2" ]'), [
      ...db,
      { address: 'fd00::2', names: ['six'] },
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { hosts: [ "10.0.0.2" ] } }'), ['HOSTS_INVALID nodes.a.hosts[0]']);
    assert.deepEqual(errorsOf('nodes: { a: { hosts: { "b c": 10.0.0.2 } } }'), [
      'HOSTS_INVALID nodes.a.hosts["b c"]',
    ]);
    assert.deepEqual(errorsOf('nodes: { a: { hosts: { b: nowhere } } }'), [
      'ADDRESS_INVALID nodes.a.hosts.b',
    ]);
  });

  it('of name servers are one, a list or an object; a node without takes those of defaults', () => {
    const dns = (text: string) =>
      nodeOf(labOf(`defaults: { dns: 10.0.0.9 }\nnodes: { a: { ${text} } }`), 'a').dns;
    assert.deepEqual(dns(''), { servers: ['10.0.0.9'], search: [], options: [] });
    assert.deepEqual(dns('dns: [10.0.0.1]'), { servers: ['10.0.0.1'], search: [], options: [] });
    assert.deepEqual(dns('dns: { servers: [10.0.0.1], search: lab, options: [ "ndots:1" ] }'), {
      servers: ['10.0.0.1'],
      search: ['lab'],
      options: ['ndots:1'],
    });
  });
});

describe('commands and labels', () => {
  it('are argument vectors and texts', () => {
    const a = nodeOf(
      labOf('nodes: { a: { exec: [ "echo $HOME", [ip, link] ], labels: { role: client, n: 1 } } }'),
      'a',
    );
    assert.deepEqual(a.exec, [
      ['/bin/sh', '-c', 'echo $HOME'],
      ['ip', 'link'],
    ]);
    assert.deepEqual(a.labels, { role: 'client', n: '1' });
    assert.deepEqual(errorsOf('nodes: { a: { exec: [ "" ] } }'), ['VALUE_INVALID nodes.a.exec[0]']);
  });
});

describe('impairments', () => {
  it('of a link count in both directions, those of an end in one, over the link', () => {
    const lab = labOf(
      'nodes: { a: {}, b: {} }\nlinks: [ { endpoints: [ { node: a, interface: e, impair: { loss: 2% } }, "b:e" ], impair: { delay: 20ms, jitter: 2ms, rate: 10mbit, loss: 1%, limit: 100 } } ]',
    );
    const both = { delay: 20000, jitter: 2000, loss: 0.01, rate: 1e7, limit: 100 };
    assert.deepEqual(lab.links[0]?.impair, [{ ...both, loss: 0.02 }, both]);
  });

  it('need units, and a jitter needs a delay', () => {
    assert.deepEqual(errorsOf(wire(', impair: { delay: 20 }')), ['UNIT_MISSING links[0].impair.delay']);
    assert.deepEqual(errorsOf(wire(', impair: { loss: 200% }')), ['VALUE_RANGE links[0].impair.loss']);
    assert.deepEqual(errorsOf(wire(', impair: { jitter: 1ms }')), ['MISSING_KEY links[0].impair.jitter']);
  });
});

describe('tests', () => {
  const test = (text: string) => labOf(`${wire()}tests: [ { from: a, ${text} } ]`).tests[0];
  const bad = (text: string) => errorsOf(`${wire()}tests: [ { from: a, ${text} } ]`);

  it('have one probe, defaults and a name', () => {
    assert.deepEqual(test('run: "true", expect: { exit: 1 }, within: 2s, points: 3, name: n'), {
      name: 'n',
      from: 'a',
      probe: { kind: 'run', command: 'true' },
      expect: { exit: 1 },
      within: 2000,
      points: 3,
      path: 'tests[0]',
    });
    assert.equal(test('ping: b')?.name, 'a: ping b');
  });

  it('are refused with none or two, from nowhere, without port or scheme, or with what cannot be expected', () => {
    assert.deepEqual(bad(''), ['TEST_INVALID tests[0]']);
    assert.deepEqual(bad('ping: b, tcp: "b:80"'), ['TEST_INVALID tests[0]']);
    assert.deepEqual(bad('tcp: b'), ['TEST_INVALID tests[0].tcp']);
    assert.deepEqual(bad('http: b'), ['TEST_INVALID tests[0].http']);
    assert.deepEqual(bad('ping: b, expect: { status: 200 }'), ['TEST_INVALID tests[0].expect.status']);
    assert.deepEqual(errorsOf(`${wire()}tests: [ { from: nope, ping: b } ]`), [
      'NODE_UNDEFINED tests[0].from',
    ]);
  });
});

describe('container keys', () => {
  const bad = (text: string) => errorsOf(`nodes: { a: { rootfs: host, ${text} } }`);

  it('are handed on as they stand', () => {
    const { container } = nodeOf(
      labOf('nodes: { a: { rootfs: ./root, cpu: 0.5, memory: 64MB, binds: [ "./x:/x:ro" ], user: 1000 } }'),
      'a',
    );
    assert.equal(container?.rootfs, './root');
    assert.deepEqual(container?.options, { cpu: 0.5, memory: '64MB', binds: ['./x:/x:ro'], user: 1000 });
  });

  it('of a later version of nslab are refused at their places, and so are what nslab does not use', () => {
    assert.deepEqual(bad('security_opt: [ "apparmor=unconfined", "label:disable" ]'), [
      'CONTAINER_UNSUPPORTED nodes.a.security_opt[0]',
      'CONTAINER_UNSUPPORTED nodes.a.security_opt[1]',
    ]);
    assert.deepEqual(bad('userns: host, ports: []'), []);
    for (const userns of ['auto', '"auto:size=1000"', '"100000:65536"', '{ uid: [ "0:1:2", "5:9:1" ] }'])
      assert.deepEqual(bad(`userns: ${userns}`), [], userns);
  });

  it('that would only fail when the container starts are refused with the file', () => {
    const invalid: readonly (readonly [string, string])[] = [
      ['ulimits: { nofiles: 5 }', 'VALUE_UNKNOWN nodes.a.ulimits.nofiles'],
      ['ulimits: { nofile: 1.5 }', 'VALUE_RANGE nodes.a.ulimits.nofile'],
      ['ulimits: { nofile: { soft: -1, hard: 2 } }', 'VALUE_RANGE nodes.a.ulimits.nofile'],
      ['userns: automatic', 'VALUE_INVALID nodes.a.userns'],
      ['userns: "100000:0"', 'VALUE_INVALID nodes.a.userns'],
      ['userns: "4294967290:9"', 'VALUE_INVALID nodes.a.userns'],
      ['userns: "auto:size=0"', 'VALUE_INVALID nodes.a.userns'],
      ['userns: { uid: [ "0:1" ] }', 'VALUE_INVALID nodes.a.userns'],
      ['userns: { uid: [ "1:1000:5" ] }', 'VALUE_INVALID nodes.a.userns'],
      ['userns: { uid: [ "0:1000:5", "4:2000:5" ] }', 'VALUE_INVALID nodes.a.userns'],
      ['userns: { uid: [ "0:1000:5", "5:1004:5" ] }', 'VALUE_INVALID nodes.a.userns'],
      ['userns: { uid: [ "0:1000:5" ], gid: [] }', 'VALUE_INVALID nodes.a.userns'],
      ['userns: auto, privileged: true', 'VALUE_INVALID nodes.a.userns'],
      ['devices: [ tun ]', 'VALUE_INVALID nodes.a.devices[0]'],
      ['devices: [ "/dev/a:/dev/b:x" ]', 'VALUE_INVALID nodes.a.devices[0]'],
      ['binds: [ "/x:/y:reed-only" ]', 'VALUE_INVALID nodes.a.binds[0]'],
      ['binds: [ "/x:/proc/sys" ]', 'VALUE_INVALID nodes.a.binds[0]'],
      ['binds: [ "/x:/y" ], tmpfs: /z/../y', 'VALUE_INVALID nodes.a.tmpfs'],
      ['volumes: [ "a b:/y" ]', 'VALUE_INVALID nodes.a.volumes[0]'],
      ['volumes: [ { type: bind, target: /y } ]', 'VALUE_INVALID nodes.a.volumes[0]'],
      ['tmpfs: [ "/tmp:size=many" ]', 'VALUE_INVALID nodes.a.tmpfs[0]'],
      ['command: "echo a; echo b"', 'VALUE_INVALID nodes.a.command'],
      [`entrypoint: "sh -c 'x"`, 'VALUE_INVALID nodes.a.entrypoint'],
      ['healthcheck: { test: [ CMD ] }', 'VALUE_INVALID nodes.a.healthcheck.test'],
      ['security_opt: [ "seccomp" ]', 'VALUE_INVALID nodes.a.security_opt[0]'],
      ['stop_signal: SIGFOO', 'VALUE_INVALID nodes.a.stop_signal'],
      ['user: "1:"', 'VALUE_INVALID nodes.a.user'],
      ['user: -1', 'VALUE_INVALID nodes.a.user'],
      ['user: 4294967295', 'VALUE_INVALID nodes.a.user'],
      ['hostname: "a b"', 'VALUE_INVALID nodes.a.hostname'],
      ['env: [ "=x" ]', 'VALUE_INVALID nodes.a.env[0]'],
      ['pids: -2', 'VALUE_INVALID nodes.a.pids'],
      ['cpu: 0.001', 'VALUE_INVALID nodes.a.cpu'],
    ];
    for (const [text, expected] of invalid) assert.deepEqual(bad(text), [expected], text);
  });

  it('are checked as far as their texts go', () => {
    assert.deepEqual(bad('memory: 64'), ['UNIT_MISSING nodes.a.memory']);
    assert.ok(bad('ports: [ "a:b" ]').includes('VALUE_INVALID nodes.a.ports[0]'));
    assert.ok(bad('ports: [ "8000-8002:80-81" ]').includes('VALUE_INVALID nodes.a.ports[0]'));
    assert.deepEqual(bad('binds: [ "/x" ]'), ['VALUE_INVALID nodes.a.binds[0]']);
    assert.deepEqual(bad('restart: sometimes'), ['VALUE_INVALID nodes.a.restart']);
    assert.deepEqual(bad('depends_on: [ nope ]'), ['NODE_UNDEFINED nodes.a.depends_on[0]']);
    assert.deepEqual(bad('depends_on: [ a ]'), ['VALUE_INVALID nodes.a.depends_on[0]']);
    assert.deepEqual(bad('network_mode: vpn'), ['VALUE_INVALID nodes.a.network_mode']);
    assert.deepEqual(bad('healthcheck: { test: [ "true" ] }'), ['VALUE_INVALID nodes.a.healthcheck.test']);
    assert.deepEqual(bad('healthcheck: { test: "true", interval: 3 }'), [
      'UNIT_MISSING nodes.a.healthcheck.interval',
    ]);
    assert.deepEqual(bad('cpu: none'), ['VALUE_INVALID nodes.a.cpu']);
    assert.deepEqual(bad('ulimits: { nofile: { soft: 5, hard: 2 } }'), [
      'VALUE_RANGE nodes.a.ulimits.nofile',
    ]);
  });
});

describe('mistakes of several stages', () => {
  it('are all reported at once: a misspelt key, a bad address and a missing end', () => {
    const errors = errorsOf(`
nodes:
  a: { interfaces: { eth0: { adresses: [10.0.0.1/24] } } }
  b: { routes: [ "default via 10.0.0.300" ] }
links: [ { endpoints: [ "a:eth0", "b:eth0" ] } ]`);
    assert.deepEqual(errors, [
      'UNKNOWN_KEY nodes.a.interfaces.eth0.adresses',
      'ADDRESS_INVALID nodes.b.routes[0]',
    ]);
  });

  it('bring no alarm that only follows from another: the gateway of a node whose address is misspelt', () => {
    const errors = errorsOf(`
nodes: { a: { interfaces: { eth0: { addresses: [10.0.0.1] } }, routes: [ "default via 10.0.0.2" ] }, b: {} }
links: [ { endpoints: [ "a:eth0", "b:eth0" ] } ]`);
    assert.deepEqual(errors, ['ADDRESS_INVALID nodes.a.interfaces.eth0.addresses[0]']);
  });

  it('never become an exception, whatever the values are', () => {
    const keys = fc.constantFrom(
      'name',
      'nodes',
      'links',
      'tests',
      'addressing',
      'defaults',
      'vars',
      'topology',
      'kind',
      'interfaces',
      'routes',
      'rules',
      'nat',
      'firewall',
      'addresses',
      'endpoints',
      'subnet',
      'type',
      'link',
      'image',
      'ports',
      'a',
      'eth0',
      'host',
      'lo',
      '__proto__',
      'constructor',
    );
    const words = fc.constantFrom(
      'auto',
      'a:eth0',
      'sw',
      '10.0.0.1/24',
      'default via ::1',
      'bridge',
      'host',
      'vlan',
      '',
      '${X',
      '$$',
      'from all',
      '80',
      '1%',
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'medium', withCrossShrink: true },
        words,
        fc.constantFrom(null, true, 0, -1, 1.5, 65536),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(keys, tie('tree'), { maxKeys: 4, noNullPrototype: false }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(keys, tree, { maxKeys: 5 }), (file) => {
        checkTree(JSON.parse(JSON.stringify(file)), { env: {} });
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a random lab', () => {
  it('is valid, plain data, the same every time, and has 2 to 8 nodes with the prefix', () => {
    fc.assert(
      fc.property(randomLab('rl-'), ({ yaml }) => {
        const lab = labOf(yaml);
        assert.ok(lab.nodes.length >= 2 && lab.nodes.length <= 8, `${lab.nodes.length} nodes`);
        assert.ok(lab.nodes.every(({ place }) => place?.startsWith('rl-')));
        assert.deepEqual(labOf(yaml), lab);
        assert.deepEqual(JSON.parse(JSON.stringify(lab.nodes)), lab.nodes);
        for (const node of lab.nodes) {
          const names = node.interfaces.map(({ ifname }) => ifname);
          assert.equal(new Set(names).size, names.length);
          assert.ok(names.every((name) => Buffer.byteLength(name) <= IFNAME_MAX));
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('a hostile file', () => {
  it('may stack interfaces ten thousand deep in the order that is worst', () => {
    const count = 10_000;
    const lines = Array.from({ length: count }, (_, i) => `x${i}: { type: vlan, link: x${i + 1}, id: 1 }`);
    const text = `nodes:\n  a:\n    interfaces:\n      ${lines.join('\n      ')}\n      x${count}: { type: dummy }`;
    const { file } = checkShape(parseYaml(text, 'tower.yaml').value);
    assert.ok(file !== undefined);
    // The rules refuse it afterwards, because the kernel would.
    const { interfaces } = nodeOf(lowerLab(file, { defaultName: 'tower' }).draft, 'a');
    assert.deepEqual([interfaces[0]?.name, interfaces.at(-1)?.name], [`x${count}`, 'x0']);
  });

  it('may misspell every name: near ones are looked for only while somebody reads', () => {
    const count = 3000;
    const nodes = Array.from({ length: count }, (_, i) => `  node${i}: {}`);
    const links = Array.from({ length: count }, (_, i) => `  - endpoints: [ "noed${i}:a", "nood${i}:b" ]`);
    const { problems } = checkYaml(['nodes:', ...nodes, 'links:', ...links].join('\n'));
    assert.equal(problems.length, 2 * count);
    assert.ok(problems[0]?.hint?.includes('node0'));
  });
});
