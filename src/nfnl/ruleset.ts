// An nft table as plain data, in the words of nft(8) and libnftables-json(5). The same data is printed as text (text.ts),
// compiled to the kernel's expressions (compile.ts) and compared with what the kernel has (read.ts). Nothing here knows of a
// lab, and nothing is encoded here.

import type { IpAddress, IpPrefix } from '../base/ip.ts';

/**
 * `inet` sees IPv4 and IPv6 and is what nslab makes, for NAT too (Linux 5.2 and later); the others exist so that one family
 * can be had alone.
 */
export type NftFamily = 'inet' | 'ip' | 'ip6';
export type NftHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';

/** One table: applied, replaced and deleted as a whole. */
export type NftTable = {
  readonly family: NftFamily;
  readonly name: string;
  readonly chains: readonly NftChain[];
};

/** Where a base chain hangs. Without a policy, packets that no rule decided are accepted. */
export type NftBase = {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: NftHook;
  readonly priority: number;
  readonly policy?: 'accept' | 'drop';
};

/** A chain without `base` is reached by jump and goto only. */
export type NftChain = {
  readonly name: string;
  readonly base?: NftBase;
  readonly rules: readonly NftRule[];
};

/** All matches must hold; then the statements run in order, of which only the last may decide the packet's fate. */
export type NftRule = {
  readonly matches: readonly NftMatch[];
  readonly statements: readonly NftStatement[];
  readonly comment?: string;
};

/** `==` when absent. Of a list, `==` means one of them and `!=` none of them. */
export type NftOp = '==' | '!=';
/** One value (`to` absent) or an inclusive range. */
export type NftRange<T> = { readonly from: T; readonly to?: T };
export type NftAddress = IpAddress | IpPrefix | NftRange<IpAddress>;
export type NftPort = number | NftRange<number>;

export type NftCtState = 'invalid' | 'established' | 'related' | 'new' | 'untracked';
export type NftCtStatus = 'expected' | 'seen-reply' | 'assured' | 'confirmed' | 'snat' | 'dnat' | 'dying';

export type NftMatch =
  /** A name may end in `*`: every interface whose name begins so. */
  | { readonly match: 'iifname' | 'oifname'; readonly op?: NftOp; readonly names: readonly string[] }
  | {
      readonly match: 'saddr' | 'daddr';
      readonly protocol: 'ip' | 'ip6';
      readonly op?: NftOp;
      readonly addresses: readonly NftAddress[];
    }
  | { readonly match: 'nfproto'; readonly op?: NftOp; readonly value: 'ipv4' | 'ipv6' }
  /** Names of nft (`tcp`, `udp`, `icmp`, `icmpv6`, `gre`, ...) or numbers. */
  | { readonly match: 'l4proto'; readonly op?: NftOp; readonly protocols: readonly (string | number)[] }
  /** `th` is whatever transport protocol a match of l4proto before it found. */
  | {
      readonly match: 'sport' | 'dport';
      readonly protocol: NftPortProtocol;
      readonly op?: NftOp;
      readonly ports: readonly NftPort[];
    }
  | {
      readonly match: 'icmp type';
      readonly protocol: 'icmp' | 'icmpv6';
      readonly op?: NftOp;
      readonly types: readonly (string | number)[];
    }
  | { readonly match: 'ct state'; readonly op?: NftOp; readonly states: readonly NftCtState[] }
  /** The bits are independent: `==` means that one of them is set, `!=` that none is. */
  | { readonly match: 'ct status'; readonly op?: NftOp; readonly status: readonly NftCtStatus[] }
  /** What the routing table says of the destination: `local`, `unicast`, `broadcast`, `multicast`, ... */
  | { readonly match: 'fib daddr type'; readonly op?: NftOp; readonly types: readonly string[] }
  /** With a mask, one value: `meta mark & MASK == VALUE`. */
  | {
      readonly match: 'mark';
      readonly op?: NftOp;
      readonly mask?: number;
      readonly marks: readonly number[];
    };

export type NftPortProtocol = 'tcp' | 'udp' | 'sctp' | 'dccp' | 'udplite' | 'th';

/** `random` and `fully-random` choose the source port, `persistent` gives a client the same address each time. */
export type NftNatFlag = 'random' | 'fully-random' | 'persistent';

export type NftReject =
  | { readonly type: 'tcp reset' }
  /** `icmpx` is the code of whichever family the packet has, and only for inet tables. */
  | { readonly type: 'icmp' | 'icmpv6' | 'icmpx'; readonly code: string };

export type NftTimeUnit = 'second' | 'minute' | 'hour' | 'day' | 'week';

export type NftStatement =
  | { readonly statement: 'counter' }
  /** Without a group the kernel's log, which namespaces other than the first reach only with net.netfilter.nf_log_all_netns. */
  | {
      readonly statement: 'log';
      readonly prefix?: string;
      readonly level?: NftLogLevel;
      readonly group?: number;
    }
  /** Holds while the rate is kept, or with `over` while it is exceeded. */
  | {
      readonly statement: 'limit';
      readonly rate: number;
      readonly unit?: 'packets' | 'bytes';
      readonly per: NftTimeUnit;
      readonly burst?: number;
      readonly over?: true;
    }
  | { readonly statement: 'mark set'; readonly value: number }
  | NftVerdict;

export type NftLogLevel = 'emerg' | 'alert' | 'crit' | 'err' | 'warn' | 'notice' | 'info' | 'debug';

/** A statement that ends the rule's work. */
export type NftVerdict =
  | { readonly statement: 'accept' | 'drop' | 'return' }
  | { readonly statement: 'jump' | 'goto'; readonly chain: string }
  /** Without `with`: port unreachable, in the words of the packet's family. */
  | { readonly statement: 'reject'; readonly with?: NftReject }
  | {
      readonly statement: 'masquerade';
      readonly port?: NftPort;
      readonly flags?: readonly NftNatFlag[];
    }
  | {
      readonly statement: 'snat' | 'dnat';
      readonly address?: NftRange<IpAddress>;
      readonly port?: NftPort;
      readonly flags?: readonly NftNatFlag[];
    }
  | { readonly statement: 'redirect'; readonly port?: NftPort; readonly flags?: readonly NftNatFlag[] };

/** Names of the priorities that nft(8) gives names; the numbers are NF_IP_PRI_* of linux/netfilter_ipv4.h. */
export const nftPriority = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
} as const;
