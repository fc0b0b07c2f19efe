// What the kernel makes by itself and nobody asked for: no part of a lab, and no difference from one. linux/rtnetlink.h
// RTPROT_KERNEL, linux/if_addr.h IFAPROT_*, net/ipv4/fib_rules.c, net/ipv6/addrconf.c.

import type { BridgeOptions } from '../model/interface.ts';
import type { RouteType } from '../model/route.ts';
import type { LiveAddress, LiveDevice, LiveRoute, LiveRule } from './netns.ts';

/** linux/rtnetlink.h, RTPROT_*: redirect, kernel, router advertisement. */
const RTPROT_REDIRECT = 1;
const RTPROT_KERNEL = 2;
const RTPROT_RA = 9;
/** linux/if_addr.h IFAPROT_KERNEL_LL: 1 and 2 are those of `lo` and of router advertisements. */
const IFAPROT_KERNEL_LL = 3;

/** Connected and local routes, and what came from a neighbour. */
export function isAutomaticRoute({ protocol }: LiveRoute): boolean {
  return protocol === RTPROT_KERNEL || protocol === RTPROT_RA || protocol === RTPROT_REDIRECT;
}

/** Those that look into the tables local, main and default, and that of vrf devices. */
export function isAutomaticRule({ protocol }: LiveRule): boolean {
  return protocol === RTPROT_KERNEL;
}

/**
 * Those of `lo`, link-local ones, and what a router advertised. Linux 5.18 and later say whose an IPv6 address is; the IPv4
 * one of `lo` they mark like any other.
 */
export function isAutomaticAddress({ ip, scope, proto }: LiveAddress): boolean {
  if (ip === '127.0.0.1/8' && scope === 'host') return true;
  return proto !== undefined && proto >= 1 && proto <= IFAPROT_KERNEL_LL;
}

/** Devices that modules of tunnels put into every new namespace (fb_tunnels_only_for_init_net, Documentation/admin-guide/sysctl/net.rst). */
const fallbacks: ReadonlySet<string> = new Set([
  'tunl0',
  'gre0',
  'gretap0',
  'erspan0',
  'ip_vti0',
  'ip6_vti0',
  'sit0',
  'ip6tnl0',
  'ip6gre0',
]);

export function isFallback({ ifname, data }: Pick<LiveDevice, 'ifname' | 'data'>): boolean {
  return fallbacks.has(ifname) && (data.type === 'other' || data.type === 'gre' || data.type === 'gretap');
}

/** What `ip link add type bridge` makes: net/bridge/br_device.c and br_vlan.c. Times in seconds. */
export const bridgeDefaults: Required<BridgeOptions> = {
  stp: false,
  vlan_filtering: false,
  vlan_default_pvid: 1,
  ageing_time: 300,
  forward_delay: 15,
  hello_time: 2,
  max_age: 20,
  priority: 32_768,
  group_fwd_mask: 0,
  mcast_snooping: true,
};

/** linux/rtnetlink.h RT_TABLE_MAIN: the table of a route that none was given for. */
export const MAIN_TABLE = 254;
/** IP6_RT_PRIO_USER of linux/ipv6_route.h: the metric of an IPv6 route that none was given for. */
export const IPV6_METRIC = 1024;

/** Those that a file can ask for; the kernel has others, multicast and anycast. */
export const routeTypes: ReadonlySet<unknown> = new Set<RouteType>([
  'unicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'local',
]);
