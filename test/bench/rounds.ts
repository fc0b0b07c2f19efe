// The rounds: every contender once, then all again, so that a slow minute of the machine falls on all of them alike. Before each
// turn the kernel has freed what the one before dropped (limit settle).

import { type ContenderName, type Entry, prefixOf, prepare, type Tools } from './contenders.ts';
import type { Runner } from './runner.ts';
import { firstNode, type Shape } from './shapes.ts';
import { median } from './stats.ts';

/** Medians, in ms. */
type Figures = {
  readonly name: ContenderName;
  readonly up: number;
  readonly upLeast: number;
  readonly upMost: number;
  /** What nslab itself says: without the start of Node. */
  readonly own: number | undefined;
  readonly down: number;
  /** From the start of `down` until the kernel has freed everything. */
  readonly freed: number;
  /** Peak of the command that brought the lab up, or of its largest process. */
  readonly rssKib: number;
  readonly descriptors: number | undefined;
};

export type LabFigures = {
  readonly shape: Shape;
  readonly n: number;
  readonly rounds: number;
  readonly figures: readonly Figures[];
};

export type ExecFigures = { readonly n: number; readonly nslab: number | undefined; readonly ip: number };

type Sample = { readonly up: number; readonly down: number; readonly freed: number; readonly rssKib: number };

async function withLab<T>(runner: Runner, entry: Entry, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    await runner.sweep(entry.down, entry.prefix);
    throw error;
  }
}

async function turn(runner: Runner, entry: Entry): Promise<Sample> {
  return await withLab(runner, entry, async () => {
    const up = await runner.time(entry.up);
    const down = await runner.time(entry.down);
    const downMs = down.ms[0] ?? Number.NaN;
    const freed = downMs + (await runner.settle());
    return { up: up.ms[0] ?? Number.NaN, down: downMs, freed, rssKib: up.rssKib };
  });
}

/** What nslab tells of itself as the last event of `up --json`, and the descriptors it holds. */
async function inspectNslab(runner: Runner, entry: Entry): Promise<{ own: number; descriptors: number }> {
  return await withLab(runner, entry, async () => {
    const events = (await runner.output([...entry.up, '--json'])).trim().split('\n');
    const last = JSON.parse(events.at(-1) ?? '{}') as { ms?: number };
    await runner.output(entry.down);
    await runner.settle();
    const { descriptors } = await runner.count(entry.up);
    await runner.output(entry.down);
    await runner.settle();
    return { own: last.ms ?? Number.NaN, descriptors };
  });
}

export type LabPlan = {
  readonly shape: Shape;
  readonly n: number;
  readonly rounds: number;
  readonly names: readonly ContenderName[];
};

/** All rounds of one lab. */
export async function benchLabs(runner: Runner, tools: Tools, plan: LabPlan): Promise<LabFigures> {
  const entries = plan.names.map((name) => ({ entry: prepare(name, tools, plan), samples: [] as Sample[] }));
  for (let round = 0; round < plan.rounds; round++) {
    for (const { entry, samples } of entries) samples.push(await turn(runner, entry));
  }
  const figures: Figures[] = [];
  for (const { entry, samples } of entries) {
    const ups = samples.map(({ up }) => up);
    const extra = entry.name === 'nslab' ? await inspectNslab(runner, entry) : undefined;
    figures.push({
      name: entry.name,
      up: median(ups),
      upLeast: Math.min(...ups),
      upMost: Math.max(...ups),
      own: extra?.own,
      down: median(samples.map(({ down }) => down)),
      freed: median(samples.map(({ freed }) => freed)),
      rssKib: Math.max(...samples.map(({ rssKib }) => rssKib)),
      descriptors: extra?.descriptors,
    });
  }
  const { shape, n, rounds } = plan;
  return { shape, n, rounds, figures };
}

export type ExecPlan = {
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly nslab: boolean;
};

/** `exec true` in a small and in a big lab, a hundred runs of each way in turns of twenty. */
export async function benchExec(runner: Runner, tools: Tools, plan: ExecPlan): Promise<ExecFigures[]> {
  const figures: ExecFigures[] = [];
  for (const n of plan.sizes) {
    const name = plan.nslab ? 'nslab' : 'limit';
    const entry = prepare(name, tools, { shape: 'star', n });
    const node = firstNode('star');
    const own: number[] = [];
    const ip: number[] = [];
    await withLab(runner, entry, async () => {
      await runner.output(entry.up);
      for (let round = 0; round < plan.rounds; round++) {
        if (plan.nslab) own.push(...(await runner.time([tools.nslab, 'exec', node, 'true'], 20)).ms);
        ip.push(...(await runner.time(['ip', 'netns', 'exec', `${prefixOf(name)}${node}`, 'true'], 20)).ms);
      }
      await runner.output(entry.down);
      await runner.settle();
    });
    figures.push({ n, nslab: plan.nslab ? median(own) : undefined, ip: median(ip) });
  }
  return figures;
}
