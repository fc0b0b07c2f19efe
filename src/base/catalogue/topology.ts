// Errors of the topology page of the catalogue (see entry.ts for what a field means): what can be wrong with a file, in the
// order in which nslab looks: the file, its YAML, its shape, names and values, and what the lab means as a network.

import { type CatalogueEntry, exit } from './entry.ts';

function entry(explanation: string): CatalogueEntry {
  return { exit: exit.topology, explanation };
}

export const topologyErrors = {
  TOPOLOGY_INVALID: entry(
    'The topology file has one or more mistakes. Each is listed with its own code, its line and how to mend it; nothing was done to the machine.',
  ),

  // The file itself.
  FILE_NOT_FOUND: entry(
    'There is no file at the path given. Check the spelling and the folder you are in; `-` reads the topology from standard input.',
  ),
  FILE_UNREADABLE: entry(
    'The path is a folder, a device or a file that may not be read. A topology is one ordinary text file.',
  ),
  FILE_TOO_BIG: entry(
    'A topology file may have 1 MiB. A lab of 1000 nodes and 1000 links needs about a tenth of that, so a bigger file is almost always the wrong file.',
  ),
  FILE_BINARY: entry(
    'A topology is text in UTF-8. This file has bytes that no UTF-8 text has: it is a program, an image or an archive, or it was saved as UTF-16 (choose "UTF-8" when saving).',
  ),

  // YAML.
  YAML_EMPTY: entry(
    'The file has nothing in it but white space and comments. The least that makes a lab is `nodes:` with one node.',
  ),
  YAML_NOT_A_MAPPING: entry(
    'The top of a topology file is a set of `key: value` lines, as `name:`, `nodes:` and `links:`. This file begins with a list or a single text.',
  ),
  YAML_SEVERAL_DOCUMENTS: entry(
    'A line `---` inside a YAML file begins a second document. A topology file has one; put the second lab into a file of its own.',
  ),
  YAML_TAB: entry(
    'YAML forbids tabs in the indentation, because how far a tab reaches differs between editors. Use spaces, two per level.',
  ),
  YAML_DUPLICATE_KEY: entry(
    'The same key stands twice in one mapping. YAML would have to drop one of the two, so nslab refuses; rename or merge them.',
  ),
  YAML_UNCLOSED_QUOTE: entry(
    'A text that began with a quote never ends. Everything after it was swallowed by the text.',
  ),
  YAML_UNCLOSED_BRACKET: entry(
    'A list that began with `[` or a mapping that began with `{` is not closed, or is closed by the wrong bracket, or misses a comma between two members.',
  ),
  YAML_COMMA: entry(
    'The members of a list in `[ ]` and of a mapping in `{ }` are separated by commas, one between two members.',
  ),
  YAML_COLON: entry(
    'In YAML a key is followed by a colon and a blank (`name: lab`). Without the blank the line is only a text, and a second `key: value` on the same line needs braces.',
  ),
  YAML_INDENT: entry(
    'The lines of one mapping or list begin in the same column. This line begins in a column that belongs to none of the levels above it.',
  ),
  YAML_SPECIAL_CHARACTER: entry(
    'Some characters mean something to YAML at the start of a value: * & ! | > % @ ` [ { and ". Put the value into quotes to have it as text.',
  ),
  YAML_ALIAS_UNKNOWN: entry(
    'A value that begins with `*` repeats the value that was marked with `&` and the same name earlier in the file. There is no such mark before this line.',
  ),
  YAML_ALIAS_BOMB: entry(
    'Aliases of aliases can make a small file stand for billions of values. nslab expands a bounded number and refuses more, also where a value contains itself.',
  ),
  YAML_TOO_DEEP: entry(
    'Values are nested deeper than any topology needs. The limit keeps a hostile file from exhausting the parser.',
  ),
  YAML_TAG: entry(
    'A value that begins with `!` is a YAML tag, an instruction to some other program. nslab knows only those of plain YAML; put the value into quotes if it is meant as text.',
  ),
  YAML_KEY_NOT_TEXT: entry(
    'A key must be a text or a number. A list or a mapping cannot be the name of something.',
  ),
  YAML_SYNTAX: entry(
    'The file is not YAML. The message has the words of the YAML parser; the mistake is often on the line above the one named.',
  ),

  // Variables.
  VAR_UNSET: entry(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
    '`${NAME}` is replaced by `--var NAME=...`, by the environment variable, or by the entry of `vars:` at the top of the file, in this order. There is none of them. `${NAME:-value}` gives a default; `$$` is a plain dollar sign.',
  ),
  VAR_SYNTAX: entry(
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the words of the topology file
    'A `${` must be followed by a name, perhaps `:-` and a default, and a `}`. Write `$$` for a plain dollar sign.',
  ),

  // Shape.
  UNKNOWN_KEY: entry(
    'The key is not one that nslab knows at this place. Unknown keys are never ignored, because a misspelt `mtu` or `routes` would give a lab that silently differs from the file.',
  ),
  KEY_UNSUPPORTED: entry(
    'The key is one of containerlab or Docker Compose that nslab knows and cannot honour. The message says what to write instead, or remove it.',
  ),
  MISSING_KEY: entry('Something that cannot be guessed was left out.'),
  WRONG_TYPE: entry(
    'The value is of another type than this key takes: for example one text where a list is needed, or a list where a mapping is needed.',
  ),
  VALUE_UNKNOWN: entry('The key takes one of a few words, and this is none of them.'),
  VALUE_RANGE: entry('The number is smaller or greater than the kernel (or the protocol) allows here.'),
  VALUE_INVALID: entry('The value does not have the form that this key needs.'),
  UNIT_MISSING: entry(
    'A bare number could mean milliseconds or seconds, bits or bytes. Write the unit as tc(8) does: 20ms, 1.5s, 10mbit, 64MB, 1%.',
  ),
  UNIT_INVALID: entry(
    'The value is not a number followed by a unit that fits here. Times: us ms s m h. Rates: bit kbit mbit gbit (and bps for bytes). Sizes: B KB MB GB. Probabilities: %.',
  ),

  // Names.
  NAME_INVALID: entry(
    'The name has characters that it may not have. Names of nodes and labs become file names under /run/netns and host names: letters, digits, "_", "-" and ".".',
  ),
  NAME_RESERVED: entry(
    "The name means something to the kernel or to nslab already: `host` is the machine itself, `lo` is every namespace's loopback interface, `all` and `default` are folders of /proc/sys/net/ipv4/conf.",
  ),
  NAME_DUPLICATE: entry(
    'Two things would have the same name where names must differ: two nodes whose namespaces, or two interfaces of one node whose names, are equal once prefix and shortening are applied.',
  ),
  IFNAME_INVALID: entry(
    'An interface name may not have blanks, "/", ":" or "%", and may not be "." or "..": see dev_valid_name() in the kernel\'s net/core/dev.c.',
  ),
  IFNAME_LONG: entry(
    'An interface name has at most 15 bytes (IFNAMSIZ in linux/if.h). nslab gives a longer one a short name and keeps the long one as an alternative name of up to 127 bytes, except where the short one would have to be guessed by others.',
  ),
  KIND_UNSUPPORTED: entry(
    "The node kind is a network appliance (a vendor's virtual machine or container) that nslab does not run. nslab runs Linux namespaces and containers: netns, router, bridge, container and host.",
  ),

  // Links and interfaces.
  ENDPOINT_INVALID: entry(
    'An end of a link is "node:interface", the name of a bridge node alone, or a mapping with `node` and `interface`. A link has exactly two.',
  ),
  NODE_UNDEFINED: entry('A name is used that is not a node of the file.'),
  INTERFACE_UNDEFINED: entry(
    'A route, a rule, NAT, the firewall or another interface names an interface that the node does not have.',
  ),
  INTERFACE_NO_LINK: entry(
    'An interface without `type` is one end of a wire, and no link of the file ends there. Add it to `links`, or give it a type (dummy, bridge, vlan, ...).',
  ),
  INTERFACE_CONFLICT: entry(
    'The same interface is described in two places, under its node and at the end of a link, and the two contradict each other.',
  ),
  LINK_END_TWICE: entry(
    'A wire has two ends, and an end is one interface: no interface can be the end of two links.',
  ),
  LINK_SELF: entry('Both ends of the link are the same interface.'),
  LINK_LOOP: entry(
    'Switches joined in a circle, with spanning tree off, forward every broadcast round and round for ever (a broadcast storm), which takes a processor for itself. Set `stp: true` on the bridges or cut one of the links.',
  ),
  LINK_HOST: entry(
    "Both ends of the link are in the machine's own namespace, which is not a part of the lab.",
  ),
  MASTER_INVALID: entry(
    'The `master` of an interface is a bridge, a vrf or a bond of the same node, and the one named is of another type; or more than 8 interfaces stand on each other (by `master` and `link`), which is as deep as the kernel nests devices.',
  ),
  DEPENDS_LOOP: entry(
    'Containers depend on each other in a circle, or use the network of each other in one, so none of them could start first.',
  ),
  MASTER_LOOP: entry('Interfaces stand on each other in a circle, so none of them could be made first.'),
  BRIDGE_PORTS: entry(
    'A Linux bridge has at most 1023 ports (BR_MAX_PORTS in the kernel). Join two bridges by a link instead.',
  ),
  NODE_UNLINKED: entry(
    'No link ends at the node and nothing else gives it a network, so nothing can reach it. Perhaps a link was forgotten.',
  ),
  MTU_INVALID: entry(
    'An IPv4 interface needs an MTU of at least 68 bytes (RFC 791), an IPv6 one of at least 1280 (RFC 8200, and the kernel turns IPv6 off below it); a virtual Ethernet takes 65535 at most.',
  ),
  MTU_MISMATCH: entry(
    'The two ends of a wire, or the ports of a bridge, have different MTUs. Packets that are bigger than the smaller one vanish without a message, and TCP connections hang after the handshake.',
  ),
  MAC_INVALID: entry(
    'A MAC address is six bytes in hexadecimal, as 02:00:00:00:00:01; the first byte is even (odd means multicast), and it is not all zeros.',
  ),
  MAC_DUPLICATE: entry(
    'Two interfaces on one Ethernet have the same MAC address. The switch would send the frames of both to whichever spoke last.',
  ),
  VLAN_INVALID: entry('A VLAN id is a number from 1 to 4094 (IEEE 802.1Q keeps 0 and 4095 for itself).'),
  VLAN_NO_FILTERING: entry(
    '`vlan` and `vlans` of a bridge port do nothing unless the bridge has `vlan_filtering: true`.',
  ),
  VLAN_DUPLICATE: entry(
    'Two interfaces take the same VLAN out of the same parent. The kernel refuses the second with EEXIST.',
  ),
  VNI_INVALID: entry('A VXLAN network identifier has 24 bits: 0 to 16777215.'),
  VXLAN_INVALID: entry(
    'The ends of the tunnel do not make sense: the far end is the node itself, the near end is no address of the node, or a multicast group has no interface (`link`) to be joined on.',
  ),
  VXLAN_DUPLICATE: entry(
    'Two vxlan interfaces of one node listen on the same UDP port for the same network identifier. The kernel refuses the second with EEXIST.',
  ),

  // Addresses.
  ADDRESS_INVALID: entry(
    'The text is not an IP address, or is one without the length of its subnet where it is needed (10.1.1.1/24).',
  ),
  ADDRESS_DUPLICATE: entry(
    'Two interfaces that can hear each other have the same address, so each would answer for the other. The same address in two places that no wire joins is allowed.',
  ),
  ADDRESS_ON_PORT: entry(
    'The interface is a port of a bridge or a bond. Frames that come in by it are taken by the bridge before IP sees them, so nothing answers for the address. Give it to the bridge.',
  ),
  ADDRESS_NETWORK: entry(
    'The first address of an IPv4 subnet is the name of the subnet and the last one is its broadcast address; neither can belong to a machine (except with /31 and /32).',
  ),
  ADDRESS_MULTICAST: entry(
    'A multicast, unspecified or broadcast address (224.0.0.0/4, ff00::/8, 0.0.0.0, ::) cannot belong to an interface.',
  ),
  SUBNET_MISMATCH: entry(
    "Interfaces on one wire or switch have addresses, but none has one in the other's subnet. They cannot talk to each other without a router.",
  ),
  SUBNET_OVERLAP: entry(
    'Two interfaces of one node are in subnets that overlap. The kernel sends all packets for the shared addresses out of one of the two, and what lies behind the other cannot be reached.',
  ),
  SUBNET_INVALID: entry(
    'The text is not a subnet: an address, a slash and a length, with all bits after the length zero (10.1.1.0/24).',
  ),
  POOL_INVALID: entry(
    "The entry of `addressing` cannot be used: it needs `ipv4` or `ipv6`, and `prefix` must be at least as long as the pool's own.",
  ),
  POOL_EXHAUSTED: entry(
    'All addresses of the subnet, or all subnets of the pool, are handed out already. Make it bigger.',
  ),
  AUTO_NO_SUBNET: entry(
    '`addresses: [auto]` needs a subnet to take from: `subnet:` on the bridge, or a pool in `addressing`.',
  ),

  // Routes and rules.
  ROUTE_INVALID: entry('The route is not one that ip-route(8) would understand.'),
  ROUTE_DUPLICATE: entry(
    'The node has two routes for the same destination with the same metric in the same table. The kernel refuses the second with EEXIST.',
  ),
  ROUTE_GATEWAY_UNREACHABLE: entry(
    'A gateway must be a neighbour: an address inside a subnet of one of the node\'s interfaces. The kernel refuses others with "Nexthop has invalid gateway". `onlink: true` with `dev` says that it is a neighbour all the same.',
  ),
  ROUTE_GATEWAY_NOBODY: entry(
    'The gateway lies in a subnet of the node, but nobody on that wire or switch has its address. The kernel takes the route, and every packet ends in "Destination Host Unreachable". A warning: the address may be given by hand later.',
  ),
  FORWARDING_OFF: entry(
    'The node is the gateway of another one and does not forward packets (net.ipv4.ip_forward or net.ipv6.conf.all.forwarding is 0, the default of a new namespace), so it drops what is sent through it. `kind: router` turns both on. A warning: turning it on by hand is a good exercise.',
  ),
  ROUTE_GATEWAY_SELF: entry(
    'The gateway of the route is an address of the node itself. Name the router at the other end of the wire.',
  ),
  ROUTE_SRC_FOREIGN: entry(
    '`src` must be an address of the node; the kernel refuses others with "Invalid prefsrc address".',
  ),
  ROUTE_FAMILY: entry(
    'Destination, gateway and source of a route must be of one family, all IPv4 or all IPv6 (but for `via inet6`).',
  ),
  NEIGHBOUR_DUPLICATE: entry(
    'The node has two neighbours with the same address on the same interface. The kernel refuses the second with EEXIST.',
  ),
  RULE_INVALID: entry('The rule is not one that ip-rule(8) would understand.'),
  RULE_DUPLICATE: entry('Two rules of the node are the same. The kernel refuses the second with EEXIST.'),
  RULE_TABLE_EMPTY: entry(
    'The rule looks into a routing table in which the node has no route, so it never matches anything.',
  ),

  // NAT, firewall, sysctls, names, tests.
  NAT_INVALID: entry('The NAT rule is not complete or its parts do not fit together.'),
  NAT_TARGET_NOWHERE: entry(
    'The rule sends connections to an address that no node of the lab has and no subnet of it contains.',
  ),
  PORT_NO_PROTO: entry(
    'TCP and UDP have ports of their own. A rule with a port must say which of the two it means.',
  ),
  PORT_CONFLICT: entry(
    'Two containers of the file publish the same port of the machine, and one socket has it at a time.',
  ),
  PORT_UNREACHABLE: entry(
    'A published port leads to an address of the container, and the machine reaches none of them: the container is on no network of the lab and no link with addresses joins it to `host`.',
  ),
  NETWORK_UNDEFINED: entry(
    'A container names a network that the file does not have under `networks`, or an external one of a lab that is not up.',
  ),
  NETWORK_INVALID: entry('Parts of a network of containers do not fit together.'),
  FIREWALL_INVALID: entry('The firewall rule does not make sense to nftables.'),
  SYSCTL_INVALID: entry(
    'The key is not a sysctl of the network namespace, so setting it in a node would change the whole machine.',
  ),
  HOSTS_INVALID: entry('An entry of `hosts` is a name and an IP address.'),
  TEST_INVALID: entry(
    'An entry of `tests` has a node it runs `from` and exactly one of ping, tcp, udp, http and run.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
