// Parts of a lab in the words of a sentence: `default route via 10.0.2.1`. Pure.

import type { Neighbour, Nexthop, Route, Rule } from '../model/route.ts';

/** `route to 10.9.0.0/16 via 10.1.1.7`. */
export function routeWords(route: Omit<Route, 'path' | 'type'> & { readonly type: string | number }): string {
  const { type, family, to, table, metric, nexthops, src } = route;
  const isDefault = to.endsWith('/0');
  const six = isDefault && family === 6 ? 'IPv6 ' : '';
  const kind = type === 'unicast' ? '' : `${type} `;
  const ways = nexthops === undefined ? wayWords(route) : ` ${nexthops.map(weighted).join(' and ')}`;
  return [
    isDefault ? `${six}${kind}default route` : `${kind}route to ${to}`,
    ways,
    src === undefined ? '' : ` from ${src}`,
    metric === undefined ? '' : ` metric ${metric}`,
    table === undefined || table === MAIN ? '' : ` in table ${table}`,
  ].join('');
}

/** RT_TABLE_MAIN */
const MAIN = 254;

function wayWords({ via, dev }: Nexthop): string {
  if (via !== undefined) return ` via ${via}`;
  return dev === undefined ? '' : ` over ${dev}`;
}

function weighted(hop: Nexthop): string {
  const { weight = 1 } = hop;
  return `${wayWords(hop).trim()}${weight === 1 ? '' : ` weight ${weight}`}`;
}

type AnyRule = Omit<Rule, 'path' | 'action'> & { readonly action: { readonly kind: string } };

/** `rule 50: from 10.1.0.0/24 lookup 100`. */
export function ruleWords(rule: AnyRule): string {
  const { not, from, to, iif, oif, fwmark, fwmask, ipproto, sport, dport, action, priority } = rule;
  const range = (ports: Rule['sport']) =>
    ports === undefined ? undefined : ports.from === ports.to ? `${ports.from}` : `${ports.from}-${ports.to}`;
  const mark =
    fwmark === undefined ? undefined : `${hex(fwmark)}${fwmask === undefined ? '' : `/${hex(fwmask)}`}`;
  const pairs: readonly (readonly [string, string | number | undefined])[] = [
    ['from', from],
    ['to', to],
    ['iif', iif],
    ['oif', oif],
    ['fwmark', mark],
    ['ipproto', ipproto],
    ['sport', range(sport)],
    ['dport', range(dport)],
  ];
  const conditions = pairs.flatMap(([word, value]) => (value === undefined ? [] : [`${word} ${value}`]));
  const does = 'table' in action ? `lookup ${String(action.table)}` : action.kind;
  return ['rule', `${priority}:`, ...(not === true ? ['not'] : []), ...conditions, does].join(' ');
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function neighbourWords({ ip, lladdr, proxy }: Omit<Neighbour, 'path'>): string {
  if (proxy === true) return `proxy neighbour ${ip}`;
  return `neighbour ${ip}${lladdr === undefined ? '' : ` at ${lladdr}`}`;
}
