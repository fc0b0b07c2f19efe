// `nslab exec` and `nslab shell` when they get as far as Node: for those who start dist/nslab.js by hand. The launcher hands
// them to the helper directly.

import { runHelper } from '../../lab/run-helper.ts';

/** Passes the words of the command line on as they are: what follows the node belongs to the command. */
export function run(verb: 'exec' | 'shell'): void {
  process.exitCode = runHelper(process.argv.slice(process.argv.indexOf(verb)));
}
