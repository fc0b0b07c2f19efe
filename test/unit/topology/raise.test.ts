// A lab written down and read again is the same lab: for every shipped topology, for random ones, and for what they do not have.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Lab } from '../../../src/model/lab.ts';
import { loadLab, loadText } from '../../../src/topology/load.ts';
import { withoutPlaces, writeTopology } from '../../../src/topology/write.ts';
import { randomLabYaml } from '../../support/random-lab.ts';

const folder = join(import.meta.dirname, '../../../topologies');

function again(text: string): Lab {
  try {
    return loadText(text, { path: 'again.yaml', env: {} }).lab;
  } catch (error) {
    throw new Error(`${JSON.stringify((error as { problems?: unknown }).problems)}\n${text}`, {
      cause: error,
    });
  }
}

function assertComesBack(lab: Lab): string {
  const text = writeTopology(lab);
  assert.deepEqual(withoutPlaces(again(text)), withoutPlaces(lab), text);
  assert.equal(writeTopology(again(text)), text, 'written twice it is the same text');
  return text;
}

/** Words that the shipped topologies have none of. */
const everything = `
name: everything
prefix: q-
description: "a text\\nof two lines"
networks:
  front: { ipam: { config: [ { subnet: 10.8.1.0/24 }, { subnet: "fd00:8::/64", gateway: "fd00:8::fe" } ] }, enable_ipv6: true }
  back: { ipam: { config: [ { subnet: 10.8.2.0/24 } ] } }
nodes:
  sw: { kind: bridge, stp: true, ageing_time: 150ms, priority: 4096 }
  a:
    kind: router
    ipv6: true
    interfaces:
      lo: { mtu: 60000, addresses: [10.0.0.1/32] }
      an-interface-with-a-long-name: { addresses: [10.1.1.1/24] }
      eth1:
        mac: 02:00:00:00:00:01
        addresses: [{ address: 10.1.2.1/32, peer: 10.1.2.2 }, { address: "fd00::1/64", dad: true }, { address: 10.1.3.1/24, scope: link }]
      tun0: { type: tun, owner: 1000, group: 1000 }
      d0: { type: dummy, up: false }
      br1: { type: bridge, vlan_filtering: true, forward_delay: 4s, group_fwd_mask: 16384, mcast_snooping: false }
      d1: { type: dummy, master: br1, port: { cost: 5, hairpin: true, vlans: [10, 20-30], learning: false } }
      vx: { type: vxlan, id: 9, remote: 10.1.1.9, link: an-interface-with-a-long-name, dstport: 8472, learning: false, ttl: 9 }
      g: { type: gretap, local: "fd00::1", remote: "fd00::2", key: 7 }
    routes:
      - default via 10.1.1.2 dev an-interface-with-a-long-name onlink
      - { to: default, via: "fd00::2", metric: 5 }
      - 10.9.0.0/16 via inet6 fd00::2
      - { to: 0.0.0.0/0, via: 10.1.1.3, table: 100, protocol: static, mtu: 1400, src: 10.1.1.1 }
      - "-6 unreachable default table 100"
      - local 10.77.0.0/16 dev lo table local
      - { to: 10.10.0.0/16, nexthops: [ { via: 10.1.1.4, weight: 3 }, { via: 10.1.1.5, dev: an-interface-with-a-long-name, onlink: false } ] }
    rules:
      - not from 10.1.0.0/16 iif eth1 fwmark 0x10/0xff ipproto tcp sport 1-9 dport 80 table 100
      - -6 prohibit priority 90
      - { to: "fd01::/64", table: main, suppress_prefixlength: 0, not: false }
    neighbours: [ "10.1.1.7 lladdr 02:00:00:00:00:07 dev an-interface-with-a-long-name", "proxy 10.1.1.8 dev eth1" ]
    nat:
      - { dnat: { in: eth1, proto: tcp, port: 80, to: 8080 } }
      - { masquerade: { out: an-interface-with-a-long-name, family: 4 } }
    firewall: { input: {}, forward: { policy: drop, rules: [ { in: "eth*", log: seen, counter: true, action: reject, comment: "a: b" } ] } }
    sysctls: { net.ipv4.conf.all.rp_filter: 0, net.ipv6.conf.all.forwarding: 0, net.ipv4.ping_group_range: "0 100" }
    hosts: [ "203.0.113.9 x x.lab", "203.0.113.9 y" ]
    dns: { servers: [10.1.1.53], search: [lab.example], options: ["ndots:2"] }
    exec: [ "echo $$HOME $\${x}", [ "true", "a b" ] ]
    labels: { tier: 1, "odd key": "yes" }
  b: { hosts: { gate: 10.1.1.1, "10": 10.1.1.2 }, dns: 10.1.1.53 }
  web:
    rootfs: host
    kind: router
    command: [ sleep, infinity ]
    env: { A: "1", B: 2, C: true, D: null }
    ports: [ "8080:80" ]
    healthcheck: { test: [ CMD, "true" ], interval: 2s }
    networks: { front: { aliases: [ www ] }, back: { gw_priority: 5, mac_address: 02:00:00:00:00:09 } }
  shares: { rootfs: host, network_mode: "container:web" }
  plain: { rootfs: host, network_mode: none }
links:
  - endpoints: [ "a:an-interface-with-a-long-name", sw ]
    impair: { delay: 20ms, jitter: 1500us, loss: 0.1%, rate: 10mbit, limit: 100 }
  - endpoints: [ { node: a, interface: eth1, impair: { corrupt: 3% } }, { node: b, interface: eth0, ipv6: true } ]
  - endpoints: [ "b:eth1", { node: sw, interface: p2, port: { isolated: true } } ]
  - endpoints: [ "b:eth2", sw ]
    mtu: 1400
  - endpoints: [ "b:x", "b:y" ]
tests:
  - { from: a, http: "http://10.1.1.2/", expect: { status: 200 }, within: 1500ms, points: 0.5 }
  - { from: b, run: "true", name: it does }
`;

