// A lab written down and read again is the same lab: for every shipped topology, for random ones, and for what they do not have.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Lab } from '../../../src/model/lab.ts';
import { loadLab, loadText } from '../../../src/topology/load.ts';
import { withoutPlaces, writeTopology } from '../../../src/topology/write.ts';
import { randomLabYaml } from '../../support/random-lab.ts';

const folder = join(import.meta.dirname, '../../../topologies');

function again(text: string): Lab {
  try {
    return loadText(text, { path: 'again.yaml', env: {} }).lab;
  } catch (error) {
    throw new Error(`${JSON.stringify((error as { problems?: unknown }).problems)}\n${text}`, {
      cause: error,
    });
  }
}

function assertComesBack(lab: Lab): string {
  const text = writeTopology(lab);
  assert.deepEqual(withoutPlaces(again(text)), withoutPlaces(lab), text);
  assert.equal(writeTopology(again(text)), text, 'written twice it is the same text');
  return text;
}

describe('a lab that is written down', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yaml'))) {
    it(`comes back: ${name}`, () => {
      assertComesBack(loadLab({ path: join(folder, name), env: {} }).lab);
    });
  }

  it('comes back for random labs', () => {
    fc.assert(
      fc.property(randomLabYaml('q-'), fc.constantFrom('', 'b-'), (yaml, prefix) => {
        assertComesBack(loadText(yaml, { path: 'random.yaml', env: {}, prefix }).lab);
      }),
      { numRuns: 60 },
    );
  });
});
