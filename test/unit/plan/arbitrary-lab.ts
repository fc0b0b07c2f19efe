// Random labs of every kind of device, standing on each other in every way the kernel allows, inside a namespace and across, and
// told in a random order: for the order of ops. They are data for the planner, and no topology file would be so wild.

import fc from 'fast-check';
import type { EndRef, Interface } from '../../../src/model/interface.ts';
import type { Lab, Node } from '../../../src/model/lab.ts';
import { end, iface, ifname, ip, lab, node, place, route, sysctl } from '../../support/sample-labs.ts';

const NODES = ['host', 'n1', 'n2', 'n3'];
type Kind =
  | 'bridge'
  | 'vrf'
  | 'bond'
  | 'wire'
  | 'vlan'
  | 'macvlan'
  | 'vxlan'
  | 'dummy'
  | 'tap'
  | 'wireguard'
  | 'nic';

type Choice = {
  readonly kind: Kind;
  readonly node: number;
  readonly other: number;
  /** Which of the devices before it is its master or parent, if any fits. */
  readonly master: number;
  readonly parent: number;
  readonly ipv6: boolean;
  readonly up: boolean;
  readonly mtu: number | undefined;
  readonly altname: boolean;
  readonly sysctl: boolean;
  readonly port: boolean;
};

const choice = fc.record<Choice>({
  kind: fc.constantFrom<Kind>(
    'bridge',
    'bridge',
    'vrf',
    'bond',
    'wire',
    'wire',
    'wire',
    'vlan',
    'macvlan',
    'vxlan',
    'dummy',
    'tap',
    'wireguard',
    'nic',
  ),
  node: fc.nat(NODES.length - 1),
  other: fc.nat(NODES.length - 1),
  master: fc.nat(30),
  parent: fc.nat(30),
  ipv6: fc.boolean(),
  up: fc.boolean(),
  mtu: fc.option(fc.constantFrom(1000, 1400, 9000), { nil: undefined }),
  altname: fc.boolean(),
  sysctl: fc.boolean(),
  port: fc.boolean(),
});

type Made = { readonly node: string; readonly iface: Interface; readonly sysctl: boolean };

/** The lab, and the names of the NICs that the machine must have for it. */
export type WildLab = { readonly lab: Lab; readonly nics: readonly string[] };

export const wildLab: fc.Arbitrary<WildLab> = fc
  .tuple(fc.array(choice, { minLength: 1, maxLength: 14 }), fc.infiniteStream(fc.nat(1000)))
  .map(([choices, stream]) => buildLab(choices, () => stream.next().value));

function buildLab(choices: readonly Choice[], random: () => number): WildLab {
  const made: Made[] = [];
  for (const [i, c] of choices.entries()) makeDevices(c, i, made);
  const parents = new Set(made.flatMap(({ iface: i }) => ('link' in i && i.link ? [key(i.link)] : [])));
  const nodes = NODES.map((name): Node => {
    const own = made.filter((m) => m.node === name);
    const interfaces = own.map((m) => keepUp(m, parents));
    return node(name, shuffle(interfaces, random), {
      sysctls: own
        .filter((m) => m.sysctl)
        .map((m) => sysctl(`net.ipv4.conf.${m.iface.ifname.replaceAll('.', '/')}.rp_filter`, '2')),
      routes: shuffle(routesOf(interfaces), random),
    });
  });
  const [host, ...others] = nodes;
  const all = [
    ...shuffle(others, random),
    ...(host === undefined || host.interfaces.length === 0 ? [] : [host]),
  ];
  const nics = made.flatMap(({ iface: i }) => (i.type === 'physical' ? [i.device as string] : []));
  return { lab: lab('wild', all), nics };
}

function key({ place: where, ifname: name }: Pick<EndRef, 'place' | 'ifname'>): string {
  return `${where} ${name}`;
}

/** What carries another device is up, as the kernel wants it of a vlan's parent. */
function keepUp({ node: name, iface: i }: Made, parents: ReadonlySet<string>): Interface {
  return parents.has(`${place(name)} ${i.ifname}`) ? { ...i, up: true } : i;
}

/** A route to a gateway that is reached through another route, and one to a neighbour, in any order. */
function routesOf(interfaces: readonly Interface[]): Node['routes'] {
  const on = interfaces.find((i) => i.up && i.master === undefined && i.addresses.length > 0);
  const own = on?.addresses[0]?.ip;
  if (on === undefined || own === undefined) return [];
  const neighbour = own.replace(/\.1\/24$/, '.2');
  return [
    route('0.0.0.0/0', { via: ip('192.168.7.7') }),
    route('192.168.7.7/32', { dev: on.ifname, scope: 'link' }),
    route('192.168.8.0/24', { via: ip(neighbour) }),
  ];
}

