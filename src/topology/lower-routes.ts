// Routes, policy rules and neighbours of a node: the object form and the text form come to the same. Words, defaults and
// numbers are those of iproute2 (ip-route(8), ip-rule(8)); the protocol numbers are RTPROT_* of linux/rtnetlink.h.

import { type IpAddress, type IpFamily, type IpPrefix, ipFamily } from '../base/ip.ts';
import type { Result } from '../base/result.ts';
import { didYouMean } from '../base/suggest.ts';
import type { Neighbour, Nexthop, Route } from '../model/route.ts';
import type { DraftNode, Lowering, Report } from './draft.ts';
import { given } from './given.ts';
import { addressesOf } from './lower-addresses.ts';
import { readDevice } from './lower-interfaces.ts';
import { type Path, pathText } from './problems.ts';
import { parseNeighbourText, parseRouteText, type TextProblem } from './route-text.ts';
import type { NeighbourFile, NexthopFile, RouteFile } from './schema-node.ts';
import { quote, readAddress, readFamily, readMac, readPrefix } from './values.ts';

/** Where one entry stands. A text has no keys inside, so all of its problems are at the text. */
export type Entry = {
  readonly lab: Lowering;
  readonly node: DraftNode;
  readonly path: Path;
  readonly inside: (...steps: Path) => Path;
};

/** The object of an entry, whichever form it has. */
export function entryObject<T extends object>(
  value: T | string,
  entry: Omit<Entry, 'inside'>,
  parse: (text: string) => Result<T, TextProblem>,
): { readonly object: T; readonly entry: Entry; readonly error?: TextProblem } {
  if (typeof value !== 'string') {
    return { object: value, entry: { ...entry, inside: (...steps) => [...entry.path, ...steps] } };
  }
  const parsed = parse(value);
  const whole = { ...entry, inside: () => entry.path };
  return parsed.ok
    ? { object: parsed.value, entry: whole }
    : { object: {} as T, entry: whole, error: parsed.error };
}

/** The routes of the node, then the default routes of its `auto` addresses where it has none of that family. */
export function lowerRoutes(lab: Lowering, node: DraftNode): Route[] {
  const routes = (node.file.routes ?? []).flatMap((value, index) => {
    const place = { lab, node, path: [...node.path, 'routes', index] };
    const { object, entry, error } = entryObject<RouteFile>(value, place, parseRouteText);
    if (error !== undefined)
      return lab.report.fail(entry.path, 'ROUTE_INVALID', error.message, error.hint) ?? [];
    return lowerRoute(entry, object) ?? [];
  });
  for (const { via, dev, path } of node.autoRoutes) {
    const family = ipFamily(via);
    if (routes.some((route) => isDefault(route, family))) continue;
    const to = defaultPrefix(family);
    routes.push({ type: 'unicast', family, to, via, dev: dev.ifname, path: pathText(path) });
  }
  return routes;
}

function isDefault(route: Route, family: IpFamily): boolean {
  return route.family === family && route.to === defaultPrefix(family) && (route.table ?? MAIN) === MAIN;
}

export function defaultPrefix(family: IpFamily): IpPrefix {
  return (family === 4 ? '0.0.0.0/0' : '::/0') as IpPrefix;
}

const gatewayless = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);

