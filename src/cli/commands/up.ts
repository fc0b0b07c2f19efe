// `nslab up`: shows what happens while it happens, and turns Ctrl-C into an orderly retreat.

import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import { openKernel } from '../../lab/kernel.ts';
import { load } from '../../lab/load.ts';
import { type UpEvent, upLab } from '../../lab/up.ts';
import { count } from '../output/count.ts';
import { progressBar } from '../output/progress.ts';
import { opLine } from '../output/step.ts';
import { visible } from '../output/visible.ts';
import { printWarnings } from '../output/warnings.ts';

type Args = { file: string; prefix?: string; var?: string[]; json: boolean; verbose: boolean };

export async function run({ file, prefix, var: vars, json, verbose }: Args): Promise<void> {
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
    const result = await upLab({
      lab,
      file: loaded.file,
      locate: loaded.locate,
      kernel,
      onEvent,
      signal: stop.signal,
      fault,
    });
    bar.end();
    const ms = Math.round(performance.now() - start);
    if (json) process.stdout.write(`${JSON.stringify({ type: 'up', lab: lab.name, ...result, ms })}\n`);
    else process.stdout.write(`${summary(lab.name, result, ms)}\n`);
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

function summary(
  lab: string,
  { outcome, nodes, links, ops }: Awaited<ReturnType<typeof upLab>>,
  ms: number,
): string {
  const size = `${count(nodes, 'node')}, ${count(links, 'link')}`;
  if (outcome === 'unchanged') return `lab ${lab} is up already: ${size}, nothing to change`;
  return `lab ${lab} is up: ${size}, ${count(ops, 'step')} in ${ms} ms`;
}
