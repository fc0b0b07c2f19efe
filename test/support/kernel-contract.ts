// What the kernel says to ops that cannot be, as short stories of ops: the fake kernel and the machine's must tell them alike.
// Each begins with two namespaces, a and b, and a wire between them (a:x and b:y), which is down.

import type { Op, UndoOp } from '../../src/plan/op.ts';
import { address, end, ifname, ip, place, route } from './sample-labs.ts';

export type Story = {
  readonly title: string;
  /** A kind of device that not every kernel has. */
  readonly needs?: string;
  readonly ops: readonly Op[];
  /** Done before the last op. */
  readonly undo?: UndoOp;
  /** Of the last op; those before it succeed. `ok` when that does as well. */
  readonly code: string;
};

const a = place('a');
const b = place('b');
const GROUP = 0x4000_0007;

const up = (where: typeof a, name: string): Op => ({
  kind: 'setLink',
  place: where,
  ifname: ifname(name),
  up: true,
});
const master = (name: string, of: string): Op => ({
  kind: 'setLink',
  place: a,
  ifname: ifname(name),
  master: ifname(of),
});
const bridge = (name: string): Op => ({
  kind: 'createLink',
  place: a,
  link: { ifname: ifname(name), type: 'bridge' },
});
const wire = (near: string, far: string, more: object = {}): Op => ({
  kind: 'createLink',
  place: a,
  link: { ifname: ifname(near), ...more, type: 'veth', peer: { ifname: ifname(far), place: b } },
});
const withAddress = (text: string, name = 'x'): Op => {
  const { path, ...rest } = address(text);
  return { kind: 'addAddress', place: a, ifname: ifname(name), address: rest };
};
const withRoute = (to: string, rest: Parameters<typeof route>[1]): Op => {
  const { path, ...plain } = route(to, rest);
  return { kind: 'addRoute', place: a, route: plain };
};
const neighbour: Op = {
  kind: 'addNeighbour',
  place: a,
  neighbour: { ip: ip('10.0.0.9'), dev: ifname('x'), lladdr: '02:00:00:00:00:09' as never },
};
const rule: Op = {
  kind: 'addRule',
  place: a,
  rule: { family: 4, priority: 77, action: { kind: 'lookup', table: 100 } },
};
const altname = (name: string, other: string): Op => ({
  kind: 'setLink',
  place: a,
  ifname: ifname(name),
  altname: other,
});

const tbf = (rate: number) =>
  ({
    kind: 'setQdisc',
    place: a,
    ifname: ifname('x'),
    qdisc: { kind: 'tbf', rate, burst: 20_000, limit: 30_000 },
  }) as const;

export const beginning: readonly Op[] = [
  { kind: 'createNetns', netns: 'a' as never, node: 'a' as never },
  { kind: 'createNetns', netns: 'b' as never, node: 'b' as never },
  wire('x', 'y'),
];

