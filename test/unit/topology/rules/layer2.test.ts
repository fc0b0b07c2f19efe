// Wires, bridges, masters, VLANs, tunnels, MTU and MAC.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { found, having, messages, wired } from './check-yaml.ts';

const bridge = '{ kind: bridge }';

test('an interface has one wire, and a wire two ends', () => {
  const nodes = { a: '{}', b: '{}', c: '{}' };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 'b:eth0'], ['c:eth0', 'b:eth0'])), [
    'error LINK_END_TWICE links[1].endpoints[1]',
  ]);
  assert.deepEqual(found(wired({ a: '{}' }, ['a:eth0', 'a:eth0'])), [
    'error LINK_SELF links[0].endpoints[1]',
  ]);
  assert.deepEqual(found(wired({ a: '{}' }, ['a:eth0', 'a:eth1'])), []);
});

test('a wire from the machine to itself is a warning', () => {
  assert.deepEqual(found(wired({ a: '{}' }, ['host:x0', 'host:x1'], ['a:eth0', 'host:x2'])), [
    'warning LINK_HOST links[0].endpoints',
  ]);
});

test('switches in a circle are warned about at the link that closes it', () => {
  const nodes = { s: bridge, t: bridge, u: bridge };
  assert.deepEqual(found(wired(nodes, ['s', 't'], ['t', 'u'])), []);
  assert.deepEqual(found(wired(nodes, ['s', 't'], ['t', 'u'], ['u', 's'])), ['warning LINK_LOOP links[2]']);
  assert.deepEqual(found(wired({ s: bridge, t: bridge }, ['s', 't'], ['s', 't'])), [
    'warning LINK_LOOP links[1]',
  ]);
  assert.deepEqual(found(wired({ s: bridge }, ['s', 's'])), ['warning LINK_LOOP links[0]']);
});

test('one switch with spanning tree, or a router, cuts the circle', () => {
  const circle = [['s', 't'] as const, ['t', 'u'] as const, ['u', 's'] as const];
  assert.deepEqual(found(wired({ s: bridge, t: bridge, u: '{ kind: bridge, stp: true }' }, ...circle)), []);
  const routed = { s: bridge, t: bridge, r: '{ kind: router }' };
  assert.deepEqual(found(wired(routed, ['s', 't'], ['s', 'r:eth0'], ['t', 'r:eth1'])), []);
});

test('a node without a wire is a warning only where others have one', () => {
  assert.deepEqual(found(wired({ a: '{}', b: '{}', c: '{}' }, ['a:eth0', 'b:eth0'])), [
    'warning NODE_UNLINKED nodes.c',
  ]);
  assert.deepEqual(found(wired({ a: '{}' })), []);
  const wireless = { a: '{}', b: '{}', c: '{ interfaces: { nic: { type: physical } } }' };
  assert.deepEqual(found(wired(wireless, ['a:eth0', 'b:eth0'])), []);
});

test('a bridge takes 1023 ports and not one more', () => {
  const star = (n: number) => {
    const names = Array.from({ length: n }, (_, i) => `n${i}`);
    const nodes = Object.fromEntries([['s', bridge], ...names.map((name) => [name, '{}'])]) as Record<
      string,
      string
    >;
    return found(wired(nodes, ...names.map((name) => [`${name}:eth0`, 's'] as const)));
  };
  assert.deepEqual(star(1023), []);
  assert.deepEqual(star(1024), ['error BRIDGE_PORTS nodes.s']);
});

test('a master is a bridge, vrf or bond, and no bridge is a port of a bridge', () => {
  const inside = (keys: string) => found(`nodes: { a: { interfaces: { ${keys} } } }\n`);
  assert.deepEqual(inside('b: { type: bridge }, d: { type: dummy, master: b }'), []);
  assert.deepEqual(inside('v: { type: vrf, table: 9 }, b: { type: bridge, master: v }'), []);
  assert.deepEqual(inside('b: { type: dummy }, d: { type: dummy, master: b }'), [
    'error MASTER_INVALID nodes.a.interfaces.d.master',
  ]);
  assert.deepEqual(inside('b: { type: bridge }, c: { type: bridge, master: b }'), [
    'error MASTER_INVALID nodes.a.interfaces.c.master',
  ]);
});

test('interfaces that stand on each other in a circle are named with the whole circle', () => {
  const lab =
    'nodes: { a: { interfaces: { x: { type: bond, master: y }, y: { type: vrf, table: 5, master: z }, z: { type: bond, master: x } } } }\n';
  assert.equal(found(lab).length, 1);
  assert.match(messages(lab, 'MASTER_LOOP')[0] ?? '', /(x -> y -> z -> x|y -> z -> x -> y|z -> x -> y -> z)/);
  const own = 'nodes: { a: { interfaces: { m: { type: macvlan, link: m } } } }\n';
  assert.deepEqual(messages(own, 'MASTER_LOOP'), ['m stands on itself']);
});

