// Routes, policy rules and neighbours: ip-route(8), ip-rule(8), ip-neighbour(8), in their words.

import type { IpAddress, IpFamily, IpPrefix } from '../base/ip.ts';
import type { IfName, MacAddress } from '../base/names.ts';

export type RouteType = 'unicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw' | 'local';

export type Nexthop = {
  readonly via?: IpAddress;
  readonly dev?: IfName;
  /** 1 to 256. */
  readonly weight?: number;
  readonly onlink?: boolean;
};

export type Route = {
  readonly type: RouteType;
  readonly family: IpFamily;
  /** `default` of the file is 0.0.0.0/0 or ::/0. */
  readonly to: IpPrefix;
  readonly via?: IpAddress;
  readonly dev?: IfName;
  readonly src?: IpAddress;
  readonly metric?: number;
  /** 254 (main) when absent. */
  readonly table?: number;
  readonly scope?: 'global' | 'link' | 'host';
  readonly onlink?: boolean;
  readonly mtu?: number;
  /** RTPROT_* of linux/rtnetlink.h; 3 (boot) when absent, as with ip-route(8). On the machine itself nslab's own mark is used. */
  readonly protocol?: number;
  /** More than one way; `via`, `dev` and `onlink` are absent then. */
  readonly nexthops?: readonly Nexthop[];
  readonly path: string;
};

export type Rule = {
  readonly family: IpFamily;
  readonly not?: boolean;
  readonly from?: IpPrefix;
  readonly to?: IpPrefix;
  readonly iif?: IfName;
  readonly oif?: IfName;
  readonly fwmark?: number;
  readonly fwmask?: number;
  readonly ipproto?: 'tcp' | 'udp' | 'icmp' | number;
  readonly sport?: { readonly from: number; readonly to: number };
  readonly dport?: { readonly from: number; readonly to: number };
  readonly priority: number;
  readonly action:
    | { readonly kind: 'lookup'; readonly table: number }
    | { readonly kind: 'blackhole' }
    | { readonly kind: 'unreachable' }
    | { readonly kind: 'prohibit' };
  readonly suppress_prefixlength?: number;
  readonly path: string;
};

export type Neighbour = {
  readonly ip: IpAddress;
  readonly dev: IfName;
  /** Absent for a proxy entry. */
  readonly lladdr?: MacAddress;
  readonly proxy?: boolean;
  readonly path: string;
};
