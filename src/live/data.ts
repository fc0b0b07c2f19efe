// The kind of a device with its data: from what rtnetlink and WireGuard say to the words of src/model. Pure; units change here,
// from the kernel's to the model's. The way back is kernel/requests.ts.

import type { IpAddress } from '../base/ip.ts';
import { assertNever } from '../base/result.ts';
import type { BridgeOptions, WireguardOptions } from '../model/interface.ts';
import type { Link } from '../rtnl/link.ts';
import { defined } from '../rtnl/link-attributes.ts';
import type { LinkInfo } from '../rtnl/linkinfo/linkinfo.ts';
import type { WireguardDevice } from '../rtnl/wireguard.ts';
import type { LiveData, LiveEnd } from './netns.ts';

/** What else than the link itself a kind is read from. */
export type Surroundings = {
  /** A device by its index, in the namespace of that number where one is given. */
  readonly end: (ifindex: number, nsid: number | undefined) => LiveEnd;
  /** Where a vxlan floods to. */
  readonly floods: readonly IpAddress[];
  readonly wireguard?: WireguardDevice | undefined;
};

/** linux/if_arp.h */
const ARPHRD_LOOPBACK = 772;
/** The kernel has times of bridges in hundredths of a second (USER_HZ). */
const HZ = 100;
/** INVALID_UID and INVALID_GID as a number: nobody. */
const NOBODY = 0xffff_ffff;

/** The kind of the link. A kind whose data nslab does not know is `other`, by the kernel's name. */
export function liveData(link: Link, around: Surroundings): LiveData {
  const { info, kind } = link;
  if (link.type === ARPHRD_LOOPBACK) return { type: 'loopback' };
  if (kind === undefined) return { type: 'physical' };
  return (info === undefined ? undefined : knownData(link, info, around)) ?? { type: 'other', kind };
}

function knownData(link: Link, info: LinkInfo, around: Surroundings): LiveData | undefined {
  switch (info.kind) {
    case 'veth':
      return { type: 'veth', peer: lower(link, around) };
    case 'bridge':
      return { type: 'bridge', ...bridgeOptions(info) };
    case 'vlan': {
      const { id = 0, protocol = '802.1Q' } = info;
      return { type: 'vlan', link: lower(link, around), id, protocol };
    }
    case 'vxlan':
      return vxlanData(link, info, around);
    case 'macvlan': {
      const { mode = 'vepa' } = info;
      return mode === 'source' ? undefined : { type: 'macvlan', link: lower(link, around), mode };
    }
    case 'ipvlan': {
      const { mode = 'l3', flag = 'bridge' } = info;
      return { type: 'ipvlan', link: lower(link, around), mode, flag };
    }
    case 'dummy':
    case 'ifb':
      return { type: info.kind };
    case 'vrf':
      return { type: 'vrf', table: info.table ?? 0 };
    case 'wireguard':
      return { type: 'wireguard', ...wireguardOptions(around.wireguard) };
    case 'tun':
      return tunData(info);
    case 'gre':
    case 'gretap':
    case 'ip6gre':
    case 'ip6gretap':
      return greData(info);
    case 'bond':
      return { type: 'bond', mode: info.mode ?? 'balance-rr', miimon: info.miimon ?? 0 };
    case 'macvtap':
    case 'ipip':
    case 'sit':
    case 'ip6tnl':
      return undefined;
    default:
      return assertNever(info);
  }
}

/** IFLA_LINK: the other end of a wire, or what the device stands on. */
function lower(link: Link, { end }: Surroundings): LiveEnd {
  return end(link.link ?? 0, link.linkNetnsid);
}

function bridgeOptions(info: Extract<LinkInfo, { kind: 'bridge' }>): BridgeOptions {
  const seconds = (time: number | undefined) => (time === undefined ? undefined : time / HZ);
  return defined<BridgeOptions>({
    stp: info.stp_state === undefined ? undefined : info.stp_state !== 0,
    vlan_filtering: info.vlan_filtering,
    vlan_default_pvid: info.vlan_default_pvid,
    ageing_time: seconds(info.ageing_time),
    forward_delay: seconds(info.forward_delay),
    hello_time: seconds(info.hello_time),
    max_age: seconds(info.max_age),
    priority: info.priority,
    group_fwd_mask: info.group_fwd_mask,
    mcast_snooping: info.mcast_snooping,
  });
}

function vxlanData(link: Link, info: Extract<LinkInfo, { kind: 'vxlan' }>, around: Surroundings): LiveData {
  const { id = 0, local, remote, port = 0, learning = true, ttl } = info;
  const under = info.link === undefined || info.link === 0 ? undefined : info.link;
  return {
    type: 'vxlan',
    id,
    ...(local === undefined ? {} : { local }),
    ...(remote === undefined ? {} : { remote }),
    // The one that was given with the device is among them.
    remotes: around.floods.filter((address) => address !== remote),
    dstport: port,
    ...(under === undefined ? {} : { link: around.end(under, link.linkNetnsid) }),
    learning,
    ...(ttl === undefined || ttl === 0 ? {} : { ttl }),
  };
}

function greData(info: Extract<LinkInfo, { kind: 'gre' | 'gretap' | 'ip6gre' | 'ip6gretap' }>): LiveData {
  const { kind, local, remote, ikey, ttl } = info;
  const six = kind === 'ip6gre' || kind === 'ip6gretap';
  const none = (six ? '::' : '0.0.0.0') as IpAddress;
  return {
    type: kind === 'gre' || kind === 'ip6gre' ? 'gre' : 'gretap',
    local: local ?? none,
    remote: remote ?? none,
    ...(ikey === undefined ? {} : { key: ikey }),
    ...(ttl === undefined || ttl === 0 ? {} : { ttl }),
  };
}

function tunData({ type = 'tun', user, group }: Extract<LinkInfo, { kind: 'tun' }>): LiveData {
  return {
    type,
    ...(user === undefined || user === NOBODY ? {} : { owner: user }),
    ...(group === undefined || group === NOBODY ? {} : { group }),
  };
}

type LiveWireguard = Omit<WireguardOptions, 'private_key'> & { readonly private_key?: string };

function wireguardOptions(device: WireguardDevice | undefined): LiveWireguard {
  if (device === undefined) return { peers: [] };
  const { privateKey, listenPort, fwmark } = device;
  return {
    ...(privateKey === undefined ? {} : { private_key: privateKey }),
    listen_port: listenPort,
    fwmark,
    peers: device.peers.map((peer) => ({
      public_key: peer.publicKey,
      // A key of zeros is none.
      ...(peer.presharedKey === undefined ? {} : { preshared_key: peer.presharedKey }),
      ...(peer.endpoint === undefined ? {} : { endpoint: peer.endpoint }),
      allowed_ips: peer.allowedIps,
      persistent_keepalive: peer.persistentKeepalive ?? 0,
    })),
  };
}
