// What the startup snapshot holds besides the loaded program (bin/build.ts makes it): code that has run once is in it compiled.
// Nothing here may depend on the run: no terminal, no environment, no file but the example given.

import { loadKernel } from '../lab/kernel.ts';
import { load } from '../lab/load.ts';
import { planJson, planText } from '../lab/plan.ts';
import './commands/diff.ts';
import './commands/down.ts';
import './commands/lifecycle.ts';
import './commands/logs.ts';
import './commands/ls.ts';
import './commands/plan.ts';
import './commands/ps.ts';
import './commands/rm.ts';
import './commands/run.ts';
import './commands/up.ts';
import './commands/validate.ts';

/** Goes once through everything that `up` does before it asks the kernel, with the files named on the build's command line. */
export async function warmUp(parse: (argv: readonly string[]) => Promise<unknown>): Promise<void> {
  // A builtin that Node loads at its first use.
  performance.now();
  await loadKernel();
  for (const path of process.argv.slice(2)) {
    for (const command of ['up', 'validate']) await parse([command, path, '--json']);
    const { lab } = load({ path });
    planText(lab);
    planJson(lab);
  }
  for (const command of ['down', 'ls', 'inspect', 'prune']) await parse([command]);
}
