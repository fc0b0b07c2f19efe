// What a container gets when the file says nothing: Docker's defaults. Source: moby's profiles and daemon/pkg/oci (defaults.go,
// oci_linux.go), runtime-spec's config-linux.md "Default Devices"; devices are those of linux/Documentation/admin-guide/devices.txt.

import type { Device, DeviceRule, Mount } from './runtime-spec.ts';

export const OCI_VERSION = '1.2.0';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Docker's fourteen. */
export const defaultCapabilities: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP'],
  ...['SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'],
];

/** What a lab node without a command does: it stays, for `exec`. */
export const idleCommand: readonly string[] = ['sleep', 'infinity'];

/** `tty` of every distribution. */
export const TTY_GROUP = 5;

export const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

/** In the order in which they are mounted. */
export function defaultMounts(shmSize: number): Mount[] {
  const safe = ['nosuid', 'noexec', 'nodev'];
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', `gid=${TTY_GROUP}`],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', ...safe, 'relatime'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...safe, 'mode=1777', `size=${shmSize}`],
    },
  ];
}

/** Hidden: they tell about the machine, or are ways out of the container. */
export const maskedPaths: readonly string[] = [
  ...['acpi', 'asound', 'interrupts', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi'].map(inProc),
  ...['timer_list', 'timer_stats'].map(inProc),
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

/** May be read. */
export const readonlyPaths: readonly string[] = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map(inProc);

function inProc(name: string): string {
  return `/proc/${name}`;
}

/** Of `rootfs: host`: the machine's secrets, and what would be of no use but as a secret. */
export const hostSecrets: readonly string[] = [
  ...['shadow', 'shadow-', 'gshadow', 'gshadow-', 'ssl/private', 'krb5.keytab'].map((name) => `/etc/${name}`),
  '/boot',
  '/var/lib/nslab',
];

/** Of `rootfs: host`: folders in which the machine's files are hidden and those of the container live in memory. */
export const hostTmpfs: readonly Mount[] = [
  { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=755'] },
  { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777'] },
  { destination: '/root', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=700'] },
];

/** Made by the runtime in every /dev that is its own. */
export const defaultDevices: readonly Device[] = [
  characters('/dev/null', 1, 3),
  characters('/dev/zero', 1, 5),
  characters('/dev/full', 1, 7),
  characters('/dev/random', 1, 8),
  characters('/dev/urandom', 1, 9),
  characters('/dev/tty', 5, 0),
];

function characters(path: string, major: number, minor: number): Device {
  return { path, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

export const defaultSymlinks: readonly { readonly path: string; readonly target: string }[] = [
  { path: '/dev/fd', target: '/proc/self/fd' },
  { path: '/dev/stdin', target: '/proc/self/fd/0' },
  { path: '/dev/stdout', target: '/proc/self/fd/1' },
  { path: '/dev/stderr', target: '/proc/self/fd/2' },
  { path: '/dev/ptmx', target: 'pts/ptmx' },
];

/** Any node may be made, these may be opened: the default devices, /dev/console, /dev/ptmx and what is below /dev/pts. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...defaultDevices.map(({ type, major, minor }): DeviceRule => {
    return { allow: true, type, major, minor, access: 'rwm' };
  }),
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

export const LOG_MAX_BYTES = 10 * 1024 * 1024;
export const LOG_FILES = 3;

export const SIGTERM = 15;
export const STOP_GRACE_MS = 10_000;

export const healthDefaults = {
  intervalMs: 30_000,
  timeoutMs: 30_000,
  retries: 3,
  startPeriodMs: 0,
  startIntervalMs: 5_000,
} as const;
