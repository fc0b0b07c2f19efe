// `nslab stop start restart kill pause unpause wait`: one request to each container named, all at once. What went well is named
// on standard output, as Docker does; the first failure decides the exit status.

import { NslabError } from '../../base/error.ts';
import { attachAndStart } from '../../lab/attach.ts';
import { isRemovedAtEnd } from '../../lab/container-config.ts';
import { type Container, findContainer, stateOf } from '../../lab/containers.ts';
import {
  attachContainer,
  isRunningOrMade,
  killContainer,
  pauseContainer,
  restartContainer,
  startContainer,
  stopContainer,
  unpauseContainer,
  waitForExit,
} from '../../lab/control.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { waitUntilRemoved } from '../../lab/remove.ts';
import { spinning } from '../output/progress.ts';

type Args = {
  nodes: string[];
  lab?: string;
  time?: number;
  signal?: string;
  attach?: boolean;
  interactive?: boolean;
  detachKeys?: string;
};
type Verb = 'stop' | 'start' | 'restart' | 'kill' | 'pause' | 'unpause' | 'wait';

/** Of those that may take as long as a container likes. */
const doings: Partial<Readonly<Record<Verb, string>>> = { stop: 'stopping', restart: 'restarting' };

export async function run(verb: Verb, args: Args): Promise<void> {
  assertRoot(verb);
  if (args.time !== undefined && !(args.time >= 0)) throw new NslabError('USAGE', '--time wants seconds');
  // All are looked up before the first is touched.
  const containers = args.nodes.map((node) => findContainer(node, args.lab));
  if (verb === 'start' && (args.attach === true || args.interactive === true)) {
    process.exitCode = await startAttached(containers, args);
    return;
  }
  const all = () => Promise.allSettled(containers.map((container) => one(verb, container, args)));
  const doing = doings[verb];
  // `wait` says nothing until the end: what it prints is the answer.
  const results = doing === undefined ? await all() : await spinning(`${doing} ${args.nodes.join(' ')}`, all);
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') process.stdout.write(`${result.value ?? containers[i]?.node}\n`);
  }
  const failed = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => reason as unknown);
  const [first, ...more] = failed;
  for (const reason of more) {
    if (!(reason instanceof NslabError)) throw reason;
    process.stderr.write(`${reason.message}\n`);
  }
  if (first !== undefined) throw first;
}

/** `start -a`: as `run` in the foreground, with a container that is there already. */
async function startAttached(
  containers: readonly Container[],
  { interactive = false, detachKeys }: Args,
): Promise<number> {
  const [container, second] = containers;
  if (container === undefined || second !== undefined)
    throw new NslabError('USAGE', 'start -a is for one container');
  const isRemoved = isRemovedAtEnd(container);
  if (isRunningOrMade(container)) {
    return attachContainer(container, [
      ...(interactive ? [] : ['--no-stdin']),
      ...(detachKeys === undefined ? [] : ['--detach-keys', detachKeys]),
    ]);
  }
  const terminal = process.stdin.isTTY === true;
  const status = await attachAndStart(container, {
    stdin: interactive,
    terminal,
    removes: false,
    detachKeys,
  });
  const after = stateOf(container)?.status;
  if (isRemoved && after !== 'running' && after !== 'paused') await waitUntilRemoved(container.lab);
  return status;
}

async function one(verb: Verb, container: Container, { time, signal }: Args): Promise<string | undefined> {
  switch (verb) {
    case 'stop':
      await stopContainer(container, time);
      break;
    case 'start':
      await startContainer(container);
      break;
    case 'restart':
      await restartContainer(container, time);
      break;
    case 'kill':
      await killContainer(container, signal ?? 'KILL');
      break;
    case 'pause':
      await pauseContainer(container);
      break;
    case 'unpause':
      await unpauseContainer(container);
      break;
    case 'wait':
      return String(await waitForExit(container));
  }
  return undefined;
}
