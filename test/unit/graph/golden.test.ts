// Pictures word for word: of few topologies, each format. UPDATE_GOLDEN=1 writes them anew; look at the SVG before committing it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { makeGraph } from '../../../src/graph/make-graph.ts';
import { graphFormats, renderGraph } from '../../../src/lab/graph.ts';
import { loadLab } from '../../../src/topology/load.ts';

const root = join(import.meta.dirname, '../../..');
const golden = join(root, 'test/golden/graph');
const endings = { ascii: 'txt', mermaid: 'mmd', dot: 'dot', svg: 'svg', html: 'html', json: 'json' } as const;
const names = ['impaired', 'networks', 'ring', 'vxlan'];

for (const name of names) {
  test(`the pictures of ${name} are those that were looked at and found good`, () => {
    const { lab } = loadLab({ path: join(root, 'topologies', `${name}.yaml`), env: {} });
    const graph = makeGraph(lab);
    for (const format of graphFormats) {
      const file = `${name}.${endings[format]}`;
      const text = renderGraph(graph, format);
      if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(join(golden, file), text);
      assert.equal(
        text,
        readFileSync(join(golden, file), 'utf8'),
        `${file} differs; UPDATE_GOLDEN=1 writes it anew`,
      );
    }
  });
}

test('every golden picture belongs to a topology', () => {
  const expected = names.flatMap((name) => Object.values(endings).map((ending) => `${name}.${ending}`));
  assert.deepEqual(readdirSync(golden).sort(), expected.sort());
});
