// `nslab prune`: what a reboot left behind.

import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { prune } from '../../lab/prune.ts';

export async function run({ json }: { json: boolean }): Promise<void> {
  assertRoot('prune');
  const kernel = await openKernel('prune');
  try {
    const pruned = prune(kernel);
    if (json) {
      process.stdout.write(`${JSON.stringify(pruned)}\n`);
      return;
    }
    for (const lab of pruned.labs) process.stdout.write(`removed the record of lab ${lab}\n`);
    for (const path of pruned.links) process.stdout.write(`removed ${path}\n`);
    if (pruned.labs.length + pruned.links.length === 0) process.stdout.write('nothing to remove\n');
  } finally {
    kernel.close();
  }
}
