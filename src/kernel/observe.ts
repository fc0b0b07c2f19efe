// What the machine's own namespace has: for the check before `up`, and for a NIC that is lent to a lab. Reads only.

import type { IpInterface, IpPrefix } from '../base/ip.ts';
import type { IfName } from '../base/names.ts';
import { impairmentOf } from '../model/impairment.ts';
import { listNetns } from '../netns/pin.ts';
import { listTables } from '../nfnl/apply.ts';
import type { LinkState } from '../plan/op.ts';
import { getAddresses, newAddress, type Scope, scopeName, scopeNumber } from '../rtnl/addr.ts';
import { getLink, getLinks, setLink } from '../rtnl/link.ts';
import { getRootQdiscs } from '../rtnl/qdisc.ts';
import { getRoutePayloads, getRoutes, RT_TABLE_MAIN, rawRoute } from '../rtnl/route.ts';
import { AF_INET, AF_INET6 } from '../rtnl/rtnetlink.ts';
import { NETLINK_NETFILTER, Transport } from '../rtnl/transport.ts';

import { codeOf } from '../sys/errno.ts';
import { readDeviceSysctls } from '../sys/sysctl.ts';
import type { DeviceView, LinkConfig, Observed, QdiscView } from './port.ts';

/** linux/if_arp.h */
const ARPHRD_LOOPBACK = 772;

export function observeHost(route: Transport): Observed {
  const links = getLinks(route);
  const names = new Map(links.map((link) => [link.ifindex, link.ifname]));
  const addresses = getAddresses(route);
  return {
    netns: listNetns().map(({ name }) => name),
    links: links.map((link) => ({
      ifname: link.ifname as IfName,
      group: link.group ?? 0,
      addresses: addresses.filter((a) => a.ifindex === link.ifindex).map((a) => a.address),
    })),
    routes: getRoutes(route, { table: RT_TABLE_MAIN })
      .filter(({ to }) => to !== 'default')
      .map(({ to, dev }) => ({ to: to as IpPrefix, dev: names.get(dev ?? 0) ?? '' }))
      // Every link with IPv6 has it; it leads nowhere that a lab could take away.
      .filter(({ to }) => !to.startsWith('fe80:') && !to.startsWith('ff00:')),
    tables: readTables(),
  };
}

/** nft tables as `FAMILY NAME`; none on a kernel without nf_tables. */
function readTables(): string[] {
  try {
    using netfilter = Transport.open(NETLINK_NETFILTER);
    return listTables(netfilter).map(({ family, name }) => `${family} ${name}`);
  } catch (error) {
    if (['EPROTONOSUPPORT', 'EINVAL', 'EOPNOTSUPP', 'ENOENT'].includes(codeOf(error))) return [];
    throw error;
  }
}

/** Everything that a NIC loses when it moves to another namespace; undefined where there is no such NIC. */
export function readLinkState(route: Transport, ifname: IfName): LinkState | undefined {
  const link = getLink(route, { ifname });
  if (link === undefined) return undefined;
  const master = link.master === undefined ? undefined : getLink(route, { ifindex: link.master })?.ifname;
  return {
    ifname,
    mac: link.mac ?? '',
    mtu: link.mtu ?? 1500,
    up: link.up,
    ...(master === undefined ? {} : { master }),
    ...readLinkConfig(route, link.ifindex),
    sysctls: readDeviceSysctls(ifname),
  };
}

/** Addresses and routes of a link that do not come by themselves. */
export function readLinkConfig(route: Transport, ifindex: number): LinkConfig {
  const routes = [AF_INET, AF_INET6].flatMap((family) =>
    getRoutePayloads(route, { family: family as typeof AF_INET, dev: ifindex }),
  );
  return {
    addresses: getAddresses(route, { ifindex })
      .filter((a) => a.permanent && !(a.address.startsWith('fe80:') && a.scope === 'link'))
      .map(({ address, broadcast, scope }) => ({
        ip: address,
        ...(broadcast === undefined ? {} : { broadcast }),
        scope: typeof scope === 'number' ? scope : scopeNumber(scope),
      })),
    routes: routes.filter((payload) => isKept(payload)).map((payload) => payload.toString('base64')),
  };
}

/** A link up, with what going down took: all its routes, and the addresses of IPv6 (net.ipv6.conf.*.keep_addr_on_down is 0). */
export function restoreUp(route: Transport, ifindex: number, { addresses, routes }: LinkConfig): void {
  route.request(setLink({ ifindex }, { up: true }));
  route.batch(
    addresses.map(({ ip, broadcast, scope }) =>
      newAddress({
        ifindex,
        address: ip,
        ...(broadcast === undefined ? {} : { broadcast }),
        scope: scopeName(scope) as Scope,
        ...(ip.includes(':') ? { nodad: true } : {}),
      }),
    ),
  );
  const payloads = routes.map((payload) => rawRoute(Buffer.from(payload, 'base64')));
  // A gateway must be reachable when its route comes, and the kernel lists routes in another order: twice is enough.
  route.batch(payloads);
  route.batch(payloads);
}

/** What somebody has put at the root of a device. */
export function readQdiscs(route: Transport): Map<string, QdiscView> {
  const names = new Map(getLinks(route).map(({ ifindex, ifname }) => [ifindex, ifname]));
  const found = new Map<string, QdiscView>();
  for (const { ifindex, handle, qdisc } of getRootQdiscs(route)) {
    const name = names.get(ifindex);
    if (name === undefined || handle === 0) continue;
    const impair = impairmentOf(qdisc);
    found.set(name, { kind: qdisc.kind, ...(impair === undefined ? {} : { impair }) });
  }
  return found;
}

/** Routes that the kernel makes by itself with an address or a link come back with those (RTPROT_KERNEL, table local). */
function isKept(payload: Buffer): boolean {
  const RTPROT_KERNEL = 2;
  const RTPROT_RA = 9;
  const protocol = payload[5];
  return protocol !== RTPROT_KERNEL && protocol !== RTPROT_RA;
}

/** Every device of the socket's namespace with its addresses, in the order of their indexes. */
export function readDevices(route: Transport): DeviceView[] {
  const links = getLinks(route);
  const names = new Map(links.map((link) => [link.ifindex, link.ifname]));
  const addresses = new Map<number, IpInterface[]>(links.map((link) => [link.ifindex, []]));
  for (const { ifindex, address } of getAddresses(route)) addresses.get(ifindex)?.push(address);
  return links.map((link) => {
    const master = link.master === undefined ? undefined : names.get(link.master);
    return {
      ifname: link.ifname as IfName,
      altnames: link.altnames,
      type: link.kind ?? (link.type === ARPHRD_LOOPBACK ? 'loopback' : 'physical'),
      up: link.up,
      running: link.lowerUp,
      ...(link.mac === undefined ? {} : { mac: link.mac }),
      ...(link.mtu === undefined ? {} : { mtu: link.mtu }),
      ...(master === undefined ? {} : { master }),
      addresses: addresses.get(link.ifindex) ?? [],
    };
  });
}
