// What the kernel said to an op, for a person: its own words where it has some, else the errno in plain ones, and for a missing
// kind of device the module that brings it.

import type { Op } from '../plan/op.ts';
import { RtnlError, type RtnlFailure } from '../rtnl/error.ts';
import { moduleOfKind } from '../rtnl/linkinfo/linkinfo.ts';
import { codeOf } from '../sys/errno.ts';
import type { OpFailure } from './port.ts';

/** Errnos whose bare name says little, in the context of rtnetlink. */
const plain: Readonly<Record<string, string>> = {
  EEXIST: 'it exists already',
  ENODEV: 'there is no such device',
  ENOENT: 'it does not exist',
  EPERM: 'not permitted',
  EACCES: 'not permitted',
  EBUSY: 'it is in use',
  ENETUNREACH: 'the gateway is not reachable from here',
  EHOSTUNREACH: 'the gateway is not reachable from here',
  EOPNOTSUPP: 'the kernel does not support it',
  EAFNOSUPPORT: 'the kernel has no such address family',
  EXFULL: 'the bridge has no port left (1023 is the most, BR_MAX_PORTS)',
  ENOMEM: 'the kernel is out of memory',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files on this machine',
};

/** A refusal of rtnetlink as the failure of an op. */
export function failureFrom(failure: RtnlFailure, op: Op): OpFailure {
  const said = failure.message === '' ? (plain[failure.code] ?? '') : failure.message;
  const message = said === '' ? failure.code : `${said} (${failure.code})`;
  const hint = hintFor(failure, op);
  return hint === undefined ? { code: failure.code, message } : { code: failure.code, message, hint };
}

function hintFor({ code, message }: RtnlFailure, op: Op): string | undefined {
  if (op.kind === 'createLink' && (code === 'EOPNOTSUPP' || /[Uu]nknown device type/.test(message))) {
    const { type } = op.link;
    const module = moduleOfKind(type);
    return `the running kernel has no ${type} devices; its module is ${module}: modprobe ${module}`;
  }
  if (code === 'ENETUNREACH' && op.kind === 'addRoute')
    return "a gateway must lie in a subnet of one of the node's interfaces that are up";
  return undefined;
}

/** Anything that was thrown while an op ran. A programming mistake stays what it is and goes up. */
export function failureOfThrown(error: unknown, op?: Op): OpFailure {
  if (error instanceof RtnlError) {
    if (op !== undefined) return failureFrom(error.failure, op);
    return { code: error.code, message: error.message };
  }
  const code = codeOf(error);
  if (error instanceof Error && error.name === 'NoDevice') return { code: 'ENODEV', message: error.message };
  if (code === '' || !(error instanceof Error)) throw error;
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  const hint = 'hint' in error && typeof error.hint === 'string' ? { hint: error.hint } : {};
  const said = plain[code];
  return { code, message: said === undefined ? error.message : `${path}${said} (${code})`, ...hint };
}
