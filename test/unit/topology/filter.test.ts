// NAT and firewall: test of src/topology/lower-filter.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FirewallRule, NatRule } from '../../../src/model/filter.ts';
import { errorsOf, labOf, nodeOf } from '../../support/check-yaml.ts';

function file(rest: string): string {
  return `
nodes: { a: { interfaces: { eth0: { addresses: [10.0.0.1/24, "fd00::1/64"] } }, ${rest} }, b: {} }
links: [ { endpoints: [ "a:eth0", "b:eth0" ] } ]`;
}

function nat(rule: string): Omit<NatRule, 'path'>[] {
  return nodeOf(labOf(file(`nat: [ { ${rule} } ]`)), 'a').nat.map(
    ({ path, ...rest }) => rest as Omit<NatRule, 'path'>,
  );
}

function rule(text: string): Omit<FirewallRule, 'path'> | undefined {
  const [first] =
    nodeOf(labOf(file(`firewall: { input: { rules: [ { ${text} } ] } }`)), 'a').firewall?.input?.rules ?? [];
  if (first === undefined) return undefined;
  const { path, ...rest } = first;
  return rest;
}

const badNat = (text: string) => errorsOf(file(`nat: [ { ${text} } ]`));
const badRule = (text: string) => errorsOf(file(`firewall: { input: { rules: [ { ${text} } ] } }`));

describe('nat', () => {
  it('masquerades both families, or that of the source, or the one said', () => {
    assert.deepEqual(nat('masquerade: { out: eth0 }'), [{ kind: 'masquerade', out: 'eth0' }]);
    assert.deepEqual(nat('masquerade: { out: eth0, source: 10.0.0.0/8 }'), [
      { kind: 'masquerade', family: 4, out: 'eth0', source: '10.0.0.0/8' },
    ]);
    assert.deepEqual(nat('masquerade: { out: "eth*", family: inet6 }'), [
      { kind: 'masquerade', family: 6, out: 'eth*' },
    ]);
  });

  it('reads targets: address, range, port, range of ports, and IPv6 in brackets or without a port', () => {
    const target = (to: string) => {
      const [first] = nat(`snat: { out: eth0, to: ${to} }`) as { to?: unknown; family?: number }[];
      return [first?.family, first?.to];
    };
    assert.deepEqual(target('192.0.2.1'), [4, { address: { from: '192.0.2.1' } }]);
    assert.deepEqual(target('192.0.2.1-192.0.2.9'), [4, { address: { from: '192.0.2.1', to: '192.0.2.9' } }]);
    assert.deepEqual(target('"192.0.2.1:1024-2048"'), [
      4,
      { address: { from: '192.0.2.1' }, port: { from: 1024, to: 2048 } },
    ]);
    assert.deepEqual(target('"2001:db8::1"'), [6, { address: { from: '2001:db8::1' } }]);
    assert.deepEqual(target('"[2001:db8::1]:80"'), [
      6,
      { address: { from: '2001:db8::1' }, port: { from: 80 } },
    ]);
    assert.deepEqual(target('"[2001:db8::1]-[2001:db8::9]:80"'), [
      6,
      { address: { from: '2001:db8::1', to: '2001:db8::9' }, port: { from: 80 } },
    ]);
  });

  it('to a port alone is one rule for each family', () => {
    const rules = nat('dnat: { in: eth0, proto: tcp, port: 80, to: 8080 }');
    assert.deepEqual(
      rules.map(({ family }) => family),
      [4, 6],
    );
    assert.deepEqual(nat('dnat: { in: eth0, proto: tcp, port: 80, to: ":8080", family: 4 }'), [
      { kind: 'dnat', in: 'eth0', proto: 'tcp', port: { from: 80 }, to: { port: { from: 8080 } }, family: 4 },
    ]);
  });

  it('is one rule per entry, of one family, with a readable target', () => {
    assert.deepEqual(badNat(''), ['NAT_INVALID nodes.a.nat[0]']);
    assert.deepEqual(badNat('masquerade: { out: eth0 }, snat: { out: eth0, to: 192.0.2.1 }'), [
      'NAT_INVALID nodes.a.nat[0]',
    ]);
    assert.deepEqual(badNat('snat: { out: eth0, source: "fd00::/64", to: 192.0.2.1 }'), [
      'NAT_INVALID nodes.a.nat[0].snat',
    ]);
    assert.deepEqual(badNat('snat: { out: eth0, to: 192.0.2.300 }'), [
      'ADDRESS_INVALID nodes.a.nat[0].snat.to',
    ]);
    assert.deepEqual(badNat('snat: { out: eth0, to: "" }'), ['NAT_INVALID nodes.a.nat[0].snat.to']);
    assert.deepEqual(badNat('snat: { out: eth0, to: 192.0.2.9-192.0.2.1 }'), [
      'NAT_INVALID nodes.a.nat[0].snat.to',
    ]);
    assert.deepEqual(badNat('dnat: { in: eth0, proto: tcp, port: 99999, to: 10.0.0.9 }'), [
      'VALUE_INVALID nodes.a.nat[0].dnat.port',
    ]);
    assert.deepEqual(badNat('dnat: { in: eth0, proto: tcp, port: "90-80", to: 10.0.0.9 }'), [
      'VALUE_INVALID nodes.a.nat[0].dnat.port',
    ]);
  });
});

