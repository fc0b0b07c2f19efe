// In which order containers start, what they wait for, and what of them is undone.

import assert from 'node:assert/strict';
import test from 'node:test';
import type { NodeName } from '../../../src/base/names.ts';
import type { Lab, Node } from '../../../src/model/lab.ts';
import { explainUp } from '../../../src/plan/explain.ts';
import type { Op } from '../../../src/plan/op.ts';
import { planLab } from '../../../src/plan/order.ts';
import { renderPlan } from '../../../src/plan/render.ts';
import { planDown, undoFacts } from '../../../src/plan/undo.ts';
import { FakeKernel } from '../../support/fake-kernel.ts';
import { end, lab, node, veth } from '../../support/sample-labs.ts';

const nothing = { readSysctl: () => undefined, readLinkState: () => undefined };

function box(name: string, options: Record<string, unknown> = {}, extra: Partial<Node> = {}): Node {
  return node(name, [], { kind: 'container', container: { rootfs: 'host', options }, ...extra });
}

/** The ops about containers and commands, a word or two each. */
function told(made: Lab): string[] {
  return planLab(made).flatMap((op: Op) => {
    if (op.kind === 'startContainer') return [`start ${op.node}`];
    if (op.kind === 'awaitContainer') return [`${op.node} ${op.condition} for ${op.waiters.join('+')}`];
    return op.kind === 'runCommand' ? [`run in ${op.node}`] : [];
  });
}

test('a container starts when all wires are there, and commands run when all containers do', () => {
  const wired = box(
    'a',
    {},
    { interfaces: [veth('eth0', end('b', 'eth0'), ['10.0.0.1/24'])], exec: [['true']] },
  );
  const made = lab('l', [wired, node('b', [veth('eth0', end('a', 'eth0'), ['10.0.0.2/24'])])]);
  const kinds = planLab(made).map(({ kind }) => kind);
  const at = kinds.indexOf('startContainer');
  assert.ok(at > kinds.lastIndexOf('addAddress') && at > kinds.lastIndexOf('linkEtc'));
  assert.deepEqual(kinds.slice(at), ['startContainer', 'runCommand']);
});

test('those that depend on nothing start together, the others when what they depend on is as they want it', () => {
  const made = lab('l', [
    box('web', {
      depends_on: {
        db: { condition: 'service_healthy' },
        seed: { condition: 'service_completed_successfully' },
      },
    }),
    box('seed', { depends_on: ['db'] }),
    box('db'),
    box('lone', {}, { exec: [['true']] }),
    box('web2', { depends_on: { db: { condition: 'service_healthy' } } }),
  ]);
  assert.deepEqual(told(made), [
    'start db',
    'start lone',
    'db started for seed',
    'db healthy for web2',
    'start seed',
    'start web2',
    'db healthy for web',
    'seed completed for web',
    'start web',
    'run in lone',
  ]);
});

test('a node that is no container is there already when one depends on it', () => {
  assert.deepEqual(told(lab('l', [box('a', { depends_on: ['r'] }), node('r', [])])), ['start a']);
});

test('who shares a network has no namespace of its own and joins that of the other', () => {
  const made = lab('l', [
    box('a'),
    box('side', { network_mode: 'container:a' }),
    box('far', { network_mode: 'container:side' }),
    box('out', { network_mode: 'host' }),
  ]);
  const ops = planLab(made);
  const made_ = ops.flatMap((op) => (op.kind === 'createNetns' ? [op.netns] : []));
  assert.deepEqual(made_, ['a']);
  const places = ops.flatMap((op) =>
    op.kind === 'startContainer' ? [[op.node, op.place, op.view !== undefined]] : [],
  );
  assert.deepEqual(places, [
    ['a', 'a', true],
    ['side', 'a', true],
    ['far', 'a', true],
    ['out', null, false],
  ]);
  assert.match(renderPlan(made, ops), /\nout\n {2}start/);
});

test('containers are ended before anything else', () => {
  const made = lab('l', [box('a'), box('b')]);
  const down = planDown(undoFacts(made.name, planLab(made), nothing));
  assert.deepEqual(down[0], { kind: 'stopContainers', nodes: ['a', 'b'] });
  assert.deepEqual(
    down.slice(1).map(({ kind }) => kind),
    ['stopProcesses', 'unlinkEtc', 'deleteNetns'],
  );
});

test('the fake kernel makes and undoes it, and a condition that can come later is one to try again', () => {
  const made = lab('l', [box('db'), box('web', { depends_on: { db: { condition: 'service_healthy' } } })]);
  const ops = planLab(made);
  const kernel = new FakeKernel();
  const empty = kernel.snapshot();
  const first = kernel.run(ops);
  assert.ok('failure' in first);
  assert.equal(first.failure.code, 'EAGAIN');
  kernel.setContainer('db' as NodeName, { health: 'healthy' });
  assert.deepEqual(kernel.run(ops.slice(first.done)), { done: ops.length - first.done });
  for (const op of planDown(undoFacts(made.name, ops, nothing))) kernel.undo(op);
  assert.deepEqual(kernel.snapshot(), empty);
  assert.equal(kernel.containers.size, 0);
});

test('the script says in comments what no command does, whatever the file has in it', () => {
  const made = lab('l', [
    box('a', { command: ['sh', '-c', 'x\nrm -rf /'], env: { A: 'b\nreboot' } }, { exec: [['x']] }),
  ]);
  const lines = explainUp(made, planLab(made)).split('\n');
  const said = lines.slice(lines.findIndex((line) => line.startsWith('# The containers')));
  assert.ok(said.length > 8);
  for (const line of said) assert.ok(line === '' || line.startsWith('#'), line);
});
