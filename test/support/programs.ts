// How a test starts another program of the tests: by tsx from its source, or in the virtual machine from the bundle that
// bundle.ts made of it.

import { join, relative } from 'node:path';
import { root } from './nslab.ts';

/** The command line of a program under test/support. */
export function testProgram(name: string): [string, ...string[]] {
  const source = join(root, 'test/support', name);
  if (process.env['NSLAB_IN_VM'] === undefined) return [process.execPath, '--import', 'tsx', source];
  const bundle = relative(join(root, 'test'), source).replace(/\.ts$/, '.mjs');
  return [process.execPath, join(root, 'dist/vm', bundle)];
}
