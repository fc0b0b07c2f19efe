// What a lab needs to know of the machine beyond its file: subnets and ports that are free, networks of other labs, and the devices
// that lead out. Reads only, and without root as far as that goes: a plan is for everybody.

import { addressOf, type IpAddress, type IpPrefix, prefixContains, subnetOf } from '../base/ip.ts';
import type { LabName } from '../base/names.ts';
import { refusedPort } from '../kernel/listeners.ts';
import { readMachine } from '../kernel/machine.ts';
import type { Lab, Node } from '../model/lab.ts';
import {
  type MachineFacts,
  type OtherNetwork,
  type PublishedPort,
  portKey,
  portsMeet,
} from '../model/network.ts';
import { isLabGroup, labGroup } from '../plan/mark.ts';
import type { Op } from '../plan/op.ts';
import { bootId, listLabs, readLab, readRecord } from '../state/store.ts';

const ANY: readonly IpAddress[] = ['0.0.0.0' as IpAddress, '::' as IpAddress];

/** The machine's own node of a lab. */
export function hostOf(lab: Lab | undefined): Node | undefined {
  return lab?.nodes.find(({ place }) => place === null);
}

/** The other labs of this boot, those among them that are just being made; none for who may not see them. */
export function otherLabs(name: LabName): Lab[] {
  try {
    return listLabs()
      .filter((lab) => lab !== name && isOfThisBoot(lab))
      .flatMap((lab) => readLab(lab) ?? []);
  } catch {
    return [];
  }
}

function isOfThisBoot(lab: LabName): boolean {
  try {
    return readRecord(lab)?.boot === bootId();
  } catch {
    return false;
  }
}

/**
 * What lowering may ask (model/network.ts); each part is read when it is first asked for. `beside` are labs that will be there, but
 * are not up yet.
 */
export function machineFacts(name: LabName, beside: readonly Lab[] = []): MachineFacts {
  let others: Lab[] | undefined;
  const labs = (): Lab[] => {
    others ??= [...otherLabs(name), ...beside];
    return others;
  };
  const own = isOfThisBoot(name) ? readLab(name) : undefined;
  const view = readMachine();
  const group = labGroup(name);
  const mine = new Set(view.links.filter((link) => link.group === group).map(({ ifname }) => ifname));
  const routed = view.routes.filter(({ to, dev }) => to !== 'default' && !mine.has(dev));
  return {
    subnets: [...routed.map(({ to }) => to as IpPrefix), ...labs().flatMap(networkSubnets)],
    kept: new Map(
      view.links
        .filter(({ ifname }) => mine.has(ifname))
        .map(({ ifname, addresses }) => [ifname, addresses.map(subnetOf)]),
    ),
    keptPorts: new Map(
      (hostOf(own)?.ports ?? [])
        .filter(({ chosen }) => chosen === true)
        .map((port) => [portKey({ ...port, inside: port.to.port.from }), port.port.from]),
    ),
    isFree: (proto, port) => ANY.every((address) => isFree({ proto, address, port: { from: port } }, labs())),
    network: (other) => otherNetwork(other, labs(), own),
  };
}

function isFree(port: Pick<PublishedPort, 'proto' | 'address' | 'port'>, others: readonly Lab[]): boolean {
  if (others.some((lab) => hostOf(lab)?.ports?.some((one) => portsMeet(one, port)))) return false;
  return refusedPort({ ...port, port: port.port.from }) === undefined;
}

/** Subnets of the networks of a lab, its bridges made or not. */
export function networkSubnets(lab: Lab): IpPrefix[] {
  return (hostOf(lab)?.networks ?? []).flatMap(({ subnets }) => subnets.map(({ prefix }) => prefix));
}

function otherNetwork(name: string, others: readonly Lab[], own: Lab | undefined): OtherNetwork | undefined {
  const [labName, networkName] = name.split('/');
  const lab = others.find((one) => one.name === labName);
  const network = hostOf(lab)?.networks?.find((one) => one.name === networkName);
  if (network === undefined) return undefined;
  const isIn = (address: IpAddress) => network.subnets.some(({ prefix }) => prefixContains(prefix, address));
  const addresses = (node: Node) =>
    node.interfaces.flatMap((iface) => iface.addresses.map(({ ip }) => addressOf(ip))).filter(isIn);
  const { bridge, subnets, internal } = network;
  return {
    bridge,
    subnets,
    internal,
    taken: new Set(others.flatMap(({ nodes }) => nodes.flatMap(addresses))),
    kept: new Map((own?.nodes ?? []).map((node) => [node.name, addresses(node)])),
  };
}

/**
 * The ops, with forwarding on the devices by which the machine reaches others, where containers want to get there: forwarding is
 * per interface, and answers come in by those. Which ones there are, a plan does not know.
 */
export function withUplinks(ops: Op[], lab: Lab): Op[] {
  const { networks = [], ports = [] } = hostOf(lab) ?? {};
  const open = networks.filter(({ internal }) => !internal);
  if (open.length === 0 && ports.length === 0) return ops;
  const { links, routes } = readMachine();
  const ofLabs = new Set(links.filter(({ group }) => isLabGroup(group)).map(({ ifname }) => ifname));
  const devices = [...new Set(routes.map(({ dev }) => dev))].filter(
    (dev) => dev !== '' && dev !== 'lo' && !ofLabs.has(dev),
  );
  const hasIpv6 = open.some(({ subnets }) => subnets.some(({ prefix }) => prefix.includes(':')));
  const leaves = ['ipv4.conf.*.forwarding', ...(hasIpv6 ? ['ipv6.conf.*.force_forwarding'] : [])];
  const added = devices.flatMap((dev) =>
    leaves.map((leaf): Op => {
      const key = `net.${leaf.replace('*', () => dev.replaceAll('.', '/'))}`;
      return { kind: 'setSysctl', place: null, key, value: '1' };
    }),
  );
  const at = ops.findIndex((op) => op.kind === 'addTable' && op.place === null);
  return at < 0 ? ops : [...ops.slice(0, at), ...added, ...ops.slice(at)];
}
