// Drafts of interfaces to interfaces of the model: names that refer to others become kernel names, texts become values,
// defaults are filled in, and what another stands on comes first. What each type needs is ip-link(8)'s.

import { ipFamily } from '../base/ip.ts';
import { type IfName, parseIfName } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import { parseDuration } from '../base/units.ts';
import type { BridgePort, EndRef, Interface, InterfaceType } from '../model/interface.ts';
import { type DraftInterface, type DraftNode, findInterface, keyPath, type Lowering } from './draft.ts';
import { given } from './given.ts';
import { addressesOf } from './lower-addresses.ts';
import { findNode, HOST } from './lower-nodes.ts';
import { lowerWireguard } from './lower-wireguard.ts';
import { type Path, pathText } from './problems.ts';
import type { InterfaceFile } from './schema-interface.ts';
import { quote, readAddress, readMac, readUnit } from './values.ts';

type FileOf<T extends string> = Extract<InterfaceFile, { readonly type: T }>;

/** The interfaces of a node, in an order in which they can be made. */
export function lowerInterfaces(lab: Lowering, node: DraftNode): Interface[] {
  const made: Interface[] = [];
  for (const draft of node.interfaces.values()) {
    const lowered = lowerInterface(lab, draft);
    if (lowered !== undefined) made.push(lowered);
  }
  return inOrder(node, made);
}

