// Reads what buildSpec() and lowerSpec() need to know of the machine: the files, devices and folders that the lab's containers name,
// the capabilities and limits of this process, and the accounts of a root file system. Changes nothing.

import { type BigIntStats, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NslabError } from '../base/error.ts';
import type { ErrorCode } from '../base/error-catalogue.ts';
import { parseDevice } from '../model/container-text.ts';
import { rootLayers } from './build.ts';
import { givenMounts } from './build-mounts.ts';
import type { Accounts, BuildHost, ContainerNode, HostFacts, ProcessFacts } from './host.ts';
import { readInLayers } from './in-root.ts';
import { optionsOf } from './node-options.ts';
import { listOf, must } from './options.ts';
import { hostPath } from './paths.ts';
import type { Device } from './runtime-spec.ts';

type Places = Pick<BuildHost, 'folder' | 'env'>;

/** Reads once what all these containers name. @throws NslabError CONTAINER_... for what is not there */
export function readHostFacts(nodes: readonly ContainerNode[], places: Places): HostFacts {
  const envFiles = new Map<string, string>();
  const devices = new Map<string, readonly Device[]>();
  for (const node of nodes) {
    checkRoot(node, places);
    const options = optionsOf(node);
    for (const mount of givenMounts(options)) {
      if (mount.type === 'bind') checkSource(node, hostPath(mount.source ?? '', places));
    }
    for (const file of listOf(options.env_files)) {
      const path = hostPath(file, places);
      if (!envFiles.has(path)) envFiles.set(path, readEnvFile(node, path));
    }
    for (const text of options.devices ?? []) {
      const { source } = must(parseDevice(text));
      if (!devices.has(source)) devices.set(source, readDevices(node, source));
    }
  }
  const isPrivileged = nodes.some((node) => optionsOf(node).privileged === true);
  return {
    envFiles,
    devices,
    allDevices: isPrivileged ? devicesBelow('/dev') : [],
    maskedPaths: thermalThrottles(),
    hostKeys: nodes.some(({ container }) => container?.rootfs === 'host') ? sshHostKeys() : [],
  };
}

function refuse(code: ErrorCode, node: ContainerNode, message: string): NslabError {
  return new NslabError(code, `${node.name}: ${message}`);
}

function checkRoot(node: ContainerNode, places: Places): void {
  for (const folder of rootLayers(node, places)) {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat === undefined) throw refuse('CONTAINER_ROOTFS', node, `rootfs: there is no folder ${folder}`);
    if (!stat.isDirectory()) throw refuse('CONTAINER_ROOTFS', node, `rootfs: ${folder} is not a folder`);
  }
}

function checkSource(node: ContainerNode, path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return;
  throw refuse('CONTAINER_FILE', node, `there is no ${path} to bind into the container`);
}

const MAX_ENV_FILE = 1 << 20;

function readEnvFile(node: ContainerNode, path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw refuse('CONTAINER_FILE', node, `env_files: there is no file ${path}`);
  if (!stat.isFile() || stat.size > MAX_ENV_FILE)
    throw refuse('CONTAINER_FILE', node, `env_files: ${path} is not an ordinary file of at most 1 MiB`);
  return readFileSync(path, 'utf8');
}

function readDevices(node: ContainerNode, path: string): readonly Device[] {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) throw refuse('CONTAINER_DEVICE', node, `devices: there is no ${path}`);
  const found = stat.isDirectory()
    ? devicesBelow(path)
    : [deviceOf(path, stat)].filter((one) => one !== undefined);
  if (found.length === 0) throw refuse('CONTAINER_DEVICE', node, `devices: ${path} is not a device`);
  return found;
}

/** Docker's: what the container has of its own. */
const notDevices = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev', 'console', 'ptmx']);

function devicesBelow(folder: string): Device[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (notDevices.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return devicesBelow(path);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    return deviceOf(path, lstatSync(path, { bigint: true })) ?? [];
  });
}

function deviceOf(path: string, stat: BigIntStats): Device | undefined {
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
  const { rdev } = stat;
  return {
    path,
    type: stat.isBlockDevice() ? 'b' : 'c',
    // makedev(3): twelve bits and then the rest of major, eight and then the rest of minor.
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)),
    fileMode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  };
}

/** How often a processor was too hot is a clock that containers could talk by (moby, "thermal_throttle"). */
function thermalThrottles(): string[] {
  const folder = '/sys/devices/system/cpu';
  return namesIn(folder, /^cpu[0-9]+$/)
    .map((name) => `${folder}/${name}/thermal_throttle`)
    .filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
}

function sshHostKeys(): string[] {
  return namesIn('/etc/ssh', /^ssh_host_.*_key$/).map((name) => `/etc/ssh/${name}`);
}

function namesIn(folder: string, pattern: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => pattern.test(name))
      .sort();
  } catch {
    return [];
  }
}

/** What this process may hand on: proc_pid_status(5) CapBnd, proc_pid_limits(5). */
export function readProcessFacts(): ProcessFacts {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  return {
    capabilities: BigInt(`0x${bounding ?? '0'}`),
    hardLimits: parseLimits(readFileSync('/proc/self/limits', 'latin1')),
  };
}

/** The words of proc_pid_limits(5) as runtime-spec's. */
const limitNames: Readonly<Record<string, string>> = {
  'cpu time': 'CPU',
  'file size': 'FSIZE',
  'data size': 'DATA',
  'stack size': 'STACK',
  'core file size': 'CORE',
  'resident set': 'RSS',
  processes: 'NPROC',
  'open files': 'NOFILE',
  'locked memory': 'MEMLOCK',
  'address space': 'AS',
  'file locks': 'LOCKS',
  'pending signals': 'SIGPENDING',
  'msgqueue size': 'MSGQUEUE',
  'nice priority': 'NICE',
  'realtime priority': 'RTPRIO',
  'realtime timeout': 'RTTIME',
};

export function parseLimits(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, words = '', hard] of text.matchAll(
    /^Max (.+?) +(?:[0-9]+|unlimited) +([0-9]+|unlimited)/gm,
  )) {
    const name = limitNames[words];
    if (name !== undefined) found.set(`RLIMIT_${name}`, hard === 'unlimited' ? -1 : Number(hard));
  }
  return found;
}

/** /etc/passwd and /etc/group as the container sees them. @throws NslabError CONTAINER_USER for a hostile one */
export function readAccounts(lowers: readonly string[]): Accounts {
  return { passwd: readAccountFile(lowers, '/etc/passwd'), group: readAccountFile(lowers, '/etc/group') };
}

function readAccountFile(lowers: readonly string[], path: string): string {
  try {
    return readInLayers(lowers, path) ?? '';
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new NslabError('CONTAINER_USER', `the container's ${path} cannot be read: ${why}`, {
      cause: error,
    });
  }
}
