// Labs as the loader would make them, written down directly: for tests of what comes after it. Addresses and names are given
// as text and trusted.

import type { IpAddress, IpInterface, IpPrefix } from '../../src/base/ip.ts';
import type { IfName, LabName, MacAddress, NetnsName, NodeName } from '../../src/base/names.ts';
import type { EndRef, Interface, InterfaceAddress } from '../../src/model/interface.ts';
import type { Lab, Node, Place } from '../../src/model/lab.ts';
import type { Route } from '../../src/model/route.ts';

export const ifname = (text: string): IfName => text as IfName;
export const ip = (text: string): IpAddress => text as IpAddress;
export const prefix = (text: string): IpPrefix => text as IpPrefix;
export const mac = (text: string): MacAddress => text as MacAddress;

/** The place a node's name stands for: `host` is the machine's own. */
export function place(node: string): Place {
  return node === 'host' ? null : (node as NetnsName);
}

export function end(node: string, name: string): EndRef {
  return { node: node as NodeName, place: place(node), ifname: ifname(name) };
}

export function address(text: string): InterfaceAddress {
  return { ip: text as IpInterface, nodad: text.includes(':'), path: text };
}

type Kind = Interface extends infer I ? (I extends { type: string } ? Omit<I, keyof Common> : never) : never;
type Common = Pick<Interface, 'name' | 'ifname' | 'up' | 'addresses' | 'ipv6' | 'path'>;
type Extra = Partial<Pick<Interface, 'altname' | 'mac' | 'mtu' | 'master' | 'port' | 'up' | 'ipv6'>>;

/** An interface of the node that is up and has the addresses; IPv6 is on where one of them is of that family. */
export function iface(
  name: string,
  kind: Kind,
  addresses: readonly string[] = [],
  extra: Extra = {},
): Interface {
  const common: Common = {
    name,
    ifname: ifname(name),
    up: true,
    addresses: addresses.map(address),
    ipv6: addresses.some((text) => text.includes(':')),
    path: `interfaces.${name}`,
  };
  return { ...common, ...kind, ...extra } as Interface;
}

export function veth(
  name: string,
  peer: EndRef,
  addresses: readonly string[] = [],
  extra: Extra = {},
): Interface {
  return iface(name, { type: 'veth', peer }, addresses, extra);
}

export function node(name: string, interfaces: readonly Interface[], extra: Partial<Node> = {}): Node {
  return {
    name: name as NodeName,
    place: place(name),
    kind: name === 'host' ? 'host' : 'netns',
    interfaces,
    routes: [],
    rules: [],
    neighbours: [],
    nat: [],
    sysctls: [],
    hosts: [],
    exec: [],
    labels: {},
    path: `nodes.${name}`,
    ...extra,
  };
}

export function route(to: string, rest: Partial<Route> = {}): Route {
  const family = to.includes(':') ? 6 : 4;
  return { type: 'unicast', family, to: prefix(to), path: `route ${to}`, ...rest };
}

export function sysctl(key: string, value: string): Node['sysctls'][number] {
  return { key, value, path: key };
}

export function lab(name: string, nodes: readonly Node[]): Lab {
  return { name: name as LabName, prefix: '', nodes, links: [], tests: [], allocated: [] };
}

/** The two ends of one wire, of which one is the machine itself. */
export function twoNamespaces(): Lab {
  return lab('two-namespaces', [
    node('test_ns', [veth('veth1', end('host', 'veth0'), ['10.1.1.1/24'])]),
    node('host', [veth('veth0', end('test_ns', 'veth1'), ['10.1.1.2/24'])]),
  ]);
}

/** N hosts on one switch, each with a default route to the first address. */
export function star(n: number): Lab {
  const ports: Interface[] = [iface('br0', { type: 'bridge' })];
  const hosts: Node[] = [];
  for (let i = 1; i <= n; i++) {
    ports.push(veth(`p${i}`, end(`n${i}`, 'eth0'), [], { master: ifname('br0') }));
    const own = `10.1.${(i + 1) >> 8}.${(i + 1) & 255}/16`;
    hosts.push(
      node(`n${i}`, [veth('eth0', end('sw', `p${i}`), [own])], {
        routes: [route('0.0.0.0/0', { via: ip('10.1.0.1') })],
      }),
    );
  }
  return lab('star', [node('sw', ports, { kind: 'bridge' }), ...hosts]);
}

