import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyOps, undoOps } from '../../../src/apply/apply.ts';
import type { ApplyEvent } from '../../../src/apply/event.ts';
import { parseFault } from '../../../src/apply/fault.ts';
import type { NetnsName, NodeName } from '../../../src/base/names.ts';
import type { Kernel, RunResult, UndoResult } from '../../../src/kernel/port.ts';
import type { Op, UndoOp } from '../../../src/plan/op.ts';

/** A kernel that writes down what it was given and refuses the op of one index. */
class ScriptedKernel {
  readonly runs: number[] = [];
  readonly undone: UndoOp[] = [];
  seen = 0;
  readonly refuse: number | undefined;
  readonly leave: ReadonlySet<UndoOp['kind']>;

  constructor(refuse?: number, leave: readonly UndoOp['kind'][] = []) {
    this.refuse = refuse;
    this.leave = new Set(leave);
  }

  run(ops: readonly Op[]): RunResult {
    this.runs.push(ops.length);
    const at = this.refuse === undefined ? -1 : this.refuse - this.seen;
    this.seen += ops.length;
    if (at < 0 || at >= ops.length) return { done: ops.length };
    return { done: at, failure: { code: 'EEXIST', message: 'it exists already (EEXIST)' } };
  }

  undo(op: UndoOp): UndoResult {
    this.undone.push(op);
    if (this.leave.has(op.kind)) return { notes: [], failure: { code: 'EBUSY', message: 'in use' } };
    return { notes: [] };
  }
}

function asKernel(kernel: ScriptedKernel): Kernel {
  return kernel as unknown as Kernel;
}

function someOps(count: number): Op[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: 'createNetns',
    netns: `n${i}` as NetnsName,
    node: `n${i}` as NodeName,
  }));
}

async function collect(events: AsyncIterable<ApplyEvent>): Promise<ApplyEvent[]> {
  const all: ApplyEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

test('every op is run once and in order, however many there are', async () => {
  const kernel = new ScriptedKernel();
  const ops = someOps(1000);
  const events = await collect(applyOps(ops, asKernel(kernel)));
  assert.equal(kernel.seen, 1000);
  assert.ok(kernel.runs.length > 1, 'the event loop must get its turns');
  const told = events.flatMap((event) => (event.type === 'done' ? event.ops : []));
  assert.deepEqual(told, ops);
});

test('after a refused op nothing more is run, and the event names that op', async () => {
  const kernel = new ScriptedKernel(300);
  const ops = someOps(1000);
  const events = await collect(applyOps(ops, asKernel(kernel)));
  const last = events.at(-1);
  assert.equal(last?.type, 'failed');
  if (last?.type !== 'failed') return;
  assert.equal(last.index, 300);
  assert.equal(last.op, ops[300]);
  assert.ok(kernel.seen < 1000);
});

test('a signal that has been aborted stops between two chunks', async () => {
  const kernel = new ScriptedKernel();
  const stop = new AbortController();
  const seen: ApplyEvent[] = [];
  for await (const event of applyOps(someOps(2000), asKernel(kernel), { signal: stop.signal })) {
    seen.push(event);
    if (event.type === 'done') stop.abort();
  }
  const last = seen.at(-1);
  assert.equal(last?.type, 'interrupted');
  assert.equal(last?.type === 'interrupted' && last.index, kernel.seen);
  assert.ok(kernel.seen < 2000);
});

test('a chunk ends where a fault is to strike, so that nothing after it has been made', async () => {
  // The fault itself would kill this process: an index behind the end only cuts.
  const kernel = new ScriptedKernel(10);
  await collect(
    applyOps(someOps(20), asKernel(kernel), { fault: { verb: 'up', when: 'before', index: 15 } }),
  );
  assert.deepEqual(kernel.runs, [15]);
  const after = new ScriptedKernel(10);
  await collect(applyOps(someOps(20), asKernel(after), { fault: { verb: 'up', when: 'after', index: 15 } }));
  assert.deepEqual(after.runs, [16]);
});

test('undoing goes on after a failure and tells what is left', () => {
  const kernel = new ScriptedKernel(undefined, ['deleteTable']);
  const ops: UndoOp[] = [
    { kind: 'stopProcesses', netns: [] },
    { kind: 'deleteTable', family: 'inet', name: 'nslab-x' },
    { kind: 'deleteNetns', netns: [] },
  ];
  const events = [...undoOps(ops, asKernel(kernel))];
  assert.deepEqual(
    events.map((event) => event.type),
    ['undone', 'left', 'undone'],
  );
  assert.deepEqual(kernel.undone, ops);
});

test('a fault is read only in its one form', () => {
  assert.deepEqual(parseFault('up:before:17'), { verb: 'up', when: 'before', index: 17 });
  assert.deepEqual(parseFault('down:after:0'), { verb: 'down', when: 'after', index: 0 });
  for (const text of [
    undefined,
    '',
    'up',
    'up:before:',
    'up:before:-1',
    'up:during:1',
    'sideways:before:1',
    ' up:before:1',
  ]) {
    assert.equal(parseFault(text), undefined);
  }
});
