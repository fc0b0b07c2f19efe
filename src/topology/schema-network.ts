// Networks of containers, in Docker Compose's words (the Compose specification, "networks"): at the top of the file, and of a
// container. Only shapes; lower-networks.ts says what they mean.

import * as v from 'valibot';
import { either, integer, key, list, mapping, named, orEmpty, scalar } from './schema-shape.ts';

const ipamConfig = mapping({
  subnet: key(v.string(), 'The subnet. A free one of 172.18.0.0/16 and on by default.', ['10.5.0.0/24']),
  gateway: key(v.string(), 'The address of the bridge; the first of the subnet by default.', ['10.5.0.254']),
  ip_range: key(v.string(), 'The part of the subnet that addresses are handed out from.', ['10.5.0.128/25']),
});

const network = mapping({
  driver: key(v.string(), '`bridge`, the only one.'),
  internal: key(v.boolean(), 'No way out of the network, and none in but from the machine.'),
  enable_ipv6: key(v.boolean(), 'Give it an IPv6 subnet as well.'),
  ipam: key(
    mapping({
      driver: key(v.string(), '`default`, the only one.'),
      config: key(list(ipamConfig), 'One subnet of each family at most.', [[{ subnet: '10.5.0.0/24' }]]),
    }),
    'Where addresses come from.',
  ),
  external: key(v.boolean(), 'The network of another lab that is up; `name` says which.'),
  name: key(v.string(), 'Of an external network: LAB/NETWORK.', ['default/bridge']),
  labels: key(either(named(scalar()), list(v.string())), 'Free words.'),
});

export const networksSchema = named(orEmpty(network));

const membership = mapping({
  aliases: key(list(v.string()), 'Further names of the container in this network.', [['db']]),
  ipv4_address: key(v.string(), 'Its address; the network needs a `subnet` in the file.', ['10.5.0.10']),
  ipv6_address: key(v.string(), 'Its IPv6 address.'),
  mac_address: key(v.string(), 'MAC address of the interface.', ['02:00:00:00:00:01']),
  gw_priority: key(
    integer(-1000, 1000),
    'The default route goes to the network with the highest; of equal ones to the first.',
  ),
});

/** `networks` of a container: names, or a mapping from names. */
export const membershipsSchema = either(list(v.string()), named(orEmpty(membership)));

export type NetworkFile = v.InferOutput<typeof network>;
export type IpamFile = v.InferOutput<typeof ipamConfig>;
export type MembershipFile = v.InferOutput<typeof membership>;
