// Sysctls of the network namespace the calling thread is in: /proc/sys/net shows the one of whoever opens it (proc_sys_lookup,
// net/sysctl_net.c). sysctl(8)'s spelling: `/` and `.` are swapped, so that a dot in an interface name survives.

import { readFileSync, writeFileSync } from 'node:fs';
import { codeOf } from '../sys/errno.ts';

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
