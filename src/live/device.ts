// Devices of a namespace with their addresses and their place at a bridge: from the dumps to the words of src/model. Pure.

import type { IpAddress, IpInterface } from '../base/ip.ts';
import { prefixLength } from '../base/ip.ts';
import type { IfName, MacAddress } from '../base/names.ts';
import { impairmentOf } from '../model/impairment.ts';
import type { Address } from '../rtnl/addr.ts';
import { type PortVlan, parseBridgePort } from '../rtnl/bridge-port.ts';
import type { Link } from '../rtnl/link.ts';
import type { RootQdisc } from '../rtnl/qdisc.ts';
import { liveData } from './data.ts';
import type { LiveAddress, LiveDevice, LiveEnd, LivePort } from './netns.ts';
import type { RawNetns } from './raw.ts';

/** Which device of which namespace an index means, seen from the namespace that is read. */
export type EndOf = (ifindex: number, nsid: number | undefined) => LiveEnd;

/** The devices of the dumps, in the order of their indexes. */
export function liveDevices(raw: RawNetns, end: EndOf): LiveDevice[] {
  const names = new Map(raw.links.map((link) => [link.ifindex, link.ifname]));
  const addresses = addressesByLink(raw.addresses);
  const floods = floodsByLink(raw);
  return raw.links.map((link) => {
    const around = {
      end,
      floods: floods.get(link.ifindex) ?? [],
      wireguard: raw.wireguard.get(link.ifindex),
    };
    const master = link.master === undefined ? undefined : names.get(link.master);
    return {
      ifindex: link.ifindex,
      ifname: link.ifname as IfName,
      altnames: link.altnames,
      data: liveData(link, around),
      ...(link.mac === undefined ? {} : { mac: link.mac as MacAddress }),
      mtu: link.mtu ?? 0,
      up: link.up,
      running: link.lowerUp,
      group: link.group ?? 0,
      ...(master === undefined ? {} : { master: master as IfName }),
      ...(link.slaveKind === 'bridge' ? { port: livePort(link, raw.vlans.get(link.ifindex) ?? []) } : {}),
      ...(link.addrGenMode === undefined ? {} : { addrgenmode: link.addrGenMode }),
      ...(link.qdisc === undefined ? {} : { qdisc: link.qdisc }),
      ...impairOf(raw.qdiscs.get(link.ifindex)),
      addresses: addresses.get(link.ifindex) ?? [],
    };
  });
}

function impairOf(qdisc: RootQdisc['qdisc'] | undefined): Pick<LiveDevice, 'impair'> {
  const impair = qdisc === undefined ? undefined : impairmentOf(qdisc);
  return impair === undefined ? {} : { impair };
}

function addressesByLink(addresses: readonly Address[]): Map<number, LiveAddress[]> {
  const found = new Map<number, LiveAddress[]>();
  for (const address of addresses) {
    const before = found.get(address.ifindex);
    if (before === undefined) found.set(address.ifindex, [liveAddress(address)]);
    else before.push(liveAddress(address));
  }
  return found;
}

function liveAddress({ address, peer, scope, proto, ...flags }: Address): LiveAddress {
  const { nodad, permanent, noprefixroute, tentative } = flags;
  return {
    // With a peer the length is that of the peer's subnet; the near end stands for itself.
    ip: peer === undefined ? address : withLength(bare(address), peer.includes(':') ? 128 : 32),
    ...(peer === undefined ? {} : { peer: withLength(peer, prefixLength(address)) }),
    scope,
    nodad,
    permanent,
    noprefixroute,
    tentative,
    ...(proto === undefined ? {} : { proto }),
  };
}

function bare(ip: IpInterface): IpAddress {
  return ip.slice(0, ip.indexOf('/')) as IpAddress;
}

function withLength(ip: IpAddress, length: number): IpInterface {
  return `${ip}/${length}` as IpInterface;
}

/** The entries of 00:00:00:00:00:00, which a vxlan sends to all of. */
function floodsByLink({ fdb }: RawNetns): Map<number, IpAddress[]> {
  const found = new Map<number, IpAddress[]>();
  for (const { ifindex, lladdr, dst, in: where } of fdb) {
    if (where !== 'self' || lladdr !== '00:00:00:00:00:00' || dst === undefined) continue;
    found.set(ifindex, [...(found.get(ifindex) ?? []), dst]);
  }
  return found;
}

function livePort(link: Link, vlans: readonly PortVlan[]): LivePort {
  const port = parseBridgePort(link.slaveData ?? Buffer.alloc(0));
  const range = ({ vid, vidEnd = vid }: PortVlan) => ({ from: vid, to: vidEnd });
  const isNative = ({ pvid, untagged }: PortVlan) => pvid === true && untagged === true;
  const isTagged = ({ pvid, untagged }: PortVlan) => pvid !== true && untagged !== true;
  const native = vlans.find(isNative);
  return {
    cost: port.cost ?? 0,
    priority: port.priority ?? 0,
    hairpin: port.hairpin ?? false,
    isolated: port.isolated ?? false,
    learning: port.learning ?? true,
    guard: port.guard ?? false,
    ...(native === undefined ? {} : { vlan: native.vid }),
    vlans: vlans.filter(isTagged).map(range),
    strangeVlans: vlans.filter((vlan) => !isNative(vlan) && !isTagged(vlan)).map(range),
  };
}
