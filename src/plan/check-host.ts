// Whether the machine has room for a lab: compares what the lab would bring with what was observed. Pure; it runs before the
// first change, so that a conflict costs nothing. Names of the lab's own, from a run before, are gone when this is asked.

import type { Problem } from '../base/error.ts';
import { type IpPrefix, prefixesOverlap } from '../base/ip.ts';
import type { Lab, Place } from '../model/lab.ts';
import { subnetsOf } from '../model/subnets.ts';
import { nodeTable } from './filter.ts';
import { tableName } from './mark.ts';

/** What is asked of the machine's own namespace; the Kernel port's `Observed` has it. */
export type HostFacts = {
  /** Names under /run/netns. */
  readonly netns: readonly string[];
  readonly links: readonly { readonly ifname: string }[];
  /** Subnets that are reached otherwise than by the default route. */
  readonly routes: readonly { readonly to: IpPrefix; readonly dev: string }[];
  /** nft tables as `FAMILY NAME`. */
  readonly tables: readonly string[];
};

/** A conflict, with the key path of what asks for it (`nodes.pc1`). */
export type HostProblem = Problem & { readonly path: string };

/** BR_MAX_PORTS of net/bridge/br_private.h is 1 << 10, and port 0 is not given out. */
const BRIDGE_PORTS = 1023;

/** Everything that would fail or do harm, not only the first. */
export function checkHost(lab: Lab, host: HostFacts): HostProblem[] {
  return [
    ...checkNetns(lab, host),
    ...checkLinks(lab, host),
    ...checkTables(lab, host),
    ...checkSubnets(lab, host),
    ...checkBridges(lab),
  ];
}

function checkNetns(lab: Lab, host: HostFacts): HostProblem[] {
  const taken = new Set(host.netns);
  return lab.nodes
    .filter(({ place }) => place !== null && taken.has(place))
    .map(({ place, path }) => ({
      code: 'HOST_NAME_TAKEN',
      message: `there is a network namespace ${place} already, and it is not this lab's`,
      hint: `ip netns del ${place} removes it; --prefix gives all nodes of the lab other names`,
      path,
    }));
}

function checkLinks(lab: Lab, host: HostFacts): HostProblem[] {
  const present = new Set(host.links.map((link) => link.ifname));
  const missing = movedNics(lab)
    .filter(({ device }) => !present.has(device))
    .map(
      ({ device, path }): HostProblem => ({
        code: 'HOST_DEVICE_MISSING',
        message: `the machine has no device ${device} to move into the node`,
        hint: 'ip link lists the devices of the machine',
        path,
      }),
    );
  const taken = interfacesAt(lab, null)
    .filter(({ type, ifname }) => type !== 'loopback' && present.has(ifname))
    .map(
      ({ ifname, path }): HostProblem => ({
        code: 'HOST_NAME_TAKEN',
        message: `the machine has a device ${ifname} already, and it is not this lab's`,
        hint: `give the interface another name, or remove the device with ip link del ${ifname}`,
        path,
      }),
    );
  return [...missing, ...missingMasters(lab, present), ...taken];
}

/** A bridge of the machine that the lab plugs into without making it. */
function missingMasters(lab: Lab, present: ReadonlySet<string>): HostProblem[] {
  const interfaces = interfacesAt(lab, null);
  const made = new Set<string>(interfaces.map(({ ifname }) => ifname));
  return interfaces.flatMap(({ ifname, master, path }) => {
    if (master === undefined || made.has(master) || present.has(master)) return [];
    return {
      code: 'HOST_DEVICE_MISSING',
      message: `the machine has no device ${master} to plug ${ifname} into`,
      hint: `ip link add ${master} up type bridge makes it; or add it to the file, as interfaces: { ${master}: { type: bridge } } of the node host`,
      path,
    };
  });
}

function checkTables(lab: Lab, host: HostFacts): HostProblem[] {
  return lab.nodes.flatMap((node) => {
    if (node.place !== null) return [];
    const table = nodeTable(node, tableName(lab.name, null));
    if (table === undefined || !host.tables.includes(`${table.family} ${table.name}`)) return [];
    return {
      code: 'HOST_NAME_TAKEN',
      message: `the machine has an nft table ${table.family} ${table.name} already, and it is not this lab's`,
      hint: `nft delete table ${table.family} ${table.name} removes it`,
      path: node.path,
    };
  });
}

/**
 * Subnets that the machine is to reach through the lab, and those that nobody chose. A subnet of nodes alone may well be the
 * same as one of the machine: namespaces are there for that.
 */
function checkSubnets(lab: Lab, host: HostFacts): HostProblem[] {
  if (host.routes.length === 0) return [];
  const moved = new Set(movedNics(lab).map(({ device }) => device));
  // The routes of a NIC leave the machine together with it.
  const routes = host.routes.filter(({ dev }) => !moved.has(dev));
  return subnetsOf(lab)
    .filter((used) => used.host || used.pool)
    .flatMap(({ subnet, pool, path }) => {
      const rival = routes.find(({ to }) => prefixesOverlap(to, subnet));
      if (rival === undefined) return [];
      const how = rival.dev === '' ? 'routes' : `reaches through ${rival.dev}`;
      return {
        code: 'HOST_SUBNET_TAKEN',
        message: `the lab's ${subnet} overlaps ${rival.to}, which the machine ${how} already`,
        hint: pool
          ? 'give `addressing` a pool that the machine does not route'
          : 'choose a subnet that the machine does not route, or unplug the host from it',
        path,
      } as const;
    });
}

function checkBridges(lab: Lab): HostProblem[] {
  return lab.nodes.flatMap(({ interfaces, path }) => {
    const bridges = interfaces.filter(({ type }) => type === 'bridge');
    return bridges.flatMap(({ ifname, name }) => {
      const ports = interfaces.filter(({ master }) => master === ifname).length;
      if (ports <= BRIDGE_PORTS) return [];
      return {
        code: 'HOST_LIMIT',
        message: `bridge ${name} has ${ports} ports, and a Linux bridge holds ${BRIDGE_PORTS}`,
        hint: 'join two bridges by a link and share the ports between them',
        path,
      };
    });
  });
}

function interfacesAt(lab: Lab, place: Place): Lab['nodes'][number]['interfaces'] {
  return lab.nodes.filter((node) => node.place === place).flatMap((node) => node.interfaces);
}

function movedNics(lab: Lab): { readonly device: string; readonly path: string }[] {
  return lab.nodes.flatMap(({ interfaces }) =>
    interfaces.flatMap((iface) =>
      iface.type === 'physical' ? { device: iface.device, path: iface.path } : [],
    ),
  );
}
