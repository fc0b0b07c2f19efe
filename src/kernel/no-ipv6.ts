// A kernel that was started with ipv6.disable=1, or built without IPv6: it has no addr_gen_mode to set and no net.ipv6 sysctls.
// What a lab only asks for to keep IPv6 quiet, or to forward it, is done there already; what really needs IPv6 stays and is
// refused. `/proc/net/if_inet6` is how anybody tells (if_inet6(5), net/ipv6/addrconf.c).

import { existsSync } from 'node:fs';
import type { ConfigOp } from './requests.ts';

/** True where the running kernel knows IPv6. */
export function kernelHasIpv6(): boolean {
  return existsSync('/proc/net/if_inet6');
}

/** Settings that a lab without IPv6 has as well: no link-local addresses, and those of a router. */
const idle = new Set(['net.ipv6.conf.default.addr_gen_mode', 'net.ipv6.conf.all.forwarding']);

/** True for a sysctl that has nothing to say where there is no IPv6, and no file either. */
export function isIdleWithoutIpv6(key: string): boolean {
  return idle.has(key);
}

/** The op as such a kernel can take it. It stays even where it sets nothing any more: it is one message of a batch. */
export function withoutIpv6(op: ConfigOp): ConfigOp {
  if (op.kind !== 'setLink' || op.addrgenmode !== 'none') return op;
  const { addrgenmode: _none, ...rest } = op;
  return rest;
}