function lowerRoute(entry: Entry, file: RouteFile): Route | undefined {
  const { report } = entry.lab;
  const type = file.type ?? 'unicast';
  const toPath = entry.inside(file.to === undefined ? 'dst' : 'to');
  const text = file.to ?? file.dst;
  if (text === undefined)
    return report.fail(
      entry.path,
      'MISSING_KEY',
      'the route has no destination',
      'add `to: default` or `to: 10.9.0.0/16`',
    );
  if (file.to !== undefined && file.dst !== undefined)
    return report.fail(toPath, 'ROUTE_INVALID', '`dst` is another word for `to`; one is enough');
  const way = readWay(entry, file);
  const src =
    file.src === undefined ? undefined : readAddress(file.src, { report, path: entry.inside('src') });
  const nexthops = readNexthops(entry, file);
  const vias = [way.via, ...(nexthops ?? []).map((hop) => hop.via)];
  const to = readDestination(entry, text, () => guessFamily(entry, { file, src, vias, dev: way.dev }));
  if (to === undefined) return undefined;
  if (gatewayless.has(type) && (file.via !== undefined || nexthops !== undefined)) {
    return report.fail(
      entry.inside(file.via === undefined ? 'nexthops' : 'via'),
      'ROUTE_INVALID',
      `a route of type ${type} leads nowhere, so it has no gateway`,
    );
  }
  if (!gatewayless.has(type) && !hasWay(file)) {
    return report.fail(
      entry.path,
      'ROUTE_INVALID',
      'the route says where to, and not which way',
      'add `via` (a gateway) or `dev` (an interface)',
    );
  }
  const family = ipFamily(to);
  if (wrongFamily(entry, { family, src, vias })) return undefined;
  return {
    type,
    family,
    to,
    ...way,
    ...given({
      src,
      metric: file.metric,
      table: readTable(file.table, { report, path: entry.inside('table') }),
      scope: readScope(file.scope, { report, path: entry.inside('scope') }),
      mtu: file.mtu,
      protocol: readProtocol(file.protocol, { report, path: entry.inside('protocol') }),
      nexthops,
    }),
    path: pathText(entry.path),
  };
}

function hasWay(file: RouteFile): boolean {
  return file.via !== undefined || file.dev !== undefined || file.nexthops !== undefined;
}

type Way = { via?: IpAddress; dev?: NonNullable<Route['dev']>; onlink?: boolean };

function readWay(entry: Entry, file: { via?: string; dev?: string; onlink?: boolean }): Way {
  const { lab, node } = entry;
  const via =
    file.via === undefined
      ? undefined
      : readAddress(file.via, { report: lab.report, path: entry.inside('via') });
  const dev =
    file.dev === undefined ? undefined : readDevice(lab, { node, name: file.dev, path: entry.inside('dev') });
  return given({ via, dev, onlink: file.onlink });
}

/** One way in a list is the way; the kernel would show it so as well. */
function readNexthops(entry: Entry, file: RouteFile): Nexthop[] | undefined {
  if (file.nexthops === undefined) return undefined;
  const { report } = entry.lab;
  if (file.nexthops.length === 0)
    return report.fail(entry.inside('nexthops'), 'ROUTE_INVALID', 'the list of nexthops is empty');
  for (const key of ['via', 'dev', 'onlink'] as const) {
    if (file[key] !== undefined)
      return report.fail(
        entry.inside(key),
        'ROUTE_INVALID',
        `\`${key}\` belongs into each of the \`nexthops\``,
      );
  }
  return file.nexthops.flatMap((hop, index) => {
    const inside = (...steps: Path) => entry.inside('nexthops', index, ...steps);
    return readNexthop({ ...entry, inside }, hop) ?? [];
  });
}

function readNexthop(entry: Entry, hop: NexthopFile): Nexthop | undefined {
  if (hop.via === undefined && hop.dev === undefined) {
    return entry.lab.report.fail(entry.inside(), 'ROUTE_INVALID', 'a nexthop needs `via` or `dev`');
  }
  return { ...readWay(entry, hop), ...given({ weight: hop.weight }) };
}

function readDestination(entry: Entry, text: string, family: () => IpFamily): IpPrefix | undefined {
  if (text === 'default' || text === 'any' || text === 'all') return defaultPrefix(family());
  return readPrefix(text, { report: entry.lab.report, path: entry.inside('to') });
}

type Clues = {
  readonly file: RouteFile;
  readonly src: IpAddress | undefined;
  readonly vias: readonly (IpAddress | undefined)[];
  readonly dev: string | undefined;
};

/** The family of `default`: that of the gateway or source, else the only one that the interface has, else IPv4. */
function guessFamily({ node }: Entry, { file, src, vias, dev }: Clues): IpFamily {
  const said = readFamily(file.family);
  const known = vias.find((via) => via !== undefined) ?? src;
  if (said !== undefined || known !== undefined) return said ?? ipFamily(known as IpAddress);
  const draft = [...node.interfaces.values()].find((candidate) => candidate.ifname === dev);
  const families = new Set((draft === undefined ? [] : addressesOf(draft)).map(({ ip }) => ipFamily(ip)));
  return families.has(6) && !families.has(4) ? 6 : 4;
}

