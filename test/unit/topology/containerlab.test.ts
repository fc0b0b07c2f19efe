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
    - endpoints: [ "h1:eth1", "br1:p1" ]
    - endpoints: [ { node: h2, interface: eth1, ipv4: 10.0.0.2/24 }, "br1:p2" ]
      type: veth
    - { type: host, endpoint: "h1:eth2", host-interface: clab0 }
    - { type: dummy, endpoint: { node: h1, interface: dummy1 } }
    - { type: macvlan, endpoint: "h2:eth9", host-interface: enp1s0, mode: bridge }
    - { type: mgmt-net, endpoint: "h1:eth8", host-interface: h1-mgmt }
    - endpoints: [ "h1:eth10", "mgmt-net:h1-more" ]
    - endpoints: [ "h1:eth11", "macvlan:enp1s0" ]
    - endpoints: [ "h1:eth12", "dummy" ]
    - endpoints: [ "h1:eth13", "host:clab1" ]
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
        ['host', 'host'],
      ],
    );
    assert.deepEqual(addresses(lab, 'h2', 'eth1'), ['10.0.0.2/24']);
    assert.equal(interfaceOf(lab, 'h1', 'dummy1').type, 'dummy');
    assert.equal(interfaceOf(lab, 'h1', 'eth12').type, 'dummy');
    for (const [node, name] of [
      ['h2', 'eth9'],
      ['h1', 'eth11'],
    ] as const) {
      const macvlan = interfaceOf(lab, node, name);
      assert.deepEqual(macvlan.type === 'macvlan' && macvlan.link, {
        node: 'host',
        place: null,
        ifname: 'enp1s0',
      });
    }
    for (const name of ['clab0', 'clab1']) {
      assert.equal(interfaceOf(lab, 'host', name).type, 'veth');
      assert.equal(interfaceOf(lab, 'host', name).master, undefined);
    }
  });

  it('plugs into a bridge of the machine, which the node is only a name for', () => {
    const lab = labOf(file);
    assert.deepEqual(
      ['p1', 'p2'].map((name) => interfaceOf(lab, 'host', name).master),
      ['br1', 'br1'],
    );
    assert.deepEqual(
      errorsOf('topology: { nodes: { b: { kind: bridge, network-mode: "container:a" }, a: {} } }'),
      ['KEY_UNSUPPORTED topology.nodes.b.network-mode'],
    );
  });

  it('has a management network, which every container is in that does not say otherwise', () => {
    const lab = labOf(file);
    const [network] = nodeOf(lab, 'host').networks ?? [];
    assert.deepEqual(
      [network?.name, network?.bridge, network?.subnets],
      ['clab', 'br-br01-clab', [{ prefix: '172.80.80.0/24', gateway: '172.80.80.1' }]],
    );
    assert.deepEqual(addresses(lab, 'h2', 'eth0'), ['172.80.80.9/24']);
    assert.deepEqual(addresses(lab, 'h1', 'eth0'), ['172.80.80.2/24']);
    for (const name of ['h1-mgmt', 'h1-more']) {
      assert.equal(interfaceOf(lab, 'host', name).master, 'br-br01-clab');
    }
    const quiet = labOf('topology: { nodes: { a: { rootfs: x, network-mode: none }, b: {} } }');
    assert.deepEqual(
      quiet.nodes.map(({ name }) => name),
      ['a', 'b'],
    );
    const asked = labOf('topology: { nodes: { a: { rootfs: x, mgmt-ipv4: 172.20.20.9 } } }');
    assert.deepEqual(addresses(asked, 'a', 'eth0'), ['172.20.20.9/24']);
    const mgmt =
      'mgmt: { network: m, ipv4-subnet: 10.8.0.0/24, ipv4-gw: 10.8.0.9, ipv6-subnet: "2001:db8::/64" }';
    const six = labOf(`${mgmt}\ntopology: { nodes: { a: { rootfs: x, mgmt-ipv6: "2001:db8::7" } } }`);
    assert.deepEqual(addresses(six, 'a', 'eth0'), ['10.8.0.1/24', '2001:db8::7/64']);
    assert.deepEqual(
      nodeOf(six, 'host').networks?.[0]?.subnets.map(({ gateway }) => gateway),
      ['10.8.0.9', '2001:db8::1'],
    );
    assert.deepEqual(
      errorsOf('mgmt: { ipv4-subnet: 10.8.0.0/99 }\ntopology: { nodes: { a: { rootfs: x } } }'),
      ['SUBNET_INVALID mgmt.ipv4-subnet'],
    );
  });

  it('has its containers as containerlab makes them', () => {
    const { container, exec, execMayFail } = nodeOf(labOf(file), 'h1');
    assert.deepEqual(exec, [['ip', 'addr', 'add', '10.0.0.1/24', 'dev', 'eth1']]);
    assert.equal(execMayFail, true);
    assert.equal(container?.options['privileged'], true);
    const one = labOf(`
name: one
topology:
  nodes:
    a:
      image: alpine
      cpu-set: 0-1
      image-pull-policy: IfNotPresent
      aliases: [web]
      labels: { my.role: "server" }
      binds: [ "__clabNodeDir__/conf:/conf:ro", /var/cache, "~/x:/x" ]
      healthcheck: { test: [CMD, "true"], start-period: 5, interval: 1, retries: 3 }
      stages: { create: { wait-for: [ { node: b, stage: healthy } ] } }
    b: { image: alpine, restart-policy: "no", exec: [ "echo a > /x" ], healthcheck: { test: "true" } }
  links: [ { endpoints: [ "a:eth1", "b:eth1" ] } ]
`);
    const { options = {} } = nodeOf(one, 'a').container ?? {};
    assert.deepEqual(JSON.parse(JSON.stringify(options)), {
      binds: ['./clab-one/a/conf:/conf:ro', '~/x:/x'],
      volumes: ['/var/cache'],
      cpuset: '0-1',
      depends_on: { b: { condition: 'service_healthy' } },
      env: { CLAB_INTFS: '1', CLAB_LABEL_MY_ROLE: 'server' },
      healthcheck: { test: ['CMD', 'true'], start_period: '5s', interval: '1s', retries: 3 },
      privileged: true,
      pull_policy: 'missing',
      restart: 'always',
      tty: true,
    });
    assert.deepEqual(interfaceOf(one, 'a', 'eth0').aliases, ['web']);
    const b = nodeOf(one, 'b');
    assert.deepEqual([b.container?.options['restart'], b.exec], ['no', [['/bin/sh', '-c', 'echo a > /x']]]);
  });

  it('joins lists of all levels, and a bind to the same place is the nearest one', () => {
    const lab = labOf(`
topology:
  defaults: { exec: [ "echo default" ], binds: [ "/a:/a", "/b:/b" ] }
  kinds: { linux: { exec: [ "echo kind" ] } }
  nodes: { n: { kind: linux, rootfs: x, exec: [ "echo node" ], binds: [ "/c:/b:ro" ] } }
`);
    const { exec, container } = nodeOf(lab, 'n');
    assert.deepEqual(
      exec.map((words) => words[1]),
      ['default', 'kind', 'node'],
    );
    assert.deepEqual(container?.options['binds'], ['/a:/a', '/c:/b:ro']);
    const wrong = `
topology:
  defaults: { binds: [ "/a" , "/b:" ] }
  nodes: { n: { rootfs: x, binds: [ "/c:relative" ] } }
`;
    assert.deepEqual(errorsOf(wrong), [
      'VALUE_INVALID topology.defaults.binds[1]',
      'VALUE_INVALID topology.nodes.n.binds[0]',
    ]);
  });

  it('inherits node over group over kind, entry by entry in env', () => {
    const lab = labOf(file);
    const h1 = nodeOf(lab, 'h1').container?.options;
    const h2 = nodeOf(lab, 'h2').container?.options;
    assert.equal((h1?.['env'] as Record<string, string> | undefined)?.['A'], 'node');
    assert.equal((h2?.['env'] as Record<string, string> | undefined)?.['A'], 'kind');
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
      ['y', 'x', { CLAB_INTFS: '0', A: 2, B: 1 }],
    );
  });

  it('is told what has no effect here, as warnings', () => {
    const { problems } = checkYaml(
      file
        .replace('network: clab,', 'network: clab, bridge: br-x,')
        .replace('group: servers,', 'group: servers, startup-delay: 3,'),
    );
    const warnings = problems
      .filter(({ code }) => code === 'KEY_UNSUPPORTED')
      .map(({ path, severity }) => [path.join('.'), severity]);
    assert.deepEqual(warnings, [
      ['mgmt.bridge', 'warning'],
      ['topology.nodes.h2.startup-delay', 'warning'],
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
    for (const key of ['startup-config: x', 'license: x', 'runtime: podman', 'components: []']) {
      const [name] = key.split(':');
      assert.deepEqual(errorsOf(small(`rootfs: x, ${key}`)), [`KEY_UNSUPPORTED topology.nodes.a.${name}`]);
    }
    assert.deepEqual(
      errorsOf(
        small('', '[ { type: vxlan, endpoint: { node: a, interface: e }, remote: 10.1.1.1, vni: 100 } ]'),
      ),
      ['KEY_UNSUPPORTED topology.links[0].type'],
    );
    assert.deepEqual(errorsOf(small('', '[ { endpoints: [ "a:e", "vxlan:x" ] } ]')), [
      'KEY_UNSUPPORTED topology.links[0].endpoints[1]',
    ]);
    assert.deepEqual(errorsOf(small('', '[ { endpoints: [ "a:e", "b:e" ], vars: { port: 1 } } ]')), [
      'KEY_UNSUPPORTED topology.links[0].vars',
    ]);
    assert.deepEqual(errorsOf(small('rootfs: x, env: { __IMPORT_ENVS: true }')), [
      'KEY_UNSUPPORTED topology.nodes.a.env.__IMPORT_ENVS',
    ]);
    assert.deepEqual(errorsOf(small('rootfs: x, stages: { create: { exec: [ { command: ls } ] } }')), [
      'KEY_UNSUPPORTED topology.nodes.a.stages.create.exec',
    ]);
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
