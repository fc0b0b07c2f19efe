// Routes, policy rules and neighbours of the model as the words after `ip route add` and its like, which is how a person writes
// them: the way back of lower-routes.ts and lower-rules.ts. What the words cannot say becomes the object.

import { ipFamily } from '../base/ip.ts';
import type { Interface } from '../model/interface.ts';
import type { Node } from '../model/lab.ts';
import type { Neighbour, Nexthop, Route, Rule } from '../model/route.ts';
import { given } from './given.ts';
import { type FileNames, type Keys, withoutFullLength } from './raise-interface.ts';

type Spot = { readonly node: Node; readonly names: FileNames };
type Words = (string | number | undefined)[];

const tables: Readonly<Record<number, string>> = { 253: 'default', 254: 'main', 255: 'local' };
/** The ones of iproute2 that people write; 3 (boot) is what there is without a word. */
const protocols: Readonly<Record<number, string>> = { 2: 'kernel', 3: 'boot', 4: 'static' };

function line(words: Words): string {
  return words.filter((word) => word !== undefined).join(' ');
}

function word(name: string, value: string | number | undefined): Words {
  return value === undefined ? [] : [name, value];
}

/** `default via 10.1.1.1`. */
export function routeEntry(route: Route, { node, names }: Spot): string | Keys {
  const { type, via, dev, src, metric, table, scope, mtu, protocol, nexthops, onlink } = route;
  const device = (ifname: string | undefined) => (ifname === undefined ? undefined : names.of(node, ifname));
  const to = destinationText(route, node);
  const isSaid = [onlink, ...(nexthops ?? []).map((hop) => hop.onlink)].every((flag) => flag !== false);
  if (!isSaid) return routeObject(route, to, device);
  const hops = (nexthops ?? []).flatMap((hop): Words => {
    const flags = hop.onlink === true ? ['onlink'] : [];
    return [
      'nexthop',
      ...word('via', hop.via),
      ...word('dev', device(hop.dev)),
      ...word('weight', hop.weight),
      ...flags,
    ];
  });
  return line([
    type === 'unicast' ? undefined : type,
    to,
    ...word('via', via),
    ...word('dev', device(dev)),
    onlink === true ? 'onlink' : undefined,
    ...word('src', src),
    ...word('metric', metric),
    ...word('table', tableWord(table)),
    ...word('scope', scope),
    ...word('mtu', mtu),
    ...word('proto', protocol === undefined ? undefined : (protocols[protocol] ?? protocol)),
    ...hops,
  ]);
}

function routeObject(
  route: Route,
  to: string,
  device: (ifname: string | undefined) => string | undefined,
): Keys {
  const { type, via, dev, onlink, src, metric, table, scope, mtu, protocol, nexthops } = route;
  const hop = ({ via: gateway, dev: out, weight, onlink: flag }: Nexthop) =>
    given({ via: gateway, dev: device(out), weight, onlink: flag });
  return given({
    type: type === 'unicast' ? undefined : type,
    to,
    via,
    dev: device(dev),
    onlink,
    src,
    metric,
    table,
    scope,
    mtu,
    protocol,
    nexthops: nexthops?.map(hop),
  });
}

/** `default` where the rest of the route tells the family, as lower-routes.ts finds it out. */
function destinationText({ to, family, via, src, dev, nexthops }: Route, node: Node): string {
  if (to !== '0.0.0.0/0' && to !== '::/0') return to;
  const known = [via, ...(nexthops ?? []).map((hop) => hop.via)].find((one) => one !== undefined) ?? src;
  const told =
    known === undefined
      ? familyOfDevice(node.interfaces.find(({ ifname }) => ifname === dev))
      : ipFamily(known);
  return told === family ? 'default' : to;
}

function familyOfDevice(iface: Interface | undefined): 4 | 6 {
  const families = new Set((iface?.addresses ?? []).map(({ ip }) => ipFamily(ip)));
  return families.has(6) && !families.has(4) ? 6 : 4;
}

function tableWord(table: number | undefined): string | number | undefined {
  return table === undefined ? undefined : (tables[table] ?? table);
}

/** `from 10.1.1.0/24 table 100 priority 100`. */
export function ruleEntry(rule: Rule, { node, names }: Spot): string | Keys {
  const { iif, oif, ipproto, priority, action, suppress_prefixlength: suppress } = rule;
  // ip-rule(8) shows a single address without its length.
  const bare = (prefix: string | undefined) => (prefix === undefined ? undefined : withoutFullLength(prefix));
  const [from, to] = [bare(rule.from), bare(rule.to)];
  const device = (ifname: string | undefined) => (ifname === undefined ? undefined : names.of(node, ifname));
  const family = from === undefined && to === undefined && rule.family === 6 ? '-6' : undefined;
  const text = line([
    family,
    rule.not === true ? 'not' : undefined,
    ...word('from', from),
    ...word('to', to),
    ...word('iif', device(iif)),
    ...word('oif', device(oif)),
    ...word('fwmark', markText(rule)),
    ...word('ipproto', ipproto),
    ...word('sport', rangeText(rule.sport)),
    ...word('dport', rangeText(rule.dport)),
    ...(action.kind === 'lookup' ? word('table', tableWord(action.table)) : [action.kind]),
    ...word('suppress_prefixlength', suppress),
    ...word('priority', priority),
  ]);
  if (rule.not !== false) return text;
  return given({
    not: false,
    from,
    to,
    iif: device(iif),
    oif: device(oif),
    fwmark: markText(rule),
    ipproto,
    sport: rangeText(rule.sport),
    dport: rangeText(rule.dport),
    ...(action.kind === 'lookup' ? { table: action.table } : { type: action.kind }),
    suppress_prefixlength: suppress,
    priority,
    family: family === undefined ? undefined : 6,
  });
}

function markText({ fwmark, fwmask }: Rule): string | undefined {
  const hex = (value: number) => `0x${value.toString(16)}`;
  if (fwmark === undefined) return undefined;
  return fwmask === undefined ? hex(fwmark) : `${hex(fwmark)}/${hex(fwmask)}`;
}

function rangeText(range: Rule['sport']): string | undefined {
  if (range === undefined) return undefined;
  return range.from === range.to ? String(range.from) : `${range.from}-${range.to}`;
}

/** `10.1.1.9 lladdr 02:00:00:00:00:09 dev eth0`. */
export function neighbourEntry({ ip, dev, lladdr, proxy }: Neighbour, { node, names }: Spot): string | Keys {
  const device = names.of(node, dev);
  if (proxy === false) return given({ ip, lladdr, dev: device, proxy });
  return line([proxy === true ? 'proxy' : undefined, ip, ...word('lladdr', lladdr), 'dev', device]);
}
