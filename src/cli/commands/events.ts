// `nslab events`: what changes in a lab, a line each, until it is down or the user has seen enough.

import { watchLab } from '../../lab/events.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { labAsTargets } from '../../lab/targets.ts';
import { eventLine } from '../output/event.ts';

type Args = { lab?: string; json: boolean };

export async function run({ lab, json }: Args): Promise<void> {
  assertRoot('events');
  const targets = labAsTargets(lab);
  const end = new AbortController();
  const stop = (): void => end.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  // A reader that has seen enough, `head` for one, closes the pipe.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  process.exitCode = await watchLab(targets, {
    visit: (event) => void process.stdout.write(`${json ? JSON.stringify(event) : eventLine(event)}\n`),
    ready: () => void process.stderr.write(`watching lab ${targets.lab.name}\n`),
    signal: end.signal,
  });
}
