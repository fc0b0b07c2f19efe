// Sysctls of the network namespace the calling thread is in: /proc/sys/net shows the one of whoever opens it (proc_sys_lookup,
// net/sysctl_net.c). sysctl(8)'s spelling: `/` and `.` are swapped, so that a dot in an interface name survives.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { codeOf } from './errno.ts';

/** `net.ipv4.conf.eth0/5.forwarding` is /proc/sys/net/ipv4/conf/eth0.5/forwarding. */
export function sysctlPath(key: string): string {
  return `/proc/sys/${key.replace(/[./]/g, (c) => (c === '.' ? '/' : '.'))}`;
}

/** @throws Node's file system error: ENOENT for a key this kernel lacks, EINVAL for a value it refuses */
export function writeSysctl(key: string, value: string): void {
  writeFileSync(sysctlPath(key), `${value}\n`, { flag: 'r+' });
}

/** The value without its line break, or undefined where the kernel has no such key. */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(sysctlPath(key), 'utf8').trimEnd();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error))) return undefined;
    throw error;
  }
}

/** What a device has under `conf` and `neigh` of net.ipv4 and net.ipv6, by key. A key that cannot be read (stable_secret, unset) is left out. */
export function readDeviceSysctls(ifname: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const table of ['ipv4.conf', 'ipv4.neigh', 'ipv6.conf', 'ipv6.neigh']) {
    const prefix = `net.${table}.${ifname.replaceAll('.', '/')}`;
    for (const name of readNames(sysctlPath(prefix))) {
      const value = readQuietly(`${prefix}.${name}`);
      if (value !== undefined) found[`${prefix}.${name}`] = value;
    }
  }
  return found;
}

/** Writes those that differ from what is there now. One that the kernel does not take back is left as it is. */
export function restoreDeviceSysctls(was: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(was)) {
    if (readQuietly(key) === value) continue;
    try {
      writeSysctl(key, value);
    } catch (error) {
      // Read-only keys (mc_forwarding), and those of a device whose MTU has no room for IPv6.
      if (codeOf(error) === '') throw error;
    }
  }
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Undefined also for a key that is there and cannot be read (stable_secret, unset). */
export function readQuietly(key: string): string | undefined {
  try {
    return readSysctl(key);
  } catch (error) {
    if (codeOf(error) === '') throw error;
    return undefined;
  }
}
