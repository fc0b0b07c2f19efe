// What of the machine decides the subnets of networks: what it routes, and over which devices. For commands that change nothing and
// need no root, so it opens its own socket for a moment.

import type { IpInterface, IpPrefix } from '../base/ip.ts';
import { getAddresses } from '../rtnl/addr.ts';
import { getLinks } from '../rtnl/link.ts';
import { getRoutes, RT_TABLE_MAIN } from '../rtnl/route.ts';
import { NETLINK_ROUTE, Transport } from '../rtnl/transport.ts';

export type MachineView = {
  readonly links: readonly {
    readonly ifname: string;
    /** IFLA_GROUP: the mark of a lab's own. */
    readonly group: number;
    readonly addresses: readonly IpInterface[];
  }[];
  /** `default` is the default route. */
  readonly routes: readonly { readonly to: IpPrefix | 'default'; readonly dev: string }[];
};

/** Links with their addresses and the routes of the main table. */
export function readMachine(): MachineView {
  using route = Transport.open(NETLINK_ROUTE);
  const links = getLinks(route);
  const addresses = getAddresses(route);
  const names = new Map(links.map((link) => [link.ifindex, link.ifname]));
  return {
    links: links.map((link) => ({
      ifname: link.ifname,
      group: link.group ?? 0,
      addresses: addresses.filter((one) => one.ifindex === link.ifindex).map((one) => one.address),
    })),
    routes: getRoutes(route, { table: RT_TABLE_MAIN }).map(({ to, dev }) => ({
      to: to as IpPrefix | 'default',
      dev: names.get(dev ?? 0) ?? '',
    })),
  };
}
