// `nslab inspect NODE`: everything about one container, from three places: what it was made from (config.json), how its monitor says
// it is, and the limits and devices as the kernel has them now. Changes nothing.

import { constants } from 'node:os';
import { cgroupFolders, cgroupLimits } from '../kernel/container-cgroup.ts';
import type { ContainerState, DeviceView, Kernel } from '../kernel/port.ts';
import { networkOf, ownsNetns } from '../model/container.ts';
import { findConfig } from './container-config.ts';
import { type Container, stateOf } from './containers.ts';

export type ContainerFacts = {
  readonly node: string;
  readonly lab: string;
  readonly rootfs: string;
  /** Null where it was never made. */
  readonly state: ContainerState | null;
  readonly config: {
    readonly command: readonly string[];
    readonly env: readonly string[];
    readonly workingDir: string;
    readonly user: string;
    readonly hostname: string;
    readonly tty: boolean;
    readonly stdinOpen: boolean;
    readonly init: boolean;
    readonly readOnly: boolean;
    readonly labels: Readonly<Record<string, string>>;
    /** Those that it has in common with the machine: `pid`, `ipc`, `network`. */
    readonly hostNamespaces: readonly string[];
    readonly sysctls: Readonly<Record<string, string>>;
    readonly stopSignal: string;
    readonly stopGraceMs: number;
    /** `on-failure:3`. */
    readonly restart: string;
    readonly removedAtEnd: boolean;
    readonly healthcheck: readonly string[] | null;
  } | null;
  readonly security: {
    readonly capabilities: readonly string[];
    readonly noNewPrivileges: boolean;
    readonly seccomp: string;
  } | null;
  readonly mounts: readonly {
    readonly destination: string;
    readonly type: string;
    readonly source: string;
    readonly readOnly: boolean;
  }[];
  /** As the files of its control groups have them; what is not limited is absent. */
  readonly limits: ReturnType<typeof cgroupLimits>;
  readonly network: {
    /** `own`, `host`, or `container:NODE`. */
    readonly mode: string;
    /** The name under /run/netns. */
    readonly netns: string | null;
    readonly devices: readonly DeviceView[];
  };
  readonly paths: {
    readonly log: string | null;
    /** What it has written, over its root file system. */
    readonly upper: string | null;
    readonly cgroups: readonly string[];
  };
};

export function inspectContainer(container: Container, kernel: Kernel): ContainerFacts {
  const { node, lab, model } = container;
  const config = findConfig(container);
  return {
    node,
    lab,
    rootfs: model.container?.image ?? model.container?.rootfs ?? '',
    state: stateOf(container) ?? null,
    config: config === undefined ? null : configOf(config, container),
    security:
      config === undefined
        ? null
        : {
            capabilities: config.process.capabilities.bounding ?? [],
            noNewPrivileges: config.process.noNewPrivileges,
            seccomp: config.nslab.seccomp.path ?? config.nslab.seccomp.profile,
          },
    mounts: (config?.mounts ?? []).map(({ destination, type, source, options }) => {
      return { destination, type, source, readOnly: options.includes('ro') };
    }),
    limits: cgroupLimits(lab, node),
    network: networkFacts(container, kernel),
    paths: {
      log: config?.nslab.log.path ?? null,
      upper: config?.nslab.overlay.upper ?? null,
      cgroups: cgroupFolders(lab, node),
    },
  };
}

type Config = NonNullable<ReturnType<typeof findConfig>>;

function configOf(config: Config, { node, model }: Container): ContainerFacts['config'] {
  const { process, root, hostname, linux, nslab } = config;
  const own = new Set(linux.namespaces.map(({ type }) => type));
  return {
    command: process.args,
    env: process.env,
    workingDir: process.cwd,
    user: nslab.user ?? 'root',
    hostname: hostname ?? node,
    tty: process.terminal === true,
    stdinOpen: nslab.stdinOpen,
    init: nslab.init,
    readOnly: root.readonly === true,
    labels: model.labels,
    hostNamespaces: ['pid', 'ipc', 'network'].filter((type) => !own.has(type)),
    sysctls: Object.fromEntries(model.sysctls.map(({ key, value }) => [key, value])),
    stopSignal: signalName(nslab.stop.signal),
    stopGraceMs: nslab.stop.graceMs,
    restart: nslab.restart.max > 0 ? `${nslab.restart.policy}:${nslab.restart.max}` : nslab.restart.policy,
    removedAtEnd: nslab.remover !== undefined,
    healthcheck: nslab.health?.argv ?? null,
  };
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? String(number);
}

/** One in the machine's network or in that of another has no devices of its own. */
function networkFacts({ lab, model }: Container, kernel: Kernel): ContainerFacts['network'] {
  const network = networkOf(model);
  const mode = typeof network === 'string' ? network : `container:${network.node}`;
  const netns = ownsNetns(model) ? model.place : null;
  if (netns === null) return { mode, netns, devices: [] };
  kernel.openLab(lab);
  return { mode, netns, devices: kernel.readDevices(netns) ?? [] };
}
