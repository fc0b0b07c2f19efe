// Files of containerlab: test of src/topology/containerlab.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fromContainerlab } from '../../../src/topology/containerlab.ts';
import { addresses, checkYaml, errorsOf, interfaceOf, labOf, nodeOf } from '../../support/check-yaml.ts';

const file = `
name: br01
mgmt: { network: clab, ipv4-subnet: 172.80.80.0/24 }
topology:
  kinds:
    linux: { cap-add: [ NET_ADMIN ], env: { A: kind } }
  groups:
    servers: { labels: { role: server }, restart-policy: always }
  nodes:
    h1:
      kind: linux
      rootfs: host
      exec: [ "ip addr add 10.0.0.1/24 dev eth1" ]
      binds: [ "./x:/x:ro" ]
      env: { A: node }
      cpu: 0.5
      memory: 256MB
      sysctls: { net.ipv4.ip_forward: 1 }
    h2: { kind: linux, group: servers, cmd: sleep 1d, rootfs: host, mgmt-ipv4: 172.80.80.9 }
    br1: { kind: bridge }
  links:
    - endpoints: [ "h1:eth1", "br1:eth1" ]
    - endpoints: [ { node: h2, interface: eth1, ipv4: 10.0.0.2/24 }, "br1:eth2" ]
      type: veth
    - { type: host, endpoint: "h1:eth2", host-interface: clab0 }
    - { type: dummy, endpoint: { node: h1, interface: dummy1 } }
    - { type: macvlan, endpoint: "h2:eth9", host-interface: enp1s0, mode: bridge }
`;

const small = (node: string, links = '[]') =>
  `topology: { nodes: { a: { ${node} }, b: {} }, links: ${links} }`;