/** N routers in a ring, each with a /31 to the next and a default route there. */
export function ring(n: number): Lab {
  const link = (i: number, side: 0 | 1): string => {
    const k = 2 * i + side;
    return `10.2.${k >> 8}.${k & 255}`;
  };
  const routers = Array.from({ length: n }, (_, i) => {
    const next = (i + 1) % n;
    const before = (i + n - 1) % n;
    return node(
      `r${i}`,
      [
        veth('right', end(`r${next}`, 'left'), [`${link(i, 0)}/31`]),
        veth('left', end(`r${before}`, 'right'), [`${link(before, 1)}/31`]),
      ],
      {
        kind: 'router',
        sysctls: [sysctl('net.ipv4.ip_forward', '1'), sysctl('net.ipv6.conf.all.forwarding', '1')],
        routes: [route('0.0.0.0/0', { via: ip(link(i, 1)) })],
      },
    );
  });
  return lab('ring', routers);
}

/** One of everything that the kernel of a plain machine can make without modules. */
export function everything(): Lab {
  const gateway = node(
    'gw',
    [
      iface('lo', { type: 'loopback' }, ['10.255.0.1/32', '2001:db8:ff::1/128']),
      veth('eth0', end('sw', 'p1'), ['10.1.1.254/24', '2001:db8:1::fe/64']),
      veth('uplink', end('host', 'uplink'), ['192.0.2.2/30']),
      veth('averylongint0', end('m2', 'eth9'), ['10.9.0.1/31'], { altname: 'a-very-long-interface-name' }),
    ],
    {
      kind: 'router',
      sysctls: [
        sysctl('net.ipv4.conf.eth0.rp_filter', '2'),
        sysctl('net.ipv4.ip_forward', '1'),
        sysctl('net.ipv6.conf.all.forwarding', '1'),
        sysctl('net.ipv4.ping_group_range', '0 2147483647'),
      ],
      routes: [
        route('0.0.0.0/0', { via: ip('192.0.2.1'), metric: 50, protocol: 4 }),
        route('10.77.0.0/16', {
          nexthops: [
            { via: ip('10.1.1.1'), weight: 2 },
            { via: ip('10.1.1.2'), dev: ifname('eth0') },
          ],
        }),
        route('10.66.0.0/16', { via: ip('10.55.0.1'), table: 100 }),
        route('10.55.0.1/32', { dev: ifname('eth0'), scope: 'link' }),
        route('10.44.0.0/16', { type: 'blackhole' }),
        route('10.43.0.0/16', { type: 'unreachable' }),
        route('10.42.0.0/16', { type: 'prohibit', metric: 7 }),
        route('10.41.0.0/16', { via: ip('203.0.113.9'), dev: ifname('uplink'), onlink: true, mtu: 1400 }),
        route('2001:db8:77::/48', { via: ip('2001:db8:1::1'), src: ip('2001:db8:ff::1') }),
        route('::/0', { nexthops: [{ via: ip('2001:db8:1::1') }, { via: ip('2001:db8:1::2') }] }),
        route('2001:db8:44::/48', { type: 'unreachable' }),
      ],
      rules: [
        {
          family: 4,
          from: prefix('10.1.1.0/24'),
          iif: ifname('eth0'),
          priority: 1000,
          action: { kind: 'lookup', table: 100 },
          path: 'rules[0]',
        },
        {
          family: 4,
          not: true,
          to: prefix('10.0.0.0/8'),
          fwmark: 1,
          fwmask: 255,
          ipproto: 'tcp',
          dport: { from: 80, to: 90 },
          priority: 1001,
          action: { kind: 'lookup', table: 254 },
          suppress_prefixlength: 0,
          path: 'rules[1]',
        },
        {
          family: 6,
          to: prefix('2001:db8:99::/48'),
          priority: 1002,
          action: { kind: 'prohibit' },
          path: 'rules[2]',
        },
      ],
      neighbours: [
        { ip: ip('10.1.1.77'), dev: ifname('eth0'), lladdr: mac('02:00:00:00:00:77'), path: 'neighbours[0]' },
        { ip: ip('10.1.1.78'), dev: ifname('eth0'), proxy: true, path: 'neighbours[1]' },
      ],
      nat: [
        { kind: 'masquerade', out: 'uplink', path: 'nat[0]' },
        { kind: 'masquerade', family: 6, out: 'up*', path: 'nat[1]' },
        {
          kind: 'snat',
          family: 4,
          out: 'uplink',
          source: prefix('10.1.1.0/24'),
          to: { address: { from: ip('192.0.2.2') } },
          path: 'nat[2]',
        },
        {
          kind: 'dnat',
          family: 4,
          in: 'uplink',
          proto: 'tcp',
          port: { from: 8080 },
          to: { address: { from: ip('10.1.1.1') }, port: { from: 80 } },
          path: 'nat[3]',
        },
      ],
      firewall: {
        input: {
          policy: 'drop',
          path: 'firewall.input',
          rules: [
            { ct: ['established', 'related'], counter: true, action: 'accept', path: 'r0' },
            {
              in: 'eth0',
              proto: 'tcp',
              port: [{ from: 22 }, { from: 80, to: 90 }],
              source: [prefix('10.1.1.0/24'), prefix('2001:db8:1::/64')],
              counter: false,
              action: 'accept',
              comment: 'from inside',
              path: 'r1',
            },
            { proto: 'icmp', icmp_type: 'echo-request', counter: false, action: 'accept', path: 'r2' },
            { counter: false, log: 'refused: ', action: 'reject', path: 'r3' },
          ],
        },
        forward: { policy: 'accept', path: 'firewall.forward', rules: [] },
      },
    },
  );
  const bridge = node(
    'sw',
    [
      iface('br0', {
        type: 'bridge',
        stp: true,
        forward_delay: 4,
        hello_time: 1,
        max_age: 6,
        ageing_time: 60,
        priority: 4096,
        mcast_snooping: false,
        group_fwd_mask: 8,
      }),
      veth('p1', end('gw', 'eth0'), [], { master: ifname('br0') }),
      veth('p2', end('m1', 'eth0'), [], {
        master: ifname('br0'),
        port: { cost: 50, priority: 8, hairpin: true, isolated: true, learning: false, guard: true },
      }),
      veth('p3', end('m2', 'eth0'), [], { master: ifname('br0'), mtu: 1400 }),
      veth('p4', end('host', 'tohost'), [], { master: ifname('br0') }),
    ],
    { kind: 'bridge' },
  );
  /** Address 10.1.1.N on a port of the switch, and a vxlan over it to the other machine. */
  const machine = (n: 1 | 2, extra: readonly Interface[], rest: Partial<Node> = {}): Node => {
    const name = `m${n}`;
    const wire = veth('eth0', end('sw', `p${n + 1}`), [`10.1.1.${n}/24`], {
      mtu: 1400,
      mac: mac(`02:00:00:00:01:0${n}`),
    });
    const overlay = iface(
      'vx0',
      {
        type: 'vxlan',
        id: 42,
        local: ip(`10.1.1.${n}`),
        remotes: [ip(`10.1.1.${3 - n}`)],
        dstport: 4789,
        link: end(name, 'eth0'),
        learning: true,
        ttl: 9,
      },
      [`10.200.0.${n}/24`],
    );
    return node(name, [wire, overlay, ...extra], rest);
  };
  const first = machine(
    1,
    [
      iface('mv0', { type: 'macvlan', link: end('m1', 'eth0'), mode: 'bridge' }, ['10.1.1.11/24']),
      iface('ifb0', { type: 'ifb' }, [], { up: false }),
      iface('tap0', { type: 'tap', owner: 1000, group: 100 }, ['10.50.0.1/24'], { mtu: 1300 }),
      iface('tun0', { type: 'tun' }, ['10.51.0.1/24']),
      iface('small', { type: 'bridge' }, ['10.52.0.1/24'], { mtu: 1000 }),
    ],
    {
      hosts: [{ address: ip('203.0.113.5'), names: ['outside', 'www.example'] }],
      dns: {
        servers: [ip('192.0.2.53'), ip('2001:db8::53')],
        search: ['lab.example'],
        options: ['timeout:1'],
      },
      exec: [
        ['/bin/sh', '-c', "echo 'it''s' > /dev/null; : $HOME"],
        ['ip', 'link', 'set', 'dev', 'eth0', 'txqueuelen', '77'],
      ],
    },
  );
  const second = machine(2, [veth('eth9', end('gw', 'averylongint0'), ['10.9.0.0/31'])]);
  // A device that stands on one of another namespace.
  const guest = node('guest', [
    iface('mv1', { type: 'macvlan', link: end('m2', 'eth0'), mode: 'private' }, ['10.1.1.12/24'], {
      mac: mac('02:00:00:00:01:12'),
    }),
  ]);
  const host = node(
    'host',
    [
      iface('xbr0', { type: 'bridge' }, ['172.31.250.1/24']),
      veth('uplink', end('gw', 'uplink'), ['192.0.2.1/30']),
      veth('tohost', end('sw', 'p4'), [], { master: ifname('xbr0') }),
    ],
    {
      sysctls: [sysctl('net.ipv4.conf.uplink.forwarding', '1'), sysctl('net.ipv4.conf.lo.accept_local', '1')],
      routes: [
        route('10.1.1.0/24', { via: ip('192.0.2.2') }),
        route('198.51.100.0/24', { type: 'blackhole' }),
        route('10.200.0.0/24', { dev: ifname('uplink') }),
      ],
      rules: [
        {
          family: 4,
          from: prefix('198.51.100.0/24'),
          priority: 5000,
          action: { kind: 'lookup', table: 77 },
          path: 'r',
        },
      ],
      nat: [{ kind: 'masquerade', out: 'nowhere0', source: prefix('192.0.2.0/30'), path: 'nat[0]' }],
    },
  );
  return lab('everything', [guest, gateway, bridge, first, second, host]);
}

