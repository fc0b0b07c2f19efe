// Addresses that no machine can have: the name of a subnet, its broadcast address, groups. RFC 1122 section 3.2.1.3, RFC 3021
// (/31), RFC 4291 section 2.6.1 (the subnet-router anycast address) and 2.7.

import { ipFromBigInt, subnetOf } from '../../base/ip.ts';
import type { PathProblem } from '../problems.ts';
import { type Assigned, type LabRule, pathOf, width } from './lab-view.ts';

export const usableAddress: LabRule = (view) =>
  view.lab.nodes.flatMap((node) => view.addressesOfNode(node).filter(isSuspect).flatMap(check));

/** The sums are made for few: the last part of most IPv4 addresses tells that they are neither first nor last of a subnet. */
function isSuspect({ family, address, length }: Assigned): boolean {
  if (family === 6 || length > 30) return true;
  const first = address.charCodeAt(0);
  const second = address.charCodeAt(1);
  // 0.0.0.0, and 2xx: groups and broadcast.
  if (first === 0x30 || (first === 0x32 && second >= 0x32 && second <= 0x35)) return true;
  const last = Number(address.slice(address.lastIndexOf('.') + 1));
  const mask = length > 24 ? 2 ** (32 - length) - 1 : 255;
  return (last & mask) === 0 || (last & mask) === mask;
}

function check(one: Assigned): PathProblem[] {
  const group = groupName(one);
  const path = pathOf(one.entry);
  if (group !== undefined) {
    const message = `${one.address} is ${group}, and no interface can have it`;
    return [{ code: 'ADDRESS_MULTICAST', message, path }];
  }
  const hostBits = BigInt(width(one.family) - one.length);
  if (hostBits < 2n || one.entry.peer !== undefined) return [];
  const mask = (1n << hostBits) - 1n;
  const host = one.bits & mask;
  if (host === 0n) {
    const next = ipFromBigInt(one.bits + 1n, one.family);
    const message = `${one.address} is the name of the subnet ${subnetOf(one.entry.ip)}, not an address in it`;
    return [{ code: 'ADDRESS_NETWORK', message, hint: `the first address is ${next}/${one.length}`, path }];
  }
  if (one.family === 4 && host === mask) {
    const last = ipFromBigInt(one.bits - 1n, 4);
    const message = `${one.address} is the broadcast address of ${subnetOf(one.entry.ip)}`;
    return [{ code: 'ADDRESS_NETWORK', message, hint: `the last address is ${last}/${one.length}`, path }];
  }
  return [];
}

function groupName({ address, family }: Assigned): string | undefined {
  if (address === '::' || address === '0.0.0.0') return 'the unspecified address';
  if (address === '255.255.255.255') return 'the broadcast address';
  const isMulticast = family === 6 ? address.startsWith('ff') : /^(22[4-9]|23[0-9])\./.test(address);
  return isMulticast ? 'a multicast address' : undefined;
}
