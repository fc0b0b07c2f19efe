// The topology file as one valibot schema: the only source of its keys. The types of the rest of this room, the checks and
// topologies/schema.json (bin/schema.ts) come from it. What a value means is read by lower.ts; containerlab.ts has already
// turned a `topology:` wrapper and containerlab's spellings into ours when a file comes here.

import * as v from 'valibot';
import { endpointSchema, impairSchema } from './schema-interface.ts';
import { networksSchema } from './schema-network.ts';
import { defaultsSchema, nodesSchema } from './schema-node.ts';
import {
  doc,
  either,
  integer,
  key,
  list,
  mapping,
  named,
  orEmpty,
  quantity,
  scalar,
} from './schema-shape.ts';

const linkSchema = mapping({
  endpoints: doc(
    list(endpointSchema),
    'The two ends: "node:interface", the name of a bridge node alone, or a mapping.',
    [['pc1:eth0', 'sw']],
  ),
  mtu: key(integer(0, 0x7fffffff), 'MTU of both ends.'),
  impair: key(impairSchema, 'What the wire does to packets, in both directions.', [
    { delay: '20ms', loss: '1%' },
  ]),
  ipv4: key(list(v.string()), "containerlab's word: the IPv4 address of each end.", [
    ['10.0.0.1/30', '10.0.0.2/30'],
  ]),
  ipv6: key(list(v.string()), "containerlab's word: the IPv6 address of each end."),
  labels: key(named(scalar()), 'Free words.'),
});

const pool = mapping({
  ipv4: key(v.string(), 'Where IPv4 subnets are taken from.', ['10.1.0.0/16']),
  ipv6: key(v.string(), 'Where IPv6 subnets are taken from.', ['2001:db8::/48']),
  prefix: key(integer(0, 32), 'Length of one IPv4 subnet.'),
  prefix6: key(integer(0, 128), 'Length of one IPv6 subnet.'),
});

const addressing = mapping({
  lan: key(pool, 'Subnets of bridges. Length 24 and 64 by default.'),
  p2p: key(pool, 'Subnets of links between two nodes. Length 30 and 64 by default.'),
  loopback: key(pool, 'Addresses of `lo`. Length 32 and 128 by default.'),
});

const expectSchema = either(
  v.picklist(['ok', 'unreachable']),
  mapping({
    exit: key(integer(0, 255), 'Exit status of the command.'),
    stdout: key(v.string(), 'A text that the output, or the beginning of the page, has in it.'),
    status: key(integer(100, 599), 'HTTP status.'),
  }),
);

const testSchema = mapping({
  name: key(v.string(), 'Shown in the report.'),
  from: doc(v.string(), 'The node that the test runs in.'),
  ping: key(v.string(), 'A node or an address.', ['10.1.1.2']),
  tcp: key(v.string(), 'A port that must accept connections.', ['10.1.1.10:80']),
  udp: key(v.string(), 'A port that must answer a datagram, a name server on port 53 a question.', [
    '10.1.1.10:7',
  ]),
  http: key(v.string(), 'An address that must be served, with a status below 400.', ['http://10.1.1.10/']),
  run: key(v.string(), 'A command for /bin/sh.', ['curl -fs http://10.1.1.10']),
  expect: key(expectSchema, '`ok` by default.'),
  within: key(quantity(), 'How long a failing test is tried again.', ['5s']),
  points: key(v.pipe(v.number(), v.minValue(0)), 'Weight in the score. 1 by default.'),
});

const nodesKey = key(orEmpty(nodesSchema), 'The nodes by name.');
const linksKey = key(list(linkSchema), 'The wires.');

export const fileSchema = mapping({
  $schema: key(v.string(), 'For editors.'),
  name: key(scalar(), 'What `ls` and `down` call the lab. The name of the file by default.'),
  description: key(v.string(), 'What the lab shows.'),
  prefix: key(v.string(), 'Put before the name of the lab and of every namespace.', ['a-']),
  ipv6: key(v.boolean(), 'IPv6 on every interface.'),
  defaults: key(orEmpty(defaultsSchema), 'Defaults of all nodes and interfaces.'),
  addressing: key(addressing, 'Pools that `auto` addresses are taken from.'),
  vars: key(
    orEmpty(named(either(v.string(), v.number(), v.boolean(), v.null()))),
    'Defaults of the variables that values use as $NAME in braces.',
    [{ MTU: 1500 }],
  ),
  nodes: nodesKey,
  links: linksKey,
  networks: key(orEmpty(networksSchema), 'Networks that containers are plugged into, by name.', [
    { front: {}, back: { internal: true } },
  ]),
  tests: key(list(testSchema), 'What the lab is expected to do; `nslab test` runs them.'),
  topology: key(
    mapping({ nodes: nodesKey, links: linksKey, defaults: key(defaultsSchema, 'Defaults of all nodes.') }),
    "containerlab's wrapper around `nodes` and `links`.",
  ),
});

export type TopologyFile = v.InferOutput<typeof fileSchema>;
export type LinkFile = v.InferOutput<typeof linkSchema>;
export type PoolFile = v.InferOutput<typeof pool>;
export type TestFile = v.InferOutput<typeof testSchema>;

export type SchemaIssue = v.InferIssue<typeof fileSchema>;

export type Shape = {
  /** There when the schema has nothing to say. */
  readonly file?: TopologyFile;
  /** The values as far as they were read, also those with an issue. */
  readonly output: unknown;
  readonly issues: readonly SchemaIssue[];
};

/** Checks the shape of a parsed file. */
export function checkShape(value: unknown): Shape {
  const { success, output, issues } = v.safeParse(fileSchema, value);
  return success ? { file: output, output, issues: [] } : { output, issues };
}
