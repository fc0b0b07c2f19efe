// The keys of an interface, in the words of `ip -j -d link` and of netplan. Every type of interface takes the common keys and
// its own; a key of another type is an unknown key. The source of truth for the words is ip-link(8).

import * as v from 'valibot';
import {
  doc,
  either,
  integer,
  key,
  list,
  mapping,
  named,
  oneOrList,
  orEmpty,
  quantity,
  scalar,
  tagged,
} from './schema-shape.ts';

const addressEntry = either(
  v.string(),
  mapping({
    address: doc(v.string(), 'The address with the length of its subnet, or `auto`.', ['10.1.1.1/24']),
    peer: key(v.string(), 'The far end of a point-to-point address (`ip addr add A peer B`).'),
    scope: key(v.picklist(['global', 'link', 'host']), 'How far the address is valid.'),
    dad: key(
      v.boolean(),
      'Duplicate address detection of IPv6. Off by default, so that the lab is usable at once.',
    ),
  }),
);

export const addressList = doc(
  list(addressEntry),
  'Addresses with the length of their subnet. `auto` takes the next free one of the subnet.',
  [['10.1.1.1/24', '2001:db8:1::1/64'], ['auto']],
);

const portOptions = mapping({
  vlan: key(integer(1, 4094), 'The VLAN of untagged frames on this port (access port).'),
  vlans: key(
    list(either(v.number(), v.string())),
    'VLANs carried with their tag on this port (trunk port): numbers and ranges.',
    [[10, '20-30']],
  ),
  cost: key(integer(1, 65535), 'STP path cost.'),
  priority: key(integer(0, 63), 'STP port priority.'),
  hairpin: key(v.boolean(), 'Send a frame back out of the port it came from.'),
  isolated: key(v.boolean(), 'Isolated ports reach only ports that are not isolated.'),
  learning: key(v.boolean(), 'Learn source addresses on this port.'),
  guard: key(v.boolean(), 'Ignore STP messages on this port.'),
});

/** The keys that an interface has wherever it is described. */
export const commonKeys = {
  addresses: key(addressList, 'Addresses of the interface.'),
  mac: key(v.string(), 'MAC address.', ['02:00:00:00:00:01']),
  mtu: key(integer(0, 0x7fffffff), 'Largest packet in bytes.', [1500]),
  up: key(v.boolean(), 'Set the interface up. True by default.'),
  master: key(v.string(), 'The bridge, vrf or bond of the same node that the interface is a port of.'),
  port: key(portOptions, 'Options of the interface as a port of a bridge.'),
};

const ipv6Flag = key(
  v.boolean(),
  'Give the interface an IPv6 link-local address. True by default where it has an IPv6 address.',
);

/** Options of a bridge, as `ip link set type bridge` has them. */
export const bridgeKeys = {
  stp: key(v.boolean(), 'Spanning tree protocol. Off by default.'),
  vlan_filtering: key(v.boolean(), 'Keep VLANs apart, see `port: { vlan, vlans }`.'),
  vlan_default_pvid: key(integer(0, 4094), 'The VLAN that a new port belongs to; 0 is none.'),
  ageing_time: key(quantity(), 'How long a learned MAC address is kept.', ['300s']),
  forward_delay: key(quantity(), 'STP forward delay.', ['4s']),
  hello_time: key(quantity(), 'STP hello time.', ['2s']),
  max_age: key(quantity(), 'STP maximum message age.', ['20s']),
  priority: key(integer(0, 65535), 'STP priority of the bridge; the lowest is the root.'),
  group_fwd_mask: key(
    integer(0, 0xffff),
    'Link-local groups that are forwarded, as a bit mask (LLDP: 0x4000).',
  ),
  mcast_snooping: key(v.boolean(), 'IGMP and MLD snooping.'),
  subnet: key(
    oneOrList(v.string()),
    'Where `auto` addresses on this bridge come from: one subnet, or one of each family.',
    ['10.1.1.0/24', ['10.1.1.0/24', '2001:db8:1::/64']],
  ),
  gateway: key(
    oneOrList(v.string()),
    'The default gateway of `auto` addresses. Without it the bridge takes the first address and is the gateway.',
    ['10.1.1.254'],
  ),
};

const linkKey = doc(v.string(), 'The interface it stands on: one of the same node, or `node:interface`.', [
  'eth0',
  'host:eth0',
]);

const wireguardPeer = mapping({
  public_key: doc(v.string(), 'Public key of the peer, base64.'),
  preshared_key: key(v.string(), 'Pre-shared key, base64.'),
  endpoint: key(v.string(), 'Where the peer listens.', ['192.0.2.1:51820', '[2001:db8::1]:51820']),
  allowed_ips: key(list(v.string()), 'Subnets that are routed to the peer.', [['10.0.0.2/32']]),
  persistent_keepalive: key(quantity(), 'Interval of keepalive messages.', ['25s']),
});

const macvlanModes = ['private', 'vepa', 'bridge', 'passthru'] as const;
const bondModes = [
  'balance-rr',
  'active-backup',
  'balance-xor',
  'broadcast',
  '802.3ad',
  'balance-tlb',
  'balance-alb',
] as const;

function type<const T extends string>(word: T, text: string) {
  return { type: doc(v.literal(word), text), ...commonKeys, ipv6: ipv6Flag };
}

const tunKeys = {
  owner: key(integer(0, 0xfffffffe), 'User id that may use the device.'),
  group: key(integer(0, 0xfffffffe), 'Group id that may use the device.'),
};

const greKeys = {
  local: doc(v.string(), 'Own address of the tunnel.'),
  remote: doc(v.string(), 'Address of the far end.'),
  key: key(integer(0, 0xffffffff), 'Key of the tunnel.'),
  ttl: key(integer(0, 255), 'Time to live of the outer packets.'),
};

