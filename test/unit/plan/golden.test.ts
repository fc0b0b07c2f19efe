// The plan and the script of every shipped topology, word for word. UPDATE_GOLDEN=1 writes them anew; read the difference
// before committing it. A topology without its golden files, and golden files without their topology, are failures.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { explainDown, explainUp } from '../../../src/plan/explain.ts';
import { planLab } from '../../../src/plan/order.ts';
import { renderPlan } from '../../../src/plan/render.ts';
import { loadLab } from '../../../src/topology/load.ts';

const root = join(import.meta.dirname, '../../..');
const golden = join(root, 'test/golden');
const update = process.env['UPDATE_GOLDEN'] === '1';
const names = readdirSync(join(root, 'topologies'))
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.slice(0, -'.yaml'.length))
  .sort();

function compare(file: string, text: string): void {
  const path = join(golden, file);
  if (update) writeFileSync(path, text);
  assert.equal(text, readFileSync(path, 'utf8'), `${file} differs; UPDATE_GOLDEN=1 writes it anew`);
}

function scriptsOf(name: string): string[] {
  return [`${name}.explain.sh`, `${name}.explain-down.sh`];
}

for (const name of names) {
  test(`the plan of ${name} is the one that was read and found good`, () => {
    const { lab } = loadLab({ path: join(root, 'topologies', `${name}.yaml`), env: {} });
    const ops = planLab(lab);
    compare(`${name}.plan.txt`, renderPlan(lab, ops));
    compare(`${name}.explain.sh`, explainUp(lab, ops));
    compare(`${name}.explain-down.sh`, explainDown(lab, ops));
  });
}

test('every golden plan belongs to a topology', () => {
  const files = readdirSync(golden).filter((file) => /\.(txt|sh)$/.test(file));
  const expected = names.flatMap((name) => [...scriptsOf(name), `${name}.plan.txt`]);
  assert.deepEqual(files.sort(), expected.sort());
});

test('bash finds nothing wrong in the syntax of any script', () => {
  for (const file of names.flatMap(scriptsOf)) execFileSync('bash', ['-n', join(golden, file)]);
});