/** The kinds of device that need a module of a stock kernel: vlan, dummy, vrf, ipvlan, bond, gre, wireguard, VLANs of a bridge. */
export function stockKinds(): Lab {
  const br0 = ifname('br0');
  const bridge = node(
    'sw',
    [
      iface('br0', { type: 'bridge', vlan_filtering: true }),
      veth('p1', end('a', 'eth0'), [], { master: br0, port: { vlan: 10 } }),
      veth('p2', end('b', 'eth0'), [], { master: br0, port: { vlans: [{ from: 10, to: 12 }] } }),
      veth('p3', end('c', 's0'), [], { master: br0, port: { vlan: 11, vlans: [{ from: 20, to: 20 }] } }),
    ],
    { kind: 'bridge' },
  );
  const a = node('a', [
    veth('eth0', end('sw', 'p1'), ['10.1.0.1/24', '2001:db8:1::1/64']),
    iface('dummy0', { type: 'dummy' }, ['10.8.0.1/32']),
    iface('gre1', { type: 'gre', local: ip('10.1.0.1'), remote: ip('10.1.0.2'), key: 7, ttl: 33 }, [
      '10.5.0.1/30',
    ]),
    iface('tap6', { type: 'gretap', local: ip('2001:db8:1::1'), remote: ip('2001:db8:1::2') }, [
      '10.6.0.1/30',
    ]),
    iface('gretap1', { type: 'gretap', local: ip('10.1.0.1'), remote: ip('10.1.0.2') }, ['10.6.1.1/30']),
    iface('ipv0', { type: 'ipvlan', link: end('a', 'dummy0'), mode: 'l3', flag: 'private' }, ['10.8.1.1/24']),
    iface(
      'wg0',
      {
        type: 'wireguard',
        private_key: 'YAnz5TF+lXXJte14tji3zlMNftft3b9yV8Wc2DlUjFc=',
        listen_port: 51820,
        fwmark: 51,
        peers: [
          {
            public_key: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=',
            preshared_key: '/UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=',
            endpoint: { address: ip('10.1.0.2'), port: 51821 },
            allowed_ips: ['10.7.0.2/32' as IpInterface, '2001:db8:7::/48' as IpInterface],
            persistent_keepalive: 25,
          },
        ],
      },
      ['10.7.0.1/24'],
    ),
  ]);
  const b = node(
    'b',
    [
      // The file may name a vlan before its parent.
      iface('v10', { type: 'vlan', link: end('b', 'eth0'), id: 10, protocol: '802.1Q' }, ['10.1.0.2/24'], {
        master: ifname('red'),
      }),
      iface('v11', { type: 'vlan', link: end('b', 'eth0'), id: 11, protocol: '802.1ad' }, ['10.11.0.2/24'], {
        mtu: 1400,
      }),
      veth('eth0', end('sw', 'p2')),
      iface('red', { type: 'vrf', table: 100 }, [], { ipv6: true }),
    ],
    { routes: [route('0.0.0.0/0', { via: ip('10.1.0.1'), table: 100 })] },
  );
  const c = node('c', [
    veth('s0', end('sw', 'p3'), [], { master: ifname('bond0') }),
    iface('bond0', { type: 'bond', mode: 'active-backup', miimon: 100 }, ['10.11.0.3/24']),
    iface('dm1', { type: 'dummy' }, [], { master: ifname('bond0') }),
    // A vlan whose parent is another node's.
    iface('guest', { type: 'vlan', link: end('b', 'eth0'), id: 12, protocol: '802.1Q' }, ['10.12.0.3/24']),
  ]);
  return lab('stock-kinds', [a, b, c, bridge]);
}
