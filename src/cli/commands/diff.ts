// `nslab diff`: what of the kernel is not as the file says, a line each. Status 3 where there is something.

import { exit } from '../../base/catalogue/entry.ts';
import { diffFile } from '../../lab/diff.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { load } from '../../lab/load.ts';
import { count } from '../output/count.ts';
import { visible } from '../output/visible.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = { file: string; prefix?: string; var?: string[]; json: boolean };

export async function run({ file, prefix, var: vars, json }: Args): Promise<void> {
  const { lab, warnings } = load({ path: file, prefix, vars });
  if (!json) await printWarnings(warnings);
  assertRoot('diff');
  const differences = await diffFile(lab);
  const same = differences.length === 0;
  if (json) process.stdout.write(`${JSON.stringify({ lab: lab.name, same, differences }, null, 2)}\n`);
  else {
    for (const { message } of differences) process.stdout.write(`${visible(message)}\n`);
    const summary = same
      ? `${lab.name} is as the file says`
      : `${lab.name}: ${count(differences.length, 'difference')}`;
    process.stderr.write(`${summary}\n`);
  }
  if (!same) process.exitCode = exit.topology;
}