const plain = mapping({
  ...type('veth', ''),
  type: key(v.literal('veth'), 'One end of a wire; the default.'),
});

/** One interface of a node; `type` tells which keys it has. */
export const interfaceSchema = tagged(
  'type',
  {
    veth: plain,
    bridge: mapping({ ...type('bridge', 'A bridge (switch) inside the node.'), ...bridgeKeys }),
    vlan: mapping({
      ...type('vlan', 'A VLAN on another interface.'),
      link: linkKey,
      id: doc(v.number(), 'VLAN id, 1 to 4094.'),
      protocol: key(v.picklist(['802.1Q', '802.1ad']), 'Kind of tag. 802.1Q by default.'),
    }),
    vxlan: mapping({
      ...type('vxlan', 'An Ethernet tunnel over UDP.'),
      id: doc(v.number(), 'VXLAN network identifier (vni).'),
      local: key(v.string(), 'Own address of the tunnel.'),
      remote: key(v.string(), 'The far end: a unicast or a multicast address.'),
      remotes: key(list(v.string()), 'Several unicast far ends for flooding.'),
      dstport: key(integer(1, 65535), 'UDP port. 4789 by default.'),
      link: key(v.string(), 'The interface that the tunnel uses.'),
      learning: key(v.boolean(), 'Learn which MAC address is behind which far end. True by default.'),
      ttl: key(integer(0, 255), 'Time to live of the outer packets.'),
    }),
    macvlan: mapping({
      ...type('macvlan', 'A second MAC address on another interface.'),
      link: linkKey,
      mode: key(v.picklist(macvlanModes), 'How macvlans of one parent talk. `bridge` by default.'),
    }),
    ipvlan: mapping({
      ...type('ipvlan', 'Like macvlan, with the MAC address of the parent.'),
      link: linkKey,
      mode: key(v.picklist(['l2', 'l3', 'l3s']), 'At which layer it forwards. `l2` by default.'),
      flag: key(v.picklist(['bridge', 'private', 'vepa']), 'How ipvlans of one parent talk.'),
    }),
    dummy: mapping(type('dummy', 'An interface that swallows what it is sent.')),
    ifb: mapping(type('ifb', 'Intermediate functional block: shapes what comes in.')),
    vrf: mapping({
      ...type('vrf', 'A routing domain; its ports have `master: NAME`.'),
      table: doc(integer(1, 0xffffffff), 'Routing table of the domain.'),
    }),
    wireguard: mapping({
      ...type('wireguard', 'A WireGuard tunnel.'),
      private_key: doc(v.string(), 'Private key, base64 (`wg genkey`).'),
      listen_port: key(integer(0, 65535), 'UDP port.'),
      fwmark: key(integer(0, 0xffffffff), 'Mark of outgoing packets.'),
      peers: key(list(wireguardPeer), 'The far ends.'),
    }),
    tun: mapping({ ...type('tun', 'A device for a program, layer 3.'), ...tunKeys }),
    tap: mapping({ ...type('tap', 'A device for a program, layer 2.'), ...tunKeys }),
    gre: mapping({ ...type('gre', 'A GRE tunnel of IP packets.'), ...greKeys }),
    gretap: mapping({ ...type('gretap', 'A GRE tunnel of Ethernet frames.'), ...greKeys }),
    bond: mapping({
      ...type('bond', 'Several interfaces as one; the ports have `master: NAME`.'),
      mode: key(v.picklist(bondModes), 'How frames are spread. `balance-rr` by default.'),
      miimon: key(quantity(), 'How often the link state is looked at.', ['100ms']),
    }),
    physical: mapping({
      ...type('physical', 'A NIC of the machine, moved into the node and put back by `down`.'),
      device: key(v.string(), 'Its name in the machine. The name of the interface by default.'),
    }),
  },
  'veth',
);

export const interfacesSchema = named(orEmpty(interfaceSchema));

export type InterfaceFile = v.InferOutput<typeof interfaceSchema>;
export type AddressFile = v.InferOutput<typeof addressEntry>;
export type PortFile = v.InferOutput<typeof portOptions>;
export type WireguardPeerFile = v.InferOutput<typeof wireguardPeer>;

/** What a wire does to packets: tc-netem(8)'s words, always with a unit. */
export const impairSchema = mapping({
  delay: key(quantity(), 'Delay.', ['20ms']),
  jitter: key(quantity(), 'How much the delay varies.', ['2ms']),
  loss: key(quantity(), 'Packets lost.', ['1%']),
  corrupt: key(quantity(), 'Packets with a flipped bit.', ['0.1%']),
  duplicate: key(quantity(), 'Packets sent twice.', ['0.1%']),
  reorder: key(quantity(), 'Packets sent at once, before those that are delayed.', ['5%']),
  rate: key(quantity(), 'Bandwidth.', ['10mbit']),
  limit: key(integer(1, 0xffffffff), 'Length of the queue in packets.'),
});

export type ImpairFile = v.InferOutput<typeof impairSchema>;

/** One end of a link: text, or a mapping with the keys of the interface. */
export const endpointSchema = either(
  v.string(),
  mapping({
    node: doc(v.string(), 'Name of the node, or `host`.'),
    interface: key(scalar(), 'Name of the interface. A bridge node gives its ports names by itself.'),
    ...commonKeys,
    ipv4: key(v.string(), "containerlab's word for an IPv4 address of this end.", ['10.1.1.1/24']),
    ipv6: key(
      either(v.string(), v.boolean()),
      "true: a link-local address. A text is containerlab's word for an IPv6 address of this end.",
    ),
    impair: key(impairSchema, 'What happens to packets that leave this end.'),
  }),
);

export type EndpointFile = v.InferOutput<typeof endpointSchema>;
