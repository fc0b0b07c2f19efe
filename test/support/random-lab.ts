// Random topology files that are valid, small (2 to 8 nodes) and can be brought up on any kernel with veth, bridge, vxlan and
// macvlan. For property tests without root (loading, planning, undoing on a fake) and for labs on the real kernel. A lab is
// built from a handful of choices, so that fast-check shrinks a failure to the choices that matter.

import fc from 'fast-check';
import { stringify } from 'yaml';

export type RandomLab = {
  readonly name: string;
  /** As YAML would give it. */
  readonly file: Record<string, unknown>;
  readonly yaml: string;
};

type Choices = {
  readonly seed: number;
  readonly lans: readonly Lan[];
  readonly routers: number;
  readonly ring: boolean;
  readonly nat: 'none' | 'masquerade' | 'snat' | 'dnat';
  readonly firewall: boolean;
  readonly overlay: 'none' | 'vxlan' | 'macvlan' | 'bridge' | 'tap';
  readonly pools: boolean;
  readonly extras: Extras;
};
type Lan = {
  readonly hosts: number;
  readonly dual: boolean;
  readonly auto: boolean;
  readonly stp: boolean;
};
type Extras = {
  readonly rule: boolean;
  readonly blackhole: boolean;
  readonly neighbour: boolean;
  readonly sysctl: boolean;
  readonly mtu: number | undefined;
  readonly longName: boolean;
  readonly hosts: boolean;
  readonly impair: boolean;
};

const lan = fc.record<Lan>({
  hosts: fc.integer({ min: 1, max: 3 }),
  dual: fc.boolean(),
  auto: fc.boolean(),
  stp: fc.boolean(),
});

const extras = fc.record<Extras>({
  rule: fc.boolean(),
  blackhole: fc.boolean(),
  neighbour: fc.boolean(),
  sysctl: fc.boolean(),
  mtu: fc.option(fc.integer({ min: 1280, max: 9000 }), { nil: undefined }),
  longName: fc.boolean(),
  hosts: fc.boolean(),
  impair: fc.boolean(),
});

const choices = fc.record<Choices>({
  seed: fc.integer({ min: 0, max: 199 }),
  lans: fc.array(lan, { minLength: 1, maxLength: 2 }),
  routers: fc.integer({ min: 0, max: 3 }),
  ring: fc.boolean(),
  nat: fc.constantFrom('none', 'masquerade', 'snat', 'dnat'),
  firewall: fc.boolean(),
  overlay: fc.constantFrom('none', 'vxlan', 'macvlan', 'bridge', 'tap'),
  pools: fc.boolean(),
  extras,
});

const choicesKeys: { readonly [K in keyof Choices]: true } = {
  seed: true,
  lans: true,
  routers: true,
  ring: true,
  nat: true,
  firewall: true,
  overlay: true,
  pools: true,
  extras: true,
};

/** Valid topology files; names of nodes and of the lab begin with the prefix. */
export function randomLab(prefix: string): fc.Arbitrary<RandomLab> {
  return choices.map((chosen) => {
    const file = new Builder(prefix, chosen).build();
    return { name: String(file['name']), file, yaml: stringify(file) };
  });
}

/** Two labs of one name, which have more or less in common, as texts. */
export function randomLabPair(prefix: string): fc.Arbitrary<readonly [string, string]> {
  const keys = Object.keys(choicesKeys) as (keyof Choices)[];
  const kept = fc.record(Object.fromEntries(keys.map((key) => [key, fc.boolean()])));
  return fc.tuple(choices, choices, kept, fc.boolean()).map(([a, b, keep, sameExtras]) => {
    const second: Record<string, unknown> = { ...b };
    for (const key of keys) if (keep[key] === true) second[key] = a[key];
    // Most often one of the small things is another, and not all of them.
    if (sameExtras && keep['extras'] !== true)
      second['extras'] = { ...a.extras, mtu: b.extras.mtu, rule: b.extras.rule };
    const yaml = (chosen: Choices): string => stringify(new Builder(prefix, chosen).build());
    return [yaml(a), yaml(second as Choices)] as const;
  });
}

/** The same, as text for tests that print it. */
export function randomLabYaml(prefix: string): fc.Arbitrary<string> {
  return randomLab(prefix).map(({ yaml }) => yaml);
}

type Mutable = Record<string, unknown>;
type Host = { readonly node: string; readonly lan: number; readonly number: number; readonly ifname: string };

const MOST_NODES = 8;

class Builder {
  private readonly prefix: string;
  private readonly chosen: Choices;
  private readonly nodes: Record<string, Mutable> = {};
  private readonly links: Mutable[] = [];
  private readonly hosts: Host[] = [];
  private readonly routers: string[] = [];

  constructor(prefix: string, chosen: Choices) {
    this.prefix = prefix;
    this.chosen = chosen;
  }

