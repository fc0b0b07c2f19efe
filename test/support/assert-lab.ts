// A lab in the kernel as iproute2 and nft show it, held against its data: nothing of ours reads it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { Interface } from '../../src/model/interface.ts';
import type { Lab, Node } from '../../src/model/lab.ts';
import type { Nexthop, Route } from '../../src/model/route.ts';

// biome-ignore lint/suspicious/noExplicitAny: what `ip -j` prints is read field by field
type Json = any;

/** What iproute2 and nft show of a namespace, one JSON document a line. */
type Shown = {
  readonly links: readonly Json[];
  readonly routes: readonly Json[];
  readonly rules: readonly Json[];
  readonly neighbours: readonly Json[];
  readonly tables: readonly string[];
};

function show(netns: string): Shown {
  const commands = [
    'addr show',
    '-4 -d route show table all',
    '-6 -d route show table all',
    '-d rule show',
    'neigh show nud permanent',
  ];
  const script = `${commands.map((words) => `ip -j -n "$0" ${words}; echo`).join('\n')}\nip netns exec "$0" nft list tables`;
  const output = execFileSync('sh', ['-c', script, netns], { encoding: 'utf8' });
  const [links, v4, v6, rules, neighbours, ...tables] = output.split('\n').filter((line) => line !== '');
  const parse = (text: string | undefined): Json[] => JSON.parse(text ?? '[]');
  return {
    links: parse(links),
    // The kernel's own routes come with addresses and links.
    routes: [...parse(v4), ...parse(v6)].filter(({ protocol }) => protocol !== 'kernel'),
    rules: parse(rules),
    neighbours: parse(neighbours),
    tables: tables.filter((line) => line.startsWith('table ')),
  };
}

function isOwnMakingOfKernel({ local, scope }: Json): boolean {
  return scope === 'link' || local === '127.0.0.1' || local === '::1';
}

function assertInterface(wanted: Interface, { links }: Shown): void {
  const link = links.find(({ ifname }) => ifname === wanted.ifname);
  assert.ok(link !== undefined, `${wanted.ifname} is missing`);
  const addresses = link.addr_info
    .filter((info: Json) => !isOwnMakingOfKernel(info))
    .map(({ local, prefixlen }: Json) => `${local}/${prefixlen}`);
  assert.deepEqual(addresses.sort(), wanted.addresses.map(({ ip }) => ip as string).sort(), wanted.ifname);
  assert.equal(link.master, wanted.master, `master of ${wanted.ifname}`);
  if (wanted.mtu !== undefined) assert.equal(link.mtu, wanted.mtu, `mtu of ${wanted.ifname}`);
  if (wanted.mac !== undefined) assert.equal(link.address, wanted.mac, `mac of ${wanted.ifname}`);
  assert.equal(link.flags.includes('UP'), wanted.up, `${wanted.ifname} up`);
  assert.deepEqual(link.altnames ?? [], wanted.altname === undefined ? [] : [wanted.altname]);
  const linkLocal = link.addr_info.some((info: Json) => info.family === 'inet6' && info.scope === 'link');
  if (wanted.type !== 'loopback' && wanted.type !== 'tun' && link.flags.includes('LOWER_UP')) {
    assert.equal(linkLocal, wanted.ipv6, `link-local address of ${wanted.ifname}`);
  }
}

const ways = (nexthops: readonly Nexthop[]): string[] =>
  nexthops.map(({ via, dev, weight }) => `${via} ${dev ?? ''} ${weight ?? 1}`).sort();

/** A route in the words in which `ip -j route` has it, as far as the file says. */
function isRoute(wanted: Route, shown: Json, family: 4 | 6): boolean {
  const isDefault = wanted.to === '0.0.0.0/0' || wanted.to === '::/0';
  const host = wanted.to.replace(/\/(32|128)$/, '');
  if (shown.dst !== (isDefault ? 'default' : host)) return false;
  // What leads nowhere has no way to tell its family by.
  const of = [shown.gateway, shown.via?.host, shown.nexthops?.[0]?.gateway].find((way) => way !== undefined);
  if (of !== undefined && (of.includes(':') ? 6 : 4) !== family) return false;
  return (
    (shown.type ?? 'unicast') === wanted.type &&
    (wanted.via === undefined || shown.gateway === wanted.via) &&
    (wanted.dev === undefined || shown.dev === wanted.dev) &&
    (wanted.metric === undefined || shown.metric === wanted.metric) &&
    Number(shown.table === 'main' || shown.table === undefined ? 254 : shown.table) ===
      (wanted.table ?? 254) &&
    (wanted.nexthops === undefined ||
      wanted.nexthops.every(({ via, weight }) =>
        (shown.nexthops ?? []).some((hop: Json) => hop.gateway === via && hop.weight === (weight ?? 1)),
      ))
  );
}

function assertRoutes(wanted: readonly Route[], { routes }: Shown): void {
  for (const route of wanted) {
    const found = routes.filter((shown) => isRoute(route, shown, route.family));
    assert.equal(
      found.length,
      1,
      `${route.type} ${route.to} ${ways(route.nexthops ?? [route])}: ${JSON.stringify(routes)}`,
    );
  }
  assert.equal(routes.length, wanted.length, `no other routes: ${JSON.stringify(routes)}`);
}

function assertNode(node: Node, netns: string): void {
  const shown = show(netns);
  for (const iface of node.interfaces) assertInterface(iface, shown);
  const names = shown.links.map(({ ifname }) => ifname).filter((name) => name !== 'lo');
  const wanted = node.interfaces.map(({ ifname }) => ifname as string).filter((name) => name !== 'lo');
  assert.deepEqual(names.sort(), wanted.sort(), 'no other interfaces');
  assertRoutes(node.routes, shown);
  assert.deepEqual(
    shown.rules
      .map(({ priority }) => priority)
      .filter((priority) => ![0, 32766, 32767].includes(priority))
      .sort(),
    node.rules.map(({ priority }) => priority).sort(),
  );
  assert.deepEqual(
    shown.neighbours.map(({ dst, lladdr }) => `${dst} ${lladdr}`).sort(),
    node.neighbours.map(({ ip, lladdr }) => `${ip} ${lladdr}`).sort(),
  );
  const filters = node.nat.length > 0 || node.firewall !== undefined;
  assert.equal(shown.tables.length, filters ? 1 : 0, `tables: ${shown.tables}`);
}

/** A link-local address comes when the kernel's own worker has told IPv6 of the carrier (linkwatch), which a busy machine delays. */
const LINK_LOCAL_MS = 3000;

function isLate(error: unknown): boolean {
  return error instanceof Error && error.message.includes('link-local address of');
}

/** What is in the kernel is what the lab asks for, as iproute2 and nft show it. */
export function assertLab(lab: Lab): void {
  const deadline = Date.now() + LINK_LOCAL_MS;
  for (const node of lab.nodes) {
    if (node.place !== null) assertSoon(node, node.place, deadline);
  }
}

function assertSoon(node: Node, place: string, deadline: number): void {
  for (;;) {
    try {
      assertNode(node, place);
      return;
    } catch (error) {
      if (!isLate(error) || Date.now() > deadline)
        throw new Error(`node ${node.name}: ${(error as Error).message}`, { cause: error });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
