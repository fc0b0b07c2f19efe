// Published ports of containers: which ports of the machine lead where. A port that the file leaves open is chosen here, the same
// one every time where it is free; a target is an address of the container that the machine itself reaches.

import { createHash } from 'node:crypto';
import {
  addressOf,
  type IpAddress,
  type IpPrefix,
  ipFamily,
  prefixContains,
  prefixLength,
  subnetOf,
} from '../base/ip.ts';
import type { Node } from '../model/lab.ts';
import {
  hasPort,
  type PublishedPort,
  portCount,
  portKey,
  portRangeText,
  portsMeet,
} from '../model/network.ts';
import { type PortText, parsePort } from '../model/port-text.ts';
import type { DraftInterface, DraftNode, Lowering } from './draft.ts';
import { addressesOf } from './lower-addresses.ts';
import { isInternal } from './lower-networks.ts';
import { type Path, pathText } from './problems.ts';

/** Where ports are chosen from: those that no program is told to use (RFC 6335), as Docker did. */
const FIRST_CHOICE = 49_153;
const LAST_CHOICE = 65_535;

const ANY: readonly IpAddress[] = ['0.0.0.0' as IpAddress, '::' as IpAddress];

type Entry = { readonly node: DraftNode; readonly text: PortText; readonly path: Path };
type Target = { readonly address: IpAddress; readonly subnet: IpPrefix };
type Claim = Pick<PublishedPort, 'proto' | 'address' | 'port'> & { readonly at: Path };

/** The published ports of all containers. `host` is the machine as far as it is known. */
export function lowerPorts(
  lab: Lowering,
  host: Pick<Node, 'interfaces' | 'routes'> | undefined,
): PublishedPort[] {
  const entries = lab.nodes.flatMap((node) => entriesOf(lab, node));
  if (entries.length === 0) return [];
  const publisher = new Publisher(lab, host);
  const isOpen = ({ text }: Entry) =>
    text.outside === undefined || portCount(text.outside) !== portCount(text.inside);
  // What the file chose itself is not given to others.
  const open: Entry[] = [];
  const made = new Map<Entry, PublishedPort[]>();
  for (const entry of entries) {
    if (isOpen(entry)) open.push(entry);
    else made.set(entry, publisher.publish(entry, entry.text));
  }
  for (const entry of open) made.set(entry, publisher.choose(entry));
  return entries.flatMap((entry) => made.get(entry) ?? []);
}

/** What a container's `ports` say; mistakes in them were told by lower-container.ts. */
function entriesOf(lab: Lowering, node: DraftNode): Entry[] {
  const { ports = [], network_mode: mode } = node.file;
  if (node.kind !== 'container' || ports.length === 0) return [];
  const path = [...node.path, 'ports'];
  if (mode === 'host' || mode?.startsWith('container:')) {
    const whose = mode === 'host' ? 'the machine' : mode.slice('container:'.length);
    const hint =
      mode === 'host' ? 'its ports are those of the machine; remove `ports`' : `write it to ${whose}`;
    const message = `${node.name} is in the network of ${whose} and publishes no ports itself`;
    lab.report.fail(path, 'INTERFACE_CONFLICT', message, hint);
    return [];
  }
  return ports.flatMap((port, index) => {
    const text = parsePort(port);
    return text.ok ? { node, text: text.value, path: [...path, index] } : [];
  });
}

class Publisher {
  private readonly lab: Lowering;
  private readonly host: Pick<Node, 'interfaces' | 'routes'> | undefined;
  private readonly claims: Claim[] = [];
  private readonly targets = new Map<DraftNode, { readonly 4?: Target; readonly 6?: Target } | undefined>();

  constructor(lab: Lowering, host: Pick<Node, 'interfaces' | 'routes'> | undefined) {
    this.lab = lab;
    this.host = host;
  }

  /** The entry with its ports known, once for each family. */
  publish(
    entry: Entry,
    { outside, inside }: Pick<PortText, 'outside' | 'inside'>,
    chosen = false,
  ): PublishedPort[] {
    const { node, text, path } = entry;
    const targets = this.targetsOf(node, path);
    if (targets === undefined || outside === undefined) return [];
    return (text.address === undefined ? ANY : [text.address]).flatMap((address) => {
      const family = ipFamily(address);
      const target = targets[family] ?? targets[family === 4 ? 6 : 4];
      if (target === undefined || !this.claim({ proto: text.proto, address, port: outside, at: path }))
        return [];
      return {
        node: node.name,
        proto: text.proto,
        address,
        port: outside,
        to: { ...target, port: inside },
        ...(chosen ? { chosen: true as const } : {}),
        path: pathText(path),
      };
    });
  }

