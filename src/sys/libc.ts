// The few system calls Node has no function for, through koffi. All are synchronous and run on the main thread, so that a
// thread which entered a foreign namespace has left it again before any callback runs. Only this file loads koffi.
// setns(2), unshare(2), mount(2), umount2(2), flock(2), ioctl(2), socket(2), netlink(7), unix(7), pipe(2), pidfd_open(2),
// getxattr(2).

import { closeSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type Koffi from 'koffi';
import { errnoName } from './errno.ts';

/** A failed system call: the errno, its name, and the call. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;

  constructor(syscall: string, errno: number, detail = '') {
    const code = errnoName(errno);
    super(`${syscall}${detail === '' ? '' : ` ${detail}`}: ${code}`);
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
  }
}

// linux/sched.h
export const CLONE_NEWUTS = 0x0400_0000;
export const CLONE_NEWNET = 0x4000_0000;
// sys/mount.h
export const MS_NOSUID = 0x2;
export const MS_NODEV = 0x4;
export const MS_NOEXEC = 0x8;
export const MS_BIND = 0x1000;
export const MS_SHARED = 0x10_0000;
export const MNT_DETACH = 0x2;
export const UMOUNT_NOFOLLOW = 0x8;
// sys/file.h
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
// sys/socket.h, linux/netlink.h
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_RCVTIMEO = 20;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0x8_0000;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;

/**
 * koffi. Its package looks for its native file in many places, which takes 20 ms of the 25 until the first call; the build puts
 * that file beside the bundle.
 */
function loadKoffi(): typeof Koffi {
  const native = join(import.meta.dirname, 'koffi.node');
  if (!existsSync(native)) return createRequire(import.meta.url)('koffi');
  const module = { exports: {} };
  process.dlopen(module, native);
  return module.exports as typeof Koffi;
}

/** Declared at the first call, because a command that asks nothing of the kernel need not pay for koffi. */
function declare() {
  const koffi = loadKoffi();
  const libc = koffi.load(null);
  return {
    errno: () => koffi.errno(),
    setns: libc.func('int setns(int fd, int nstype)'),
    unshare: libc.func('int unshare(int flags)'),
    mount: libc.func(
      'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    ),
    umount2: libc.func('int umount2(const char *target, int flags)'),
    flock: libc.func('int flock(int fd, int operation)'),
    syncfs: libc.func('int syncfs(int fd)'),
    ioctlBytes: libc.func('ioctl', 'int', ['int', 'unsigned long', 'uint8_t *']),
    ioctlNumber: libc.func('ioctl', 'int', ['int', 'unsigned long', 'unsigned long']),
    socket: libc.func('int socket(int domain, int type, int protocol)'),
    connect: libc.func('int connect(int fd, const uint8_t *address, unsigned int length)'),
    bind: libc.func('int bind(int fd, const uint8_t *address, unsigned int length)'),
    // By number: not every C library that is about has a function for these.
    syscall: libc.func('syscall', 'long', ['long', 'long', 'long', 'long', 'long']),
    syscallFive: libc.func('syscall', 'long', ['long', 'long', 'long', 'long', 'long', 'long']),
    syscallText: libc.func('syscall', 'long', ['long', 'const char *', 'long']),
    lgetxattr: libc.func(
      'intptr_t lgetxattr(const uint8_t *path, const char *name, uint8_t *value, size_t size)',
    ),
    setsockopt: libc.func(
      'int setsockopt(int fd, int level, int name, const uint8_t *value, unsigned int length)',
    ),
    send: libc.func('intptr_t send(int fd, const uint8_t *buffer, size_t length, int flags)'),
    recv: libc.func('intptr_t recv(int fd, uint8_t *buffer, size_t length, int flags)'),
    pipe2: libc.func('int pipe2(uint8_t *ends, int flags)'),
  };
}

let declared: ReturnType<typeof declare> | undefined;

function calls(): ReturnType<typeof declare> {
  declared ??= declare();
  return declared;
}

// asm-generic/fcntl.h
const O_CLOEXEC = 0o2000000;
// asm-generic/errno-base.h
const EINTR = 4;
const EAGAIN = 11;

/** Runs the call again while a signal interrupts it, and throws when it fails. */
function check(syscall: string, call: () => number, detail?: string): number {
  for (;;) {
    const value = call();
    if (value >= 0) return value;
    const errno = calls().errno();
    if (errno !== EINTR) throw new SyscallError(syscall, errno, detail);
  }
}

export function setns(fd: number, type: number): void {
  check('setns', () => calls().setns(fd, type));
}

export function unshare(flags: number): void {
  check('unshare', () => calls().unshare(flags));
}

export type MountRequest = {
  readonly source: string;
  readonly target: string;
  readonly type?: string;
  readonly flags?: number;
  readonly data?: string;
};

export function mount({ source, target, type, flags = 0, data }: MountRequest): void {
  check('mount', () => calls().mount(source, target, type ?? null, flags, data ?? null), target);
}

export function umount2(target: string, flags: number): void {
  check('umount2', () => calls().umount2(target, flags), target);
}

/** Takes the exclusive lock without waiting; false when another process holds it. flock(2) frees it when that process dies. */
export function tryFlock(fd: number): boolean {
  return tryLock(fd, LOCK_EX);
}

/** Takes a lock that any number of processes may share; false when one holds it alone. */
export function tryFlockShared(fd: number): boolean {
  return tryLock(fd, LOCK_SH);
}

function tryLock(fd: number, operation: number): boolean {
  if (calls().flock(fd, operation | LOCK_NB) === 0) return true;
  const errno = calls().errno();
  if (errno === EAGAIN) return false;
  throw new SyscallError('flock', errno);
}

/** Writes out everything of the file system that the descriptor is on. */
export function syncfs(fd: number): void {
  check('syncfs', () => calls().syncfs(fd));
}

/** ioctl(2) with a structure, which the kernel may change. */
export function ioctlBytes(fd: number, request: number, argument: Uint8Array): void {
  check('ioctl', () => calls().ioctlBytes(fd, request, argument));
}

/** ioctl(2) with a number. */
export function ioctlNumber(fd: number, request: number, argument: number): void {
  check('ioctl', () => calls().ioctlNumber(fd, request, argument));
}

export function socket(domain: number, type: number, protocol: number): number {
  return check('socket', () => calls().socket(domain, type, protocol));
}

export function setsockopt(fd: number, level: number, option: { name: number; value: Uint8Array }): void {
  check('setsockopt', () => calls().setsockopt(fd, level, option.name, option.value, option.value.length));
}

/** A pipe, closed in programs that are started: what is written to `write` is read from `read`. */
export function pipe(): { readonly read: number; readonly write: number } {
  const ends = Buffer.alloc(8);
  check('pipe2', () => calls().pipe2(ends, O_CLOEXEC));
  return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
}

/** Sends one datagram and returns its length in bytes. */
export function send(fd: number, buffer: Uint8Array, length: number, flags = 0): number {
  return check('send', () => Number(calls().send(fd, buffer, length, flags)));
}

/** Receives one datagram into the buffer. Returns its length (with MSG_TRUNC its full length), or -1 where nothing waits. */
export function recv(fd: number, buffer: Uint8Array, flags: number): number {
  for (;;) {
    const length = Number(calls().recv(fd, buffer, buffer.length, flags));
    if (length >= 0) return length;
    const errno = calls().errno();
    if (errno === EAGAIN) return -1;
    if (errno !== EINTR) throw new SyscallError('recv', errno);
  }
}

/** Connects to a socket of unix(7) by its path, of 107 bytes at most. */
export function connectUnix(fd: number, path: string): void {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  const address = Buffer.concat([family, Buffer.from(path), Buffer.alloc(1)]);
  if (address.length > SOCKADDR_UN) throw new SyscallError('connect', ENAMETOOLONG, path);
  check('connect', () => calls().connect(fd, address, address.length), path);
}

/** Gives a socket a port. The address is a structure of ip(7) or ipv6(7). */
export function bind(fd: number, address: Uint8Array): void {
  check('bind', () => calls().bind(fd, address, address.length));
}

// linux/un.h: a family and UNIX_PATH_MAX bytes
const SOCKADDR_UN = 110;
// asm-generic/errno.h
const ENAMETOOLONG = 36;
// asm-generic/unistd.h, and the same on x86-64
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;

/** A descriptor that names a process, and no later one of the same pid. */
export function pidfdOpen(pid: number): number {
  return check('pidfd_open', () => Number(calls().syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0)));
}

export function pidfdSendSignal(fd: number, signal: number): void {
  check('pidfd_send_signal', () => Number(calls().syscall(SYS_PIDFD_SEND_SIGNAL, fd, signal, 0, 0)));
}

/** An extended attribute of the file itself, or undefined where it has none of that name. */
export function getXattr(path: string | Buffer, name: string): string | undefined {
  // A name on a disk is bytes, and need not be UTF-8.
  const bytes = Buffer.concat([typeof path === 'string' ? Buffer.from(path) : path, Buffer.alloc(1)]);
  const value = new Uint8Array(256);
  const length = Number(calls().lgetxattr(bytes, name, value, value.length));
  return length < 0 ? undefined : Buffer.from(value.subarray(0, length)).toString('utf8');
}

const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR_RDONLY = 1;
/** FSOPEN_CLOEXEC and FSMOUNT_CLOEXEC */
const CLOSE_ON_EXEC = 1;

/**
 * Mounts a file system of that type nowhere, and returns the descriptor of its root: a sysfs shows the network namespace in which
 * that was done, and goes with its descriptor. fsopen(2), fsmount(2).
 */
export function mountNowhere(type: string): number {
  const context = check('fsopen', () => Number(calls().syscallText(SYS_FSOPEN, type, CLOSE_ON_EXEC)), type);
  try {
    const create = () => Number(calls().syscallFive(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, 0, 0, 0));
    check('fsconfig', create, type);
    return check(
      'fsmount',
      () => Number(calls().syscall(SYS_FSMOUNT, context, CLOSE_ON_EXEC, MOUNT_ATTR_RDONLY, 0)),
      type,
    );
  } finally {
    closeSync(context);
  }
}
