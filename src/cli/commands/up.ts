// `nslab up`: shows what happens while it happens, and turns Ctrl-C into an orderly retreat.

import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import type { LabName } from '../../base/names.ts';
import { awaitHealth } from '../../lab/health.ts';
import { imagesWanted, type PullPolicy } from '../../lab/images-wanted.ts';
import { openKernel } from '../../lab/kernel.ts';
import { load } from '../../lab/load.ts';
import { upLab } from '../../lab/up.ts';
import type { UpEvent } from '../../lab/up-request.ts';
import type { Lab } from '../../model/lab.ts';
import { bringDisplay } from '../output/bring.ts';
import { count } from '../output/count.ts';
import { progressBar, waitingLine } from '../output/progress.ts';
import { opLine } from '../output/step.ts';
import { visible } from '../output/visible.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = {
  file: string;
  prefix?: string;
  var?: string[];
  json: boolean;
  verbose: boolean;
  wait: boolean;
  waitTimeout: number;
  pull?: PullPolicy;
};

export type UpArgs = Args;

/** `nslab apply`: `up`, of a lab that is up as well. */
export async function apply(args: Args & { dryRun: boolean }): Promise<void> {
  if (args.dryRun) await printSteps(args);
  else await run(args);
}

async function printSteps({ file, prefix, var: vars, json }: Args): Promise<void> {
  const { lab, warnings } = load({ path: file, prefix, vars });
  if (!json) await printWarnings(warnings);
  const kernel = await openKernel('apply');
  try {
    const { stepsOfChange } = await import('../../lab/change.ts');
    const steps = await stepsOfChange(lab, kernel);
    if (json) process.stdout.write(`${JSON.stringify({ lab: lab.name, steps }, null, 2)}\n`);
    else for (const step of steps) process.stdout.write(`${opLine(step)}\n`);
  } finally {
    kernel.close();
  }
}

export async function run(args: Args): Promise<void> {
  const { file, prefix, var: vars, json, verbose } = args;
  if (!(args.waitTimeout > 0)) throw new NslabError('USAGE', '--wait-timeout wants seconds');
  const start = performance.now();
  const loaded = load({ path: file, prefix, vars });
  await printWarnings(loaded.warnings);
  const { lab } = loaded;
  const kernel = await openKernel('up');
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const bar = progressBar(`up ${lab.name}`);
  let total = 0;
  const onEvent = (event: UpEvent): void => {
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    if (event.type === 'started') total = event.total;
    if (event.type === 'done') {
      if (!json) for (const note of event.notes ?? []) bar.say(`warning: ${visible(note)}`);
      if (verbose && !json) for (const op of event.ops) process.stderr.write(`${opLine(op)}\n`);
      bar.step(event.to, total);
    }
    if (event.type === 'waiting' && !json) bar.say(`waiting: ${visible(event.message)}`);
    if (event.type === 'undoing') {
      bar.end();
      if (!json) process.stderr.write('undoing what was made\n');
    }
  };
  try {
    const fault = parseFault(process.env['NSLAB_FAULT']);
    await bring(lab, args, stop.signal);
    const result = await upLab({
      lab,
      file: loaded.file,
      locate: loaded.locate,
      again: loaded.again,
      kernel,
      onEvent,
      signal: stop.signal,
      fault,
      change: true,
    });
    bar.end();
    if (!json)
      for (const text of result.still ?? []) process.stderr.write(`warning: still so: ${visible(text)}\n`);
    const healthy = args.wait ? await waitForHealth(lab.name, args, stop.signal) : 0;
    const ms = Math.round(performance.now() - start);
    if (json)
      process.stdout.write(`${JSON.stringify({ type: 'up', lab: lab.name, ...result, healthy, ms })}\n`);
    else process.stdout.write(`${summary(lab.name, { ...result, healthy }, ms)}\n`);
  } catch (error) {
    bar.end();
    if (json && error instanceof NslabError) {
      const { code, message, hint } = error;
      process.stdout.write(`${JSON.stringify({ type: 'error', code, message, hint })}\n`);
    }
    throw error;
  } finally {
    kernel.close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Pulls the images that are missing, or those that are wanted anew. */
export async function bring(lab: Lab, { pull, json }: Args, signal: AbortSignal): Promise<void> {
  const images = imagesWanted(lab, pull);
  if (images.size === 0) return;
  const display = bringDisplay({ json });
  try {
    const { bringImages } = await import('../../lab/image-pull.ts');
    await bringImages({ images, signal, onEvent: display.event });
  } finally {
    display.end();
  }
}

/** Draws who is waited for, and for how long. Returns how many containers have turned out to be healthy. */
export async function waitForHealth(
  lab: LabName,
  { json, waitTimeout }: Pick<Args, 'json' | 'waitTimeout'>,
  signal: AbortSignal,
): Promise<number> {
  const line = waitingLine();
  let said = '';
  try {
    return await awaitHealth({
      lab,
      signal,
      timeoutMs: waitTimeout * 1000,
      onWaiting: (waitsFor, ms) => {
        const message = waitsFor.map(visible).join(', ');
        if (json && message !== said)
          process.stdout.write(`${JSON.stringify({ type: 'health', waitsFor })}\n`);
        if (!json) line.show(`waiting for health: ${message}`, ms);
        said = message;
      },
    });
  } finally {
    line.end();
  }
}

type Outcome = Awaited<ReturnType<typeof upLab>> & { readonly healthy: number };

function summary(lab: string, { outcome, nodes, links, ops, healthy }: Outcome, ms: number): string {
  const size = `${count(nodes, 'node')}, ${count(links, 'link')}${healthy === 0 ? '' : `, ${healthy} healthy`}`;
  if (outcome === 'unchanged') return `lab ${lab} is up already: ${size}, nothing to change`;
  const what = outcome === 'changed' ? 'is changed' : 'is up';
  return `lab ${lab} ${what}: ${size}, ${count(ops, 'step')} in ${ms} ms`;
}
