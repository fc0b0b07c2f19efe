// The keys of a node. Words: containerlab's for the node itself, ip-route(8), ip-rule(8) and ip-neighbour(8) for routing,
// Docker Compose's for containers (schema-container.ts), ip-link(8)'s for a bridge.

import * as v from 'valibot';
import { containerKeys, labelsSchema } from './schema-container.ts';
import { firewallSchema, natSchema } from './schema-filter.ts';
import { bridgeKeys, interfacesSchema } from './schema-interface.ts';
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
} from './schema-shape.ts';

const numberOrText = either(v.number(), v.string());
const family = key(v.picklist([4, 6, 'inet', 'inet6']), 'The address family, where no address tells it.');

const nexthop = mapping({
  via: key(v.string(), 'The gateway.'),
  dev: key(v.string(), 'The interface.'),
  weight: key(integer(1, 256), 'Share of this way.'),
  onlink: key(v.boolean(), 'The gateway is a neighbour although no subnet of the interface has it.'),
});

const routeTypes = ['unicast', 'blackhole', 'unreachable', 'prohibit', 'throw', 'local'] as const;

const routeObject = mapping({
  to: key(v.string(), 'Destination: a subnet, an address or `default`.', ['default', '10.9.0.0/16']),
  dst: key(v.string(), 'The same as `to`.'),
  via: key(v.string(), 'The gateway.', ['10.1.1.254']),
  dev: key(v.string(), 'The interface.'),
  src: key(v.string(), 'The source address of packets that the node sends itself.'),
  metric: key(integer(0, 0xffffffff), 'Of two routes the one with the smaller metric is taken.'),
  table: key(numberOrText, 'Routing table: a number, `main`, `local` or `default`.'),
  type: key(v.picklist(routeTypes), '`unicast` by default.'),
  scope: key(v.picklist(['global', 'link', 'host']), 'How far away the destination is.'),
  onlink: key(v.boolean(), 'The gateway is a neighbour although no subnet of the interface has it.'),
  mtu: key(integer(68, 65535), 'Largest packet on this route.'),
  protocol: key(numberOrText, 'Who made the route: static, boot, kernel, bird, zebra, bgp or a number.'),
  nexthops: key(list(nexthop), 'Several ways; packets are spread over them.'),
  family,
});
const route = either(v.string(), routeObject);

const ruleObject = mapping({
  not: key(v.boolean(), 'The rule applies where the rest does not match.'),
  from: key(v.string(), 'Source subnet or `all`.'),
  to: key(v.string(), 'Destination subnet or `all`.'),
  iif: key(v.string(), 'The interface that the packet came in by.'),
  oif: key(v.string(), 'The interface that the sending socket is bound to.'),
  fwmark: key(numberOrText, 'Mark of the packet, perhaps with a mask.', [1, '0x10/0xff']),
  ipproto: key(numberOrText, 'tcp, udp, icmp or a number.'),
  sport: key(numberOrText, 'Source port or range.'),
  dport: key(numberOrText, 'Destination port or range.'),
  priority: key(integer(0, 0xffffffff), "Rules are asked in this order. The kernel's own choice by default."),
  table: key(numberOrText, 'The routing table to look in.'),
  lookup: key(numberOrText, 'The same as `table`.'),
  type: key(v.picklist(['lookup', 'unicast', 'blackhole', 'unreachable', 'prohibit']), 'What the rule does.'),
  suppress_prefixlength: key(integer(0, 128), 'Ignore routes with a prefix of this length or shorter.'),
  family,
});
const rule = either(v.string(), ruleObject);

const neighbourObject = mapping({
  ip: key(v.string(), 'Address of the neighbour.'),
  to: key(v.string(), 'The same as `ip`.'),
  dev: doc(v.string(), 'The interface.'),
  lladdr: key(v.string(), 'MAC address of the neighbour.'),
  proxy: key(v.boolean(), 'Answer for this address.'),
});
const neighbour = either(v.string(), neighbourObject);

const dns = either(
  v.string(),
  list(v.string()),
  mapping({
    servers: key(oneOrList(v.string()), 'Addresses of name servers.'),
    search: key(oneOrList(v.string()), 'Domains that short names are looked up in.'),
    options: key(list(v.string()), 'Options of resolv.conf(5).'),
  }),
);

export const dnsKey = key(dns, 'Name servers of the node.', [['10.1.1.53'], { servers: ['10.1.1.53'] }]);
export const hostsSchema = either(named(oneOrList(v.string())), list(v.string()));
export const sysctlsSchema = either(named(scalar()), list(v.string()));
export const nodeKinds = ['netns', 'router', 'bridge', 'container', 'host', 'linux'] as const;

export const nodeSchema = mapping({
  kind: key(
    v.picklist(nodeKinds),
    'What the node is. `container` with `image` or `rootfs`, `netns` otherwise.',
  ),
  description: key(v.string(), 'What it is for.'),
  interfaces: key(
    interfacesSchema,
    'The interfaces by name. Those of links need to be here only for their addresses.',
  ),
  routes: key(list(route), 'Objects, or the text after `ip route add`.', [['default via 10.1.1.254']]),
  rules: key(list(rule), 'Objects, or the text after `ip rule add`.', [['from 10.1.1.0/24 table 100']]),
  neighbours: key(list(neighbour), 'Objects, or the text after `ip neighbour add`.'),
  nat: key(natSchema, 'Address translation.', [[{ masquerade: { out: 'uplink' } }]]),
  firewall: key(firewallSchema, 'Packet filter.'),
  sysctls: key(sysctlsSchema, 'Kernel settings of the namespace.', [{ 'net.ipv4.ip_forward': 1 }]),
  hosts: key(hostsSchema, 'Further lines of /etc/hosts: a mapping from name to address, or lines.', [
    { db: '10.1.1.2' },
    ['10.1.1.2 db db.lab'],
  ]),
  dns: dnsKey,
  exec: key(list(either(v.string(), list(v.string()))), 'Commands that run in the node at the end of `up`.'),
  labels: key(labelsSchema, 'Free words for `ls` and `exec --label`.'),
  ipv6: key(v.boolean(), 'Give all interfaces of the node IPv6.'),
  exec_failure: key(
    v.picklist(['undo', 'tell']),
    'What is done when one of those commands fails: the lab is undone, or it is told and the lab comes up. `undo` by default.',
  ),
  ...bridgeKeys,
  ...containerKeys,
});

export const nodesSchema = named(orEmpty(nodeSchema));

/** Defaults of all nodes and interfaces. */
export const defaultsSchema = mapping({
  mtu: key(integer(0, 0x7fffffff), 'MTU of every interface that has none of its own.', [1500]),
  ipv6: key(v.boolean(), 'IPv6 on every interface.'),
  sysctls: key(sysctlsSchema, 'Kernel settings of every node.'),
  hosts: key(hostsSchema, 'Further lines of /etc/hosts of every node.'),
  dns: dnsKey,
  labels: key(labelsSchema, 'Labels of every node.'),
  within: key(quantity(), 'How long every test is tried again.', ['5s']),
});

export type NodeFile = v.InferOutput<typeof nodeSchema>;
export type RouteFile = v.InferOutput<typeof routeObject>;
export type NexthopFile = v.InferOutput<typeof nexthop>;
export type RuleFile = v.InferOutput<typeof ruleObject>;
export type NeighbourFile = v.InferOutput<typeof neighbourObject>;
export type DefaultsFile = v.InferOutput<typeof defaultsSchema>;