describe('a lab that is written down', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
    it(`comes back: ${name}`, () => {
      assertComesBack(loadLab({ path: join(folder, name), env: {} }).lab);
    });
  }

  it('comes back with all that a file can have', () => {
    const text = assertComesBack(loadText(everything, { path: 'everything.yaml', env: {} }).lab);
    for (const word of [
      'impair: { delay: 20ms',
      'rate: 10mbit',
      'loss: 0.1%',
      'gw_priority: 1',
      'dad: true',
    ]) {
      assert.ok(text.includes(word), `${word} in\n${text}`);
    }
  });

  it('has lines that a person would write', () => {
    const lab = loadText(everything, { path: 'everything.yaml', env: {} }).lab;
    const lines = writeTopology(lab).split('\n');
    for (const line of [
      '  sw: { kind: bridge, stp: true, ageing_time: 150ms, priority: 4096 }',
      '  shares: { rootfs: host, network_mode: "container:web" }',
      '  - endpoints: ["b:eth2", sw]',
      '  - endpoints: ["b:x", "b:y"]',
    ]) {
      assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
    }
  });

  it('says what is about the reader above its node, and nothing in a comment ends it', () => {
    const lab = loadText('name: x\nnodes: { a: {}, b: {} }\n', { path: 'x.yaml', env: {} }).lab;
    const nodes = new Map([['b', ['two\nlines', 'an \u001b[31mescape\u2028 and more']]]);
    assert.equal(
      writeTopology(lab, { top: ['A title.'], nodes }),
      '# A title.\nname: x\nnodes:\n  a: {}\n  # two\n  # lines\n  # an \\u001b[31mescape\\u2028 and more\n  b: {}\n',
    );
  });

  it('comes back whatever its texts are', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.constantFrom(
        '1',
        'true',
        '~',
        'yes',
        '0x10',
        '- a',
        'a: b',
        '#',
        '',
        ' a',
        'a ',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
        '${HOME}',
        '$${',
        '$$',
        '1e3',
        '.5',
      ),
      fc.stringMatching(/^[a-z ]{100,300}$/),
      fc
        .array(fc.stringMatching(/^[ a-z#:'"$ {}]{0,80}$/), { maxLength: 6 })
        .map((lines) => lines.join('\n')),
    );
    const base = loadText('name: x\nnodes: { a: { rootfs: host, network_mode: none } }\n', {
      path: 'x',
      env: {},
    }).lab;
    const [node] = base.nodes;
    assert.ok(node?.container !== undefined);
    const { container } = node;
    fc.assert(
      fc.property(fc.array(texts, { minLength: 1, maxLength: 3 }), (words) => {
        fc.pre(words[0] !== '' && words.every((word) => !/\0/.test(word)));
        const labels = Object.fromEntries(words.map((word, i) => [`l${i}`, word]));
        const options = { ...container.options, command: words, env: { A: words[0] ?? '' } };
        const lab = {
          ...base,
          nodes: [{ ...node, labels, exec: [words], container: { ...container, options } }],
        };
        assert.deepEqual(withoutPlaces(again(writeTopology(lab))), withoutPlaces(lab));
      }),
      { numRuns: 500 },
    );
  });

  it('comes back for random labs', () => {
    fc.assert(
      fc.property(randomLabYaml('q-'), fc.constantFrom('', 'b-'), (yaml, prefix) => {
        assertComesBack(loadText(yaml, { path: 'random.yaml', env: {}, prefix }).lab);
      }),
      { numRuns: 60 },
    );
  });
});