describe('a containerlab file', () => {
  it('of Linux nodes loads as it is', () => {
    const lab = labOf(file);
    assert.deepEqual(
      lab.nodes.map(({ name, kind }) => [name, kind]),
      [
        ['h1', 'container'],
        ['h2', 'container'],
        ['br1', 'bridge'],
        ['host', 'host'],
      ],
    );
    assert.deepEqual(
      nodeOf(lab, 'br1').interfaces.map(({ name }) => name),
      ['br0', 'eth1', 'eth2'],
    );
    assert.deepEqual(addresses(lab, 'h2', 'eth1'), ['10.0.0.2/24']);
    assert.equal(interfaceOf(lab, 'h1', 'dummy1').type, 'dummy');
    const macvlan = interfaceOf(lab, 'h2', 'eth9');
    assert.deepEqual(macvlan.type === 'macvlan' && macvlan.link, {
      node: 'host',
      place: null,
      ifname: 'enp1s0',
    });
    assert.equal(interfaceOf(lab, 'host', 'clab0').type, 'veth');
  });

  it('inherits node over group over kind, entry by entry in env', () => {
    const lab = labOf(file);
    const h1 = nodeOf(lab, 'h1').container?.options;
    const h2 = nodeOf(lab, 'h2').container?.options;
    assert.deepEqual({ ...(h1?.['env'] as object) }, { A: 'node' });
    assert.deepEqual({ ...(h2?.['env'] as object) }, { A: 'kind' });
    assert.deepEqual(
      [h2?.['restart'], h2?.['command'], h2?.['cap_add']],
      ['always', 'sleep 1d', ['NET_ADMIN']],
    );
    assert.deepEqual(nodeOf(lab, 'h2').labels, { role: 'server' });
  });

  it('inherits the defaults of all nodes last', () => {
    const lab = labOf(
      'topology: { defaults: { rootfs: x, env: { A: 1, B: 1 } }, nodes: { a: { rootfs: y, env: { A: 2 } }, b: } }',
    );
    const env = { ...(nodeOf(lab, 'a').container?.options['env'] as object) };
    assert.deepEqual(
      [nodeOf(lab, 'a').container?.rootfs, nodeOf(lab, 'b').container?.rootfs, env],
      ['y', 'x', { A: 2, B: 1 }],
    );
  });

  it('is told what has no effect here, as warnings', () => {
    const { problems } = checkYaml(file);
    const warnings = problems
      .filter(({ code }) => code === 'KEY_UNSUPPORTED')
      .map(({ path, severity }) => [path.join('.'), severity]);
    assert.deepEqual(warnings, [
      ['topology.nodes.h2.mgmt-ipv4', 'warning'],
      ['mgmt', 'warning'],
    ]);
  });

  it('has its problems at the places of the file', () => {
    assert.deepEqual(
      errorsOf('topology: { kinds: { linux: { image: "a b" } }, nodes: { a: { kind: linux } } }'),
      ['VALUE_INVALID topology.kinds.linux.image'],
    );
    assert.deepEqual(errorsOf(small('imge: x')), ['UNKNOWN_KEY topology.nodes.a.imge']);
    assert.deepEqual(errorsOf(small('rootfs: x, shm-size: 64')), ['UNIT_MISSING topology.nodes.a.shm-size']);
    assert.deepEqual(errorsOf(small('', '[ { endpoints: [ "a:e", "c:e" ] } ]')), [
      'NODE_UNDEFINED topology.links[0].endpoints[1]',
    ]);
    assert.deepEqual(
      errorsOf('topology: { kinds: { linux: { rootfs: x, memory: 5 } }, nodes: { a: { kind: linux } } }'),
      ['UNIT_MISSING topology.kinds.linux.memory'],
    );
    assert.deepEqual(
      errorsOf('topology: { nodes: { a: { rootfs: x, env: { A: [1] } } }, defaults: { env: { B: c } } }'),
      ['WRONG_TYPE topology.nodes.a.env.A'],
    );
  });

  it('is refused where it needs an appliance, by name', () => {
    for (const kind of ['ceos', 'srl', 'nokia_srlinux', 'juniper_vjunosrouter', 'cisco_xrd']) {
      assert.deepEqual(errorsOf(small(`kind: ${kind}`)), ['KIND_UNSUPPORTED topology.nodes.a.kind'], kind);
    }
    assert.deepEqual(errorsOf('nodes: { a: { kind: ceos } }'), ['KIND_UNSUPPORTED nodes.a.kind']);
    assert.deepEqual(errorsOf('nodes: { a: { kind: ruoter } }'), ['VALUE_UNKNOWN nodes.a.kind']);
  });

  it('is refused where a key would be ignored that matters', () => {
    for (const key of ['startup-config: x', 'license: x', 'runtime: podman', 'cpu-set: "0-1"']) {
      const [name] = key.split(':');
      assert.deepEqual(errorsOf(small(`rootfs: x, ${key}`)), [`KEY_UNSUPPORTED topology.nodes.a.${name}`]);
    }
    assert.deepEqual(
      errorsOf(
        small('', '[ { type: vxlan, endpoint: { node: a, interface: e }, remote: 10.1.1.1, vni: 100 } ]'),
      ),
      ['KEY_UNSUPPORTED topology.links[0].type'],
    );
    assert.deepEqual(
      errorsOf(small('', '[ { type: mgmt-net, endpoint: { node: a, interface: e }, host-interface: x } ]')),
      ['KEY_UNSUPPORTED topology.links[0].type'],
    );
  });

  it('may not have nodes at both places, nor unknown keys under topology', () => {
    assert.deepEqual(errorsOf('nodes: { a: {} }\ntopology: { nodes: { b: {} } }'), [
      'INTERFACE_CONFLICT topology.nodes',
    ]);
    assert.deepEqual(errorsOf('topology: { nodes: { a: {} }, nodez: {} }'), ['UNKNOWN_KEY topology.nodez']);
  });
});

describe('a file of nslab', () => {
  it('passes through as the same object', () => {
    const nodes = { a: { kind: 'router', interfaces: { eth0: {} } } };
    const links = [{ endpoints: ['a:eth0', 'b:eth0'] }];
    const { value, problems } = fromContainerlab({ name: 'x', nodes, links });
    assert.deepEqual(problems, []);
    assert.equal((value as { nodes: unknown }).nodes, nodes);
    assert.equal((value as { links: unknown }).links, links);
  });
});
