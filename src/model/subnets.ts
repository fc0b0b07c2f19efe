// Which subnets a lab uses, so that `up` can compare them with what the machine routes already. Pure.

import { type IpPrefix, prefixLength, subnetOf } from '../base/ip.ts';
import type { Lab } from './lab.ts';

export type UsedSubnet = {
  readonly subnet: IpPrefix;
  /** The first place of the file that has it. */
  readonly path: string;
  /** True when the machine itself gets an address of it, so that it would route it into the lab. */
  readonly host: boolean;
  /** True when a pool of `addressing` handed it out: the file did not choose it. */
  readonly pool: boolean;
};

/** Every subnet of the lab once, in the order of the file. Link-local ones are everybody's own. */
export function subnetsOf(lab: Lab): UsedSubnet[] {
  const pools = new Set<IpPrefix>(lab.allocated);
  const found = new Map<IpPrefix, UsedSubnet>();
  for (const node of lab.nodes) {
    for (const iface of node.interfaces) {
      for (const { ip, path } of iface.addresses) {
        const subnet = subnetOf(ip);
        const known = found.get(subnet);
        const host = node.place === null || known?.host === true;
        const pool = pools.has(subnet) || known?.pool === true;
        if (!isLinkLocal(subnet)) found.set(subnet, { subnet, path: known?.path ?? path, host, pool });
      }
    }
  }
  return [...found.values()];
}

/** fe80::/10 (RFC 4291 2.5.6) and 169.254.0.0/16 (RFC 3927). */
export function isLinkLocal(subnet: IpPrefix): boolean {
  return (/^fe[89ab]/.test(subnet) && prefixLength(subnet) >= 10) || subnet.startsWith('169.254.');
}