/** `v0` alone, and every other one a VLAN of the one before it. */
function tower(height: number, bottom = '{ type: dummy }'): string {
  const floors = Array.from(
    { length: height - 1 },
    (_, i) => `v${i + 1}: { type: vlan, link: v${i}, id: 5 }`,
  );
  return `nodes: { a: { interfaces: { ${[`v0: ${bottom}`, ...floors].join(', ')} } } }\n`;
}

test('eight interfaces may stand on each other, and the ninth is named', () => {
  assert.deepEqual(found(tower(8)), []);
  assert.deepEqual(found(tower(9)), ['error MASTER_INVALID nodes.a.interfaces.v8.link']);
  assert.match(messages(tower(9), 'MASTER_INVALID')[0] ?? '', /^v8 would be number 9 .* 8 is the most$/);
});

test('a macvlan of a macvlan stands beside it, and an ipvlan of an ipvlan', () => {
  for (const type of ['macvlan', 'ipvlan']) {
    const row = (height: number) =>
      tower(height).replaceAll('type: vlan', `type: ${type}`).replaceAll(', id: 5', '');
    assert.deepEqual(found(row(12)), [], type);
    const onTop = (vlans: number) => {
      const more = Array.from(
        { length: vlans },
        (_, i) => `w${i + 1}: { type: vlan, link: ${i === 0 ? 'v11' : `w${i}`}, id: 5 }`,
      );
      return row(12).replace(' } } }\n', `, ${more.join(', ')} } } }\n`);
    };
    assert.deepEqual(found(onTop(6)), [], type);
    assert.deepEqual(found(onTop(7)), ['error MASTER_INVALID nodes.a.interfaces.w7.link'], type);
  }
});

test('a master counts as a storey of what its ports stand on', () => {
  const stack = (height: number) =>
    tower(height).replace(
      'v0: { type: dummy }',
      'b: { type: bridge }, o: { type: bond, master: b }, v0: { type: dummy, master: o }',
    );
  assert.deepEqual(found(stack(6)), []);
  assert.deepEqual(found(stack(7)), ['error MASTER_INVALID nodes.a.interfaces.v6.link']);
});

test('a tower and a circle of 12000 interfaces are one problem each', () => {
  assert.deepEqual(found(tower(12_000)), ['error MASTER_INVALID nodes.a.interfaces.v8.link']);
  const round = tower(12_000, '{ type: vlan, link: v11999, id: 5 }');
  assert.equal(found(round).length, 1);
  const [message] = messages(round, 'MASTER_LOOP');
  assert.match(message ?? '', /^these interfaces .* in a circle: v\d+ -> .* \(11992 more\) -> v\d+$/);
});

test('an address on a port of a bridge is a warning, on a port of a vrf it is right', () => {
  const inside = (keys: string) => found(`nodes: { a: { interfaces: { ${keys} } } }\n`);
  assert.deepEqual(inside('b: { type: bridge }, d: { type: dummy, master: b, addresses: [10.0.0.1/24] }'), [
    'warning ADDRESS_ON_PORT nodes.a.interfaces.d.addresses[0]',
  ]);
  assert.deepEqual(
    inside('b: { type: vrf, table: 5 }, d: { type: dummy, master: b, addresses: [10.0.0.1/24] }'),
    [],
  );
});

test('an MTU is refused where the kernel would refuse it or would turn IPv6 off', () => {
  const one = (keys: string) => found(`nodes: { a: { interfaces: { d: { type: dummy, ${keys} } } } }\n`);
  const where = ['error MTU_INVALID nodes.a.interfaces.d.mtu'];
  for (const good of [
    'mtu: 68',
    'mtu: 65535',
    'mtu: 1280, addresses: ["2001:db8::1/64"]',
    'mtu: 576, addresses: [10.0.0.1/24]',
  ]) {
    assert.deepEqual(one(good), [], good);
  }
  for (const bad of [
    'mtu: 67',
    'mtu: 65536',
    'mtu: 1279, addresses: ["2001:db8::1/64"]',
    'mtu: 1000, ipv6: true',
  ]) {
    assert.deepEqual(one(bad), where, bad);
  }
  assert.deepEqual(found('nodes: { a: { interfaces: { lo: { mtu: 100000 } } } }\n'), []);
});

test('nothing is bigger than what it stands on', () => {
  const lab = (parent: string, mtu: number) =>
    found(
      `nodes: { a: { interfaces: { d: { type: dummy${parent} }, v: { type: vlan, link: d, id: 5, mtu: ${mtu} } } } }\n`,
    );
  assert.deepEqual(lab('', 1500), []);
  assert.deepEqual(lab('', 1501), ['error MTU_INVALID nodes.a.interfaces.v.mtu']);
  assert.deepEqual(lab(', mtu: 9000', 9000), []);
});

