// What a lab should look like once it is up, straight from its data and without asking the planner: the other side of the property
// that the planned ops make exactly the lab.

import { qdiscOf } from '../../src/model/impairment.ts';
import type { Interface } from '../../src/model/interface.ts';
import type { Lab, Node } from '../../src/model/lab.ts';
import { labGroup, tableName } from '../../src/plan/mark.ts';
import { canonical, type DeviceSnapshot, type Snapshot, type SpaceSnapshot } from './fake-machine.ts';

/** How IPv6 is kept off is the planner's choice: compared by the devices' modes, not by this key. */
const MEANS = 'net.ipv6.conf.default.addr_gen_mode';

/** The parts of a snapshot that the lab decides; names of other nodes are tested on their own. */
export function comparable(snapshot: Snapshot, lab: Lab): Snapshot {
  const loose = looseMtus(lab);
  const entries = Object.entries(snapshot).map(([place, space]) => {
    const { [MEANS]: _means, ...sysctls } = space.sysctls;
    const devices = Object.entries(space.devices).map(([name, device]) => [
      name,
      loose.has(`${place} ${name}`) ? { ...device, mtu: 0, addrgenmode: undefined } : device,
    ]);
    return [place, { ...space, devices: Object.fromEntries(devices), sysctls, etc: {} }];
  });
  return Object.fromEntries(entries);
}

/**
 * Devices whose MTU the file leaves to what they stand on, when that is a bridge: it follows its ports while they come, and what
 * stands on it takes over whatever it has at that moment.
 */
function looseMtus(lab: Lab): ReadonlySet<string> {
  const loose = new Set<string>();
  const isLoose = (node: Node, iface: Interface): boolean => {
    if (iface.mtu !== undefined) return false;
    if (iface.type === 'bridge') {
      return node.interfaces.some((port) => port.master === iface.ifname && isLoose(node, port));
    }
    if (!('link' in iface) || iface.link === undefined) return false;
    const { link } = iface;
    const home = lab.nodes.find((n) => n.place === link.place);
    const parent = home?.interfaces.find((i) => i.ifname === link.ifname);
    return home !== undefined && parent !== undefined && (parent.type === 'bridge' || isLoose(home, parent));
  };
  for (const node of lab.nodes) {
    for (const iface of node.interfaces) {
      if (isLoose(node, iface)) loose.add(`${node.place ?? 'host'} ${iface.ifname}`);
    }
  }
  return loose;
}

/** `before` is the machine without the lab. */
export function desiredState(lab: Lab, before: Snapshot): Snapshot {
  const spaces: Record<string, SpaceSnapshot> = { ...before };
  for (const node of lab.nodes) {
    const place = node.place ?? 'host';
    const old = before[place];
    spaces[place] = {
      devices: { ...old?.devices, ...devicesOf(lab, node, old) },
      routes: [...(old?.routes ?? []), ...node.routes.map(withoutPath)].sort(),
      rules: [...(old?.rules ?? []), ...node.rules.map(withoutPath)].sort(),
      neighbours: [...(old?.neighbours ?? []), ...node.neighbours.map(withoutPath)].sort(),
      sysctls: { ...old?.sysctls, ...sysctlsOf(node) },
      tables: [...(old?.tables ?? []), ...tablesOf(lab, node)].sort(),
      etc: {},
    };
  }
  const host = spaces['host'];
  if (host !== undefined) spaces['host'] = { ...host, devices: withoutNics(lab, host.devices) };
  return comparable(spaces, lab);
}

function withoutPath({ path, ...rest }: { readonly path: string }): string {
  return JSON.stringify(rest);
}

function sysctlsOf(node: Node): Record<string, string> {
  const last = new Map(node.sysctls.map(({ key, value }) => [key, value]));
  return Object.fromEntries([...last].filter(([, value]) => value !== '0'));
}

function tablesOf(lab: Lab, node: Node): string[] {
  const { input, forward, output } = node.firewall ?? {};
  const some = node.nat.length > 0 || [input, forward, output].some((chain) => chain !== undefined);
  return some ? [`inet ${tableName(lab.name, node.place)}`] : [];
}

function withoutNics(lab: Lab, devices: SpaceSnapshot['devices']): SpaceSnapshot['devices'] {
  const moved = lab.nodes.flatMap((n) =>
    n.interfaces.flatMap((i) => (i.type === 'physical' ? [i.device as string] : [])),
  );
  return Object.fromEntries(Object.entries(devices).filter(([name]) => !moved.includes(name)));
}

function devicesOf(lab: Lab, node: Node, old: SpaceSnapshot | undefined): Record<string, DeviceSnapshot> {
  const devices = Object.fromEntries(node.interfaces.map((i) => [i.ifname, deviceOf(lab, node, i)]));
  const lo = old?.devices['lo'];
  if (lo !== undefined && devices['lo'] === undefined) return devices;
  return { lo: { ...emptyDevice, type: 'loopback', mtu: 65536 }, ...devices };
}

