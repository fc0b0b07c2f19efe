// `npm run bench -- --stages`: what each stage of limit.c costs, and what else was tried. It says where the time of a lab goes,
// and which order of operations is worth anything to nslab.

import { prefixOf, type Tools } from './contenders.ts';
import type { Runner } from './runner.ts';
import type { Shape } from './shapes.ts';
import { median, msText, ratioText, tableText } from './stats.ts';

/** Words of limit.c: `--stop-after STAGE`, and the keys of what `up` prints. */
const stages = ['netns', 'pin', 'wire', 'all'] as const;
const variants = ['queues', 'ipv6', 'bridge-late', 'snoop-early', 'single', 'ordered'] as const;
/** Of the variants, those that change nothing in a ring. */
const starOnly: readonly string[] = ['bridge-late', 'snoop-early', 'ordered'];

export type StagePlan = { readonly shape: Shape; readonly n: number; readonly rounds: number };

type Run = { readonly label: string; readonly options: readonly string[]; readonly ms: number[][] };

/** The table as text. */
export async function runLimitStages(runner: Runner, tools: Tools, plan: StagePlan): Promise<string> {
  const lab = [plan.shape, String(plan.n), '--prefix', prefixOf('limit')];
  const down = [tools.limit, 'down', ...lab];
  const runs: Run[] = [
    { label: 'limit', options: [], ms: [] },
    ...stages
      .slice(1, -1)
      .map((stage) => ({ label: `up to ${stage}`, options: ['--stop-after', stage], ms: [] })),
    ...variants
      .filter((variant) => plan.shape === 'star' || !starOnly.includes(variant))
      .map((variant) => ({ label: `variant ${variant}`, options: ['--variant', variant], ms: [] })),
  ];
  try {
    for (let round = 0; round < plan.rounds; round++) {
      for (const { options, ms } of runs) {
        const figures = JSON.parse(await runner.output([tools.limit, 'up', ...lab, ...options])) as Record<
          string,
          number
        >;
        ms.push(['ms', ...stages].map((key) => figures[key] ?? Number.NaN));
        await runner.output(down);
        await runner.settle();
      }
    }
  } catch (error) {
    await runner.sweep(down, prefixOf('limit'));
    throw error;
  }
  const base = median(runs[0]?.ms.map(([ms = Number.NaN]) => ms) ?? []);
  const rows = runs.map(({ label, ms }) => {
    const columns = ['ms', ...stages].map((_, column) => median(ms.map((row) => row[column] ?? Number.NaN)));
    const least = Math.min(...ms.map(([total = Number.NaN]) => total));
    return [label, ...columns.map(msText), msText(least), ratioText(columns[0] ?? Number.NaN, base)];
  });
  const head = ['', 'up ms', 'netns', 'pin', 'wire', 'config', 'least', '/limit'];
  return `\n${plan.shape} of ${plan.n}, ${plan.rounds} rounds, medians\n${tableText(head, rows)}`;
}