test('different MTUs on a wire or among the ports of a bridge are a warning', () => {
  const pair = (a: string, b: string) =>
    found(
      wired({ a: `{ interfaces: { eth0: { ${a} } } }`, b: `{ interfaces: { eth0: { ${b} } } }` }, [
        'a:eth0',
        'b:eth0',
      ]),
    );
  assert.deepEqual(pair('mtu: 9000', 'mtu: 9000'), []);
  assert.deepEqual(pair('mtu: 1500', ''), []);
  assert.deepEqual(pair('mtu: 9000', ''), ['warning MTU_MISMATCH nodes.a.interfaces.eth0.mtu']);
  const ports = `
nodes: { a: {}, b: {}, s: ${bridge} }
links:
  - { endpoints: ["a:eth0", s], mtu: 9000 }
  - { endpoints: ["b:eth0", s] }
`;
  assert.deepEqual(found(ports), ['warning MTU_MISMATCH links[0].endpoints[1].mtu']);
});

test('one MAC address twice on an Ethernet is an error, on two Ethernets it is none', () => {
  const mac = '{ interfaces: { eth0: { mac: 02:00:00:00:00:01 } } }';
  const nodes = { a: mac, b: mac, s: bridge, t: bridge };
  assert.deepEqual(found(wired(nodes, ['a:eth0', 's'], ['b:eth0', 't'])), []);
  assert.deepEqual(found(wired(nodes, ['a:eth0', 's'], ['b:eth0', 't'], ['s', 't'])), [
    'error MAC_DUPLICATE nodes.b.interfaces.eth0.mac',
  ]);
});

test('VLAN ids are 1 to 4094, once per parent, and ports need a bridge that looks at them', () => {
  const vlan = (...ids: number[]) => {
    const each = ids.map((id, i) => `v${i}: { type: vlan, link: d, id: ${id} }`).join(', ');
    return found(`nodes: { a: { interfaces: { d: { type: dummy }, ${each} } } }\n`);
  };
  assert.deepEqual(vlan(1, 4094), []);
  assert.deepEqual(vlan(0), ['error VLAN_INVALID nodes.a.interfaces.v0.id']);
  assert.deepEqual(vlan(4095), ['error VLAN_INVALID nodes.a.interfaces.v0.id']);
  assert.deepEqual(vlan(7, 7), ['error VLAN_DUPLICATE nodes.a.interfaces.v1.id']);
  const port = (keys: string, value: string) => `
nodes: { a: {}, s: { kind: bridge${keys} } }
links: [ { endpoints: ["a:eth0", { node: s, port: { ${value} } }] } ]
`;
  assert.deepEqual(found(port(', vlan_filtering: true', 'vlan: 10')), []);
  assert.deepEqual(found(port('', 'vlan: 10')), ['error VLAN_NO_FILTERING links[0].endpoints[1].port.vlan']);
});

test('a vxlan has 24 bits of identifier, once per port, and ends that make sense', () => {
  const lab = (...tunnels: string[]) => {
    const each = tunnels.map((keys, i) => `x${i}: { type: vxlan, ${keys} }`).join(', ');
    const nodes = {
      a: `{ interfaces: { eth0: { addresses: [10.0.0.1/24] }, ${each} } }`,
      b: having('10.0.0.2/24'),
    };
    return found(wired(nodes, ['a:eth0', 'b:eth0']));
  };
  const where = 'nodes.a.interfaces';
  assert.deepEqual(lab('id: 0, remote: 10.0.0.2', 'id: 16777215, remote: 10.0.0.2, local: 10.0.0.1'), []);
  assert.deepEqual(lab('id: 16777216, remote: 10.0.0.2'), [`error VNI_INVALID ${where}.x0.id`]);
  assert.deepEqual(lab('id: 5, remote: 10.0.0.2', 'id: 5, remote: 10.0.0.9'), [
    `error VXLAN_DUPLICATE ${where}.x1.id`,
  ]);
  assert.deepEqual(lab('id: 5, remote: 10.0.0.2', 'id: 5, dstport: 8472, remote: 10.0.0.2'), []);
  assert.deepEqual(lab('id: 5, remote: 239.0.0.1'), [`error VXLAN_INVALID ${where}.x0.remote`]);
  assert.deepEqual(lab('id: 5, remote: 239.0.0.1, link: eth0'), []);
  assert.deepEqual(lab('id: 5, remote: 10.0.0.1'), [`error VXLAN_INVALID ${where}.x0.remote`]);
});

test('names that differ only in case are one host name, and the kernel keeps two for itself', () => {
  assert.deepEqual(found(wired({ web: '{}', WEB: '{}' }, ['web:eth0', 'WEB:eth0'])), [
    'warning NAME_DUPLICATE nodes.WEB',
  ]);
  assert.deepEqual(found('nodes: { a: { interfaces: { default: { type: dummy } } } }\n'), [
    'error NAME_RESERVED nodes.a.interfaces.default',
  ]);
});
