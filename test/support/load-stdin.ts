// Loads a topology from standard input and prints the lab's name or the error's code: the child of load.test.ts.

import { NslabError } from '../../src/base/error.ts';
import { loadLab } from '../../src/topology/load.ts';

try {
  process.stdout.write(`${loadLab({ path: '-', env: {} }).lab.name}\n`);
} catch (error) {
  if (!(error instanceof NslabError)) throw error;
  process.stdout.write(`${error.code}\n`);
}
