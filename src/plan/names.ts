// What a node sees as /etc/hosts and /etc/resolv.conf, so that every node knows every other by name (hosts(5), resolv.conf(5)).
// Nodes that see the lab alike share one folder, a view; ip-netns(8) and nslab bind its files over those of /etc. The
// machine's own files are never touched. A node without `dns` has no resolv.conf here: whether it needs one depends on the
// machine's resolver, which a plan does not know. Files and no server: they need no process, work for every program that asks the C
// library, and are there before the first process; what asks a server itself (dig) does not see them.

import { addressOf, type IpInterface, ipFamily, subnetOf } from '../base/ip.ts';
import type { Dns, Lab, Node } from '../model/lab.ts';
import { hasOwnNetns } from './containers.ts';
import { contentHash } from './mark.ts';
import type { Op } from './op.ts';

type Files = Readonly<Record<string, string>>;

/** Above this many nodes all see the names in one order: a view of its own for each would cost their square. */
const NEAR_FIRST_NODES = 256;

const HEAD = '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n';

/** The views, then for each namespace the view it sees. */
export function planEtc(lab: Lab, ops: Op[]): void {
  const readers = lab.nodes.filter(hasOwnNetns);
  const names = new NameTable(lab);
  const views = new Map<string, string>();
  const links: Op[] = [];
  for (const node of readers) {
    const { key, files } = names.filesOf(node);
    let view = views.get(key);
    if (view === undefined) {
      view = contentHash(key);
      views.set(key, view);
      ops.push({ kind: 'writeEtc', view, files: files() });
    }
    if (node.place !== null) links.push({ kind: 'linkEtc', netns: node.place, view });
  }
  ops.push(...links);
}

/** One node's lines of the hosts file, and where they lie when that matters. */
type Entry = {
  readonly text: string;
  /** Only for a node with more than one address of a family, or with aliases: the lines with their subnets. */
  readonly lines: readonly {
    readonly text: string;
    /** The same for those in the subnet, who know the node by its aliases as well. */
    readonly near: string;
    readonly subnet: string;
  }[];
};

/** What a node sees: the files, made only when asked for, and a key that is the same for all nodes with the same files. */
type Sight = { readonly key: string; readonly files: () => Files };

class NameTable {
  private readonly entries: readonly Entry[];
  private readonly base: string;
  /** Of every node that has nothing of its own to add and no near side to prefer. */
  private readonly common: Sight;
  /** The entries that have an address on a subnet, by the subnet. */
  private readonly bySubnet = new Map<string, number[]>();

  constructor(lab: Lab) {
    const nearFirst = lab.nodes.length <= NEAR_FIRST_NODES;
    this.entries = lab.nodes.map((node) => entryOf(node, lab, nearFirst));
    const text = this.entries.map((entry) => entry.text).join('');
    this.base = contentHash(text);
    this.common = { key: this.base, files: () => ({ hosts: HEAD + text }) };
    for (const [i, { lines }] of this.entries.entries()) {
      for (const { subnet } of lines) this.bySubnet.set(subnet, [...(this.bySubnet.get(subnet) ?? []), i]);
    }
  }

  filesOf(node: Node): Sight {
    const near = this.nearEntries(node);
    if (near.size === 0 && node.hosts.length === 0 && node.dns === undefined) return this.common;
    const own = node.hosts.map(({ address, names }) => `${address} ${names.join(' ')}\n`).join('');
    const resolv = node.dns === undefined ? undefined : resolvConf(node.dns);
    const moved = [...near].map(([i, text]) => `${i} ${text}`);
    const key = [this.base, ...moved, own, resolv ?? ''].join('\0');
    const hosts = (): string => HEAD + this.entries.map(({ text }, i) => near.get(i) ?? text).join('') + own;
    const files = (): Files =>
      resolv === undefined ? { hosts: hosts() } : { hosts: hosts(), 'resolv.conf': resolv };
    return { key, files };
  }

  /** The entries whose lines stand in another order for this reader: the near side of a router comes first. */
  private nearEntries(reader: Node): ReadonlyMap<number, string> {
    const near = new Map<number, string>();
    if (this.bySubnet.size === 0) return near;
    const attached = attachedSubnets(reader);
    const candidates = new Set<number>();
    for (const subnet of attached) for (const i of this.bySubnet.get(subnet) ?? []) candidates.add(i);
    for (const i of [...candidates].sort((a, b) => a - b)) {
      const entry = this.entries[i];
      if (entry === undefined) continue;
      const isNear = ({ subnet }: { subnet: string }): boolean => attached.has(subnet);
      const far = entry.lines.filter((line) => !isNear(line));
      const text = [
        ...entry.lines.filter(isNear).map((line) => line.near),
        ...far.map((line) => line.text),
      ].join('');
      if (text !== entry.text) near.set(i, text);
    }
    return near;
  }
}

function entryOf(node: Node, lab: Lab, nearFirst: boolean): Entry {
  const lines: { text: string; near: string; ip: IpInterface }[] = [];
  const count = { 4: 0, 6: 0 };
  let text = '';
  let hasAliases = false;
  for (const { addresses, aliases = [] } of node.interfaces) {
    hasAliases ||= aliases.length > 0;
    for (const address of addresses) {
      if (!isReachable(address)) continue;
      const { ip } = address;
      const line = `${addressOf(ip)} ${node.name} ${node.name}.${lab.name}\n`;
      const near = aliases.length === 0 ? line : `${line.trimEnd()} ${aliases.join(' ')}\n`;
      lines.push({ text: line, near, ip });
      text += line;
      count[ipFamily(ip)]++;
    }
  }
  const matters = hasAliases || (nearFirst && (count[4] > 1 || count[6] > 1));
  if (!matters) return { text, lines: [] };
  return { text, lines: lines.map(({ ip, ...line }) => ({ ...line, subnet: subnetOf(ip) })) };
}

type Address = Node['interfaces'][number]['addresses'][number];

/** A link-local address means nothing without its link, and a loopback address is everybody's own. */
function isReachable({ ip, scope }: Address): boolean {
  if (scope === 'link' || scope === 'host') return false;
  return !/^(127\.|fe[89ab]|::1\/)/.test(ip);
}

function attachedSubnets(node: Node): ReadonlySet<string> {
  const subnets = new Set<string>();
  for (const { addresses } of node.interfaces) {
    for (const { ip, peer } of addresses) {
      subnets.add(subnetOf(ip));
      if (peer !== undefined) subnets.add(subnetOf(peer));
    }
  }
  return subnets;
}

function resolvConf({ servers, search, options }: Dns): string {
  const lines = servers.map((server) => `nameserver ${server}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}