export const stories: readonly Story[] = [
  {
    title: 'a namespace is made once',
    ops: [{ kind: 'createNetns', netns: 'a' as never, node: 'a' as never }],
    code: 'EEXIST',
  },
  { title: 'a name is taken at the near end', ops: [wire('x', 'z')], code: 'EEXIST' },
  { title: 'a name is taken at the far end', ops: [wire('z', 'y')], code: 'EEXIST' },
  { title: 'a device that is not there cannot be set', ops: [up(a, 'nobody')], code: 'ENODEV' },
  { title: 'a device of another namespace is not there', ops: [up(a, 'y')], code: 'ENODEV' },
  {
    title: 'a wire can be born as a port and up',
    ops: [bridge('br'), wire('p', 'q', { master: 'br', up: true })],
    code: 'ok',
  },
  { title: 'a master must be there', ops: [master('x', 'br')], code: 'ENODEV' },
  { title: 'a wire takes no ports', ops: [wire('p', 'q'), master('x', 'p')], code: 'EOPNOTSUPP' },
  {
    title: 'a bridge is no port of a bridge',
    ops: [bridge('br'), bridge('br2'), master('br2', 'br')],
    code: 'ELOOP',
  },
  {
    title: 'a port can move to another bridge',
    ops: [bridge('br'), bridge('br2'), master('x', 'br'), master('x', 'br2')],
    code: 'ok',
  },
  {
    title: 'an address is added once',
    ops: [withAddress('10.0.0.1/24'), withAddress('10.0.0.1/24')],
    code: 'EEXIST',
  },
  {
    title: 'a tiny MTU leaves no room for IPv6',
    ops: [{ kind: 'setLink', place: a, ifname: ifname('x'), mtu: 1000 }, withAddress('2001:db8::1/64')],
    code: 'EINVAL',
  },
  {
    title: 'a tiny MTU leaves no IPv6 mode to set',
    ops: [
      { kind: 'createLink', place: a, link: { ifname: ifname('tiny'), mtu: 1000, type: 'bridge' } },
      { kind: 'setLink', place: a, ifname: ifname('tiny'), addrgenmode: 'none' },
    ],
    code: 'EAFNOSUPPORT',
  },
  {
    title: 'an MTU below 68 is none',
    ops: [{ kind: 'setLink', place: a, ifname: ifname('x'), mtu: 60 }],
    code: 'EINVAL',
  },
  {
    title: 'a discipline takes the place of the one before, and goes',
    ops: [tbf(1e6), tbf(2e6), { ...tbf(1), qdisc: null }],
    code: 'ok',
  },
  { title: 'a discipline that is not there cannot go', ops: [{ ...tbf(1), qdisc: null }], code: 'ENOENT' },
  {
    title: 'a gateway must be on a link',
    ops: [withAddress('10.0.0.1/24'), up(a, 'x'), withRoute('0.0.0.0/0', { via: ip('192.0.2.1') })],
    code: 'ENETUNREACH',
  },
  {
    title: 'an IPv6 gateway must be on a link',
    ops: [withAddress('2001:db8::1/64'), up(a, 'x'), withRoute('::/0', { via: ip('2001:db8:9::1') })],
    code: 'EHOSTUNREACH',
  },
  {
    title: 'a gateway can be on a link by a route',
    ops: [
      withAddress('10.0.0.1/24'),
      up(a, 'x'),
      withRoute('192.0.2.1/32', { dev: ifname('x'), scope: 'link' }),
      withRoute('0.0.0.0/0', { via: ip('192.0.2.1') }),
    ],
    code: 'ok',
  },
  {
    title: 'a gateway behind a gateway is on no link',
    ops: [
      withAddress('10.0.0.1/24'),
      up(a, 'x'),
      withRoute('192.0.2.0/24', { via: ip('10.0.0.2') }),
      withRoute('0.0.0.0/0', { via: ip('192.0.2.1') }),
    ],
    code: 'ENETUNREACH',
  },
  {
    title: 'an own address is taken for a gateway',
    ops: [withAddress('10.0.0.1/24'), up(a, 'x'), withRoute('0.0.0.0/0', { via: ip('10.0.0.1') })],
    code: 'ok',
  },
  {
    title: 'the subnet of a device that is down leads nowhere',
    ops: [withAddress('10.0.0.1/24'), withRoute('0.0.0.0/0', { via: ip('10.0.0.2') })],
    code: 'ENETUNREACH',
  },
  {
    title: 'no route goes over a device that is down',
    ops: [withAddress('10.0.0.1/24'), withRoute('192.0.2.0/24', { dev: ifname('x') })],
    code: 'ENETDOWN',
  },
  {
    title: 'onlink asks for no subnet',
    ops: [
      withAddress('10.0.0.1/24'),
      up(a, 'x'),
      withRoute('0.0.0.0/0', { via: ip('192.0.2.1'), dev: ifname('x'), onlink: true }),
    ],
    code: 'ok',
  },
  {
    title: 'a source must be an own address',
    ops: [
      withAddress('10.0.0.1/24'),
      up(a, 'x'),
      withRoute('0.0.0.0/0', { via: ip('10.0.0.2'), src: ip('10.0.0.3') }),
    ],
    code: 'EINVAL',
  },
  {
    title: 'a route is added once',
    ops: [
      withRoute('192.0.2.0/24', { type: 'blackhole' }),
      withRoute('192.0.2.0/24', { type: 'unreachable' }),
    ],
    code: 'EEXIST',
  },
  {
    title: 'a metric makes another route of it',
    ops: [
      withRoute('192.0.2.0/24', { type: 'blackhole' }),
      withRoute('192.0.2.0/24', { type: 'blackhole', metric: 9 }),
      withRoute('192.0.2.0/24', { type: 'blackhole', table: 9 }),
    ],
    code: 'ok',
  },
  { title: 'a rule is added once', ops: [rule, rule], code: 'EEXIST' },
  { title: 'a neighbour is added once', ops: [up(a, 'x'), neighbour, neighbour], code: 'EEXIST' },
  {
    title: 'an altname is unique in its namespace',
    ops: [bridge('br'), altname('x', 'long'), altname('br', 'long')],
    code: 'EEXIST',
  },
  { title: 'a name is no altname of another', ops: [bridge('br'), altname('br', 'x')], code: 'EEXIST' },
  {
    title: 'a device that is not there has no settings',
    ops: [{ kind: 'setSysctl', place: a, key: 'net.ipv4.conf.nobody.forwarding', value: '1' }],
    code: 'ENOENT',
  },
  {
    title: 'a macvlan does not stand on a port of a bridge',
    ops: [
      bridge('br'),
      master('x', 'br'),
      {
        kind: 'createLink',
        place: a,
        link: { ifname: ifname('mv'), type: 'macvlan', link: end('a', 'x'), mode: 'bridge' },
      },
    ],
    code: 'EBUSY',
  },
  {
    title: 'a macvlan can be born in another namespace than its parent',
    ops: [
      {
        kind: 'createLink',
        place: b,
        link: { ifname: ifname('mv'), type: 'macvlan', link: end('a', 'x'), mode: 'bridge' },
      },
      up(b, 'mv'),
    ],
    code: 'ok',
  },
  {
    title: 'a macvlan dies with its parent, and a wire with either end',
    ops: [
      {
        kind: 'createLink',
        place: null,
        link: { ifname: ifname('h'), group: GROUP, type: 'veth', peer: { ifname: ifname('g'), place: b } },
      },
      {
        kind: 'createLink',
        place: a,
        link: { ifname: ifname('mv'), type: 'macvlan', link: end('b', 'g'), mode: 'bridge' },
      },
      up(a, 'mv'),
    ],
    undo: { kind: 'deleteLinks', group: GROUP, ifnames: [ifname('h')] },
    code: 'ENODEV',
  },
  {
    title: 'a device without the mark is left alone',
    ops: [
      {
        kind: 'createLink',
        place: null,
        link: { ifname: ifname('h'), type: 'veth', peer: { ifname: ifname('g'), place: b } },
      },
      up(b, 'g'),
    ],
    undo: { kind: 'deleteLinks', group: GROUP, ifnames: [ifname('h')] },
    code: 'ok',
  },
  {
    title: 'a vlan is not up before its parent',
    needs: 'vlan',
    ops: [
      {
        kind: 'createLink',
        place: a,
        link: { ifname: ifname('v'), type: 'vlan', link: end('a', 'x'), id: 5, protocol: '802.1Q' },
      },
      up(a, 'v'),
    ],
    code: 'ENETDOWN',
  },
  {
    title: 'a vlan has no larger MTU than its parent',
    needs: 'vlan',
    ops: [
      {
        kind: 'createLink',
        place: a,
        link: {
          ifname: ifname('v'),
          mtu: 9000,
          type: 'vlan',
          link: end('a', 'x'),
          id: 5,
          protocol: '802.1Q',
        },
      },
    ],
    code: 'EINVAL',
  },
  {
    title: 'a bond takes no port that is up',
    needs: 'bond',
    ops: [
      { kind: 'createLink', place: a, link: { ifname: ifname('bd'), type: 'bond', mode: 'active-backup' } },
      up(a, 'x'),
      master('x', 'bd'),
    ],
    code: 'EPERM',
  },
];
