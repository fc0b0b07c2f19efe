// Lines of NAT and firewalls that pass every rule about the file and that nf_tables would not take: test of
// src/plan/check-filter.ts, and that loading a file asks it.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NslabError } from '../../../src/base/error.ts';
import { load } from '../../../src/lab/load.ts';
import { checkFilters } from '../../../src/plan/check-filter.ts';
import { labOf } from '../../support/check-yaml.ts';
import { shippedTopologies } from '../../support/shipped.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-filter-'));
after(() => rmSync(folder, { recursive: true }));

function firewall(...rules: string[]): string {
  return `name: t\nnodes: { a: { firewall: { forward: { policy: drop, rules: [ ${rules.join(', ')} ] } } } }\n`;
}

const never = '{ source: 10.0.0.1, destination: "fd00::1", action: accept }';
const fine = '{ proto: tcp, port: [80, 443], source: [10.0.0.0/8, "fd00::/8"], action: accept }';

test('a line that no packet can match is a fault with the place of the line', () => {
  assert.deepEqual(checkFilters(labOf(firewall(fine))), []);
  const [fault, ...more] = checkFilters(labOf(firewall(fine, never)));
  assert.deepEqual(more, []);
  assert.equal(fault?.code, 'FIREWALL_INVALID');
  assert.equal(fault?.path, 'nodes.a.firewall.forward.rules[1]');
  assert.equal(fault?.message, 'conflicting protocols: ip and ip6');
});

test('each of these lines is one that nft or the kernel would refuse in the middle of `up`', () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{ proto: icmp, icmp_type: nonsense, action: drop }', /unknown icmp type "nonsense"/],
    ['{ action: drop, comment: "say \\"no\\"" }', /no quote/],
    ['{ action: drop, log: "a\\nb" }', /control character/],
    ['{ source: 10.0.0.9-10.0.0.1, action: drop }', /ends before it begins/],
    ['{ in: "*", action: drop }', /every interface name/],
    ['{ source: [], action: drop }', /no value/],
  ];
  for (const [rule, message] of wrong)
    assert.match(checkFilters(labOf(firewall(rule)))[0]?.message ?? '', message);
  const nat =
    'name: t\nnodes: { a: { interfaces: { e: { type: dummy } }, nat: [ { snat: { out: e, to: "10.0.0.2:80" } } ] } }\n';
  const [fault] = checkFilters(labOf(nat));
  assert.deepEqual([fault?.code, fault?.path], ['NAT_INVALID', 'nodes.a.nat[0].snat']);
});

test('loading a file with such lines is refused, with the line and the column of each', () => {
  const file = join(folder, 'lab.yaml');
  const refused = (text: string): NslabError => {
    writeFileSync(file, text);
    try {
      load({ path: file });
    } catch (error) {
      if (error instanceof NslabError) return error;
      throw error;
    }
    return assert.fail('the file was taken');
  };
  const one = refused(firewall(never));
  assert.deepEqual([one.code, one.exitCode, one.where?.line], ['FIREWALL_INVALID', 3, 2]);
  const two = refused(firewall(never, fine, never));
  assert.equal(two.code, 'TOPOLOGY_INVALID');
  assert.deepEqual(
    two.problems.map(({ where }) => where?.path),
    ['nodes.a.firewall.forward.rules[0]', 'nodes.a.firewall.forward.rules[2]'],
  );
});

test('the shipped topologies have no such line', () => {
  for (const { name, load: shipped } of shippedTopologies()) {
    assert.deepEqual(checkFilters(shipped().lab), [], name);
  }
});
