// `nslab run`: one container without a topology file. In the foreground this process is what the user sees of it: its terminal, its
// signals, its exit status.

import { parseFault } from '../../apply/fault.ts';
import { NslabError } from '../../base/error.ts';
import { attachAndStart } from '../../lab/attach.ts';
import { findContainer, stateOf } from '../../lab/containers.ts';
import { downLab } from '../../lab/down.ts';
import { openKernel } from '../../lab/kernel.ts';
import { labOfContainer, newContainerName } from '../../lab/run.ts';
import { upLab } from '../../lab/up.ts';

type Args = {
  rootfs?: string;
  name?: string;
  detach?: boolean;
  interactive?: boolean;
  tty?: boolean;
  rm?: boolean;
  env?: string[];
  envFile?: string[];
  volume?: string[];
  tmpfs?: string[];
  device?: string[];
  memory?: string;
  cpus?: string;
  pidsLimit?: number;
  shmSize?: string;
  ulimit?: string[];
  net?: string;
  capAdd?: string[];
  capDrop?: string[];
  securityOpt?: string[];
  privileged?: boolean;
  user?: string;
  userns?: string;
  workdir?: string;
  hostname?: string;
  entrypoint?: string;
  init?: boolean;
  readOnly?: boolean;
  restart?: string;
  stopSignal?: string;
  stopTimeout?: number;
  /** yargs leaves what follows a `--` here, after the command's own name. */
  _: (string | number)[];
};

export async function run(args: Args): Promise<void> {
  const { detach = false, rm = false } = args;
  if (args.rootfs === undefined) {
    throw new NslabError('USAGE', 'run needs --rootfs', {
      hint: '--rootfs host, or the folder of a root file system',
    });
  }
  if (detach && rm) {
    throw new NslabError(
      'USAGE',
      '--rm takes the container away when it has ended, and with -d nobody waits for that',
      {
        hint: 'leave out one of them; nslab down NAME removes it later',
      },
    );
  }
  if (rm && args.restart !== undefined && args.restart !== 'no') {
    throw new NslabError('USAGE', '--rm and --restart contradict each other');
  }
  const name = args.name ?? newContainerName();
  const lab = labOfContainer(name, keysOf(args));
  const kernel = await openKernel('run');
  try {
    const fault = parseFault(process.env['NSLAB_FAULT']);
    const stop = new AbortController();
    const interrupt = (): void => stop.abort();
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
    const { outcome } = await upLab({
      lab,
      file: '-',
      kernel,
      hold: !detach,
      onEvent: () => undefined,
      signal: stop.signal,
      fault,
    });
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    if (outcome === 'unchanged') {
      throw new NslabError('LAB_ALREADY_UP', `there is a container ${name} already`, {
        hint: `nslab start ${name}, or nslab down ${name} to remove it`,
      });
    }
    if (detach) {
      process.stdout.write(`${name}\n`);
      return;
    }
    const container = findContainer(name, name);
    process.exitCode = await attachAndStart(container, {
      stdin: args.interactive === true,
      terminal: process.stdin.isTTY === true,
    });
    // Whoever left by the detach keys has left it running.
    const after = stateOf(container)?.status;
    if (rm && after !== 'running' && after !== 'paused') {
      downLab({ lab: lab.name, kernel, onEvent: () => undefined });
    }
  } finally {
    kernel.close();
  }
}

function keysOf(args: Args): Readonly<Record<string, unknown>> {
  const { net = 'none' } = args;
  if (net !== 'none' && net !== 'host') {
    throw new NslabError('USAGE', `--net ${net}: outside of a lab a container has none or host`, {
      hint: 'in a topology file it has links as any node',
    });
  }
  const command = args._.slice(1).map(String);
  return {
    rootfs: args.rootfs,
    command: command.length === 0 ? undefined : command,
    entrypoint: args.entrypoint === undefined ? undefined : [args.entrypoint],
    env: args.env,
    env_files: args.envFile,
    volumes: args.volume,
    tmpfs: args.tmpfs,
    devices: args.device,
    memory: args.memory,
    cpus: args.cpus,
    pids: args.pidsLimit,
    shm_size: args.shmSize,
    ulimits: args.ulimit === undefined ? undefined : Object.fromEntries(args.ulimit.map(limitOf)),
    network_mode: net,
    cap_add: args.capAdd,
    cap_drop: args.capDrop,
    security_opt: args.securityOpt,
    privileged: args.privileged,
    user: args.user,
    userns: args.userns,
    working_dir: args.workdir,
    hostname: args.hostname,
    init: args.init,
    read_only: args.readOnly,
    restart: args.restart,
    stop_signal: args.stopSignal,
    stop_grace_period: args.stopTimeout === undefined ? undefined : `${args.stopTimeout}s`,
    tty: args.tty,
    stdin_open: args.interactive,
  };
}

/** `nofile=1024` or `nofile=1024:2048`. */
function limitOf(text: string): [string, number | { readonly soft: number; readonly hard: number }] {
  const match = /^([a-z]+)=(-?[0-9]+)(?::(-?[0-9]+))?$/.exec(text);
  if (match === null) throw new NslabError('USAGE', `--ulimit ${text}: NAME=SOFT[:HARD] is needed`);
  const [, name = '', soft, hard] = match;
  return [name, hard === undefined ? Number(soft) : { soft: Number(soft), hard: Number(hard) }];
}