const emptyDevice: DeviceSnapshot = {
  type: '',
  up: true,
  mtu: 1500,
  group: 0,
  mac: undefined,
  altnames: [],
  master: undefined,
  peer: undefined,
  addrgenmode: undefined,
  addresses: [],
  data: '{}',
  port: {},
  vlans: [],
  fdb: [],
  wireguard: undefined,
  qdisc: undefined,
};

function deviceOf(lab: Lab, node: Node, iface: Interface): DeviceSnapshot {
  const mtu = mtuOf(lab, iface);
  const master = node.interfaces.find((i) => i.ifname === iface.master);
  const { vlan, vlans, ...port } = iface.port ?? {};
  const noMode = mtu < 1280 || iface.type === 'loopback' || master?.type === 'bond';
  return {
    ...emptyDevice,
    type: iface.type === 'physical' ? 'nic' : iface.type,
    up: iface.up,
    mtu,
    group:
      node.place === null && iface.type !== 'loopback' && iface.type !== 'physical' ? labGroup(lab.name) : 0,
    mac: iface.mac ?? (iface.type === 'physical' ? '02:00:5e:00:00:01' : undefined),
    altnames: iface.altname === undefined ? [] : [iface.altname],
    master: iface.master,
    peer: iface.type === 'veth' ? `${iface.peer.place ?? 'host'} ${iface.peer.ifname}` : undefined,
    addrgenmode: noMode ? undefined : iface.ipv6 ? 'eui64' : 'none',
    addresses: iface.addresses.map(withoutPath),
    data: dataOf(iface),
    port,
    vlans: vlansOf(iface, master),
    fdb: iface.type === 'vxlan' ? [...iface.remotes].sort() : [],
    wireguard:
      iface.type === 'wireguard'
        ? JSON.stringify([iface.private_key, iface.listen_port, iface.fwmark, iface.peers])
        : undefined,
    qdisc: qdiscAt(lab, node, iface),
  };
}

function qdiscAt({ links }: Lab, { name }: Node, { ifname, mtu }: Interface): string | undefined {
  const given = links.flatMap(({ ends, impair }) =>
    impair.filter((_, i) => ends[i]?.node === name && ends[i]?.ifname === ifname),
  );
  const qdisc = given[0] === undefined ? undefined : qdiscOf(given[0], mtu);
  return qdisc === undefined ? undefined : canonical(qdisc);
}

function mtuOf(lab: Lab, iface: Interface): number {
  if (iface.mtu !== undefined) return iface.mtu;
  if (iface.type === 'loopback') return 65536;
  if (iface.type === 'bridge') {
    const node = lab.nodes.find((n) => n.interfaces.includes(iface));
    const ports = node?.interfaces.filter(({ master }) => master === iface.ifname) ?? [];
    return ports.length === 0 ? 1500 : Math.min(...ports.map((port) => mtuOf(lab, port)));
  }
  if (!('link' in iface) || iface.link === undefined) return 1500;
  const { link } = iface;
  const parent = lab.nodes
    .find((n) => n.place === link.place)
    ?.interfaces.find((i) => i.ifname === link.ifname);
  return parent === undefined ? 1500 : mtuOf(lab, parent);
}

function dataOf(iface: Interface): string {
  const { name, ifname, altname, mac, mtu, up, addresses, master, port, ipv6, path, ...data } = iface;
  switch (data.type) {
    case 'veth':
    case 'physical':
    case 'loopback':
      return '{}';
    case 'wireguard':
      return canonical({ type: data.type });
    case 'tun':
    case 'tap':
      return canonical({ type: data.type, uid: data.owner, gid: data.group });
    default: {
      const link = 'link' in data ? data.link : undefined;
      return canonical({ ...data, link: link && `${link.place} ${link.ifname}` });
    }
  }
}

function vlansOf(iface: Interface, master: Interface | undefined): string[] {
  if (master?.type !== 'bridge') return [];
  const { vlan, vlans = [] } = iface.port ?? {};
  const untagged = vlan ?? master.vlan_default_pvid ?? 1;
  const tagged = vlans.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
  const all = new Set([...tagged, ...(untagged === 0 ? [] : [untagged])]);
  return [...all]
    .sort((a, b) => a - b)
    .map((vid) => `${vid}${isUntagged(vid, { vlan, untagged, tagged }) ? ' pvid' : ''}`);
}

/** `bridge vlan add` of a tagged range takes the default VLAN along, unless the file names it as the untagged one. */
function isUntagged(
  vid: number,
  { vlan, untagged, tagged }: { vlan: number | undefined; untagged: number; tagged: readonly number[] },
): boolean {
  return vid === untagged && (vlan !== undefined || !tagged.includes(vid));
}
