// A lab as the file that a person would have written for it: the way back of lower.ts, so that loading what this makes gives the
// same lab again. Short forms where they say all, and nothing that holds without being said. Pools and variables do not come
// back: what they came to is written out.

import { isDeepStrictEqual } from 'node:util';
import { durationText, percentText, rateText } from '../base/units.ts';
import type { Interface } from '../model/interface.ts';
import type { Dns, HostsEntry, Impairment, Lab, Link, Node } from '../model/lab.ts';
import type { TestSpec } from '../model/test-spec.ts';
import { given } from './given.ts';
import { BRIDGE, HOST } from './lower-nodes.ts';
import { impliedSysctls, routerSysctls } from './lower-settings.ts';
import { describeProbe } from './lower-tests.ts';
import { firewallKeys, natEntries } from './raise-filter.ts';
import {
  bridgeKeysOf,
  endText,
  FileNames,
  interfaceKeys,
  isHostEnd,
  type Keys,
  takesIpv6Default,
} from './raise-interface.ts';
import {
  type Lowered,
  type Memberships,
  networkKeys,
  raiseNetworks,
  type Written,
} from './raise-networks.ts';
import { neighbourEntry, routeEntry, ruleEntry } from './raise-routing.ts';
import { containerKeys } from './schema-container.ts';

/** The lab as the value of a topology file. */
export function raiseLab(lab: Lab, written: Written): Keys {
  return new Raising(lab, raiseNetworks(lab, written)).file();
}

class Raising {
  private readonly lab: Lab;
  private readonly names: FileNames;
  private readonly lowered: Lowered;
  private readonly links: readonly Link[];
  private readonly plan: LinkPlan;
  private readonly ipv6: boolean;

  constructor(lab: Lab, lowered: Lowered) {
    this.lab = lab;
    this.lowered = lowered;
    this.names = new FileNames(lab);
    this.links = lab.links.filter((link) => !lowered.links.has(link));
    this.ipv6 = saysIpv6(
      lab.nodes.filter(({ place }) => place !== null).flatMap((node) => this.askingIpv6(node)),
    );
    this.plan = planLinks(lab, this.links, lowered);
  }

  file(): Keys {
    const { lab } = this;
    const { prefix, description } = lab;
    const nodes = Object.fromEntries(lab.nodes.flatMap((node) => this.node(node)));
    const links = this.links.map((link) => this.link(link));
    return given({
      name: lab.name.slice(prefix.length),
      description,
      prefix: prefix === '' ? undefined : prefix,
      ipv6: this.ipv6 ? true : undefined,
      networks: Object.keys(this.lowered.networks).length > 0 ? this.lowered.networks : undefined,
      nodes: Object.keys(nodes).length > 0 ? nodes : undefined,
      links: links.length > 0 ? links : undefined,
      tests: lab.tests.length > 0 ? lab.tests.map(testKeys) : undefined,
    });
  }

  private askingIpv6(node: Node): Interface[] {
    return node.interfaces.filter(
      (iface) => takesIpv6Default(iface, node) && !this.lowered.interfaces.has(iface),
    );
  }

  /** None for the machine where only links name it. */
  private node(node: Node): [string, Keys][] {
    const keys = this.nodeKeys(node);
    const isNamed = this.links.some(({ ends }) => ends.some(isHostEnd)) || this.lowered.onHost;
    if (node.name === HOST && Object.keys(keys).length === 0 && isNamed) return [];
    return [[node.name, keys]];
  }

