// A device of the kernel as an interface of the model: what somebody asked for, and not what the kernel chooses by itself. The
// defaults are those of the drivers (drivers/net/*.c, net/bridge/br_device.c).

import { type IpInterface, ipFamily } from '../base/ip.ts';
import { ALTNAME_MAX, type MacAddress, type NodeName, parseMacAddress } from '../base/names.ts';
import { assertNever } from '../base/result.ts';
import { bridgeDefaults, isAutomaticAddress } from '../live/automatic.ts';
import type { LiveAddress, LiveDevice, LiveEnd, LivePort } from '../live/netns.ts';
import type {
  BridgeOptions,
  BridgePort,
  EndRef,
  Interface,
  InterfaceAddress,
  InterfaceType,
} from '../model/interface.ts';
import type { Place } from '../model/lab.ts';
import { shortIfname } from '../topology/lower-names.ts';
import type { Notes, Source } from './source.ts';

export type DeviceSpot = {
  readonly source: Source;
  readonly notes: Notes;
  /** The device at that end, where it is in the file; of the machine also one that is not. */
  readonly end: (end: LiveEnd) => EndRef | undefined;
  readonly place: Place;
  readonly name: NodeName;
};

/** Undefined for what no file can make; a note says so. */
export function interfaceOf(device: LiveDevice, spot: DeviceSpot): Interface | undefined {
  const type = typeOf(device, spot);
  if (type === undefined) return undefined;
  const { ifname, up, master } = device;
  const known = spot.source.record?.interfaces.find((iface) => iface.ifname === ifname);
  const addresses = addressesOf(device, spot, known);
  const { name, altname } = namesOf(device, spot);
  // A NIC comes with both; whether they are the lab's wish only its file knows.
  const nic = known?.type === 'physical' ? known : undefined;
  const mac = nic === undefined ? macOf(device, spot) : nic.mac;
  const mtu = nic === undefined ? mtuOf(device, spot) : nic.mtu;
  const port = device.port === undefined ? undefined : portOf(device.port, device, spot);
  noteRest(device, spot);
  return {
    name,
    ifname,
    ...(altname === undefined ? {} : { altname }),
    ...(mac === undefined ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
    up,
    addresses,
    ...(master === undefined ? {} : { master }),
    ...(port === undefined ? {} : { port }),
    ipv6: hasIpv6(device, spot) || addresses.some(({ ip }) => ipFamily(ip) === 6),
    ...(known?.aliases === undefined ? {} : { aliases: known.aliases }),
    path: '',
    ...type,
  };
}

function note({ notes, name }: DeviceSpot, text: string): undefined {
  notes.add(name, text);
  return undefined;
}

/** What holds a queue of its own by itself, or none. */
const plainQueues: ReadonlySet<string> = new Set([
  'noqueue',
  'pfifo_fast',
  'fq_codel',
  'fq',
  'mq',
  'noop',
  'pfifo',
]);

function noteRest({ ifname, qdisc, impair, data }: LiveDevice, spot: DeviceSpot): void {
  // The wire says it.
  if (impair !== undefined && data.type === 'veth') return;
  if (qdisc !== undefined && !plainQueues.has(qdisc))
    note(spot, `${ifname} has the queueing discipline ${qdisc}`);
}

function namesOf({ ifname, altnames }: LiveDevice, spot: DeviceSpot): { name: string; altname?: string } {
  const others = new Set<string>(spot.source.live.devices.map((device) => device.ifname));
  others.delete(ifname);
  const long = altnames.find(
    (name) => Buffer.byteLength(name) <= ALTNAME_MAX && shortIfname(name, others) === ifname,
  );
  for (const name of altnames) if (name !== long) note(spot, `${ifname} is also called ${name}`);
  return long === undefined ? { name: ifname } : { name: long, altname: long };
}

function masterOf({ master }: LiveDevice, { source }: DeviceSpot): LiveDevice | undefined {
  return source.live.devices.find(({ ifname }) => ifname === master);
}

/** IPv6 by `addr_gen_mode`. A bond keeps its ports free of addresses itself, and `lo` has its own. */
function hasIpv6(device: LiveDevice, spot: DeviceSpot): boolean {
  const { addrgenmode, ifname, data } = device;
  if (data.type === 'loopback' || masterOf(device, spot)?.data.type === 'bond') return false;
  if (addrgenmode === 'stable_secret' || addrgenmode === 'random') {
    note(spot, `${ifname} makes its link-local address in the way ${addrgenmode}`);
  }
  return addrgenmode !== undefined && addrgenmode !== 'none';
}

function macOf(device: LiveDevice, spot: DeviceSpot): MacAddress | undefined {
  const { ifname, mac, data } = device;
  if (mac === undefined || !spot.source.details.macs.has(ifname)) return undefined;
  if (data.type === 'loopback' || data.type === 'ipvlan' || data.type === 'other') return undefined;
  // A bond gives its own to its ports, and a vlan takes that of its parent.
  const master = masterOf(device, spot);
  if (master?.data.type === 'bond' && master.mac === mac) return undefined;
  if (data.type === 'vlan' || (data.type === 'macvlan' && data.mode === 'passthru')) {
    const parent = spot.source.live.devices.find((one) => one.ifindex === data.link.ifindex);
    if (parent?.mac === mac) return undefined;
  }
  const parsed = parseMacAddress(mac);
  return parsed.ok ? parsed.value : undefined;
}

const ETHERNET_MTU = 1500;

function mtuOf(device: LiveDevice, spot: DeviceSpot): number | undefined {
  const usual = usualMtu(device, spot);
  return usual === undefined || usual === device.mtu ? undefined : device.mtu;
}

/** What the kernel would give it; undefined where no other can be chosen. */
function usualMtu(device: LiveDevice, spot: DeviceSpot): number | undefined {
  const { data, ifname } = device;
  const { devices } = spot.source.live;
  const master = masterOf(device, spot);
  if (master?.data.type === 'bond') return master.mtu;
  const parentMtu = (end: LiveEnd) =>
    end.place === spot.source.live.place
      ? devices.find(({ ifindex }) => ifindex === end.ifindex)?.mtu
      : undefined;
  switch (data.type) {
    case 'bridge': {
      const ports = devices.filter((one) => one.master === ifname).map(({ mtu }) => mtu);
      return ports.length === 0 ? ETHERNET_MTU : Math.min(...ports);
    }
    case 'vlan':
    case 'macvlan':
    case 'ipvlan':
      return parentMtu(data.link) ?? ETHERNET_MTU;
    case 'vxlan': {
      const outer = data.link === undefined ? undefined : parentMtu(data.link);
      const six = (data.local ?? data.remote)?.includes(':') === true;
      return outer === undefined ? ETHERNET_MTU : outer - (six ? 70 : 50);
    }
    case 'gre':
    case 'gretap': {
      const six = data.local.includes(':');
      const plain = data.type === 'gre' ? (six ? 1448 : 1476) : six ? 1434 : 1462;
      return plain - (data.key === undefined ? 0 : 4);
    }
    case 'wireguard':
      return 1420;
    case 'loopback':
      return 65_536;
    case 'vrf':
      // As much as an IPv6 packet can have, which kernels have counted in different ways.
      return device.mtu >= 65_535 ? device.mtu : 65_575;
    case 'veth':
    case 'dummy':
    case 'ifb':
    case 'tun':
    case 'tap':
    case 'bond':
    case 'physical':
      return ETHERNET_MTU;
    case 'other':
      return undefined;
    default:
      return assertNever(data);
  }
}

function addressesOf(device: LiveDevice, spot: DeviceSpot, known: Interface | undefined): InterfaceAddress[] {
  return device.addresses.flatMap((address) => {
    if (isAutomaticAddress(address) || isLinkLocalOfMac(address, device)) return [];
    const { ip, peer, permanent, noprefixroute, nodad } = address;
    const text = `${device.ifname}: ${ip}`;
    if (!permanent) note(spot, `${text} has been given for a time only`);
    if (noprefixroute) note(spot, `${text} brings no route to its subnet (noprefixroute)`);
    const scope = scopeOf(address, () => note(spot, `${text} has scope ${address.scope}`));
    // Whether detection was asked for cannot be told from that it was not forbidden; a lab's own file knows.
    const said = known?.addresses.find((one) => one.ip === ip)?.nodad ?? true;
    return {
      ip,
      ...(peer === undefined ? {} : { peer }),
      ...(scope === undefined ? {} : { scope }),
      nodad: said || nodad,
      path: '',
    };
  });
}

/** On kernels that do not say whose an address is (before Linux 5.18). */
function isLinkLocalOfMac({ ip, proto }: LiveAddress, { mac }: LiveDevice): boolean {
  return proto === undefined && mac !== undefined && ip === linkLocal(mac);
}

/** RFC 4291, appendix A. */
function linkLocal(mac: string): IpInterface | undefined {
  const bytes = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const [a, b, c, d, e, f] = bytes;
  if (bytes.length !== 6 || a === undefined || b === undefined || c === undefined) return undefined;
  if (d === undefined || e === undefined || f === undefined) return undefined;
  const group = (high: number, low: number) => ((high << 8) | low).toString(16);
  return `fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}/64` as IpInterface;
}

function scopeOf({ ip, scope }: LiveAddress, strange: () => void): InterfaceAddress['scope'] {
  // Of IPv6 it is in the address.
  if (ipFamily(ip) === 6) return undefined;
  const usual = ip.startsWith('127.') ? 'host' : 'global';
  if (scope === usual) return undefined;
  if (scope === 'global' || scope === 'link' || scope === 'host') return scope;
  strange();
  return undefined;
}

/** net/bridge/br_if.c, port_cost(): of what has no speed, and of 10 Gbit/s, which a veth claims to be. */
const usualCosts: readonly number[] = [2, 100];
const USUAL_PRIORITY = 32;

function portOf(port: LivePort, { ifname }: LiveDevice, spot: DeviceSpot): BridgePort | undefined {
  const { cost, priority, hairpin, isolated, learning, guard, vlan, vlans, strangeVlans } = port;
  const bridge = spot.source.live.devices.find(
    (one) => one.ifname === spot.source.live.devices.find((device) => device.ifname === ifname)?.master,
  );
  const options = bridge?.data.type === 'bridge' ? bridge.data : undefined;
  const standard = options?.vlan_default_pvid ?? 1;
  const hasVlans = options?.vlan_filtering === true;
  if (hasVlans && vlan === undefined && standard !== 0) {
    note(spot, `${ifname}: untagged frames belong to no VLAN, and those of other ports to VLAN ${standard}`);
  }
  for (const { from, to } of hasVlans ? strangeVlans : []) {
    note(
      spot,
      `${ifname}: VLAN ${from === to ? from : `${from}-${to}`} is neither that of untagged frames nor tagged`,
    );
  }
  const keys: BridgePort = {
    ...(usualCosts.includes(cost) ? {} : { cost }),
    ...(priority === USUAL_PRIORITY ? {} : { priority }),
    ...(hairpin ? { hairpin } : {}),
    ...(isolated ? { isolated } : {}),
    ...(learning ? {} : { learning }),
    ...(guard ? { guard } : {}),
    ...(vlan === undefined || vlan === standard || !hasVlans ? {} : { vlan }),
    ...(vlans.length === 0 || !hasVlans ? {} : { vlans }),
  };
  return Object.keys(keys).length === 0 ? undefined : keys;
}

function typeOf(device: LiveDevice, spot: DeviceSpot): InterfaceType | undefined {
  const { data, ifname } = device;
  const known = spot.source.record?.interfaces.find((iface) => iface.ifname === ifname);
  // A NIC is what the file says it is; in a test it may be the end of a wire.
  if (known?.type === 'physical') return { type: 'physical', device: known.device };
  switch (data.type) {
    case 'veth': {
      const peer = spot.end(data.peer);
      return peer === undefined ? undefined : { type: 'veth', peer };
    }
    case 'loopback':
    case 'dummy':
    case 'ifb':
      return { type: data.type };
    case 'bridge':
      return { type: 'bridge', ...unusual(data) };
    case 'vlan': {
      const link = parentOf(device, data.link, spot);
      return link && { ...data, link };
    }
    case 'macvlan': {
      const link = parentOf(device, data.link, spot);
      return link && { ...data, link };
    }
    case 'ipvlan': {
      const link = parentOf(device, data.link, spot);
      return link && { ...data, link };
    }
    case 'vxlan': {
      const { link: under, ...rest } = data;
      if (under === undefined) return rest;
      const link = parentOf(device, under, spot);
      return link && { ...rest, link };
    }
    case 'vrf':
    case 'tun':
    case 'tap':
    case 'gre':
    case 'gretap':
      return data;
    case 'bond': {
      const { type, mode, miimon } = data;
      return { type, mode, ...(miimon === undefined || miimon === 0 ? {} : { miimon }) };
    }
    case 'wireguard':
      return wireguardOf(device, data, spot);
    case 'physical':
      if (spot.place === null) return undefined;
      return { type: 'physical', device: ifname };
    case 'other':
      return note(spot, `${ifname} is of the kind ${data.kind}, of which nslab makes none`);
    default:
      return assertNever(data);
  }
}

function unusual(data: Extract<LiveDevice['data'], { readonly type: 'bridge' }>): BridgeOptions {
  const keys = Object.keys(bridgeDefaults) as (keyof BridgeOptions)[];
  const given = keys.filter((key) => data[key] !== undefined && data[key] !== bridgeDefaults[key]);
  return Object.fromEntries(given.map((key) => [key, data[key]]));
}

function parentOf({ ifname, data }: LiveDevice, end: LiveEnd, spot: DeviceSpot): EndRef | undefined {
  const found = spot.end(end);
  if (found !== undefined) return found;
  const where = end.ifname ?? `device ${end.ifindex}`;
  return note(spot, `${ifname}, a ${data.type}, stands on ${where} of a namespace that is not here`);
}

type Wireguard = Extract<LiveDevice['data'], { readonly type: 'wireguard' }>;

/** Ports and endpoints that the kernel found out by itself look like those that were given; a lab's own file knows. */
function wireguardOf({ ifname }: LiveDevice, data: Wireguard, spot: DeviceSpot): InterfaceType | undefined {
  const { private_key, listen_port, fwmark, peers } = data;
  if (private_key === undefined)
    return note(spot, `${ifname}, a wireguard, has no private key, and a file gives one`);
  const found = spot.source.record?.interfaces.find((iface) => iface.ifname === ifname);
  const known = found?.type === 'wireguard' ? found : undefined;
  const isGivenPort = known === undefined || known.listen_port !== undefined;
  return {
    type: 'wireguard',
    private_key,
    ...(listen_port === undefined || listen_port === 0 || !isGivenPort ? {} : { listen_port }),
    ...(fwmark === undefined || fwmark === 0 ? {} : { fwmark }),
    peers: peers.map(({ endpoint, persistent_keepalive: keepalive, ...peer }) => {
      const said = known?.peers.find((one) => one.public_key === peer.public_key);
      const isGiven = said === undefined || said.endpoint !== undefined;
      return {
        ...peer,
        ...(endpoint === undefined || !isGiven ? {} : { endpoint }),
        ...(keepalive === undefined || keepalive === 0 ? {} : { persistent_keepalive: keepalive }),
      };
    }),
  };
}

/** True for `lo` as every namespace of a lab has it. */
export function isPlainLoopback(iface: Interface): boolean {
  return iface.type === 'loopback' && iface.up && iface.addresses.length === 0 && iface.mtu === undefined;
}
