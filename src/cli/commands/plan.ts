// `nslab plan`: the steps of `up`, and nothing done.

import { load } from '../../lab/load.ts';
import { planJson, planText } from '../../lab/plan.ts';
import { printWarnings } from '../output/failure.ts';
import { visible } from '../output/visible.ts';

type Args = { file: string; prefix?: string; var?: string[]; json: boolean };

export function run({ file, prefix, var: vars, json }: Args): void {
  const { lab, warnings } = load({ path: file, prefix, vars });
  printWarnings(warnings);
  process.stdout.write(json ? `${JSON.stringify(planJson(lab), null, 2)}\n` : visible(planText(lab)));
}