  private nodeKeys(node: Node): Keys {
    const { names } = this;
    const spot = { node, names };
    const name = (ifname: string) => names.of(node, ifname);
    const asking = this.askingIpv6(node);
    // What the whole file says needs no word of the node; the machine does not listen to it.
    const own = (node.place === null || !this.ipv6) && saysIpv6(asking);
    const ipv6 = { node: own || (node.place !== null && this.ipv6) };
    const bridge =
      node.kind === 'bridge' ? node.interfaces.find(({ name: one }) => one === BRIDGE) : undefined;
    const interfaces = this.plan.described(node).flatMap((iface): [string, Keys][] => {
      const keys = interfaceKeys(iface, { ...spot, ipv6 }, this.plan.shared(iface));
      if (iface !== bridge) return [[iface.name, keys]];
      // A bridge node says itself what its bridge is; only what every interface may have is left.
      const { addresses, mac, mtu, up, ipv6: word } = keys;
      const left = given({ mac, mtu, up, ipv6: word, addresses });
      return Object.keys(left).length === 0 ? [] : [[iface.name, left]];
    });
    const routes = node.routes.filter((route) => !this.lowered.routes.has(route));
    const router = isRouter(node);
    const file = router ? ({ kind: 'router' } as const) : {};
    const implied = impliedSysctls({ ...node, path: [], file }, node, node.sysctls);
    return given({
      kind: node.kind === 'bridge' ? 'bridge' : router ? 'router' : undefined,
      ...containerPart(node),
      networks: membershipsKey(this.lowered.members.get(node.name)),
      ...(bridge?.type === 'bridge' ? bridgeKeysOf(bridge) : {}),
      ipv6: own ? true : undefined,
      interfaces: interfaces.length > 0 ? Object.fromEntries(interfaces) : undefined,
      routes: nonEmpty(routes.map((route) => routeEntry(route, spot))),
      rules: nonEmpty(node.rules.map((rule) => ruleEntry(rule, spot))),
      neighbours: nonEmpty(node.neighbours.map((entry) => neighbourEntry(entry, spot))),
      nat: nonEmpty(natEntries(node.nat, name)),
      firewall: node.firewall === undefined ? undefined : firewallKeys(node.firewall, name),
      sysctls: sysctlKeys(node, implied),
      hosts: hostsKey(node.hosts),
      dns: node.dns === undefined ? undefined : dnsKey(node.dns),
      exec: nonEmpty(node.exec.map(commandEntry)),
      labels: Object.keys(node.labels).length > 0 ? node.labels : undefined,
    });
  }

  private link(link: Link): Keys {
    const [a, b] = link.ends;
    const [first, second] = link.impair;
    const same = isDeepStrictEqual(first, second);
    const endpoints = ([0, 1] as const).map((i) => {
      const impair = same ? undefined : link.impair[i];
      return this.endpoint(i === 0 ? a : b, impair === undefined ? {} : { impair: impairKeys(impair) });
    });
    const mtu = this.plan.mtuOf(link);
    return given({ endpoints, mtu, impair: same && first !== undefined ? impairKeys(first) : undefined });
  }

  private endpoint(end: Link['ends'][number], more: Keys): string | Keys {
    const node = this.lab.nodes.find(({ name }) => name === end.node);
    const iface = node?.interfaces.find(({ ifname }) => ifname === end.ifname);
    if (node === undefined || iface === undefined) return endText(end, this.names);
    const asking = this.askingIpv6(node);
    const ipv6 = { node: saysIpv6(asking) || (node.place !== null && this.ipv6) };
    const keys = this.plan.isAtLink(iface)
      ? interfaceKeys(iface, { node, names: this.names, ipv6 }, this.plan.shared(iface))
      : {};
    const all = { ...keys, ...more };
    const named = !this.plan.isNumbered(iface);
    if (Object.keys(all).length > 0)
      return { node: node.name, ...(named ? { interface: iface.name } : {}), ...all };
    return named ? `${node.name}:${iface.name}` : node.name;
  }
}

/** One word for all says less than one for each, but for a single interface only where that is all there is. */
function saysIpv6(asking: readonly Interface[]): boolean {
  return asking.length > 0 && asking.every(({ ipv6 }) => ipv6);
}

