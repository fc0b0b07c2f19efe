// The text after `ip route add`, `ip rule add` and `ip neighbour add` as the object that the file could have had instead.
// Words and their order are those of iproute2 (ip-route(8), ip-rule(8), ip-neighbour(8); ip/iproute.c, ip/iprule.c). A word
// that iproute2 has and nslab cannot set is named as such, and never skipped.

import { err, ok, type Result } from '../base/result.ts';
import { didYouMean } from '../base/suggest.ts';
import type { NeighbourFile, NexthopFile, RouteFile, RuleFile } from './schema-node.ts';

export type TextProblem = { readonly message: string; readonly hint?: string | undefined };
type Read<T> = Result<T, TextProblem>;

class Words {
  private readonly words: readonly string[];
  private at = 0;

  constructor(text: string) {
    const line = text.trim();
    this.words = line === '' ? [] : line.split(/\s+/);
  }

  get peek(): string | undefined {
    return this.words[this.at];
  }

  take(): string | undefined {
    return this.words[this.at++];
  }

  /** Drops a leading `ip route add`, which people paste along. */
  skip(...prefix: readonly (readonly string[])[]): void {
    const start = this.at;
    for (const step of prefix) {
      if (step.includes(this.peek ?? '')) this.at++;
      else {
        this.at = start;
        return;
      }
    }
  }
}

/** What the word before it takes: reads it into the object or says what is wrong. */
type Setter<T> = (into: T, word: string, words: Words) => TextProblem | undefined;

/** Keys of iproute2 that say nothing nslab could do. */
const unsupportedRoute = new Set([
  'tos',
  'dsfield',
  'nhid',
  'encap',
  'expires',
  'advmss',
  'rtt',
  'rttvar',
  'reordering',
  'window',
  'cwnd',
  'initcwnd',
  'initrwnd',
  'ssthresh',
  'realms',
  'realm',
  'rto_min',
  'hoplimit',
  'features',
  'quickack',
  'congctl',
  'fastopen_no_cookie',
  'pref',
  'ttl-propagate',
  'as',
  'vrf',
  'lock',
  'pervasive',
]);
const unsupportedRule = new Set([
  'tos',
  'dsfield',
  'goto',
  'nat',
  'realms',
  'l3mdev',
  'tun_id',
  'uidrange',
  'protocol',
]);

const routeTypes = ['unicast', 'blackhole', 'unreachable', 'prohibit', 'throw', 'local'] as const;
const otherRouteTypes = ['broadcast', 'multicast', 'anycast', 'nat'];

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function text<T>(key: keyof T): Setter<T> {
  return (into, word, words) => {
    const value = words.take();
    if (value === undefined) return { message: `"${word}" is the last word, and a value must follow it` };
    into[key] = value as never;
    return undefined;
  };
}

function number<T>(key: keyof T): Setter<T> {
  return (into, word, words) => {
    const value = words.take();
    if (value === undefined) return { message: `"${word}" is the last word, and a number must follow it` };
    if (!/^(0x[0-9a-fA-F]+|[0-9]+)$/.test(value))
      return { message: `"${value}" after "${word}" is not a number` };
    into[key] = Number(value) as never;
    return undefined;
  };
}

function flag<T>(key: keyof T): Setter<T> {
  return (into) => {
    into[key] = true as never;
    return undefined;
  };
}

function via<T extends { via?: string }>(): Setter<T> {
  return (into, word, words) => {
    // `via inet6 fe80::1`: the gateway may be of the other family (RTA_VIA).
    if (words.peek === 'inet' || words.peek === 'inet6') words.take();
    return text<T>('via')(into, word, words);
  };
}

const nexthopWords: Readonly<Record<string, Setter<Mutable<NexthopFile>>>> = {
  via: via(),
  dev: text('dev'),
  weight: number('weight'),
  onlink: flag('onlink'),
};

const routeWords: Readonly<Record<string, Setter<Mutable<RouteFile>>>> = {
  to: text('to'),
  via: via(),
  dev: text('dev'),
  oif: text('dev'),
  src: text('src'),
  metric: number('metric'),
  priority: number('metric'),
  preference: number('metric'),
  table: text('table'),
  scope: text('scope'),
  mtu: number('mtu'),
  proto: text('protocol'),
  protocol: text('protocol'),
  onlink: flag('onlink'),
  nexthop: readNexthop,
};

function readNexthop(into: Mutable<RouteFile>, _word: string, words: Words): TextProblem | undefined {
  const nexthop: Mutable<NexthopFile> = {};
  while (words.peek !== undefined && Object.hasOwn(nexthopWords, words.peek)) {
    const word = words.take() ?? '';
    const problem = nexthopWords[word]?.(nexthop, word, words);
    if (problem !== undefined) return problem;
  }
  if (nexthop.via === undefined && nexthop.dev === undefined) {
    return { message: '"nexthop" needs "via" or "dev" after it', hint: 'nexthop via 10.1.1.2 weight 2' };
  }
  into.nexthops = [...(into.nexthops ?? []), nexthop];
  return undefined;
}

function unknownWord(word: string, known: readonly string[], unsupported: ReadonlySet<string>): TextProblem {
  if (unsupported.has(word)) return { message: `nslab cannot set "${word}"`, hint: 'leave it out' };
  return { message: `"${word}" is not a word of iproute2 here`, hint: didYouMean(word, known) };
}

