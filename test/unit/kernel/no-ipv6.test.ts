// What is left of a lab's steps on a kernel without IPv6: test of src/kernel/no-ipv6.ts and of what failure.ts says of the rest.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IfName } from '../../../src/base/names.ts';
import { failureFrom } from '../../../src/kernel/failure.ts';
import { isIdleWithoutIpv6, withoutIpv6 } from '../../../src/kernel/no-ipv6.ts';
import type { ConfigOp } from '../../../src/kernel/requests.ts';
import type { Op } from '../../../src/plan/op.ts';
import { planLab } from '../../../src/plan/order.ts';
import { failureOf } from '../../../src/rtnl/error.ts';
import { labOf } from '../../support/check-yaml.ts';
import { shippedTopologies } from '../../support/shipped.ts';

const EAFNOSUPPORT = 97;
const EOPNOTSUPP = 95;
const eth0 = 'eth0' as IfName;

test('a device that shall have no link-local address has none there anyway, and the rest of the step stays', () => {
  const op: ConfigOp = {
    kind: 'setLink',
    place: null,
    ifname: eth0,
    mtu: 1400,
    addrgenmode: 'none',
    up: true,
  };
  assert.deepEqual(withoutIpv6(op), { kind: 'setLink', place: null, ifname: eth0, mtu: 1400, up: true });
  const asked: ConfigOp = { kind: 'setLink', place: null, ifname: eth0, addrgenmode: 'eui64' };
  assert.equal(withoutIpv6(asked), asked);
});

/** What of a lab a kernel without IPv6 would refuse. */
function refused(ops: readonly Op[]): Op[] {
  return ops.filter((op) => {
    if (op.kind === 'setSysctl') return op.key.startsWith('net.ipv6.') && !isIdleWithoutIpv6(op.key);
    const left = op.kind === 'setLink' ? withoutIpv6(op) : op;
    return failureFrom(failureOf(EAFNOSUPPORT, ''), left).lacks === 'ipv6';
  });
}

test('no step of a lab without IPv6 needs IPv6', () => {
  const hasIpv6 = new Set<string>();
  for (const { name, load } of shippedTopologies()) {
    const { lab } = load();
    const ipv6 = lab.nodes.some((node) => node.interfaces.some((iface) => iface.ipv6));
    if (ipv6) hasIpv6.add(name);
    else assert.deepEqual(refused(planLab(lab)), [], name);
  }
  assert.ok(hasIpv6.has('dual-stack') && hasIpv6.size < shippedTopologies().length / 2);
});

test('a step that needs IPv6 is refused with the reason', () => {
  const lab = labOf(`
nodes: { a: {}, b: {} }
links:
  - endpoints:
      - { node: a, interface: eth0, addresses: ["fd00::1/64"] }
      - { node: b, interface: eth0, addresses: ["fd00::2/64"] }
`);
  const address = planLab(lab).find(({ kind }) => kind === 'addAddress');
  assert.ok(address !== undefined);
  const { message, hint, lacks } = failureFrom(failureOf(EOPNOTSUPP, ''), address);
  assert.equal(message, 'the running kernel has no IPv6 (EOPNOTSUPP)');
  assert.match(hint ?? '', /ipv6\.disable=1/);
  assert.equal(lacks, 'ipv6');
});