describe('firewall', () => {
  it('has a policy of accept and no rules by default', () => {
    const { firewall } = nodeOf(labOf(file('firewall: { forward: { policy: drop }, output: {} }')), 'a');
    assert.deepEqual(firewall, {
      forward: { policy: 'drop', rules: [], path: 'nodes.a.firewall.forward' },
      output: { policy: 'accept', rules: [], path: 'nodes.a.firewall.output' },
    });
  });

  it('reads lists, ranges and texts with commas alike', () => {
    assert.deepEqual(
      rule(
        'proto: tcp, port: "80,443", source: [10.0.0.0/8, 192.0.2.1-192.0.2.9, "fd00::1"], ct: "established, related", action: accept',
      ),
      {
        proto: 'tcp',
        port: [{ from: 80 }, { from: 443 }],
        source: ['10.0.0.0/8', { from: '192.0.2.1', to: '192.0.2.9' }, 'fd00::1/128'],
        ct: ['established', 'related'],
        counter: false,
        action: 'accept',
      },
    );
    assert.deepEqual(
      rule('proto: udp, port: [53, "1000-2000"], counter: true, log: true, action: drop, comment: c'),
      {
        proto: 'udp',
        port: [{ from: 53 }, { from: 1000, to: 2000 }],
        counter: true,
        log: '',
        action: 'drop',
        comment: 'c',
      },
    );
  });

  it("takes nft's words for source, destination and port, and not both", () => {
    assert.deepEqual(
      rule('saddr: 10.0.0.0/8, daddr: 10.0.0.1, proto: tcp, dport: 80, action: drop'),
      rule('source: 10.0.0.0/8, destination: 10.0.0.1/32, proto: tcp, port: 80, action: drop'),
    );
    assert.deepEqual(badRule('saddr: 10.0.0.0/8, source: 10.0.0.0/8, action: drop'), [
      'FIREWALL_INVALID nodes.a.firewall.input.rules[0].saddr',
    ]);
  });

  it('knows protocols by name and by number', () => {
    assert.equal(rule('proto: ipv6-icmp, action: drop')?.proto, 'icmpv6');
    assert.equal(rule('proto: gre, action: drop')?.proto, 47);
    assert.equal(rule('proto: 89, action: drop')?.proto, 89);
    assert.deepEqual(badRule('proto: tpc, action: drop'), [
      'FIREWALL_INVALID nodes.a.firewall.input.rules[0].proto',
    ]);
  });

  it('needs an action, states that there are, and addresses that are some', () => {
    assert.deepEqual(badRule('proto: tcp'), ['MISSING_KEY nodes.a.firewall.input.rules[0]']);
    assert.deepEqual(badRule('ct: establishd, action: accept'), [
      'FIREWALL_INVALID nodes.a.firewall.input.rules[0].ct',
    ]);
    assert.deepEqual(badRule('source: nowhere, action: accept'), [
      'ADDRESS_INVALID nodes.a.firewall.input.rules[0].source',
    ]);
    assert.deepEqual(badRule('source: 10.0.0.1/8, action: accept'), [
      'SUBNET_INVALID nodes.a.firewall.input.rules[0].source',
    ]);
  });
});