  build(): Mutable {
    const { chosen } = this;
    const room = MOST_NODES - chosen.lans.length;
    const routers = Math.min(chosen.routers, room - chosen.lans.length);
    for (let index = 0; index < routers; index++) this.addRouter(index);
    let left = room - routers;
    for (const [index, one] of chosen.lans.entries()) {
      const later = chosen.lans.length - 1 - index;
      const count = Math.max(1, Math.min(one.hosts, left - later));
      left -= count;
      this.addLan(index, one, count);
    }
    this.joinRouters();
    this.addOverlay();
    this.addExtras();
    return {
      name: `${this.prefix}lab`,
      ...(chosen.extras.mtu === undefined ? {} : { defaults: { mtu: chosen.extras.mtu } }),
      ...(chosen.pools ? { addressing: this.pools() } : {}),
      nodes: this.nodes,
      links: this.links,
    };
  }

  private pools(): Mutable {
    const { seed } = this.chosen;
    return {
      lan: { ipv4: `10.${seed}.64.0/18`, ipv6: `fd00:${seed}:64::/56` },
      p2p: { ipv4: `10.${seed}.192.0/20`, prefix: 31, ipv6: `fd00:${seed}:ff::/56`, prefix6: 127 },
      loopback: { ipv4: `10.${seed}.255.0/24` },
    };
  }

  private node(name: string): Mutable {
    const full = `${this.prefix}${name}`;
    this.nodes[full] ??= {};
    return this.nodes[full] as Mutable;
  }

  private addRouter(index: number): void {
    const name = `r${index}`;
    this.node(name)['kind'] = 'router';
    this.routers.push(name);
    if (this.chosen.pools) this.interfaceOf(name, 'lo')['addresses'] = ['auto'];
  }

  private interfaceOf(node: string, ifname: string): Mutable {
    const full = this.node(node);
    full['interfaces'] ??= {};
    const interfaces = full['interfaces'] as Record<string, Mutable>;
    interfaces[ifname] ??= {};
    return interfaces[ifname];
  }

  private v4(index: number, number: number): string {
    return `10.${this.chosen.seed}.${index}.${number}`;
  }

  private v6(index: number, number: number): string {
    return `fd00:${this.chosen.seed}:${index}::${number.toString(16)}`;
  }

  private addLan(index: number, { dual, auto, stp }: Lan, hosts: number): void {
    const name = `sw${index}`;
    const bridge = this.node(name);
    bridge['kind'] = 'bridge';
    if (stp) Object.assign(bridge, { stp: true, forward_delay: '2s', hello_time: '1s', max_age: '6s' });
    const router = this.routers[0];
    if (auto) {
      bridge['subnet'] = dual
        ? [`${this.v4(index, 0)}/24`, `${this.v6(index, 0).slice(0, -1)}/64`]
        : `${this.v4(index, 0)}/24`;
      if (router !== undefined)
        bridge['gateway'] = dual ? [this.v4(index, 254), this.v6(index, 254)] : this.v4(index, 254);
    }
    if (router !== undefined) this.joinRouterToLan(router, index, dual);
    for (let number = 1; number <= hosts; number++) this.addHost(index, number, { dual, auto });
  }

  private joinRouterToLan(router: string, index: number, dual: boolean): void {
    const ifname = `lan${index}`;
    const addresses = [`${this.v4(index, 254)}/24`, ...(dual ? [`${this.v6(index, 254)}/64`] : [])];
    this.interfaceOf(router, ifname)['addresses'] = addresses;
    this.link(`${router}:${ifname}`, `sw${index}`);
  }

  private addHost(index: number, number: number, { dual, auto }: { dual: boolean; auto: boolean }): void {
    const node = `h${index}${number}`;
    const ifname = this.chosen.extras.longName && number === 1 ? 'ethernet-to-the-switch' : 'eth0';
    const own = [`${this.v4(index, number)}/24`, ...(dual ? [`${this.v6(index, number)}/64`] : [])];
    const addresses = auto ? ['auto'] : own;
    this.link({ node: `${this.prefix}${node}`, interface: ifname, addresses }, `sw${index}`);
    const router = this.routers[0];
    if (!auto && router !== undefined) {
      const via = this.v4(index, 254);
      this.node(node)['routes'] = [
        `default via ${via}`,
        ...(dual ? [{ to: 'default', via: this.v6(index, 254) }] : []),
      ];
    } else this.node(node);
    this.hosts.push({ node, lan: index, number, ifname });
  }

  private link(a: string | Mutable, b: string): void {
    const first = typeof a === 'string' ? `${this.prefix}${a}` : a;
    this.links.push({ endpoints: [first, `${this.prefix}${b}`] });
  }

  /** A chain or a ring of routers; each knows the way to the LANs, which hang at the first. */
  private joinRouters(): void {
    const { routers } = this;
    const count = routers.length;
    const wires = this.chosen.ring && count > 2 ? count : count - 1;
    for (let index = 0; index < wires; index++) this.wireRouters(index, (index + 1) % count);
    const first = routers[0];
    if (first === undefined || count < 2) return;
    if (!this.chosen.pools) for (let index = 1; index < count; index++) this.routeToFirst(index);
    this.addNat(first);
  }

