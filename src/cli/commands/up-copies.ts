// `nslab up FILE --copies N`: one bar over all copies, and one summary at the end.

import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import type { LabName } from '../../base/names.ts';
import { type CopyOutcome, MOST_COPIES, upCopies } from '../../lab/copies.ts';
import { openKernel } from '../../lab/kernel.ts';
import { type Loaded, loadCopies } from '../../lab/load.ts';
import type { UpEvent } from '../../lab/up-request.ts';
import { count } from '../output/count.ts';
import { progressBar } from '../output/progress.ts';
import { opLine } from '../output/step.ts';
import { visible } from '../output/visible.ts';
import { printWarnings } from '../output/warnings.ts';
import { bring, type UpArgs, waitForHealth } from './up.ts';

type Failed = { readonly lab: LabName; readonly error: NslabError };

export async function run(args: UpArgs & { readonly copies: number }): Promise<void> {
  const { copies } = args;
  if (!(args.waitTimeout > 0)) throw new NslabError('USAGE', '--wait-timeout wants seconds');
  if (!Number.isInteger(copies) || copies < 1 || copies > MOST_COPIES)
    throw new NslabError('USAGE', `--copies wants a number from 1 to ${MOST_COPIES}`);
  const { file, prefix, var: vars, json } = args;
  const start = performance.now();
  const loaded = loadCopies({ path: file, prefix, vars }, copies);
  const [first] = loaded as [Loaded, ...Loaded[]];
  // Those of the others are the same.
  await printWarnings(first.warnings);
  const kernel = await openKernel('up');
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const of = first.lab.copy?.of ?? first.lab.name;
  const bar = progressBar(`up ${of}`);
  try {
    await bring(first.lab, args, stop.signal);
    const outcomes = await upCopies({
      copies: loaded,
      kernel,
      signal: stop.signal,
      fault: parseFault(process.env['NSLAB_FAULT']),
      onCopy: (_lab, done) => bar.step(done, copies),
      onEvent: (lab, event) => show(lab, event, { ...args, say: bar.say }),
    });
    bar.end();
    const made = outcomes.flatMap((one) => ('result' in one ? one : []));
    const failed = outcomes.flatMap((one) => ('error' in one ? one : []));
    const unhealthy = args.wait ? await healthOf(made, args, stop.signal) : [];
    const ms = Math.round(performance.now() - start);
    const failures = [...failed, ...unhealthy];
    if (json) process.stdout.write(`${JSON.stringify(summaryJson(of, { made, failures, ms }))}\n`);
    else if (made.length > 0) process.stdout.write(`${summary(of, made, ms)}\n`);
    assertAll(of, { loaded, made, failures, aborted: stop.signal.aborted });
  } finally {
    bar.end();
    kernel.close();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

type ShowOptions = Pick<UpArgs, 'json' | 'verbose'> & { readonly say: (text: string) => void };

function show(lab: LabName, event: UpEvent, { json, verbose, say }: ShowOptions): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ lab, ...event })}\n`);
    return;
  }
  if (event.type === 'done') {
    for (const note of event.notes ?? []) say(`warning: ${lab}: ${visible(note)}`);
    if (verbose) for (const op of event.ops) say(opLine(op));
  }
  if (event.type === 'waiting') say(`waiting: ${lab}: ${visible(event.message)}`);
  if (event.type === 'undoing') say(`undoing what was made of ${lab}`);
}

type Made = Extract<CopyOutcome, { readonly result: unknown }>;

async function healthOf(made: readonly Made[], args: UpArgs, signal: AbortSignal): Promise<Failed[]> {
  const deadline = performance.now() + args.waitTimeout * 1000;
  const failed: Failed[] = [];
  for (const { lab } of made) {
    try {
      const waitTimeout = Math.max(0, (deadline - performance.now()) / 1000);
      await waitForHealth(lab, { json: args.json, waitTimeout }, signal);
    } catch (error) {
      if (!(error instanceof NslabError)) throw error;
      failed.push({ lab, error });
    }
  }
  return failed;
}

function summaryJson(
  of: string,
  { made, failures, ms }: { made: readonly Made[]; failures: readonly Failed[]; ms: number },
) {
  const named = (outcome: 'made' | 'unchanged') =>
    made.flatMap(({ lab, result }) => (result.outcome === outcome ? lab : []));
  return {
    type: 'copies',
    of,
    made: named('made'),
    unchanged: named('unchanged'),
    failed: failures.map(({ lab, error: { code, message, hint } }) => ({ lab, code, message, hint })),
    ms,
  };
}

/** `docker0-1 to docker0-30`, with a gap `docker0-1, docker0-3 to docker0-30`. */
function nameRange(labs: readonly LabName[]): string {
  const numberOf = (lab: LabName) => Number(/\d+$/.exec(lab)?.[0]);
  const runs: LabName[][] = [];
  for (const lab of labs) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && numberOf(lab) === numberOf(last) + 1) run.push(lab);
    else runs.push([lab]);
  }
  return runs.map((run) => (run.length < 3 ? run.join(', ') : `${run[0]} to ${run.at(-1)}`)).join(', ');
}

function summary(of: string, made: readonly Made[], ms: number): string {
  const fresh = made.filter(({ result }) => result.outcome === 'made').length;
  const was = made.length - fresh;
  const [first] = made;
  const size = `${count(first?.result.nodes ?? 0, 'node')} and ${count(first?.result.links ?? 0, 'link')} each`;
  const names = nameRange(made.map(({ lab }) => lab));
  const what = made.length === 1 ? `1 copy of ${of} is up` : `${made.length} copies of ${of} are up`;
  const before = was === 0 ? '' : was === made.length ? ', all of them before' : `, ${was} of them before`;
  return `${what}: ${names}, ${size}${before}, in ${ms} ms`;
}

type Ends = {
  readonly loaded: readonly Loaded[];
  readonly made: readonly Made[];
  readonly failures: readonly Failed[];
  readonly aborted: boolean;
};

/** @throws NslabError COPIES_FAILED; INTERRUPTED when the signal came before the last */
function assertAll(of: string, { loaded, made, failures, aborted }: Ends): void {
  const missing = loaded.length - made.length;
  if (aborted && missing > 0) {
    const message = `up of ${of} was interrupted: ${missing} of ${loaded.length} copies were not made`;
    throw new NslabError('INTERRUPTED', message, {
      hint: `what is up stays; nslab down ${of} --copies takes it down`,
    });
  }
  if (failures.length === 0) return;
  const words = failures.map(({ lab, error }) => `${lab}: ${error.message}`).join('; ');
  throw new NslabError('COPIES_FAILED', `${failures.length} of ${loaded.length} copies failed: ${words}`, {
    hint: `the others stay; the same command makes what is missing, nslab down ${of} --copies takes all away`,
  });
}