  /** The same with a port of the machine for each of the container. */
  choose(entry: Entry): PublishedPort[] {
    const { from, to = from } = entry.text.inside;
    const found: PublishedPort[] = [];
    for (let inside = from; inside <= to; inside++) {
      const outside = this.freePort(entry, inside);
      if (outside === undefined) {
        const message = 'no port of the machine is left to choose';
        this.lab.report.fail(entry.path, 'POOL_EXHAUSTED', message, 'name the port of the machine');
        return found;
      }
      found.push(...this.publish(entry, { outside: { from: outside }, inside: { from: inside } }, true));
    }
    return found;
  }

  private freePort({ node, text }: Entry, inside: number): number | undefined {
    const machine = this.lab.machine();
    const { proto, address = ANY[0] as IpAddress } = text;
    const isTaken = (port: number) =>
      this.claims.some((claim) => claim.proto === proto && hasPort(claim.port, port));
    const kept = machine?.keptPorts.get(portKey({ node: node.name, proto, address, inside }));
    const { from: first, to: last = first } = text.outside ?? { from: FIRST_CHOICE, to: LAST_CHOICE };
    if (kept !== undefined && kept >= first && kept <= last && !isTaken(kept)) return kept;
    const room = last - first + 1;
    const start =
      text.outside === undefined ? hashOf(`${this.lab.name} ${node.name} ${inside}/${proto}`) % room : 0;
    for (let step = 0; step < room; step++) {
      const port = first + ((start + step) % room);
      if (!isTaken(port) && machine?.isFree(proto, port) !== false) return port;
    }
    return undefined;
  }

  /** Takes the ports; false, once it has been said, where another container of the file has one of them. */
  private claim(wanted: Claim): boolean {
    const first = this.claims.find((claim) => portsMeet(claim, wanted));
    this.claims.push(wanted);
    if (first === undefined) return true;
    // An entry for both families is told once.
    if (this.claims.filter(({ at }) => at === wanted.at).length > 1) return false;
    const { proto, port } = wanted;
    this.lab.report.add({
      code: 'PORT_CONFLICT',
      message: `port ${portRangeText(port)}/${proto} of the machine is published twice`,
      hint: 'give one of them another port, or another address of the machine',
      path: wanted.at,
      related: { message: 'the first one', path: first.at },
    });
    return false;
  }

  private targetsOf(node: DraftNode, path: Path) {
    if (this.targets.has(node)) return this.targets.get(node);
    const found: { 4?: Target; 6?: Target } = {};
    const { networks } = this.lab;
    const networkOf = (iface: DraftInterface) =>
      networks.find(({ members }) => members.some((member) => member.iface === iface));
    // Into an internal network nobody comes from outside of the machine, so such an address comes last.
    const isClosed = (iface: DraftInterface) => {
      const network = networkOf(iface);
      return network !== undefined && isInternal(network);
    };
    const interfaces = [...node.interfaces.values()].sort(
      (a, b) => Number(isClosed(a)) - Number(isClosed(b)),
    );
    for (const iface of interfaces) {
      for (const { ip } of addressesOf(iface)) {
        const address = addressOf(ip);
        if (networkOf(iface) === undefined && !this.reaches(address)) continue;
        found[ipFamily(ip)] ??= { address, subnet: subnetOf(ip) };
      }
    }
    const targets = found[4] === undefined && found[6] === undefined ? undefined : found;
    this.targets.set(node, targets);
    if (targets === undefined) {
      const message = `the machine does not reach any address of ${node.name}, so no port can lead there`;
      const hint = 'remove `network_mode`, add `network_mode: bridge`, or a link to `host` with addresses';
      this.lab.report.fail(path, 'PORT_UNREACHABLE', message, hint);
    }
    return targets;
  }

  /** By a subnet or a route that the lab gives to the machine. */
  private reaches(address: IpAddress): boolean {
    if (this.host === undefined) return false;
    const { interfaces, routes } = this.host;
    return (
      interfaces.some(({ addresses }) => addresses.some(({ ip }) => prefixContains(subnetOf(ip), address))) ||
      routes.some(({ type, to }) => type === 'unicast' && prefixLength(to) > 0 && prefixContains(to, address))
    );
  }
}

function hashOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
