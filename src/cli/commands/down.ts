// `nslab down`: takes away the lab named, the only one, or all, and says what else it had to end.

import type { UndoEvent } from '../../apply/event.ts';
import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import { clearIdleDefault, isDefaultIdle } from '../../lab/default-network.ts';
import { chooseLabs, countCopies, type DownTarget, downLab, downLabAndWait } from '../../lab/down.ts';
import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { progressBar, spinning } from '../output/progress.ts';
import { undoLine } from '../output/step.ts';

type Args = {
  lab?: string;
  all: boolean;
  copies: boolean;
  wait: boolean;
  json: boolean;
  verbose: boolean;
};

export async function run(args: Args): Promise<void> {
  const { lab, copies, wait, json, verbose } = args;
  assertRoot('down');
  const labs = chooseLabs(targetOf(args));
  const say = (event: object, line: string) =>
    process.stdout.write(json ? `${JSON.stringify(event)}\n` : `${line}\n`);
  if (labs.length === 0) {
    say({ type: 'nothing', lab }, nothingUp(args));
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
  // Of copies one line tells about all of them.
  const single = copies && !verbose && !json ? () => undefined : say;
  const bar = progressBar('down');
  const begin = performance.now();
  let gone = 0;
  try {
    for (const name of labs) {
      const start = performance.now();
      try {
        const fault = parseFault(process.env['NSLAB_FAULT']);
        const request = { lab: name, kernel, onEvent, fault, signal: stop.signal };
        const was = wait
          ? await spinning(`waiting until lab ${name} is gone`, () => downLabAndWait(request))
          : downLab(request);
        const ms = Math.round(performance.now() - start);
        if (was) single({ type: 'down', lab: name, ms }, `lab ${name} is down in ${ms} ms`);
        else single({ type: 'nothing', lab: name }, `lab ${name} is not up`);
        gone++;
        if (copies) bar.step(gone, labs.length);
      } catch (error) {
        failures.push(error);
      }
    }
  } finally {
    bar.end();
    kernel.close();
  }
  if (copies && !json) {
    const ms = Math.round(performance.now() - begin);
    process.stdout.write(`${gone === 1 ? '1 copy is' : `${gone} copies are`} down in ${ms} ms\n`);
  }
  if (failures.length > 0) throw failures[0];
}

/** @throws NslabError USAGE */
function targetOf({ lab, all, copies }: Args): DownTarget {
  if (all && (lab !== undefined || copies))
    throw new NslabError('USAGE', 'name a lab or say --all, not both');
  if (all) return 'all';
  if (copies) return { copiesOf: lab };
  return lab === undefined ? 'only' : { lab };
}

function nothingUp({ lab, copies }: Args): string {
  if (copies) return lab === undefined ? 'no copies are up' : `no copy of ${lab} is up`;
  if (lab === undefined) return 'no lab is up';
  const number = countCopies(lab);
  if (number === 0) return `lab ${lab} is not up`;
  return `lab ${lab} is not up; of copies ${number === 1 ? 'one is' : `${number} are`}: nslab down ${lab} --copies`;
}

async function withKernel(body: (kernel: Awaited<ReturnType<typeof openKernel>>) => void): Promise<void> {
  const kernel = await openKernel('down');
  try {
    body(kernel);
  } finally {
    kernel.close();
  }
}
