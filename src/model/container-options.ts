// The container keys of a node with their types: Docker Compose's words, as topology/schema-container.ts lets them through.
// container-text.ts reads the short forms among them.

import type { PortOptions } from './port-text.ts';
import type { UsernsOption } from './userns.ts';

type OneOrList = string | readonly string[];
type Scalar = string | number | boolean | null;
type Quantity = string | number;

/** When an image is asked for at its registry. */
export type PullPolicy = 'always' | 'missing' | 'never';

export type ContainerOptions = {
  readonly pull_policy?: PullPolicy;
  readonly command?: OneOrList;
  readonly entrypoint?: OneOrList;
  readonly env?: Readonly<Record<string, Scalar>> | readonly string[];
  readonly env_files?: OneOrList;
  readonly working_dir?: string;
  readonly user?: string | number;
  readonly hostname?: string;
  readonly binds?: readonly string[];
  readonly volumes?: readonly (string | VolumeOptions)[];
  readonly tmpfs?: OneOrList;
  readonly ports?: readonly (string | number | PortOptions)[];
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly privileged?: boolean;
  readonly security_opt?: readonly string[];
  readonly devices?: readonly string[];
  readonly ulimits?: Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>;
  readonly cpu?: string | number;
  readonly cpus?: string | number;
  readonly memory?: Quantity;
  readonly memory_swap?: Quantity;
  readonly memory_reservation?: Quantity;
  readonly cpu_shares?: number;
  readonly cpuset?: string | number;
  readonly pids?: number;
  readonly init?: boolean;
  readonly tty?: boolean;
  readonly stdin_open?: boolean;
  readonly restart?: string | boolean;
  readonly stop_signal?: string | number;
  readonly stop_grace_period?: Quantity;
  readonly healthcheck?: HealthOptions;
  readonly depends_on?:
    | readonly string[]
    | Readonly<Record<string, { readonly condition?: string | undefined } | null>>;
  readonly network_mode?: string;
  readonly ipc?: string;
  readonly pid?: string;
  readonly userns?: UsernsOption;
  readonly time_offsets?: TimeOffsetOptions;
  readonly read_only?: boolean;
  readonly shm_size?: Quantity;
};

/** How far a clock of the container is ahead of the machine's, or behind with a `-`. */
export type TimeOffsetOptions = {
  readonly boottime?: string | undefined;
  readonly monotonic?: string | undefined;
};

export type VolumeOptions = {
  readonly type?: 'bind' | 'volume' | 'tmpfs' | undefined;
  readonly source?: string | undefined;
  readonly target: string;
  readonly read_only?: boolean | undefined;
};

export type HealthOptions = {
  readonly test?: OneOrList | undefined;
  readonly interval?: Quantity | undefined;
  readonly timeout?: Quantity | undefined;
  readonly retries?: number | undefined;
  readonly start_period?: Quantity | undefined;
  readonly start_interval?: Quantity | undefined;
  readonly disable?: boolean | undefined;
};

/** Of a container's own network namespace: low ports and ping are for everyone in it (moby, oci_linux.go). */
export const containerSysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};
