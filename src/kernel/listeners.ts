// Who has a port of the machine: asked by trying to bind it, which is what the helper will do, and where that is refused, by
// looking for the socket in /proc (proc_pid_net(5), proc_pid_fd(5)). Reads only; the socket that tries is closed at once.

import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type IpAddress, ipFamily, ipToBytes } from '../base/ip.ts';
import { codeOf } from '../sys/errno.ts';
import {
  AF_INET,
  AF_INET6,
  bind,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  setsockopt,
  socket,
} from '../sys/libc.ts';
import type { PortHolder } from './port.ts';

type Wanted = { readonly proto: 'tcp' | 'udp'; readonly address: IpAddress; readonly port: number };

const ONE = new Uint8Array([1, 0, 0, 0]);
// linux/in6.h
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

/** Why the port cannot be had: the name of an errno; undefined where it can. */
export function refusedPort({ proto, address, port }: Wanted): string | undefined {
  const six = ipFamily(address) === 6;
  let fd: number | undefined;
  try {
    fd = socket(six ? AF_INET6 : AF_INET, (proto === 'tcp' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (six) setsockopt(fd, IPPROTO_IPV6, { name: IPV6_V6ONLY, value: ONE });
    if (proto === 'tcp') setsockopt(fd, SOL_SOCKET, { name: SO_REUSEADDR, value: ONE });
    bind(fd, socketAddress(address, port));
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === '') throw error;
    // A machine without IPv6 has no port of it to take.
    return code === 'EAFNOSUPPORT' && address === '::' ? undefined : code;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** struct sockaddr_in, struct sockaddr_in6. */
function socketAddress(address: IpAddress, port: number): Uint8Array {
  const bytes = ipToBytes(address);
  const six = bytes.length === 16;
  const result = Buffer.alloc(six ? 28 : 16);
  result.writeUInt16LE(six ? AF_INET6 : AF_INET, 0);
  result.writeUInt16BE(port, 2);
  result.set(bytes, six ? 8 : 4);
  return result;
}

/** The program that has the port; undefined where it hides, as one of another process namespace does. */
export function portHolder({ proto, address, port }: Wanted): PortHolder | undefined {
  const tables = ipFamily(address) === 6 ? [`${proto}6`] : [proto, `${proto}6`];
  const inodes = new Set(tables.flatMap((table) => inodesOf(table, proto, port)));
  if (inodes.size === 0) return undefined;
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name) || !hasSocket(name, inodes)) continue;
    return { pid: Number(name), program: readText(`/proc/${name}/comm`).trim() || 'unknown' };
  }
  return undefined;
}

/** TCP_LISTEN; a socket of UDP that is bound to a port has the state of a closed one. */
const states = { tcp: '0A', udp: '07' } as const;

function inodesOf(table: string, proto: 'tcp' | 'udp', port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return readText(`/proc/self/net/${table}`)
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      return local.endsWith(`:${hex}`) && state === states[proto] && inode !== undefined ? [inode] : [];
    });
}

function hasSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  const folder = `/proc/${pid}/fd`;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return false;
  }
  return names.some((name) => {
    try {
      const inode = /^socket:\[([0-9]+)\]$/.exec(readlinkSync(`${folder}/${name}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false;
    }
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
