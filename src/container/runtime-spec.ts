// The part of the OCI runtime specification's config.json that nslab fills in, in its words (runtime-spec v1.3: config.md,
// config-linux.md). Pure data. What the specification has no word for (restart policy, health check, layers of the root file
// system) is under the one key `nslab`, which other runtimes ignore as they must ignore every key that they do not know.

import type { TimeOffsets } from '../model/time-offsets.ts';
import type { IdMap } from '../model/userns.ts';

export type RuntimeSpec = {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root: { readonly path: string; readonly readonly?: boolean };
  readonly hostname?: string;
  /** Mounted in this order. */
  readonly mounts: readonly Mount[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly linux: Linux;
  readonly nslab: Extension;
};

export type Process = {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly cwd: string;
  readonly env: readonly string[];
  readonly args: readonly string[];
  /** Where `nslab.user` is there, lowerSpec() looks it up in the root file system's own files and puts it here. */
  readonly user: User;
  readonly capabilities: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj?: number;
};

export type User = {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
};

type CapabilitySet = 'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient';
/** Names as CAP_CHOWN. */
export type Capabilities = Readonly<Partial<Record<CapabilitySet, readonly string[]>>>;

/** `type` as RLIMIT_NOFILE; -1 is no limit. */
export type Rlimit = { readonly type: string; readonly soft: number; readonly hard: number };

export type Mount = {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
};

export type Linux = {
  readonly namespaces: readonly Namespace[];
  readonly devices?: readonly Device[];
  /** Below the root of every hierarchy. */
  readonly cgroupsPath: string;
  readonly resources: Resources;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly rootfsPropagation?: string;
  readonly timeOffsets?: TimeOffsets;
  /** Of the user namespace, new or joined; what is not there is nobody's in the container. */
  readonly uidMappings?: readonly IdMap[];
  readonly gidMappings?: readonly IdMap[];
};

export type NamespaceType = 'mount' | 'uts' | 'ipc' | 'pid' | 'network' | 'cgroup' | 'user' | 'time';
/** Without a path a new one. */
export type Namespace = { readonly type: NamespaceType; readonly path?: string };

export type Device = {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
};

export type Resources = {
  /** In the order in which they are applied. Without major or minor: all. */
  readonly devices: readonly DeviceRule[];
  /** Bytes; `swap` is memory and swap together, -1 is no limit. */
  readonly memory?: { readonly limit?: number; readonly reservation?: number; readonly swap?: number };
  readonly cpu?: {
    /** Microseconds of processor time in each period. */
    readonly quota?: number;
    readonly period?: number;
    readonly shares?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  /** -1 is no limit. */
  readonly pids?: { readonly limit: number };
  readonly blockIO?: {
    readonly weight?: number;
    readonly throttleReadBpsDevice?: readonly Throttle[];
    readonly throttleWriteBpsDevice?: readonly Throttle[];
    readonly throttleReadIOPSDevice?: readonly Throttle[];
    readonly throttleWriteIOPSDevice?: readonly Throttle[];
  };
};

export type Throttle = { readonly major: number; readonly minor: number; readonly rate: number };

export type DeviceRule = {
  readonly allow: boolean;
  readonly type?: 'a' | 'c' | 'b';
  readonly major?: number;
  readonly minor?: number;
  /** Some of `rwm`. */
  readonly access: string;
};

/** What the specification leaves to the engine above the runtime. */
export type Extension = {
  readonly lab: string;
  readonly node: string;
  readonly overlay: {
    /** Folders, the top one first. */
    readonly lowers: readonly string[];
    readonly upper: string;
    readonly work: string;
    /** The file system refuses overlayfs: the layers are copied into `upper`, and that is the root. */
    readonly copied?: true;
  };
  /** As the file has it, `web`, `1000:1000`, `web:adm`; looked up in the root file system. */
  readonly user?: string;
  readonly seccomp: SeccompChoice;
  readonly init: boolean;
  readonly stdinOpen: boolean;
  readonly restart: Restart;
  readonly stop: { readonly signal: number; readonly graceMs: number };
  readonly health?: Health;
  /** What removes the container when it has ended for good: `--rm`. */
  readonly remover?: { readonly argv: readonly string[]; readonly env: readonly string[] };
  readonly log: { readonly path: string; readonly maxBytes: number; readonly files: number };
  readonly volumes: readonly Volume[];
  readonly ports?: readonly Port[];
  /** Small files that are written into the container's folder before it starts, and bound into it by `mounts`. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
};

/** Where the monitor listens, and where it sends what it hears. */
export type Port = {
  readonly proto: 'tcp' | 'udp';
  /** Of the machine; `0.0.0.0` and `::` are all of a family. */
  readonly address: string;
  readonly port: number;
  /** So many ports from there on. */
  readonly count: number;
  readonly target: string;
  readonly targetPort: number;
};

export type SeccompChoice =
  | { readonly profile: 'default' | 'unconfined' }
  | { readonly profile: 'file'; readonly path: string };

export type Restart = {
  readonly policy: 'no' | 'on-failure' | 'always' | 'unless-stopped';
  /** 0 is no limit. */
  readonly max: number;
};

export type Health = {
  readonly argv: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
};

/** A folder that nslab makes before the start. It is bound by an entry of `mounts`. */
export type Volume = {
  /** On the machine. */
  readonly path: string;
  /** In the container; what the root file system has there is copied into the folder when it is made. */
  readonly target: string;
  readonly copy: boolean;
  /** Outlives the container: the folder is below the volumes folder and not below that of the container. */
  readonly named: boolean;
};