function makeDevices(c: Choice, i: number, made: Made[]): void {
  const name = NODES[c.node] ?? 'n1';
  const ifname_ = `d${i}`;
  const extra = {
    ipv6: c.ipv6,
    up: c.up,
    ...mtuFor(c),
    ...(c.altname && { altname: `a-very-long-name-${i}` }),
  };
  const parent = c.kind === 'vlan' || c.kind === 'macvlan' ? parentFor(c, made) : undefined;
  const wished = masterFor(c, name, made);
  const master = wished !== undefined && isBelow(end(name, wished.ifname), parent, made) ? undefined : wished;
  const port = { ...(master && { master: master.ifname }), ...portOf(c, master) };
  const addresses = master === undefined ? [`10.9.${i}.1/24`] : [];
  const add = (interface_: Interface, where = name): void => {
    made.push({ node: where, iface: interface_, sysctl: c.sysctl });
  };
  switch (c.kind) {
    case 'bridge':
      add(iface(ifname_, { type: 'bridge' }, addresses, { ...extra, ...port }));
      break;
    case 'vrf':
      add(iface(ifname_, { type: 'vrf', table: 1000 + i }, [], extra));
      break;
    case 'bond':
      add(iface(ifname_, { type: 'bond', mode: 'active-backup' }, addresses, { ...extra, ...port }));
      break;
    case 'wire': {
      const other = NODES[c.other] ?? 'n1';
      const far = masterFor({ ...c, kind: 'wire', master: c.parent }, other, made);
      add(iface(ifname_, { type: 'veth', peer: end(other, `e${i}`) }, addresses, { ...extra, ...port }));
      const farPort = far === undefined ? {} : { master: far.ifname };
      const farExtra = { ...extra, ...(c.altname && { altname: `another-long-name-${i}` }), ...farPort };
      add(iface(`e${i}`, { type: 'veth', peer: end(name, ifname_) }, [], farExtra), other);
      break;
    }
    case 'vlan':
      if (parent === undefined) return;
      add(
        iface(ifname_, { type: 'vlan', link: parent, id: i + 2, protocol: '802.1Q' }, addresses, {
          ...extra,
          ...port,
        }),
      );
      break;
    case 'macvlan':
      if (parent === undefined) return;
      add(
        iface(ifname_, { type: 'macvlan', link: parent, mode: 'bridge' }, addresses, { ...extra, ...port }),
      );
      break;
    case 'vxlan':
      add(
        iface(
          ifname_,
          { type: 'vxlan', id: i + 1, remotes: [ip('192.0.2.1')], dstport: 4789, learning: true },
          addresses,
          { ...extra, ...port },
        ),
      );
      break;
    case 'dummy':
      add(iface(ifname_, { type: 'dummy' }, addresses, { ...extra, ...port }));
      break;
    case 'tap':
      add(iface(ifname_, { type: 'tap', owner: 7, group: 8 }, addresses, { ...extra, ...port }));
      break;
    case 'wireguard':
      add(iface(ifname_, { type: 'wireguard', private_key: 'key', peers: [] }, addresses, extra));
      break;
    case 'nic':
      if (name === 'host') return;
      add(iface(ifname_, { type: 'physical', device: ifname(`nic${i}`) }, addresses, { ...extra, ...port }));
      break;
    default:
  }
}

/** No device can be the port of what it stands on, over however many others (ELOOP). */
function isBelow(device: EndRef, from: EndRef | undefined, made: readonly Made[]): boolean {
  if (from === undefined) return false;
  if (key(device) === key(from)) return true;
  const lower = made.flatMap(({ node: name, iface: i }) => {
    if (name === from.node && i.ifname === from.ifname) return 'link' in i && i.link ? [i.link] : [];
    return name === from.node && i.master === from.ifname ? [end(name, i.ifname)] : [];
  });
  return lower.some((other) => isBelow(device, other, made));
}

/** What stands on others takes theirs. Only a bridge is tiny, because what is smaller than 1280 takes a bridge along. */
function mtuFor({ kind, mtu }: Choice): { readonly mtu?: number } {
  if (mtu === undefined || kind === 'vlan' || kind === 'macvlan') return {};
  return { mtu: kind === 'bridge' ? mtu : Math.max(mtu, 1300) };
}

function masterFor(c: Choice, name: string, made: readonly Made[]): Interface | undefined {
  if (c.kind === 'vrf' || c.kind === 'wireguard') return undefined;
  const fits = made.filter(({ node: where, iface: { type } }) => {
    if (where !== name) return false;
    if (type === 'bridge') return c.kind !== 'bridge';
    if (type === 'bond') return c.kind === 'wire' || c.kind === 'dummy' || c.kind === 'nic';
    return type === 'vrf';
  });
  // Half of all devices stand alone.
  return fits[c.master % (2 * Math.max(1, fits.length))]?.iface;
}

function portOf(c: Choice, master: Interface | undefined): Pick<Interface, 'port'> | object {
  if (!c.port || master?.type !== 'bridge') return {};
  return { port: { isolated: true, vlan: 7, vlans: [{ from: 20, to: 22 }] } };
}

function parentFor(c: Choice, made: readonly Made[]): EndRef | undefined {
  const isPort = ({ node: name, iface: { master } }: Made): boolean =>
    made.some((m) => m.node === name && m.iface.ifname === master && m.iface.type !== 'vrf');
  const fits = made.filter(
    (m) => !isPort(m) && ['veth', 'bridge', 'bond', 'dummy', 'physical', 'vlan'].includes(m.iface.type),
  );
  const chosen = fits[c.parent % Math.max(1, fits.length)];
  return chosen === undefined ? undefined : end(chosen.node, chosen.iface.ifname);
}

function shuffle<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}
