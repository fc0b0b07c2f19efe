// Makes and removes the groups of one container again and again, for a test in which several do so at once.

import assert from 'node:assert/strict';
import { createCgroup, removeCgroup } from '../../src/container/cgroup/cgroup.ts';
import { readHierarchies } from '../../src/container/cgroup/hierarchies.ts';
import type { Resources } from '../../src/container/runtime-spec.ts';

type Request = {
  readonly path: string;
  readonly limit: Resources;
  readonly file: string;
  readonly rounds: number;
};

const { path, limit, file, rounds } = JSON.parse(process.argv[2] ?? '') as Request;
const host = { hierarchies: readHierarchies(), handedDown: file };
for (let round = 0; round < rounds; round++) {
  assert.deepEqual(createCgroup(path, limit, host).warnings, []);
  removeCgroup(path, host);
}
