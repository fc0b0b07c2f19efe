// The options of `run`, `create` and `update` as the keys that a topology file has for the same.

import { NslabError } from '../base/error.ts';
import type { ContainerKeys } from '../lab/run.ts';

export type LimitArgs = {
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly memoryReservation?: string;
  readonly cpus?: string;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  readonly pidsLimit?: number;
};

export type ContainerArgs = LimitArgs & {
  readonly rootfs?: string;
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly rm?: boolean;
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
  readonly volume?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly device?: readonly string[];
  readonly publish?: readonly string[];
  readonly shmSize?: string;
  readonly ulimit?: readonly string[];
  readonly net?: string;
  readonly addHost?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOption?: readonly string[];
  readonly ipc?: string;
  readonly pid?: string;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly securityOpt?: readonly string[];
  readonly privileged?: boolean;
  readonly user?: string;
  readonly userns?: string;
  readonly workdir?: string;
  readonly hostname?: string;
  readonly entrypoint?: string;
  readonly init?: boolean;
  readonly readOnly?: boolean;
  readonly restart?: string;
  readonly sysctl?: readonly string[];
  readonly label?: readonly string[];
  readonly healthCmd?: string;
  readonly healthInterval?: string;
  readonly healthTimeout?: string;
  readonly healthRetries?: number;
  readonly healthStartPeriod?: string;
  readonly healthStartInterval?: string;
  readonly stopSignal?: string;
  readonly stopTimeout?: number;
  /** yargs leaves what follows a `--` here, after the command's own name. */
  readonly _: readonly (string | number)[];
};

/** @throws NslabError USAGE for what a file would say in other words */
export function containerKeys(args: ContainerArgs): ContainerKeys {
  const { net = 'bridge' } = args;
  if (net !== 'bridge' && net !== 'none' && net !== 'host') {
    throw new NslabError('USAGE', `--net ${net}: outside of a lab a container has bridge, none or host`, {
      hint: 'in a topology file it has links as any node',
    });
  }
  const words = args._.slice(1).map(String);
  const [image, command] = args.rootfs === undefined ? [words[0], words.slice(1)] : [undefined, words];
  return {
    image,
    rootfs: args.rootfs,
    command: command.length === 0 ? undefined : command,
    entrypoint: args.entrypoint === undefined ? undefined : [args.entrypoint],
    env: args.env,
    env_files: args.envFile,
    volumes: args.volume,
    tmpfs: args.tmpfs,
    devices: args.device,
    ports: args.publish,
    ...limitKeys(args),
    shm_size: args.shmSize,
    ulimits: args.ulimit === undefined ? undefined : Object.fromEntries(args.ulimit.map(limitOf)),
    network_mode: net === 'bridge' ? undefined : net,
    extra_hosts: args.addHost,
    dns: args.dns,
    dns_search: args.dnsSearch,
    dns_opt: args.dnsOption,
    ipc: args.ipc,
    pid: args.pid,
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
    sysctls: pairsOf('sysctl', args.sysctl),
    labels: pairsOf('label', args.label),
    healthcheck: healthOf(args),
    stop_signal: args.stopSignal,
    stop_grace_period: args.stopTimeout === undefined ? undefined : `${args.stopTimeout}s`,
    tty: args.tty,
    stdin_open: args.interactive,
  };
}

export function limitKeys(args: LimitArgs): ContainerKeys {
  return {
    memory: args.memory,
    memory_swap: args.memorySwap,
    memory_reservation: args.memoryReservation,
    cpus: args.cpus,
    cpu_shares: args.cpuShares,
    cpuset: args.cpusetCpus,
    pids: args.pidsLimit,
  };
}

function healthOf(args: ContainerArgs): Readonly<Record<string, unknown>> | undefined {
  const given = {
    interval: args.healthInterval,
    timeout: args.healthTimeout,
    retries: args.healthRetries,
    start_period: args.healthStartPeriod,
    start_interval: args.healthStartInterval,
  };
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  if (args.healthCmd !== undefined)
    return { test: ['CMD-SHELL', args.healthCmd], ...Object.fromEntries(set) };
  const [first] = set;
  if (first === undefined) return undefined;
  throw new NslabError('USAGE', `--health-${first[0].replace('_', '-')} needs --health-cmd`);
}

/** `NAME=VALUE` each; a label may have no value. */
function pairsOf(option: string, words: readonly string[] | undefined): Record<string, string> | undefined {
  if (words === undefined) return undefined;
  return Object.fromEntries(
    words.map((word) => {
      const equals = word.indexOf('=');
      if (equals > 0) return [word.slice(0, equals), word.slice(equals + 1)];
      if (option === 'label' && equals < 0 && word !== '') return [word, ''];
      throw new NslabError('USAGE', `--${option} ${word}: NAME=VALUE is needed`);
    }),
  );
}

/** `nofile=1024` or `nofile=1024:2048`. */
function limitOf(text: string): [string, number | { readonly soft: number; readonly hard: number }] {
  const match = /^([a-z]+)=(-?[0-9]+)(?::(-?[0-9]+))?$/.exec(text);
  if (match === null) throw new NslabError('USAGE', `--ulimit ${text}: NAME=SOFT[:HARD] is needed`);
  const [, name = '', soft, hard] = match;
  return [name, hard === undefined ? Number(soft) : { soft: Number(soft), hard: Number(hard) }];
}
