// Whether a device is the one that the file asks for: its kind, the other end of its wire, what it stands on, and its options. What
// cannot be set while a device is there is told from what can. Pure. What the file does not say has the kernel's default.

import { ipFamily } from '../base/ip.ts';
import { bridgeDefaults } from '../live/automatic.ts';
import type { LiveData, LiveEnd } from '../live/netns.ts';
import type { BridgeOptions, EndRef, Interface, WireguardOptions } from '../model/interface.ts';
import { placeName } from './names.ts';

/** Why a device has to be made anew, after its name: `is a dummy, not a veth`. */
export function wrongKind(wanted: Interface, found: LiveData): string | undefined {
  // A NIC can be of any kind.
  if (wanted.type === 'physical') return undefined;
  if (wanted.type !== found.type) {
    const kind = found.type === 'other' ? found.kind : found.type;
    return `is a ${kind}, not a ${wanted.type}`;
  }
  switch (wanted.type) {
    case 'veth':
      return found.type === 'veth' ? wrongEnd('leads to', wanted.peer, found.peer) : undefined;
    case 'vlan':
    case 'macvlan':
    case 'ipvlan':
      if (!('link' in found) || found.link === undefined) return undefined;
      return (
        wrongEnd('stands on', wanted.link, found.link) ?? wrongOption(wanted, found, optionsOf[wanted.type])
      );
    case 'vxlan': {
      if (found.type !== 'vxlan') return undefined;
      if (wanted.link === undefined) {
        if (found.link !== undefined) return `stands on ${endName(found.link)}, and should on nothing`;
      } else if (found.link === undefined) return `does not stand on ${endName(wanted.link)}`;
      else {
        const wrong = wrongEnd('stands on', wanted.link, found.link);
        if (wrong !== undefined) return wrong;
      }
      return wrongOption(wanted, found, optionsOf.vxlan);
    }
    case 'gre':
    case 'gretap': {
      const ttl = wanted.ttl ?? (ipFamily(wanted.local) === 6 ? IP6GRE_TTL : undefined);
      return wrongOption({ ...wanted, ttl }, found, optionsOf.gre);
    }
    case 'bond':
      return wrongOption({ ...wanted, miimon: wanted.miimon ?? 0 }, found, optionsOf.bond);
    case 'vrf':
      return wrongOption(wanted, found, ['table']);
    case 'tun':
    case 'tap':
      return wrongOption(wanted, found, ['owner', 'group']);
    default:
      return undefined;
  }
}

/** What `ip link add type ip6gre` gives, and kernel/requests.ts. */
const IP6GRE_TTL = 64;

const optionsOf = {
  vlan: ['id', 'protocol'],
  macvlan: ['mode'],
  ipvlan: ['mode', 'flag'],
  vxlan: ['id', 'local', 'remote', 'dstport', 'learning', 'ttl'],
  gre: ['local', 'remote', 'key', 'ttl'],
  bond: ['mode', 'miimon'],
} as const;

function wrongOption(wanted: object, found: object, names: readonly string[]): string | undefined {
  const values = new Map<string, unknown>(Object.entries(wanted));
  const there = new Map<string, unknown>(Object.entries(found));
  for (const name of names) {
    const [want, have] = [values.get(name), there.get(name)];
    if (want === have) continue;
    if (want === undefined) return `has ${name} ${String(have)}, and should have none`;
    if (have === undefined) return `has no ${name}, and should have ${String(want)}`;
    return `has ${name} ${String(have)}, not ${String(want)}`;
  }
  return undefined;
}

function wrongEnd(verb: string, wanted: EndRef, found: LiveEnd): string | undefined {
  if (found.place === wanted.place && found.ifname === wanted.ifname) return undefined;
  const preposition = verb.split(' ').at(-1);
  return `${verb} ${endName(found)}, not ${preposition} ${endName(wanted)}`;
}

function endName(end: EndRef | LiveEnd): string {
  if (end.place === undefined) return 'another namespace';
  if ('node' in end) return `${end.node}:${end.ifname}`;
  return `${placeName(end.place)}:${end.ifname ?? `device ${end.ifindex}`}`;
}

/** Options of a bridge that are other than the file says. Those that this kernel does not have are left out. */
export function wrongBridgeOptions(wanted: BridgeOptions, found: BridgeOptions): (keyof BridgeOptions)[] {
  const names = Object.keys(bridgeDefaults) as (keyof BridgeOptions)[];
  return names.filter((name) => found[name] !== undefined && bridgeOption(wanted, name) !== found[name]);
}

/** What the file says of it, or the kernel's default. */
export function bridgeOption(wanted: BridgeOptions, name: keyof BridgeOptions): boolean | number {
  return wanted[name] ?? bridgeDefaults[name];
}

type FoundWireguard = Extract<LiveData, { type: 'wireguard' }>;

/** True where keys, port and peers are those of the file; an endpoint that the file leaves open is learned from packets. */
export function isWireguard(wanted: WireguardOptions, found: FoundWireguard): boolean {
  if (wanted.private_key !== found.private_key) return false;
  if (wanted.listen_port !== undefined && wanted.listen_port !== found.listen_port) return false;
  if ((wanted.fwmark ?? 0) !== (found.fwmark ?? 0) || wanted.peers.length !== found.peers.length)
    return false;
  return wanted.peers.every((peer) => {
    const there = found.peers.find(({ public_key }) => public_key === peer.public_key);
    if (there === undefined || there.preshared_key !== peer.preshared_key) return false;
    if ((there.persistent_keepalive ?? 0) !== (peer.persistent_keepalive ?? 0)) return false;
    const { endpoint } = peer;
    if (endpoint !== undefined && JSON.stringify(endpoint) !== JSON.stringify(there.endpoint)) return false;
    return [...peer.allowed_ips].sort().join() === [...there.allowed_ips].sort().join();
  });
}
