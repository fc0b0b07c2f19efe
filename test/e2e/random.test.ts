// Random labs on the real kernel: each goes up, is compared with what the file asks for, comes down, and the machine is as it
// was. In-process, because starting Node for each would take most of the time; a few go through the command line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { downLab } from '../../src/lab/down.ts';
import { upLab } from '../../src/lab/up.ts';
import type { Lab } from '../../src/model/lab.ts';
import { loadText } from '../../src/topology/load.ts';
import { assertLab } from '../support/assert-lab.ts';
import { patience, rounds } from '../support/emulated.ts';
import { assertUnchanged, type Fingerprint, fingerprint } from '../support/fingerprint.ts';
import { nslabOk } from '../support/nslab.ts';
import { randomLabYaml } from '../support/random-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const LABS = rounds(200, 10);
const BY_COMMAND = rounds(8, 2);

function parse(yaml: string): Lab {
  return loadText(yaml, { path: 'random.yaml', env: {} }).lab;
}

async function upCheckDown(lab: Lab, before: Fingerprint): Promise<void> {
  const kernel = new LinuxKernel();
  try {
    await upLab({ lab, file: '-', kernel, onEvent: () => undefined });
    try {
      assertLab(lab);
    } finally {
      downLab({ lab: lab.name, kernel, onEvent: () => undefined });
    }
  } finally {
    kernel.close();
  }
  await assertUnchanged(before, lab.name);
}

test(`random labs go up, are what their files ask for, and leave nothing`, async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  const property = fc.asyncProperty(randomLabYaml('trnd-'), (yaml) => upCheckDown(parse(yaml), before));
  // The time limit is for making a failure smaller; without one a run takes a fraction of it.
  const report = await fc.check(property, {
    numRuns: LABS,
    interruptAfterTimeLimit: patience(180_000),
    markInterruptAsFailure: true,
  });
  const reason = report.errorInstance instanceof Error ? report.errorInstance.message : '';
  const again = `seed ${report.seed}, path ${report.counterexamplePath}`;
  assert.ok(
    !report.failed,
    `${reason}
${again}
${report.counterexample?.[0]}`,
  );
});

test('random labs by the command line, some with a prefix, are the same', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const before = await fingerprint();
  for (const [i, yaml] of fc.sample(randomLabYaml('trnc-'), BY_COMMAND).entries()) {
    const prefix = i % 2 === 0 ? '' : 'q-';
    const { lab } = loadText(yaml, { path: 'random.yaml', env: {}, prefix });
    nslabOk(['up', '-', '--prefix', prefix], { input: yaml });
    try {
      assertLab(lab);
    } finally {
      nslabOk(['down', lab.name]);
    }
    await assertUnchanged(before, yaml);
  }
});
