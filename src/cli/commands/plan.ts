// `nslab plan`: the steps of `up`, and nothing done.

import { load } from '../../lab/load.ts';
import { planJson, planText } from '../../lab/plan.ts';
import { visibleLines } from '../output/visible.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = { file: string; prefix?: string; var?: string[]; json: boolean };

export async function run({ file, prefix, var: vars, json }: Args): Promise<void> {
  const { lab, warnings } = load({ path: file, prefix, vars });
  await printWarnings(warnings);
  process.stdout.write(json ? `${JSON.stringify(planJson(lab), null, 2)}\n` : visibleLines(planText(lab)));
}