function lowerInterface(lab: Lowering, draft: DraftInterface): Interface | undefined {
  const type = lowerType(lab, draft);
  if (type === undefined) return undefined;
  const { keys } = draft;
  const mac = keys.mac === undefined ? undefined : readMac(keys.mac, at(lab, draft, 'mac'));
  const master = keys.master === undefined ? undefined : readMaster(lab, draft, keys.master);
  const port = keys.port === undefined ? undefined : readPort(lab, draft);
  const mtu = keys.mtu ?? defaultMtu(lab, draft);
  // Assigned one by one, and not spread: a big lab has thousands of these.
  const made: Partial<Writable<Interface>> = { name: draft.name, ifname: draft.ifname };
  if (draft.altname !== undefined) made.altname = draft.altname;
  if (mac !== undefined) made.mac = mac;
  if (mtu !== undefined) made.mtu = mtu;
  if (master !== undefined) made.master = master;
  if (port !== undefined) made.port = port;
  made.up = keys.up ?? true;
  made.addresses = addressesOf(draft);
  made.ipv6 = hasIpv6(lab, draft);
  if (draft.aliases !== undefined) made.aliases = draft.aliases;
  made.path = pathText(draft.path);
  return Object.assign(made, type) as Interface;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function at(lab: Lowering, draft: DraftInterface, key: string): { report: Lowering['report']; path: Path } {
  return { report: lab.report, path: keyPath(draft, key) };
}

/** A bond is among them because it gives its own MTU to its ports (bond_enslave()). */
const takeDefaultMtu: ReadonlySet<NonNullable<DraftInterface['keys']['type']>> = new Set([
  'veth',
  'bridge',
  'dummy',
  'tun',
  'tap',
  'bond',
  'ifb',
]);

/** A default is for what sends frames itself; a VLAN or a tunnel takes what its parent leaves it. */
function defaultMtu(lab: Lowering, { keys: { type = 'veth' } }: DraftInterface): number | undefined {
  return takeDefaultMtu.has(type) ? lab.file.defaults?.mtu : undefined;
}

/** The nearest word decides; without any, an interface with an IPv6 address has IPv6. A bridge and its ports have none. */
function hasIpv6(lab: Lowering, draft: DraftInterface): boolean {
  const addressed = addressesOf(draft).some(({ ip }) => ipFamily(ip) === 6);
  const { ipv6 } = draft.keys;
  if (ipv6 === false && addressed) {
    const message = 'the interface has an IPv6 address, and `ipv6: false` as well';
    lab.report.fail(keyPath(draft, 'ipv6'), 'INTERFACE_CONFLICT', message);
  }
  if (addressed) return true;
  if (ipv6 !== undefined) return ipv6;
  if (draft.keys.type === 'loopback' || isSwitch(draft)) return false;
  const { file, place } = draft.node;
  // The machine keeps IPv6 as it is; only what the file says of its interface counts there.
  if (place === null) return file.ipv6 ?? false;
  return file.ipv6 ?? lab.file.defaults?.ipv6 ?? lab.file.ipv6 ?? false;
}

function isSwitch(draft: DraftInterface): boolean {
  if (draft.keys.master !== undefined) {
    return findInterface(draft.node, draft.keys.master)?.keys.type === 'bridge';
  }
  return draft.node.kind === 'bridge';
}

function readMaster(lab: Lowering, draft: DraftInterface, name: string): IfName | undefined {
  const network = /^network:(.*)$/.exec(name)?.[1];
  if (network !== undefined) return readNetwork(lab, draft, network);
  return readDevice(lab, { node: draft.node, name, path: keyPath(draft, 'master') });
}

/** The bridge of a network of containers, which has the lab's name in its own. */
function readNetwork(lab: Lowering, draft: DraftInterface, name: string): IfName | undefined {
  const found = lab.networks.find((network) => network.name === name);
  const path = keyPath(draft, 'master');
  if (found === undefined)
    return lab.report.fail(path, 'NETWORK_UNDEFINED', `there is no network ${quote(name)}`);
  if (draft.node.place === null)
    return 'draft' in found.bridge ? found.bridge.draft.ifname : found.bridge.other.bridge;
  return lab.report.fail(
    path,
    'INTERFACE_CONFLICT',
    'the bridge of a network is on the machine, not in the node',
  );
}

/** An interface of the node by its name. The machine has others than those of the file. */
export function readDevice(
  lab: Lowering,
  { node, name, path }: { node: DraftNode; name: string; path: Path },
): IfName | undefined {
  const found = findInterface(node, name);
  if (found !== undefined) return found.ifname;
  if (name === 'lo') return name as IfName;
  const parsed = parseIfName(name);
  if (node.place === null && parsed.ok) return parsed.value;
  const hint = lab.report.nearName(name, () => node.interfaces.keys()) ?? interfaceList(node);
  return lab.report.fail(
    path,
    'INTERFACE_UNDEFINED',
    `${quote(node.name)} has no interface ${quote(name)}`,
    hint,
  );
}

function interfaceList(node: DraftNode): string | undefined {
  const names = [...node.interfaces.keys()];
  if (names.length === 0) return undefined;
  return `it has ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', ...' : ''}`;
}

function readPort(lab: Lowering, draft: DraftInterface): BridgePort {
  const { vlans, ...rest } = draft.keys.port ?? {};
  if (vlans === undefined) return rest;
  const path = [...keyPath(draft, 'port'), 'vlans'];
  const ranges = vlans.flatMap((value, index) => readVlans(lab, value, [...path, index]) ?? []);
  return { ...rest, vlans: ranges };
}

function readVlans(
  lab: Lowering,
  value: number | string,
  path: Path,
): { from: number; to: number } | undefined {
  const match = /^([0-9]{1,4})(?:\s*-\s*([0-9]{1,4}))?$/.exec(String(value).trim());
  const from = Number(match?.[1]);
  const to = match?.[2] === undefined ? from : Number(match[2]);
  if (match === null || from < 1 || to > 4094 || to < from) {
    return lab.report.fail(
      path,
      'VLAN_INVALID',
      `${quote(value)} is not a VLAN from 1 to 4094, or a range as 20-30`,
    );
  }
  return { from, to };
}

function lowerType(lab: Lowering, draft: DraftInterface): InterfaceType | undefined {
  const type = draft.keys.type ?? 'veth';
  if (type === 'loopback') return { type };
  if (type === 'veth') return lowerVeth(lab, draft);
  if (draft.wire !== undefined) return undefined;
  return lowerTyped(lab, draft, draft.keys as unknown as Exclude<InterfaceFile, { type?: 'veth' }>);
}

function lowerVeth(lab: Lowering, draft: DraftInterface): InterfaceType | undefined {
  if (draft.wire !== undefined) return { type: 'veth', peer: refTo(draft.wire.peer) };
  const hint = `add a link with the end "${draft.node.name}:${draft.name}", or a \`type\` (dummy, bridge, vlan, ...)`;
  lab.report.add({
    code: 'INTERFACE_NO_LINK',
    message: `no link ends at ${draft.node.name}:${draft.name}`,
    hint: nearbyEnd(lab, draft) ?? hint,
    path: draft.path,
    part: 'key',
  });
  return undefined;
}

/** An interface of the node that a link names and nothing describes, and that is called nearly the same. */
function nearbyEnd(lab: Lowering, draft: DraftInterface): string | undefined {
  return lab.report.nearName(draft.name, () =>
    [...draft.node.interfaces.values()].filter(({ path }) => path[0] === 'links').map(({ name }) => name),
  );
}

export function refTo(draft: DraftInterface): EndRef {
  return { node: draft.node.name, place: draft.node.place, ifname: draft.ifname };
}

function lowerTyped(
  lab: Lowering,
  draft: DraftInterface,
  keys: Exclude<InterfaceFile, { type?: 'veth' }>,
): InterfaceType | undefined {
  switch (keys.type) {
    case 'bridge':
      return lowerBridge(lab, draft, keys);
    case 'vlan': {
      const link = readLinkKey(lab, draft, keys.link);
      return link && { type: 'vlan', link, id: keys.id, protocol: keys.protocol ?? '802.1Q' };
    }
    case 'vxlan':
      return lowerVxlan(lab, draft, keys);
    case 'macvlan': {
      const link = readLinkKey(lab, draft, keys.link);
      return link && { type: 'macvlan', link, mode: keys.mode ?? 'bridge' };
    }
    case 'ipvlan': {
      const link = readLinkKey(lab, draft, keys.link);
      return link && { type: 'ipvlan', link, mode: keys.mode ?? 'l2', flag: keys.flag ?? 'bridge' };
    }
    case 'dummy':
    case 'ifb':
      return { type: keys.type };
    case 'vrf':
      return { type: 'vrf', table: keys.table };
    case 'wireguard':
      return lowerWireguard(lab, draft, keys);
    case 'tun':
    case 'tap':
      return { type: keys.type, ...given({ owner: keys.owner, group: keys.group }) };
    case 'gre':
    case 'gretap':
      return lowerGre(lab, draft, keys);
    case 'bond': {
      const miimon = readTime(lab, draft, { key: 'miimon', unit: 1e3 });
      return { type: 'bond', mode: keys.mode ?? 'balance-rr', ...given({ miimon }) };
    }
    case 'physical':
      return lowerPhysical(lab, draft, keys);
    default:
      return assertNever(keys);
  }
}

/** A time of the file in the kernel's unit, given as its number of microseconds. */
function readTime(
  lab: Lowering,
  draft: DraftInterface,
  { key, unit }: { key: string; unit: number },
): number | undefined {
  const value = (draft.keys as Record<string, unknown>)[key] as string | number | undefined;
  if (value === undefined) return undefined;
  const micros = readUnit(parseDuration(value), at(lab, draft, key));
  return micros === undefined ? undefined : micros / unit;
}

function lowerBridge(lab: Lowering, draft: DraftInterface, keys: FileOf<'bridge'>): InterfaceType {
  const time = (key: string) => readTime(lab, draft, { key, unit: 1e6 });
  return {
    type: 'bridge',
    ...given({
      stp: keys.stp,
      vlan_filtering: keys.vlan_filtering,
      vlan_default_pvid: keys.vlan_default_pvid,
      ageing_time: time('ageing_time'),
      forward_delay: time('forward_delay'),
      hello_time: time('hello_time'),
      max_age: time('max_age'),
      priority: keys.priority,
      group_fwd_mask: keys.group_fwd_mask,
      mcast_snooping: keys.mcast_snooping,
    }),
  };
}

/** `eth0` of the same node, or `node:eth0`. */
function readLinkKey(lab: Lowering, draft: DraftInterface, text: string): EndRef | undefined {
  const path = keyPath(draft, 'link');
  const colon = text.indexOf(':');
  if (colon < 0) {
    const ifname = readDevice(lab, { node: draft.node, name: text, path });
    return ifname && { node: draft.node.name, place: draft.node.place, ifname };
  }
  const name = text.slice(0, colon);
  const device = text.slice(colon + 1);
  const node = name === HOST ? lab.byName.get(HOST) : findNode(lab, name, path);
  if (name === HOST && node === undefined) return readHostDevice(lab, device, path);
  if (node === undefined) {
    const hint = lab.report.nearName(name, () => [...lab.byName.keys(), HOST]);
    return lab.report.fail(path, 'NODE_UNDEFINED', `there is no node ${quote(name)}`, hint);
  }
  const ifname = readDevice(lab, { node, name: device, path });
  return ifname && { node: node.name, place: node.place, ifname };
}

/** An interface of the machine that the lab only stands on. */
function readHostDevice(lab: Lowering, name: string, path: Path): EndRef | undefined {
  const parsed = parseIfName(name);
  if (!parsed.ok)
    return lab.report.fail(path, 'IFNAME_INVALID', `interface name ${quote(name)} ${parsed.error}`);
  return { node: HOST as EndRef['node'], place: null, ifname: parsed.value };
}

function lowerVxlan(lab: Lowering, draft: DraftInterface, keys: FileOf<'vxlan'>): InterfaceType {
  const address = (key: 'local' | 'remote') => {
    const text = keys[key];
    return text === undefined ? undefined : readAddress(text, at(lab, draft, key));
  };
  const remotesPath = keyPath(draft, 'remotes');
  const remotes = (keys.remotes ?? []).flatMap(
    (text, index) => readAddress(text, { report: lab.report, path: [...remotesPath, index] }) ?? [],
  );
  const link = keys.link === undefined ? undefined : readLinkKey(lab, draft, keys.link);
  return {
    type: 'vxlan',
    id: keys.id,
    remotes,
    dstport: keys.dstport ?? 4789,
    learning: keys.learning ?? true,
    ...given({ local: address('local'), remote: address('remote'), link, ttl: keys.ttl }),
  };
}

function lowerGre(
  lab: Lowering,
  draft: DraftInterface,
  keys: FileOf<'gre' | 'gretap'>,
): InterfaceType | undefined {
  const local = readAddress(keys.local, at(lab, draft, 'local'));
  const remote = readAddress(keys.remote, at(lab, draft, 'remote'));
  if (local === undefined || remote === undefined) return undefined;
  if (ipFamily(local) !== ipFamily(remote)) {
    const { path } = at(lab, draft, 'remote');
    return lab.report.fail(path, 'ADDRESS_INVALID', 'the two ends of a tunnel are of different families');
  }
  return { type: keys.type, local, remote, ...given({ key: keys.key, ttl: keys.ttl }) };
}

function lowerPhysical(
  lab: Lowering,
  draft: DraftInterface,
  keys: FileOf<'physical'>,
): InterfaceType | undefined {
  const name = keys.device ?? draft.name;
  const { path } = at(lab, draft, 'device');
  if (draft.node.place === null) {
    const hint = 'name it in `routes`, `nat` or `link: host:NAME` as it is';
    return lab.report.fail(
      path,
      'INTERFACE_CONFLICT',
      'a NIC of the machine is in the machine already',
      hint,
    );
  }
  const parsed = parseIfName(name);
  if (parsed.ok) return { type: 'physical', device: parsed.value };
  const code = Buffer.byteLength(name) > 15 ? 'IFNAME_LONG' : 'IFNAME_INVALID';
  return lab.report.fail(path, code, `the name of the NIC, ${quote(name)}, ${parsed.error}`);
}

/**
 * Parents and masters first; otherwise the order of the file. A circle is left as it is, for the rules to report. No recursion:
 * a hostile file may stack interfaces ten thousand deep.
 */
function inOrder(node: DraftNode, made: readonly Interface[]): Interface[] {
  if (isInOrder(node, made)) return [...made];
  const byIfname = new Map(made.map((lowered) => [lowered.ifname, lowered]));
  const begun = new Set<Interface>();
  const order = new Set<Interface>();
  for (const first of made) {
    const open = [first];
    for (let lowered = open.at(-1); lowered !== undefined; lowered = open.at(-1)) {
      const missing = begun.has(lowered)
        ? []
        : needs(node, lowered).flatMap((ifname) => byIfname.get(ifname) ?? []);
      begun.add(lowered);
      const waiting = missing.filter((other) => !begun.has(other));
      if (waiting.length > 0) open.push(...waiting);
      else order.add(open.pop() ?? lowered);
    }
  }
  return [...order];
}

/** Whether everything comes after what it needs already, as in most files. */
function isInOrder(node: DraftNode, made: readonly Interface[]): boolean {
  const later = new Set(made.map(({ ifname }) => ifname));
  return made.every((lowered) => {
    const waits = lowered.master === undefined ? false : later.has(lowered.master);
    const stands = 'link' in lowered && lowered.link?.place === node.place && later.has(lowered.link.ifname);
    later.delete(lowered.ifname);
    return !waits && !stands;
  });
}

function needs(node: DraftNode, lowered: Interface): IfName[] {
  const names = lowered.master === undefined ? [] : [lowered.master];
  if ('link' in lowered && lowered.link?.place === node.place) names.push(lowered.link.ifname);
  return names;
}