function wrongFamily(
  entry: Entry,
  { family, src, vias }: { family: IpFamily; src: IpAddress | undefined; vias: Clues['vias'] },
): boolean {
  const { report } = entry.lab;
  // IPv4 through an IPv6 gateway is possible (RTA_VIA, since Linux 5.2); the other way round is not.
  const via = vias.find((one) => one !== undefined && ipFamily(one) === 4);
  if (family === 6 && via !== undefined) {
    report.fail(
      entry.inside('via'),
      'ROUTE_FAMILY',
      `the destination is IPv6 and the gateway ${via} is IPv4`,
    );
    return true;
  }
  if (src !== undefined && ipFamily(src) !== family) {
    report.fail(
      entry.inside('src'),
      'ROUTE_FAMILY',
      `the destination is IPv${family} and the source ${src} is not`,
    );
    return true;
  }
  return false;
}

export const MAIN = 254;
const tables: Readonly<Record<string, number>> = { main: MAIN, local: 255, default: 253 };

type Spot = { readonly report: Report; readonly path: Path };

/** A routing table by number, or by a name that every machine has. */
export function readTable(value: string | number | undefined, { report, path }: Spot): number | undefined {
  if (value === undefined) return undefined;
  if (Object.hasOwn(tables, value)) return tables[value];
  const number = Number(value);
  if (/^[0-9]+$/.test(String(value)) && number >= 1 && number <= 0xffffffff) return number;
  const hint =
    didYouMean(String(value), Object.keys(tables)) ??
    'names of tables differ between machines; write the number';
  return report.fail(path, 'ROUTE_INVALID', `${quote(value)} is not a routing table`, hint);
}

/** ip/rt_names of iproute2 (etc/iproute2/rt_protos). */
const protocols: Readonly<Record<string, number>> = {
  kernel: 2,
  boot: 3,
  static: 4,
  ra: 9,
  zebra: 11,
  bird: 12,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
};

function readProtocol(value: string | number | undefined, { report, path }: Spot): number | undefined {
  if (value === undefined) return undefined;
  if (Object.hasOwn(protocols, value)) return protocols[value];
  const number = Number(value);
  if (/^[0-9]+$/.test(String(value)) && number >= 1 && number <= 255) return number;
  const hint = didYouMean(String(value), Object.keys(protocols));
  return report.fail(path, 'ROUTE_INVALID', `${quote(value)} is not a routing protocol`, hint);
}

const scopes = ['global', 'link', 'host'] as const;

function readScope(value: string | undefined, { report, path }: Spot): Route['scope'] {
  const scope = scopes.find((known) => known === value);
  if (scope !== undefined || value === undefined) return scope;
  return report.fail(
    path,
    'ROUTE_INVALID',
    `${quote(value)} is not a scope`,
    didYouMean(value, scopes) ?? `one of ${scopes.join(', ')}`,
  );
}

/** The neighbours of the node. */
export function lowerNeighbours(lab: Lowering, node: DraftNode): Neighbour[] {
  return (node.file.neighbours ?? []).flatMap((value, index) => {
    const place = { lab, node, path: [...node.path, 'neighbours', index] };
    const { object, entry, error } = entryObject<NeighbourFile>(value, place, parseNeighbourText);
    if (error !== undefined)
      return lab.report.fail(entry.path, 'VALUE_INVALID', error.message, error.hint) ?? [];
    return lowerNeighbour(entry, object) ?? [];
  });
}

function lowerNeighbour(entry: Entry, file: NeighbourFile): Neighbour | undefined {
  const { lab, node } = entry;
  const { report } = lab;
  const text = file.ip ?? file.to;
  if (text === undefined) return report.fail(entry.path, 'MISSING_KEY', 'the neighbour has no `ip`');
  const ip = readAddress(text, { report, path: entry.inside(file.ip === undefined ? 'to' : 'ip') });
  const dev = readDevice(lab, { node, name: file.dev, path: entry.inside('dev') });
  const lladdr =
    file.lladdr === undefined ? undefined : readMac(file.lladdr, { report, path: entry.inside('lladdr') });
  if (file.lladdr === undefined && file.proxy !== true) {
    return report.fail(
      entry.path,
      'MISSING_KEY',
      'the neighbour has no `lladdr`',
      'add its MAC address, or `proxy: true`',
    );
  }
  if (ip === undefined || dev === undefined) return undefined;
  return { ip, dev, ...given({ lladdr, proxy: file.proxy }), path: pathText(entry.path) };
}
