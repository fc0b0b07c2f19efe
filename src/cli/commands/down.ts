// `nslab down`: takes away the lab named, the only one, or all, and says what else it had to end.

import type { UndoEvent } from '../../apply/event.ts';
import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import { clearIdleDefault, isDefaultIdle } from '../../lab/default-network.ts';
import { chooseLabs, type DownTarget, downLab, downLabAndWait } from '../../lab/down.ts';
import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { undoLine } from '../output/step.ts';

type Args = { lab?: string; all: boolean; wait: boolean; json: boolean; verbose: boolean };

export async function run({ lab, all, wait, json, verbose }: Args): Promise<void> {
  assertRoot('down');
  if (all && lab !== undefined) throw new NslabError('USAGE', 'name a lab or say --all, not both');
  const target: DownTarget = all ? 'all' : lab === undefined ? 'only' : { lab };
  const labs = chooseLabs(target);
  const say = (event: object, line: string) =>
    process.stdout.write(json ? `${JSON.stringify(event)}\n` : `${line}\n`);
  if (labs.length === 0) {
    const what = lab === undefined ? 'no lab is up' : `lab ${lab} is not up`;
    say({ type: 'nothing', lab }, what);
    // A `run` that was killed before its container had a record.
    if (isDefaultIdle()) await withKernel(clearIdleDefault);
    return;
  }
  const kernel = await openKernel('down');
  const onEvent = (event: UndoEvent): void => {
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else if (verbose) process.stderr.write(`${undoLine(event.op)}\n`);
    if (event.type === 'undone' && !json) for (const note of event.notes) process.stderr.write(`${note}\n`);
  };
  // Stopping half-way would leave what the user wants gone; a second Ctrl-C is as harmless as the first. Waiting can be stopped.
  const stop = new AbortController();
  process.on('SIGINT', () => stop.abort()).on('SIGTERM', () => stop.abort());
  const failures: unknown[] = [];
  try {
    for (const name of labs) {
      const start = performance.now();
      try {
        const fault = parseFault(process.env['NSLAB_FAULT']);
        const request = { lab: name, kernel, onEvent, fault, signal: stop.signal };
        const was = wait ? await downLabAndWait(request) : downLab(request);
        const ms = Math.round(performance.now() - start);
        if (was) say({ type: 'down', lab: name, ms }, `lab ${name} is down in ${ms} ms`);
        else say({ type: 'nothing', lab: name }, `lab ${name} is not up`);
      } catch (error) {
        failures.push(error);
      }
    }
  } finally {
    kernel.close();
  }
  if (failures.length > 0) throw failures[0];
}

async function withKernel(body: (kernel: Awaited<ReturnType<typeof openKernel>>) => void): Promise<void> {
  const kernel = await openKernel('down');
  try {
    body(kernel);
  } finally {
    kernel.close();
  }
}
