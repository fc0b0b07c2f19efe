// `nslab validate`: all problems of a file, and nothing done. As JSON for editors and pipelines.

import { NslabError } from '../../base/error.ts';
import { load } from '../../lab/load.ts';
import { count } from '../output/count.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = { file: string; prefix?: string; var?: string[]; json: boolean };

export async function run({ file, prefix, var: vars, json }: Args): Promise<void> {
  try {
    const { lab, warnings } = load({ path: file, prefix, vars });
    if (json) {
      process.stdout.write(
        `${JSON.stringify({ valid: true, lab: lab.name, problems: warnings }, null, 2)}\n`,
      );
      return;
    }
    await printWarnings(warnings);
    const nodes = lab.nodes.filter((node) => node.place !== null).length;
    process.stdout.write(
      `${file} is valid: lab ${lab.name}, ${count(nodes, 'node')}, ${count(lab.links.length, 'link')}\n`,
    );
  } catch (error) {
    if (!json || !(error instanceof NslabError)) throw error;
    const { code, message, hint } = error;
    const problems = error.problems.length > 0 ? error.problems : [{ code, message, hint }];
    process.stdout.write(`${JSON.stringify({ valid: false, problems }, null, 2)}\n`);
    process.exitCode = error.exitCode;
  }
}
