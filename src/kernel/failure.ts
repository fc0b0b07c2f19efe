// What the kernel said to an op, for a person: its own words where it has some, else the errno in plain ones, and for a missing
// kind of device the module that brings it.

import { NslabError } from '../base/error.ts';
import { ipFamily } from '../base/ip.ts';
import { NfnlError } from '../nfnl/error.ts';
import type { Step } from '../plan/op.ts';
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
export function failureFrom(failure: RtnlFailure, op: Step): OpFailure {
  const { code } = failure;
  if (isUnknownKind(failure, op)) {
    const module = moduleOfKind(op.link.type);
    const hint = `its kernel module is ${module}; where the distribution ships it: modprobe ${module}`;
    return {
      code,
      message: `the running kernel has no ${op.link.type} devices (${code})`,
      hint,
      lacks: module,
    };
  }
  // "Specified qdisc kind is unknown" is said since Linux 4.16.
  if (op.kind === 'setQdisc' && op.qdisc !== null && code === 'ENOENT') {
    const { kind } = op.qdisc;
    const module = `sch_${kind}`;
    const hint = `its kernel module is ${module}; where the distribution ships it: modprobe ${module}`;
    return {
      code,
      message: `the running kernel has no queueing discipline ${kind} (${code})`,
      hint,
      lacks: module,
    };
  }
  if (isIpv6(op) && (code === 'EOPNOTSUPP' || code === 'EAFNOSUPPORT')) return lacksIpv6(code);
  const said = failure.message === '' ? (plain[code] ?? '') : failure.message;
  const message = said === '' ? code : `${said} (${code})`;
  if (code !== 'ENETUNREACH' || op.kind !== 'addRoute') return { code, message };
  return {
    code,
    message,
    hint: "a gateway must lie in a subnet of one of the node's interfaces that are up",
  };
}

/** The failure of what asks for IPv6 where there is none. */
export function lacksIpv6(code: string): OpFailure {
  return {
    code,
    message: `the running kernel has no IPv6 (${code})`,
    hint: 'it was built without, or started with ipv6.disable=1',
    lacks: 'ipv6',
  };
}

/** What only a kernel with IPv6 can do. */
function isIpv6(op: Step): boolean {
  switch (op.kind) {
    case 'addAddress':
      return ipFamily(op.address.ip) === 6;
    case 'addRoute':
      return op.route.family === 6;
    case 'addRule':
      return op.rule.family === 6;
    case 'addNeighbour':
      return ipFamily(op.neighbour.ip) === 6;
    case 'setLink':
      return op.addrgenmode !== undefined;
    default:
      return false;
  }
}

function isUnknownKind(failure: RtnlFailure, op: Step): op is Extract<Step, { kind: 'createLink' }> {
  const { code, message } = failure;
  return (
    op.kind === 'createLink' &&
    code === 'EOPNOTSUPP' &&
    (message === '' || /unknown device type/i.test(message))
  );
}

/** Anything that was thrown while an op ran. A programming mistake stays what it is and goes up. */
export function failureOfThrown(error: unknown, op?: Step): OpFailure {
  if (error instanceof RtnlError) {
    if (op !== undefined) return failureFrom(error.failure, op);
    return { code: error.code, message: error.message };
  }
  // It names the rule and the module already.
  if (error instanceof NfnlError) {
    const { code, message, hint, module } = error;
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(module === undefined ? {} : { lacks: module }),
    };
  }
  if (error instanceof NslabError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint === undefined ? {} : { hint }) };
  }
  const code = codeOf(error);
  if (error instanceof Error && error.name === 'NoDevice') return { code: 'ENODEV', message: error.message };
  if (code === '' || !(error instanceof Error)) throw error;
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  const said = plain[code];
  return { code, message: said === undefined ? error.message : `${path}${said} (${code})` };
}
