// The promise that `down` cleans up after SIGKILL at any moment: for every op of `up` and of `down`, the process is killed just
// before and just after it (NSLAB_FAULT), then `nslab down` runs, and the machine must be as it was.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LabName } from '../../src/base/names.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { chooseLabs, downLab } from '../../src/lab/down.ts';
import { rounds } from './emulated.ts';
import { assertUnchanged, type Fingerprint, fingerprint } from './fingerprint.ts';
import { nslab, nslabOk } from './nslab.ts';
import { type ShippedTopology, shippedTopologies } from './shipped.ts';
import { skipUnlessRoot } from './skip.ts';

const SIGKILLED = 128 + 9;
/** Every how many ops; those that start containers each time, because they are many system calls. */
const STEP = rounds(1, 4);

function upWords({ file, load }: ShippedTopology): string[] {
  return [file, ...load().vars.flatMap((word) => ['--var', word])];
}

/** Runs nslab with a fault and makes sure that it was struck. */
export function killAt(words: string[], fault: string): void {
  const { status, stderr } = nslab(words, { env: { ...process.env, NSLAB_FAULT: fault } });
  assert.equal(status, SIGKILLED, `${fault}: ${stderr}`);
}

/** What `nslab down NAME` does, without Node's start; one in ten goes by the command line. */
export function takeDown(name: string, turn: number): void {
  if (turn % 10 === 0) {
    nslabOk(['down', name]);
    return;
  }
  const kernel = new LinuxKernel();
  try {
    for (const lab of chooseLabs({ lab: name }))
      downLab({ lab: lab as LabName, kernel, onEvent: () => undefined });
  } finally {
    kernel.close();
  }
}

async function killEverywhere(t: TestContext, topology: ShippedTopology): Promise<number> {
  await using _stage = topology.stage();
  const before = await fingerprint();
  const { name } = topology.load().lab;
  const words = upWords(topology);
  const { ops } = JSON.parse(nslabOk(['plan', '--json', ...words])) as { ops: { kind: string }[] };
  let kills = 0;
  for (const [index, op] of ops.entries()) {
    if (index % STEP !== 0 && op.kind !== 'startContainer') continue;
    for (const when of ['before', 'after']) {
      killAt(['up', ...words], `up:${when}:${index}`);
      takeDown(name, kills++);
      await assertUnchanged(before, `${when} op ${index} (${op.kind}) of up`);
    }
  }
  kills += await killDownEverywhere(name, words, before);
  t.diagnostic(`${topology.name}: killed ${kills} times, ${ops.length} ops of up`);
  return kills;
}

/** `down` has fewer ops than this in any lab; the loop ends where the fault strikes no more. */
const MOST_UNDO_OPS = 100;

async function killDownEverywhere(name: string, words: string[], before: Fingerprint): Promise<number> {
  for (let index = 0; index < MOST_UNDO_OPS; index += STEP) {
    for (const [turn, when] of ['before', 'after'].entries()) {
      nslabOk(['up', ...words]);
      const { status } = nslab(['down', name], {
        env: { ...process.env, NSLAB_FAULT: `down:${when}:${index}` },
      });
      if (status === 0) {
        await assertUnchanged(before, 'down');
        return (index * 2) / STEP;
      }
      assert.equal(status, SIGKILLED);
      takeDown(name, turn);
      await assertUnchanged(before, `${when} op ${index} of down`);
    }
  }
  assert.fail('down never ended by itself');
}

/** One test for each of the shipped topologies of these names. */
export function testKillsAtEveryOp(...names: readonly string[]): void {
  for (const topology of shippedTopologies().filter(({ name }) => names.includes(name))) {
    test(`${topology.name}: killed at any op of up or down, nslab down leaves the machine as it was`, async (t) => {
      if (skipUnlessRoot(t, 'e2e')) return;
      assert.ok((await killEverywhere(t, topology)) > 20 / STEP);
    });
  }
}
