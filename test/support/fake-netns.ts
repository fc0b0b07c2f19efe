// Namespaces made of plain data, for the walk of src/diagnose: what a kernel would answer to the questions of world.ts about
// them. Its routing knows the longest prefix of the main table, forwarding and addresses of its own, and nothing else.

import {
  addressOf,
  type IpAddress,
  type IpInterface,
  ipFamily,
  prefixContains,
  prefixLength,
  subnetOf,
} from '../../src/base/ip.ts';
import type { Answer, Listener, Netns, Port, Question, Wireguard, World } from '../../src/diagnose/world.ts';
import { formOf, type TableForm } from '../../src/nfnl/read.ts';
import type { NftTable } from '../../src/nfnl/ruleset.ts';
import type { Address } from '../../src/rtnl/addr.ts';
import type { Link } from '../../src/rtnl/link.ts';
import { type Route, RT_TABLE_MAIN } from '../../src/rtnl/route.ts';
import type { Rule } from '../../src/rtnl/rule.ts';

const AF_INET = 2;
const AF_INET6 = 10;

export type FakeLink = {
  readonly addresses?: readonly string[];
  /** `node:ifname` of the other end. */
  readonly peer?: string;
  readonly kind?: string;
  readonly master?: string;
  readonly up?: boolean;
  readonly mtu?: number;
};

export type FakeNetns = {
  readonly links: Readonly<Record<string, FakeLink>>;
  /** `PREFIX via ADDRESS`, or `default via ADDRESS`. */
  readonly routes?: readonly string[];
  readonly forwarding?: boolean;
  readonly tables?: readonly NftTable[];
  readonly listeners?: readonly Listener[];
  readonly wireguard?: Wireguard;
};

/** A world of these namespaces. */
export function fakeWorld(spec: Readonly<Record<string, FakeNetns>>): World & { of(name: string): Netns } {
  const all = Object.entries(spec).map(([name, one]) => new Fake(name, one));
  const find = (name: string): Fake => {
    const found = all.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };
  return {
    all,
    own: all,
    of: find,
    lower: ({ ns, link }: Port): Port | undefined => {
      const [node = '', ifname] = (ns as Fake).spec.links[link.ifname]?.peer?.split(':') ?? [];
      if (node === '') return undefined;
      const other = find(node);
      const peer = other.links.find((one) => one.ifname === ifname);
      return peer === undefined ? undefined : { ns: other, link: peer };
    },
  };
}

class Fake implements Netns {
  readonly name: string;
  readonly spec: FakeNetns;
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly neighbours = [];
  readonly fdb = [];
  readonly vlans = new Map();
  readonly tables: readonly TableForm[];

  constructor(name: string, spec: FakeNetns) {
    this.name = name;
    this.spec = spec;
    const names = Object.keys(spec.links);
    const indexOf = (ifname: string | undefined): number => names.indexOf(ifname ?? '') + 1;
    this.links = names.map((ifname) => {
      const { up = true, mtu = 1500, kind = 'veth', master } = spec.links[ifname] ?? {};
      const base = {
        ifindex: indexOf(ifname),
        ifname,
        type: 1,
        flags: up ? 1 : 0,
        up,
        lowerUp: up,
        mtu,
        altnames: [],
      };
      const mac = `02:00:00:00:${String(name.length).padStart(2, '0')}:0${indexOf(ifname)}`;
      return { ...base, mac, kind, ...(master === undefined ? {} : { master: indexOf(master) }) };
    });
    this.addresses = names.flatMap((ifname) =>
      (spec.links[ifname]?.addresses ?? []).map((address) => addressEntry(address, indexOf(ifname))),
    );
    this.routes = this.#makeRoutes();
    this.rules = [AF_INET, AF_INET6].map((family) => ({
      family: family as typeof AF_INET,
      action: 'table',
      table: RT_TABLE_MAIN,
      priority: 32_766,
    }));
    this.tables = (spec.tables ?? []).map(formOf);
  }

  #makeRoutes(): Route[] {
    const up = new Set(this.links.filter((link) => link.up).map(({ ifindex }) => ifindex));
    const direct = this.addresses
      .filter(({ ifindex }) => up.has(ifindex))
      .map(({ address, ifindex }) =>
        routeEntry(subnetOf(address), { dev: ifindex, src: addressOf(address) }, ipFamily(address)),
      );
    const written = (this.spec.routes ?? []).flatMap((text) => {
      const [, to = '', via = ''] = /^(\S+) via (\S+)$/.exec(text) ?? [];
      const dev = direct.find((one) => one.to !== 'default' && prefixContains(one.to, via as IpAddress))?.dev;
      if (dev === undefined) return [];
      return [routeEntry(to, { dev, via: via as IpAddress }, ipFamily(via as IpAddress))];
    });
    return [...direct, ...written];
  }

  lookup({ to, iif }: Question): Answer {
    const own = this.addresses.some(({ address }) => addressOf(address) === to);
    if (own)
      return { route: { ...routeEntry(`${to}/32`, { dev: 1, src: to }, ipFamily(to)), type: 'local' } };
    if (iif !== undefined && this.spec.forwarding !== true) return { code: 'EHOSTUNREACH' };
    const length = (route: Route): number => (route.to === 'default' ? 0 : prefixLength(route.to));
    const [best] = this.routes
      .filter((route) => route.family === (ipFamily(to) === 4 ? AF_INET : AF_INET6))
      .filter((route) => route.to === 'default' || prefixContains(route.to, to))
      .sort((a, b) => length(b) - length(a));
    return best === undefined ? { code: 'ENETUNREACH' } : { route: best };
  }

  sysctl(key: string): string | undefined {
    return key.endsWith('forwarding') || key.endsWith('ip_forward')
      ? this.spec.forwarding === true
        ? '1'
        : '0'
      : '0';
  }

  wireguard(): Wireguard | undefined {
    return this.spec.wireguard;
  }

  listeners(): readonly Listener[] {
    return this.spec.listeners ?? [];
  }
}

function addressEntry(address: string, ifindex: number): Address {
  const flags = { secondary: false, nodad: true, noprefixroute: false, tentative: false };
  const rest = { dadfailed: false, deprecated: false, permanent: true, flags: 0, scope: 'global' } as const;
  return { ifindex, address: address as IpInterface, ...flags, ...rest };
}

function routeEntry(to: string, rest: Partial<Route>, family: 4 | 6): Route {
  const base = {
    onlink: false,
    table: RT_TABLE_MAIN,
    scope: 'global',
    type: 'unicast',
    proto: 3,
    flags: 0,
  } as const;
  return { family: family === 4 ? AF_INET : AF_INET6, to: to as Route['to'], ...base, ...rest };
}
