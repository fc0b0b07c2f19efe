// The ops of a container's program: their codes, and the fields of each in the order in which they are written. It is the
// TypeScript side of src/helper/program.h, and a unit test compares the two files. What an op means is said there.

/** How a field is written, little endian: a text and bytes are a u32 length and what follows, a list is a u32 count of texts. */
export type FieldKind = 'u32' | 'i32' | 'u64' | 'text' | 'list' | 'bytes' | 'u32list';

type Shape = { readonly code: number; readonly fields: Readonly<Record<string, FieldKind>> };

const none = {};

// No field is called `flags`: that is what an op itself has.
export const programOps = {
  // The monitor's.
  ID: { code: 1, fields: { lab: 'text', node: 'text' } },
  LOG: { code: 2, fields: { path: 'text', bytes: 'u64', files: 'u32' } },
  RESTART: { code: 3, fields: { policy: 'u32', max: 'u32' } },
  STOP: { code: 4, fields: { signal: 'u32', grace: 'u32' } },
  HEALTH: {
    code: 5,
    fields: {
      argv: 'list',
      interval: 'u32',
      timeout: 'u32',
      retries: 'u32',
      startPeriod: 'u32',
      startInterval: 'u32',
    },
  },
  OOM: { code: 6, fields: { file: 'text' } },
  FREEZER: { code: 7, fields: { directory: 'text', version: 'u32' } },
  CGROUP: { code: 8, fields: { directory: 'text' } },
  DEVICES: { code: 9, fields: { directory: 'text', instructions: 'bytes' } },
  REMOVER: { code: 14, fields: { argv: 'list', env: 'list' } },
  PUBLISH: {
    code: 15,
    fields: { udp: 'u32', address: 'text', port: 'u32', count: 'u32', target: 'text', targetPort: 'u32' },
  },
  PUBLISH_RULES: { code: 16, fields: { fill: 'bytes', empty: 'bytes' } },
  // Init's namespaces.
  NAMESPACES: { code: 10, fields: { types: 'u32' } },
  JOIN: { code: 11, fields: { type: 'u32', path: 'text' } },
  ID_MAP: { code: 12, fields: { uids: 'text', gids: 'text' } },
  TIME_OFFSETS: { code: 13, fields: { text: 'text' } },
  // Root and mounts.
  ROOT_OVERLAY: { code: 20, fields: { lowers: 'list', upper: 'text', work: 'text' } },
  ROOT_BIND: { code: 21, fields: { directory: 'text' } },
  MOUNT: {
    code: 22,
    fields: { fstype: 'text', source: 'text', target: 'text', attr: 'u64', options: 'list' },
  },
  BIND: { code: 23, fields: { source: 'text', target: 'text', attr: 'u64', propagation: 'u32' } },
  DEVICE: {
    code: 24,
    fields: { path: 'text', type: 'u32', major: 'u32', minor: 'u32', mode: 'u32', uid: 'u32', gid: 'u32' },
  },
  SYMLINK: { code: 25, fields: { target: 'text', path: 'text' } },
  MASK: { code: 26, fields: { path: 'text' } },
  READ_ONLY: { code: 27, fields: { path: 'text' } },
  ROOT_READ_ONLY: { code: 28, fields: none },
  PROPAGATION: { code: 29, fields: { propagation: 'u32' } },
  MKDIR: { code: 30, fields: { path: 'text', mode: 'u32', uid: 'u32', gid: 'u32' } },
  // The rest of init's surroundings.
  HOSTNAME: { code: 40, fields: { name: 'text' } },
  SYSCTL: { code: 41, fields: { key: 'text', value: 'text' } },
  TERMINAL: { code: 42, fields: { rows: 'u32', columns: 'u32' } },
  STDIN: { code: 43, fields: none },
  // The process, for init and exec alike.
  ARGV: { code: 50, fields: { argv: 'list' } },
  ENV: { code: 51, fields: { env: 'list' } },
  CWD: { code: 52, fields: { path: 'text' } },
  USER: { code: 53, fields: { uid: 'u32', gid: 'u32', groups: 'u32list' } },
  UMASK: { code: 54, fields: { umask: 'u32' } },
  RLIMIT: { code: 55, fields: { resource: 'u32', soft: 'u64', hard: 'u64' } },
  OOM_SCORE_ADJ: { code: 56, fields: { value: 'i32' } },
  CAPS: {
    code: 57,
    fields: { bounding: 'u64', effective: 'u64', permitted: 'u64', inheritable: 'u64', ambient: 'u64' },
  },
  NO_NEW_PRIVS: { code: 58, fields: none },
  SECCOMP: { code: 59, fields: { filterFlags: 'u32', filter: 'bytes' } },
  INIT: { code: 60, fields: none },
} as const satisfies Record<string, Shape>;

/** Flags of CGROUP: the directory is of a cgroup2. */
export const CGROUP_FLAG_V2 = 1;
/** Flags of ROOT_OVERLAY: no upper layer, nothing can be written. */
export const ROOT_FLAG_NO_UPPER = 1;
/** Flags of BIND. */
export const BIND_FLAG_RECURSIVE = 1;
export const BIND_FLAG_READ_ONLY_RECURSIVE = 2;

/** Policies of RESTART. */
export const restartPolicies = { no: 0, 'on-failure': 1, always: 2, 'unless-stopped': 3 } as const;

type Values = {
  u32: number;
  i32: number;
  u64: bigint;
  text: string;
  list: readonly string[];
  bytes: Uint8Array;
  u32list: readonly number[];
};

export type OpName = keyof typeof programOps;

/** An op as data: `{ op: 'CWD', path: '/' }`. */
export type ProgramOp = {
  [N in OpName]: { readonly op: N; readonly flags?: number } & {
    readonly [F in keyof (typeof programOps)[N]['fields']]: (typeof programOps)[N]['fields'][F] extends FieldKind
      ? Values[(typeof programOps)[N]['fields'][F]]
      : never;
  };
}[OpName];
