// Names of errno values, as errno(3) and linux/errno.h spell them. Node's own table says ENOTSUP for 95 and lacks the
// kernel's internal numbers, which netlink does answer.

import { constants } from 'node:os';

const kernelOnly: Readonly<Record<number, string>> = { 95: 'EOPNOTSUPP', 11: 'EAGAIN', 524: 'ENOTSUPP' };

const names = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno)) {
  if (!names.has(value)) names.set(value, name);
}
for (const [value, name] of Object.entries(kernelOnly)) names.set(Number(value), name);

/** `EEXIST` for 17; a number that has no name is returned as text. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? String(errno);
}

/** The errno name of whatever was thrown: of Node's file system errors and of our own alike; '' if it is something else. */
export function codeOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}
