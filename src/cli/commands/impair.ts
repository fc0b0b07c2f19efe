// `nslab impair`: lists what is set on the wires of labs, sets more, takes it away, or lets a link go down and up until it is stopped.

import { setTimeout as pause } from 'node:timers/promises';
import { NslabError } from '../../base/error.ts';
import {
  bothEnds,
  Flapping,
  findEnd,
  type ImpairEnd,
  type ImpairRow,
  impair,
  listImpaired,
  parseImpairWords,
} from '../../lab/impair.ts';
import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { renderTable } from '../output/table.ts';
import { visible } from '../output/visible.ts';

type Args = {
  end?: string;
  words?: string[];
  both: boolean;
  clear: boolean;
  count?: number;
  lab?: string;
  json: boolean;
};
type OpenKernel = Awaited<ReturnType<typeof openKernel>>;

export async function run({ end: text, words = [], both, clear, count, lab, json }: Args): Promise<void> {
  const { set, flap } = parseImpairWords(words);
  assertSense({ text, words, both, clear, count, flap });
  assertRoot('impair');
  const kernel = await openKernel('impair');
  try {
    const show = (rows: readonly ImpairRow[]) => print(rows, { json, lab });
    if (text === undefined) {
      show(listImpaired(lab, kernel));
      return;
    }
    const end = findEnd(text, lab, kernel);
    const ends = both ? bothEnds(end) : [end];
    if (flap !== undefined) await flapUntilStopped(ends, { everyMs: flap / 1000, count, json }, kernel);
    else if (clear || words.length > 0) show(ends.map((one) => impair(one, clear ? 'clear' : set, kernel)));
    else {
      const isMeant = (row: ImpairRow) =>
        ends.some(
          ({ lab: own, node, ifname }) => row.lab === own && row.node === node && row.interface === ifname,
        );
      show(listImpaired(end.lab, kernel).filter(isMeant));
    }
  } finally {
    kernel.close();
  }
}

type Sense = Pick<Args, 'both' | 'clear'> & {
  readonly count: number | undefined;
  readonly text: string | undefined;
  readonly words: readonly string[];
  readonly flap: number | undefined;
};

function assertSense({ text, words, both, clear, count, flap }: Sense): void {
  const wrong = (message: string): never => {
    throw new NslabError('USAGE', message, { hint: 'nslab impair --help' });
  };
  if (text === undefined && (both || clear)) wrong('--both and --clear need an interface, as pc1:eth0');
  if (clear && words.length > 0) wrong('--clear takes all away; with it nothing can be set');
  if (count !== undefined && flap === undefined) wrong('--count is for flap');
  if (count !== undefined && !(Number.isInteger(count) && count > 0))
    wrong('--count is a whole number from 1 on');
}

function print(rows: readonly ImpairRow[], { json, lab }: { json: boolean; lab: string | undefined }): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  if (rows.length === 0) {
    process.stdout.write(lab === undefined ? 'nothing is impaired\n' : `nothing of ${lab} is impaired\n`);
    return;
  }
  const cells = rows.map((row) => [
    `${row.node}:${row.interface}`,
    row.lab,
    row.qdisc,
    row.text === '' ? '-' : row.text,
  ]);
  process.stdout.write(renderTable(['INTERFACE', 'LAB', 'QDISC', 'WHAT LEAVES IT'], cells));
}

type Flap = { readonly everyMs: number; readonly count: number | undefined; readonly json: boolean };

/** However it ends, the link is up again. */
async function flapUntilStopped(
  ends: readonly ImpairEnd[],
  { everyMs, count = Number.POSITIVE_INFINITY, json }: Flap,
  kernel: OpenKernel,
): Promise<void> {
  const stop = new AbortController();
  let signal: NodeJS.Signals | undefined;
  const stopped = (which: NodeJS.Signals): void => {
    signal = which;
    stop.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const one of signals) process.on(one, stopped);
  const links = new Flapping(ends, kernel);
  const names = ends.map(({ node, ifname }) => `${node}:${ifname}`);
  const say = (state: 'down' | 'up'): void => {
    const line = json
      ? JSON.stringify({ interfaces: names, state })
      : `${names.map(visible).join(' and ')} ${state}`;
    process.stdout.write(`${line}\n`);
  };
  try {
    for (let done = 0; done < count && !stop.signal.aborted; done++) {
      links.down();
      say('down');
      await waited(everyMs, stop.signal);
      links.up();
      say('up');
      if (done + 1 < count) await waited(everyMs, stop.signal);
    }
  } finally {
    links.up();
    for (const one of signals) process.off(one, stopped);
  }
  // Being stopped is how it ends without --count.
  if (signal !== undefined && Number.isFinite(count)) process.exitCode = 130;
}

async function waited(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
