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
    for (const lab of pruned.labs) process.stdout.write(`removed what lab ${lab} had left\n`);
    for (const name of pruned.containers)
      process.stdout.write(`removed container ${name}, which had ended\n`);
    for (const path of pruned.links) process.stdout.write(`removed ${path}\n`);
    if (Object.values(pruned).every((list) => list.length === 0)) process.stdout.write('nothing to remove\n');
  } finally {
    kernel.close();
  }
}