/** Reads what stands after `ip route add`. */
export function parseRouteText(line: string): Read<RouteFile> {
  const route: Mutable<RouteFile> = {};
  const words = new Words(withoutFamily(line, route));
  words.skip(['ip'], ['route', 'r', 'ro'], ['add', 'a', 'append', 'replace']);
  for (let word = words.take(); word !== undefined; word = words.take()) {
    const problem = routeWord(route, word, words);
    if (problem !== undefined) return err(problem);
  }
  if (route.to === undefined) {
    return err({ message: 'the destination is missing', hint: 'begin with a subnet or with "default"' });
  }
  return ok(route);
}

/** `ip -6 route ...`: the family where no address tells it. */
function withoutFamily(line: string, into: { family?: RouteFile['family'] }): string {
  const match = /^\s*(ip\s+)?-(4|6)\s+/.exec(line);
  if (match === null) return line;
  into.family = match[2] === '6' ? 6 : 4;
  return (match[1] ?? '') + line.slice(match[0].length);
}

function routeWord(route: Mutable<RouteFile>, word: string, words: Words): TextProblem | undefined {
  const setter = Object.hasOwn(routeWords, word) ? routeWords[word] : undefined;
  if (setter !== undefined) return setter(route, word, words);
  const type = routeTypes.find((known) => known === word);
  if (type !== undefined && route.to === undefined) {
    route.type = type;
    return undefined;
  }
  if (otherRouteTypes.includes(word)) return { message: `nslab cannot add a route of type "${word}"` };
  // The destination is the one word that stands alone.
  if (
    route.to === undefined &&
    (/[0-9:]/.test(word) || word === 'default' || word === 'any' || word === 'all')
  ) {
    route.to = word;
    return undefined;
  }
  return unknownWord(word, [...Object.keys(routeWords), ...routeTypes, 'default'], unsupportedRoute);
}

const ruleWords: Readonly<Record<string, Setter<Mutable<RuleFile>>>> = {
  not: flag('not'),
  from: text('from'),
  to: text('to'),
  iif: text('iif'),
  dev: text('iif'),
  oif: text('oif'),
  fwmark: text('fwmark'),
  ipproto: text('ipproto'),
  sport: text('sport'),
  dport: text('dport'),
  priority: number('priority'),
  preference: number('priority'),
  pref: number('priority'),
  order: number('priority'),
  table: text('table'),
  lookup: text('table'),
  suppress_prefixlength: number('suppress_prefixlength'),
  sup_pl: number('suppress_prefixlength'),
  type: text('type'),
  blackhole: ruleType('blackhole'),
  unreachable: ruleType('unreachable'),
  prohibit: ruleType('prohibit'),
};

function ruleType(type: 'blackhole' | 'unreachable' | 'prohibit'): Setter<Mutable<RuleFile>> {
  return (into) => {
    into.type = type;
    return undefined;
  };
}

/** Reads what stands after `ip rule add`; `-6` before it tells the family where no address does. */
export function parseRuleText(line: string): Read<RuleFile> {
  const rule: Mutable<RuleFile> = {};
  const words = new Words(withoutFamily(line, rule));
  words.skip(['ip'], ['rule', 'ru'], ['add', 'a']);
  if (words.peek === undefined) return err({ message: 'the rule is empty' });
  for (let word = words.take(); word !== undefined; word = words.take()) {
    const setter = Object.hasOwn(ruleWords, word) ? ruleWords[word] : undefined;
    const problem =
      setter === undefined
        ? unknownWord(word, Object.keys(ruleWords), unsupportedRule)
        : setter(rule, word, words);
    if (problem !== undefined) return err(problem);
  }
  return ok(rule);
}

const neighbourWords: Readonly<Record<string, Setter<Mutable<NeighbourFile>>>> = {
  to: text('ip'),
  dev: text('dev'),
  lladdr: text('lladdr'),
  // `proxy ADDRESS` names the address itself.
  proxy: (into, word, words) => {
    into.proxy = true;
    return text<Mutable<NeighbourFile>>('ip')(into, word, words);
  },
};
const unsupportedNeighbour = new Set(['nud', 'router', 'use', 'managed', 'extern_learn', 'protocol']);

/** Reads what stands after `ip neighbour add`. */
export function parseNeighbourText(line: string): Read<NeighbourFile> {
  const words = new Words(line);
  words.skip(['ip'], ['neighbour', 'neighbor', 'neigh', 'n'], ['add', 'a', 'replace']);
  const entry: Mutable<Partial<NeighbourFile>> = {};
  for (let word = words.take(); word !== undefined; word = words.take()) {
    const setter = Object.hasOwn(neighbourWords, word) ? neighbourWords[word] : undefined;
    if (setter === undefined && entry.ip === undefined && /[0-9:]/.test(word)) {
      entry.ip = word;
      continue;
    }
    const problem =
      setter === undefined
        ? unknownWord(word, Object.keys(neighbourWords), unsupportedNeighbour)
        : setter(entry as Mutable<NeighbourFile>, word, words);
    if (problem !== undefined) return err(problem);
  }
  if (entry.ip === undefined) return err({ message: 'the address of the neighbour is missing' });
  if (entry.dev === undefined) return err({ message: 'the interface is missing', hint: 'add "dev eth0"' });
  return ok(entry as NeighbourFile);
}
