// Numbers behind nft's words: protocols, ICMP types and codes, conntrack bits. Only what nft(8) prints for the number is a
// name here, plus the aliases it reads. `nft describe KEY` is the reference; linux/in.h, linux/icmp.h, linux/icmpv6.h,
// linux/netfilter/nf_conntrack_common.h, linux/rtnetlink.h (RTN_*).

type Words = Readonly<Record<string, number>>;

export const l4protoWords: Words = {
  icmp: 1,
  igmp: 2,
  ipencap: 4,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
};
/** With the aliases that nft reads besides. */
export const l4protoNumbers: Words = { ...l4protoWords, icmpv6: 58 };

export const icmpTypes: Words = {
  'echo-reply': 0,
  'destination-unreachable': 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicitation': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  'timestamp-request': 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'address-mask-request': 17,
  'address-mask-reply': 18,
};

export const icmpv6Types: Words = {
  'destination-unreachable': 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'mld-listener-query': 130,
  'mld-listener-report': 131,
  'mld-listener-done': 132,
  'nd-router-solicit': 133,
  'nd-router-advert': 134,
  'nd-neighbor-solicit': 135,
  'nd-neighbor-advert': 136,
  'nd-redirect': 137,
  'router-renumbering': 138,
  'ind-neighbor-solicit': 141,
  'ind-neighbor-advert': 142,
  'mld2-listener-report': 143,
};
export const icmpv6TypeNumbers: Words = { ...icmpv6Types, 'mld-listener-reduction': 132 };

export const ctStates: Words = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 };
export const ctStatuses: Words = {
  expected: 0x1,
  'seen-reply': 0x2,
  assured: 0x4,
  confirmed: 0x8,
  snat: 0x10,
  dnat: 0x20,
  dying: 0x200,
};

export const fibTypes: Words = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
};

export const icmpRejectCodes: Words = {
  'net-unreachable': 0,
  'host-unreachable': 1,
  'prot-unreachable': 2,
  'port-unreachable': 3,
  'net-prohibited': 9,
  'host-prohibited': 10,
  'admin-prohibited': 13,
};
export const icmpv6RejectCodes: Words = {
  'no-route': 0,
  'admin-prohibited': 1,
  'addr-unreachable': 3,
  'port-unreachable': 4,
  'policy-fail': 5,
  'reject-route': 6,
};
/** NFT_REJECT_ICMPX_* of linux/netfilter/nf_tables.h. */
export const icmpxRejectCodes: Words = {
  'no-route': 0,
  'port-unreachable': 1,
  'host-unreachable': 2,
  'admin-prohibited': 3,
};

/** Syslog levels, linux/netfilter/nf_tables.h NFT_LOGLEVEL_*. */
export const logLevels: Words = {
  emerg: 0,
  alert: 1,
  crit: 2,
  err: 3,
  warn: 4,
  notice: 5,
  info: 6,
  debug: 7,
};

/** The word of a number, or the number as text. */
export function wordOf(words: Words, value: number): string {
  for (const word in words) if (words[word] === value) return word;
  return String(value);
}
