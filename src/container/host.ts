// What buildSpec() and lowerSpec() need to know of the machine, as data, so that both are pure. facts.ts reads it.

import type { NetnsName, NodeName } from '../base/names.ts';
import type { ContainerSpec } from '../model/container.ts';
import type { ContainerImage } from '../model/image-settings.ts';
import type { Place, Sysctl } from '../model/lab.ts';
import type { PublishedPort } from '../model/network.ts';
import type { Device } from './runtime-spec.ts';

/** What of a node its container is made of; a Node is one, and so is what a startContainer op has. */
export type ContainerNode = {
  readonly name: NodeName;
  /** The network namespace that it joins; null is the machine's own. */
  readonly place: Place;
  readonly container?: ContainerSpec;
  /** Of a container with `image`. */
  readonly image?: ContainerImage;
  /** Those of the network namespace are set by others. */
  readonly sysctls?: readonly Sysctl[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly ports?: readonly Omit<PublishedPort, 'path'>[];
};

/** Where things of one container are, and what the file's paths and variables refer to. */
export type BuildHost = {
  readonly lab: string;
  /** The folder of the topology file: relative paths of the file start here. */
  readonly folder: string;
  /** /run/nslab/labs/LAB/containers/NODE. */
  readonly run: string;
  /** /var/lib/nslab/containers/LAB/NODE. */
  readonly var: string;
  /** /var/lib/nslab/volumes. */
  readonly volumes: string;
  /** The pin of a network namespace. */
  readonly netnsPath: (netns: NetnsName) => string;
  /** The pin of the user namespace that owns it, where it has one of its own. */
  readonly usernsPath: (netns: NetnsName) => string;
  /** Files to bind over /etc/hosts and /etc/resolv.conf. */
  readonly etc: { readonly hosts?: string; readonly resolvConf?: string };
  /** For variables that the file names without a value. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly facts: HostFacts;
  /** The layers of images are copied, because the file system refuses overlayfs. */
  readonly copiesLayers?: boolean;
};

/** What is read of the machine once for all containers of a lab. */
export type HostFacts = {
  /** Texts of `env_files` by absolute path. */
  readonly envFiles: ReadonlyMap<string, string>;
  /** By the absolute path in `devices`; several where it is a folder. Paths are those of the machine. */
  readonly devices: ReadonlyMap<string, readonly Device[]>;
  /** All devices of the machine, for `privileged`; empty when nobody needs them. */
  readonly allDevices: readonly Device[];
  /** Paths to hide that are not the same on every machine: thermal_throttle of each processor. */
  readonly maskedPaths: readonly string[];
  /** Host keys of the machine's sshd, hidden with `rootfs: host`. */
  readonly hostKeys: readonly string[];
};

/** What lowerSpec() needs. */
export type LowerFacts = {
  readonly process: ProcessFacts;
  readonly accounts: Accounts;
  readonly cgroup: CgroupFacts;
  /** Where the container has a filter: flags of seccomp(2), and struct sock_filter[]. */
  readonly seccomp?: { readonly flags: number; readonly filter: Uint8Array };
  /** Where it publishes ports: transactions of nf_tables that fill and empty their chains. */
  readonly publish?: { readonly fill: Uint8Array; readonly empty: Uint8Array };
};

/** What this process may hand on. */
export type ProcessFacts = {
  /** A bit for each capability of the bounding set. */
  readonly capabilities: bigint;
  /** Hard limits by the names of runtime-spec (RLIMIT_NOFILE); -1 is none. */
  readonly hardLimits: ReadonlyMap<string, number>;
};

/** /etc/passwd and /etc/group of the root file system; empty where there is none. */
export type Accounts = { readonly passwd: string; readonly group: string };

/** The container's control groups, made already. */
export type CgroupFacts = {
  /** One for each hierarchy. */
  readonly join: readonly { readonly directory: string; readonly version: 1 | 2 }[];
  /** A file with a line `oom_kill N`. */
  readonly oom?: string;
  readonly freezer?: { readonly directory: string; readonly version: 1 | 2 };
  /** cgroup2 alone: v1 has files for it. */
  readonly devices?: { readonly directory: string; readonly instructions: Uint8Array };
  /** What is mounted below /sys/fs/cgroup: `name` is the folder there, empty for cgroup2 alone. */
  readonly mounts: readonly {
    readonly name: string;
    readonly fstype: 'cgroup' | 'cgroup2';
    readonly options: readonly string[];
  }[];
};
