// Properties of a plan, over random labs on the fake kernel: the ops make exactly the lab, whatever fails can be undone, and the
// same lab gives the same plan.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Lab } from '../../../src/model/lab.ts';
import { checkHost } from '../../../src/plan/check-host.ts';
import { describeOp } from '../../../src/plan/describe.ts';
import type { Op } from '../../../src/plan/op.ts';
import { planLab } from '../../../src/plan/order.ts';
import { planDown, undoFacts } from '../../../src/plan/undo.ts';
import { loadText } from '../../../src/topology/load.ts';
import { comparable, desiredState } from '../../support/desired-state.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { randomLabYaml } from '../../support/random-lab.ts';
import { everything, ring, star, stockKinds, twoNamespaces } from '../../support/sample-labs.ts';
import { wildLab } from './arbitrary-lab.ts';

/** A machine with things of its own that must stay as they are. */
function machine(nics: readonly string[] = []): FakeKernel {
  const kernel = new FakeKernel();
  kernel.addNic('eth0', ['192.168.99.7/24'] as never);
  for (const name of nics) kernel.addNic(name, [`192.168.98.${name.slice(3)}/32`] as never);
  kernel.setHostSysctl('net.ipv4.conf.eth0.forwarding', '1');
  kernel.setHostSysctl('net.ipv4.conf.all.rp_filter', '2');
  kernel.run([{ kind: 'createNetns', netns: 'stranger' as never, node: 'stranger' as never }]);
  return kernel;
}

function assertMade(lab: Lab, nics: readonly string[] = []): void {
  const kernel = machine(nics);
  const before = kernel.snapshot();
  const ops = planLab(lab);
  const result = kernel.run(ops);
  if ('failure' in result) {
    const op = ops[result.done];
    assert.fail(`${op && describeOp(op)}: ${result.failure.code} ${result.failure.message}`);
  }
  assert.deepEqual(comparable(kernel.snapshot(), lab), desiredState(lab, before));
}

/** Runs the ops up to the one that is refused, undoes them, and finds the machine as it was. */
function assertUndone(lab: Lab, failing: number, nics: readonly string[] = []): void {
  const kernel = machine(nics);
  const before = kernel.snapshot();
  const ops = planLab(lab);
  const facts = undoFacts(lab.name, ops, kernel);
  // What the record holds is JSON.
  const kept = JSON.parse(JSON.stringify(facts)) as typeof facts;
  kernel.refuse = (op: Op) => op === ops[failing];
  const { done } = kernel.run(ops);
  assert.equal(done, Math.min(failing, ops.length));
  for (const op of planDown(kept)) assert.deepEqual(kernel.undo(op).notes, []);
  assert.deepEqual(kernel.snapshot(), before);
  for (const op of planDown(kept)) kernel.undo(op);
  assert.deepEqual(kernel.snapshot(), before, 'undone twice');
}

const samples: readonly (readonly [string, Lab])[] = [
  ['two-namespaces', twoNamespaces()],
  ['star of 5', star(5)],
  ['ring of 5', ring(5)],
  ['everything', everything()],
  ['stock-kinds', stockKinds()],
];

for (const [name, lab] of samples) {
  test(`the plan of ${name} makes exactly the lab`, () => assertMade(lab));

  test(`${name} is undone from a failure at any op`, () => {
    for (let k = 0; k <= planLab(lab).length; k++) assertUndone(lab, k);
  });
}

test('the plan of any topology file makes exactly the lab', () => {
  fc.assert(
    fc.property(randomLabYaml('p-'), (yaml) => {
      assertMade(loadText(yaml, { path: 'random.yaml', env: {} }).lab);
    }),
    { numRuns: 150 },
  );
});

test('any topology file is undone from a failure at a random op', () => {
  fc.assert(
    fc.property(randomLabYaml('p-'), fc.nat(), (yaml, at) => {
      const { lab } = loadText(yaml, { path: 'random.yaml', env: {} });
      assertUndone(lab, at % (planLab(lab).length + 1));
    }),
    { numRuns: 150 },
  );
});

test('devices that stand on each other across namespaces are made in an order that works', () => {
  fc.assert(
    fc.property(wildLab, ({ lab, nics }) => assertMade(lab, nics)),
    { numRuns: 400 },
  );
});

test('devices that stand on each other are undone from a failure at a random op', () => {
  fc.assert(
    fc.property(wildLab, fc.nat(), ({ lab, nics }, at) => {
      assertUndone(lab, at % (planLab(lab).length + 1), nics);
    }),
    { numRuns: 300 },
  );
});

test('the same lab gives the same plan', () => {
  fc.assert(
    fc.property(wildLab, ({ lab }) => {
      assert.deepEqual(planLab(structuredClone(lab)), planLab(lab));
    }),
    { numRuns: 100 },
  );
});

test('a lab that would meet something of its own name is refused before the first op', () => {
  fc.assert(
    fc.property(wildLab, ({ lab, nics }) => {
      const kernel = machine(nics);
      assert.deepEqual(checkHost(lab, kernel.observe()), []);
      kernel.run(planLab(lab));
      const taken = checkHost(lab, kernel.observe()).map(({ code }) => code);
      assert.ok(lab.nodes.every(({ place }) => place === null) || taken.includes('HOST_NAME_TAKEN'));
    }),
    { numRuns: 100 },
  );
});

test('no op sets an interface up before the settings that must come first', () => {
  fc.assert(
    fc.property(wildLab, ({ lab }) => {
      const up = new Set<string>();
      for (const op of planLab(lab)) {
        if (op.kind === 'createLink' && op.link.up === true) up.add(`${op.place} ${op.link.ifname}`);
        if (op.kind === 'setPort' || op.kind === 'setWireguard' || op.kind === 'setLink') {
          const key = `${op.place} ${op.ifname}`;
          const isUp = op.kind === 'setLink' && op.up === true;
          // A bridge can be told its MTU at any time, and is told last.
          if (op.kind === 'setLink' && Object.keys(op).join() === 'kind,place,ifname,mtu') continue;
          assert.ok(!up.has(key), `${describeOp(op)} comes after up`);
          if (isUp) up.add(key);
        }
      }
    }),
    { numRuns: 200 },
  );
});
