// `nslab run` and `nslab create`: one container without a topology file. In the foreground this process is what the user sees of it:
// its terminal, its signals, its exit status.

import { killAtFault, parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import { attachAndStart } from '../../lab/attach.ts';
import { findContainer, stateOf } from '../../lab/containers.ts';
import { clearIdleDefault, DEFAULT_LAB, holdDefaultNetwork } from '../../lab/default-network.ts';
import { downLab } from '../../lab/down.ts';
import type { PullPolicy } from '../../lab/images-wanted.ts';
import { openKernel } from '../../lab/kernel.ts';
import { type ContainerKeys, labOfContainer, newContainerName } from '../../lab/run.ts';
import { upLab } from '../../lab/up.ts';
import { type ContainerArgs, containerKeys } from '../container-keys.ts';
import { bringDisplay } from '../output/bring.ts';
import { printNotes } from '../output/warnings.ts';

type Args = ContainerArgs & {
  readonly name?: string;
  readonly detach?: boolean;
  readonly detachKeys?: string;
  readonly pull: PullPolicy;
};

type Kernel = Awaited<ReturnType<typeof openKernel>>;

export async function run(args: Args): Promise<void> {
  const { detach = false, rm = false } = args;
  if (args.tty === true && args.interactive === true && !detach && process.stdin.isTTY !== true) {
    throw new NslabError('USAGE', 'standard input is no terminal', { hint: 'leave out -t' });
  }
  const kernel = await openKernel('run');
  try {
    const name = await make(args, kernel, { hold: !detach });
    if (detach) {
      process.stdout.write(`${name}\n`);
      return;
    }
    const fault = parseFault(process.env['NSLAB_FAULT']);
    killAtFault(fault, { verb: 'run', when: 'before', index: 0 });
    const container = findContainer(name, name);
    process.exitCode = await attachAndStart(container, {
      stdin: args.interactive === true,
      terminal: process.stdin.isTTY === true,
      removes: rm,
      detachKeys: args.detachKeys,
    });
    killAtFault(fault, { verb: 'run', when: 'after', index: 0 });
    // Whoever left by the detach keys has left it running.
    const after = stateOf(container)?.status;
    if (rm && after !== 'running' && after !== 'paused')
      downLab({ lab: container.lab, kernel, onEvent: () => undefined });
  } finally {
    kernel.close();
  }
}

/** `create`: all of it but the start. */
export async function create(args: Args): Promise<void> {
  const kernel = await openKernel('create');
  try {
    process.stdout.write(`${await make(args, kernel, { hold: true })}\n`);
  } finally {
    kernel.close();
  }
}

/**
 * Makes the container and returns its name; held, it waits for `start`.
 * @throws NslabError LAB_ALREADY_UP, and as upLab
 */
async function make(args: Args, kernel: Kernel, { hold }: { readonly hold: boolean }): Promise<string> {
  const { rm = false } = args;
  if (args.rootfs === undefined && args._.length < 2) {
    throw new NslabError('USAGE', 'an image or --rootfs is needed', {
      hint: 'nslab run IMAGE, or --rootfs host, or --rootfs and the folder of a root file system',
    });
  }
  if (rm && args.restart !== undefined && args.restart !== 'no') {
    throw new NslabError('USAGE', '--rm and --restart contradict each other');
  }
  const name = args.name ?? newContainerName();
  if (name === DEFAULT_LAB) {
    throw new NslabError('USAGE', `--name ${name}: that is the lab whose network the containers join`);
  }
  try {
    await upContainer({ name, keys: containerKeys(args), pull: args.pull, hold, rm }, kernel);
  } catch (error) {
    clearIdleDefault(kernel);
    throw error;
  }
  return name;
}

type Wanted = {
  readonly name: string;
  readonly keys: ContainerKeys;
  readonly hold: boolean;
  readonly rm: boolean;
  readonly pull: PullPolicy;
};

async function upContainer({ name, keys, hold, rm, pull }: Wanted, kernel: Kernel): Promise<void> {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    await bring(keys, pull, stop.signal);
    using _network = keys['network_mode'] === undefined ? await holdDefaultNetwork(kernel) : undefined;
    const { outcome } = await upLab({
      lab: labOfContainer(name, keys),
      file: '-',
      kernel,
      hold,
      solo: { remove: rm },
      onEvent: (event) => {
        if (event.type === 'done') printNotes(event.notes);
      },
      signal: stop.signal,
      fault: parseFault(process.env['NSLAB_FAULT']),
    });
    if (outcome === 'made') return;
  } catch (error) {
    if (!(error instanceof NslabError && error.code === 'LAB_ALREADY_UP')) throw error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
  throw new NslabError('LAB_ALREADY_UP', `there is a container or a lab ${name} already`, {
    hint: `nslab start ${name} starts a container, nslab rm ${name} removes it`,
  });
}

/** Before the network is held: a pull may take minutes, and others want to join. */
async function bring(keys: ContainerKeys, pull: PullPolicy, signal: AbortSignal): Promise<void> {
  const { image } = keys;
  if (typeof image !== 'string') return;
  const display = bringDisplay({ json: false });
  try {
    const { bringImages } = await import('../../lab/image-pull.ts');
    await bringImages({ images: new Map([[image, pull]]), signal, onEvent: display.event });
  } finally {
    display.end();
  }
}