  private wireRouters(index: number, next: number): void {
    const [a, b] = [this.routers[index] ?? '', this.routers[next] ?? ''];
    const ends = [`to${next}`, `from${index}`] as const;
    const addresses = this.chosen.pools
      ? [['auto'], ['auto']]
      : [[`${this.v4(100 + index, 1)}/30`], [`${this.v4(100 + index, 2)}/30`]];
    this.interfaceOf(a, ends[0])['addresses'] = addresses[0];
    this.interfaceOf(b, ends[1])['addresses'] = addresses[1];
    this.link(`${a}:${ends[0]}`, `${b}:${ends[1]}`);
    if (this.chosen.extras.impair)
      Object.assign(this.links.at(-1) as Mutable, { impair: { rate: '50mbit' } });
  }

  private routeToFirst(index: number): void {
    const node = this.node(this.routers[index] ?? '');
    const via = this.v4(100 + index - 1, 1);
    const routes = listIn(node, 'routes');
    for (const [number] of this.chosen.lans.entries()) routes.push({ to: `${this.v4(number, 0)}/24`, via });
    // The last of a ring has a second way: two nexthops of different weight.
    if (this.chosen.ring && index === this.routers.length - 1 && index > 1) {
      const nexthops = [{ via, weight: 2 }, { via: this.v4(100 + index, 2) }];
      routes.push({ to: '198.51.100.0/24', nexthops });
    }
  }

  private addNat(first: string): void {
    const { nat, firewall } = this.chosen;
    const node = this.node(first);
    const host = this.hosts[0];
    if (nat === 'masquerade') node['nat'] = [{ masquerade: { out: 'to1' } }];
    if (nat === 'snat')
      node['nat'] = [{ snat: { out: 'to1', source: `${this.v4(0, 0)}/24`, to: '192.0.2.1-192.0.2.9' } }];
    if (nat === 'dnat' && host !== undefined && this.chosen.lans[0]?.auto === false) {
      node['nat'] = [{ dnat: { in: 'to1', proto: 'tcp', port: 8080, to: `${this.v4(0, host.number)}:80` } }];
    }
    if (!firewall) return;
    node['firewall'] = {
      forward: {
        policy: 'drop',
        rules: [
          { ct: 'established,related', action: 'accept' },
          { in: 'lan0', action: 'accept', counter: true },
          { proto: 'tcp', port: [80, '8000-8010'], destination: `${this.v4(0, 0)}/24`, action: 'accept' },
          { proto: 'icmp', action: 'reject', comment: 'no pings' },
        ],
      },
    };
  }

  private addOverlay(): void {
    const [a, b] = this.hosts.filter(({ lan: index }) => index === 0);
    if (a === undefined) return;
    const { overlay } = this.chosen;
    if (overlay === 'macvlan') {
      Object.assign(this.interfaceOf(a.node, 'mv0'), {
        type: 'macvlan',
        link: a.ifname,
        addresses: [`${this.v4(60, 1)}/24`],
      });
    }
    if (overlay === 'bridge') {
      Object.assign(this.interfaceOf(a.node, 'br0'), { type: 'bridge', addresses: [`${this.v4(61, 1)}/24`] });
      Object.assign(this.interfaceOf(a.node, 'tap0'), { type: 'tap', master: 'br0' });
    }
    if (overlay === 'tap')
      Object.assign(this.interfaceOf(a.node, 'tun0'), { type: 'tun', addresses: [`${this.v4(62, 1)}/30`] });
    if (overlay !== 'vxlan' || b === undefined || this.chosen.lans[0]?.auto !== false) return;
    for (const [own, far] of [
      [a, b],
      [b, a],
    ] as const) {
      Object.assign(this.interfaceOf(own.node, 'vx0'), {
        type: 'vxlan',
        id: 100 + this.chosen.seed,
        local: this.v4(0, own.number),
        remote: this.v4(0, far.number),
        addresses: [`${this.v4(63, own.number)}/24`],
      });
    }
  }

  private addExtras(): void {
    const { extras: extra } = this.chosen;
    const host = this.hosts.at(-1);
    if (host === undefined) return;
    const node = this.node(host.node);
    const routes = () => listIn(node, 'routes');
    if (extra.blackhole) routes().push('blackhole 203.0.113.0/24 metric 7');
    if (extra.rule) {
      routes().push('unreachable default table 100');
      node['rules'] = [
        `from ${this.v4(host.lan, 200)} table 100`,
        { fwmark: '0x1/0xff', lookup: 100, priority: 77 },
      ];
    }
    if (extra.neighbour)
      node['neighbours'] = [`${this.v4(host.lan, 201)} lladdr 02:00:00:00:00:c9 dev ${host.ifname}`];
    if (extra.sysctl)
      node['sysctls'] = { 'net.ipv4.conf.all.rp_filter': 0, [`net.ipv4.conf.${host.ifname}.arp_ignore`]: 1 };
    if (extra.hosts) node['hosts'] = { outside: '203.0.113.9' };
  }
}

function listIn(node: Mutable, key: string): unknown[] {
  node[key] ??= [];
  return node[key] as unknown[];
}
