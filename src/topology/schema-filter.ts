// NAT and firewall of a node, in nft(8)'s words. Only shapes; lower-filter.ts reads the texts.

import * as v from 'valibot';
import { doc, either, key, list, mapping, oneOrList } from './schema-shape.ts';

const family = key(
  v.picklist([4, 6, 'inet', 'inet6', 'ip', 'ip6']),
  'The address family, where it cannot be told from an address.',
);
const numberOrText = either(v.number(), v.string());

const masquerade = mapping({
  out: doc(v.string(), 'The interface that packets leave by.', ['uplink']),
  source: key(v.string(), 'Only packets from this subnet.', ['10.1.1.0/24']),
  family,
});
const snat = mapping({
  out: doc(v.string(), 'The interface that packets leave by.'),
  source: key(v.string(), 'Only packets from this subnet.'),
  to: doc(numberOrText, 'The new source: an address, a range, a port range.', [
    '192.0.2.1',
    '192.0.2.1-192.0.2.9',
    '192.0.2.1:1024-65535',
  ]),
  family,
});
const dnat = mapping({
  in: key(v.string(), 'The interface that packets come in by.', ['uplink']),
  destination: key(v.string(), 'Only packets to this address or subnet.'),
  proto: key(v.picklist(['tcp', 'udp']), 'The protocol; needed with a port.'),
  port: key(numberOrText, 'The port or range that is redirected.', [8080, '8000-8010']),
  to: doc(numberOrText, 'The new destination.', ['10.1.1.10:80', '[2001:db8::1]:80', '10.1.1.10']),
  family,
});

/** One entry of `nat:`. Exactly one of the three keys; lower-filter.ts says so. */
const natRule = mapping({
  masquerade: key(masquerade, 'Packets that leave get the address of the interface.'),
  snat: key(snat, 'Packets that leave get this source address.'),
  dnat: key(dnat, 'Packets that come in get this destination.'),
});
export const natSchema = list(natRule);

const addresses = key(oneOrList(v.string()), 'Addresses, subnets and ranges; one of them must match.', [
  '10.1.1.0/24',
  ['10.1.1.1-10.1.1.9', '2001:db8::/64'],
]);
const portList = key(
  either(v.number(), v.string(), list(numberOrText)),
  'Ports and ranges; one of them must match.',
  [80, '80,443', [22, '8000-8010']],
);

const firewallRule = mapping({
  in: key(v.string(), 'The interface that the packet came in by.'),
  out: key(v.string(), 'The interface that the packet leaves by.'),
  source: addresses,
  destination: addresses,
  saddr: addresses,
  daddr: addresses,
  proto: key(numberOrText, 'tcp, udp, icmp, icmpv6 or a number.'),
  sport: portList,
  port: portList,
  dport: portList,
  icmp_type: key(v.string(), "Type of ICMP message, nft's word.", ['echo-request']),
  ct: key(oneOrList(v.string()), 'State of the connection.', ['established,related', ['new', 'invalid']]),
  counter: key(v.boolean(), 'Count packets and bytes.'),
  log: key(
    either(v.boolean(), v.string()),
    'Write matching packets to the kernel log; a text is the prefix.',
  ),
  action: key(v.picklist(['accept', 'drop', 'reject']), 'What happens to the packet.'),
  comment: key(v.string(), 'Shown by `nft list ruleset`.'),
});
const chain = mapping({
  policy: key(
    v.picklist(['accept', 'drop']),
    'What happens to packets that no rule matches. `accept` by default.',
  ),
  rules: key(list(firewallRule), 'The first rule that matches decides.'),
});
export const firewallSchema = mapping({
  input: key(chain, 'Packets for the node itself.'),
  forward: key(chain, 'Packets that pass through.'),
  output: key(chain, 'Packets that the node sends.'),
});

export type NatRuleFile = v.InferOutput<typeof natRule>;
export type FirewallRuleFile = v.InferOutput<typeof firewallRule>;