/** A container forwards as a router does where `kind: router` says so. */
function isRouter(node: Node): boolean {
  if (node.kind !== 'container') return node.kind === 'router';
  const isSaid = routerSysctls.every(({ key, value }, i) => {
    const sysctl = node.sysctls[i];
    return sysctl?.key === key && sysctl.value === value;
  });
  return isSaid && node.nat.length === 0;
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

function containerPart({ container }: Node): Keys {
  if (container === undefined) return {};
  const { image, rootfs, options } = container;
  const known = Object.keys(containerKeys).filter((key) => Object.hasOwn(options, key));
  return given({ image, rootfs, ...Object.fromEntries(known.map((key) => [key, options[key]])) });
}

function membershipsKey(members: Memberships | undefined): unknown {
  return members === undefined ? undefined : networkKeys(members);
}

/** What `kind` and `nat` imply is left out; what the file changed of it stands where it was written. */
function sysctlKeys(
  { sysctls }: Node,
  implied: readonly { readonly key: string; readonly value: string }[],
): Keys | undefined {
  const later = (key: string, from: number) => sysctls.slice(from).some((sysctl) => sysctl.key === key);
  let at = 0;
  for (const { key, value } of implied) {
    const next = sysctls[at];
    if (next?.key === key && next.value === value) at++;
    else if (!later(key, at)) break;
  }
  const own = sysctls.slice(at).map(({ key, value }): [string, unknown] => [key, numberOrText(value)]);
  return own.length === 0 ? undefined : Object.fromEntries(own);
}

/** A number where the text of that number is the same text. */
function numberOrText(text: string): string | number {
  return /^(0|-?[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text;
}

function hostsKey(entries: readonly HostsEntry[]): unknown {
  if (entries.length === 0) return undefined;
  const names = entries.map(({ names: [name = ''], names: all }) => (all.length === 1 ? name : undefined));
  const isMapping = names.every(
    (name, i) => name !== undefined && names.indexOf(name) === i && !isInteger(name),
  );
  if (!isMapping) return entries.map(({ address, names: all }) => `${address} ${all.join(' ')}`);
  return Object.fromEntries(entries.map(({ address, names: [name = ''] }) => [name, address]));
}

/** Keys of objects that look like a number come before all others, whatever order they were added in. */
function isInteger(name: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(name);
}

function dnsKey({ servers, search, options }: Dns): unknown {
  if (search.length === 0 && options.length === 0) return servers;
  return given({
    servers: nonEmpty(servers),
    search: nonEmpty(search),
    options: nonEmpty(options),
  });
}

function commandEntry(argv: readonly string[]): string | readonly string[] {
  const [shell, flag, command] = argv;
  const isText = argv.length === 3 && shell === '/bin/sh' && flag === '-c' && command?.trim() !== '';
  return isText && command !== undefined ? command : argv;
}

function impairKeys({ delay, jitter, loss, corrupt, duplicate, reorder, rate, limit }: Impairment): Keys {
  const time = (value: number | undefined) => (value === undefined ? undefined : durationText(value));
  const part = (value: number | undefined) => (value === undefined ? undefined : percentText(value));
  return given({
    delay: time(delay),
    jitter: time(jitter),
    loss: part(loss),
    corrupt: part(corrupt),
    duplicate: part(duplicate),
    reorder: part(reorder),
    rate: rate === undefined ? undefined : rateText(rate),
    limit,
  });
}

function testKeys({ name, from, probe, expect, within, points }: TestSpec): Keys {
  const target = 'target' in probe ? probe.target : 'url' in probe ? probe.url : probe.command;
  return given({
    from,
    [probe.kind]: target,
    expect: expect === 'ok' ? undefined : expect,
    within: within === 0 ? undefined : durationText(within * 1000),
    name: name === `${from}: ${describeProbe(probe)}` ? undefined : name,
    points: points === 1 ? undefined : points,
  });
}

/** Where each end of a wire is described and what it is called. */
type LinkPlan = {
  /** The interfaces that a node describes itself, in their order. */
  readonly described: (node: Node) => readonly Interface[];
  readonly isAtLink: (iface: Interface) => boolean;
  /** True for a port of a bridge node that gets its name by itself. */
  readonly isNumbered: (iface: Interface) => boolean;
  readonly mtuOf: (link: Link) => number | undefined;
  /** What its link says for both ends. */
  readonly shared: (iface: Interface) => { readonly mtu?: number };
};

type End = { readonly node: Node; readonly iface: Interface; readonly link: Link; readonly at: number };

function planLinks(lab: Lab, links: readonly Link[], lowered: Lowered): LinkPlan {
  const ends = endsOf(lab, links);
  const byIface = new Map(ends.map((end) => [end.iface, end]));
  const atLink = new Set<Interface>();
  for (const node of lab.nodes) for (const iface of lastAtLinks(node, byIface, lowered)) atLink.add(iface);
  const numbered = numberedPorts(ends);
  const mtus = new Map(links.map((link) => [link, commonMtu(ends.filter((end) => end.link === link))]));
  return {
    described: (node) =>
      node.interfaces.filter((iface) => !atLink.has(iface) && !lowered.interfaces.has(iface)),
    isAtLink: (iface) => atLink.has(iface),
    isNumbered: (iface) => numbered.has(iface),
    mtuOf: (link) => mtus.get(link),
    shared: (iface) => {
      const link = byIface.get(iface)?.link;
      const mtu = link === undefined ? undefined : mtus.get(link);
      return mtu === undefined ? {} : { mtu };
    },
  };
}

function endsOf(lab: Lab, links: readonly Link[]): End[] {
  const nodes = new Map(lab.nodes.map((node) => [node.name, node]));
  const byIfname = new Map(
    lab.nodes.map((node) => [node.name, new Map(node.interfaces.map((iface) => [iface.ifname, iface]))]),
  );
  return links.flatMap((link, index) =>
    link.ends.flatMap((ref, side) => {
      const node = nodes.get(ref.node);
      const iface = byIfname.get(ref.node)?.get(ref.ifname);
      return node === undefined || iface === undefined ? [] : { node, iface, link, at: 2 * index + side };
    }),
  );
}

function commonMtu([a, b]: readonly End[]): number | undefined {
  return a !== undefined && a.iface.mtu === b?.iface.mtu ? a.iface.mtu : undefined;
}

/**
 * Those that only their links name. The interfaces of a node are those that it describes and then those of the links, so these
 * are the last ones, as long as they are in the order of the links. A wire to the machine is described at its link with both ends,
 * and so are the ports of a bridge node; any other interface that has something to say is described under its node.
 */
function lastAtLinks(node: Node, byIface: ReadonlyMap<Interface, End>, lowered: Lowered): Interface[] {
  const found: Interface[] = [];
  let before = Number.POSITIVE_INFINITY;
  for (const iface of node.interfaces.toReversed()) {
    if (lowered.interfaces.has(iface)) continue;
    const end = byIface.get(iface);
    const fits = end !== undefined && end.at < before && iface.type === 'veth';
    if (!fits || !(isPlain(iface, node) || node.kind === 'bridge' || end.link.ends.some(isHostEnd))) break;
    before = end.at;
    found.push(iface);
  }
  return found;
}

/** Nothing to say but that it is there; an MTU may be that of the link. */
function isPlain(iface: Interface, node: Node): boolean {
  const { mac, up, addresses, master, port, ipv6 } = iface;
  const inBridge = master === undefined || (node.kind === 'bridge' && master === BRIDGE);
  const asksIpv6 = ipv6 && !takesIpv6Default(iface, node);
  return mac === undefined && up && addresses.length === 0 && inBridge && port === undefined && !asksIpv6;
}

/** The ports of bridge nodes that are called `p1`, `p2`, ... as they would be without a name in the file (lower-links.ts). */
function numberedPorts(ends: readonly End[]): ReadonlySet<Interface> {
  const ports = ends.filter(({ node }) => node.kind === 'bridge');
  let numbered = new Set(
    ports.filter(({ iface }) => /^p[1-9][0-9]*$/.test(iface.name)).map(({ iface }) => iface),
  );
  for (;;) {
    const kept = new Set<Interface>();
    const counters = new Map<Node, number>();
    const chosen = (node: Node, name: string) =>
      node.interfaces.some((iface) => iface.name === name && !numbered.has(iface));
    for (const { node, iface } of ports) {
      if (!numbered.has(iface)) continue;
      let number = counters.get(node) ?? 0;
      do number++;
      while (chosen(node, `p${number}`));
      counters.set(node, number);
      if (iface.name === `p${number}`) kept.add(iface);
    }
    if (kept.size === numbered.size) return kept;
    numbered = kept;
  }
}
