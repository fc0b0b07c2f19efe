// A table as nft(8) text: `nft -f -` reads it, and `nft list ruleset` prints the same but for counters. It is made from the
// same canonical values as the bytecode (comparison.ts, protocol.ts), and it never throws: a rule that cannot be is refused
// by check.ts, and is printed as JSON here.

import { assertNever } from '../base/result.ts';
import { type Comparison, comparisonOf, portInterval, type ValueComparison } from './comparison.ts';
import { InvalidRule } from './invalid-rule.ts';
import { keys, markWord } from './key.ts';
import { completeRule } from './protocol.ts';
import {
  type NftBase,
  type NftChain,
  type NftFamily,
  type NftHook,
  type NftMatch,
  type NftPort,
  type NftRule,
  type NftStatement,
  type NftTable,
  nftPriority,
} from './ruleset.ts';
import { defaultBurst } from './statement.ts';
import { ctStates, ctStatuses } from './symbols.ts';

/** The whole table, in a form that `nft -f -` takes; a line for each rule. */
export function printTable(table: NftTable): string {
  const chains = table.chains.map((chain) => printChain(table.family, chain));
  return `table ${table.family} ${table.name} {\n${chains.join('\n')}}\n`;
}

function printChain(family: NftFamily, { name, base, rules }: NftChain): string {
  const lines = rules.map((rule) => `\t\t${printRule(family, rule)}\n`);
  if (base !== undefined) lines.unshift(`\t\t${printBase(base)}\n`);
  return `\tchain ${name} {\n${lines.join('')}\t}\n`;
}

/** `type nat hook postrouting priority srcnat; policy accept;` */
export function printBase({ type, hook, priority, policy = 'accept' }: NftBase): string {
  return `type ${type} hook ${hook} priority ${priorityWord(hook, priority)}; policy ${policy};`;
}

/** nft names a priority within 10 of a standard one; the two of NAT only at the hook that they are for. */
function priorityWord(hook: NftHook, priority: number): string {
  for (const [name, standard] of Object.entries(nftPriority)) {
    if (name === 'dstnat' && hook !== 'prerouting') continue;
    if (name === 'srcnat' && hook !== 'postrouting') continue;
    const offset = priority - standard;
    if (offset === 0) return name;
    if (Math.abs(offset) <= 10) return `${name} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  }
  return String(priority);
}

/** One rule on one line. */
export function printRule(family: NftFamily, rule: NftRule): string {
  try {
    const complete = completeRule(family, rule);
    const words = [
      ...complete.matches.map(printMatch),
      ...complete.statements.map((statement) => printStatement(family, statement)),
    ];
    if (rule.comment !== undefined) words.push(`comment "${rule.comment}"`);
    return words.join(' ');
  } catch (error) {
    if (error instanceof InvalidRule) return JSON.stringify(rule);
    throw error;
  }
}

function printMatch(match: NftMatch): string {
  return `${keyWords(match)} ${comparisonWords(match, comparisonOf(match))}`;
}

function keyWords(match: NftMatch): string {
  switch (match.match) {
    case 'iifname':
    case 'oifname':
    case 'ct state':
    case 'ct status':
    case 'fib daddr type':
      return match.match;
    case 'nfproto':
    case 'l4proto':
    case 'mark':
      return `meta ${match.match}`;
    case 'saddr':
    case 'daddr':
    case 'sport':
    case 'dport':
      return `${match.protocol} ${match.match}`;
    case 'icmp type':
      return `${match.protocol} type`;
    default:
      return assertNever(match);
  }
}

function comparisonWords(match: NftMatch, comparison: Comparison): string {
  if (comparison.kind === 'value') {
    if (match.match === 'nfproto') return match.op === '!=' ? `!= ${match.value}` : match.value;
    return valueWords(comparison);
  }
  if (match.match === 'mark')
    return `& ${markWord(comparison.mask)} ${comparison.op} ${markWord(comparison.value)}`;
  const bits = bitWords(match.match === 'ct state' ? ctStates : ctStatuses, comparison.mask);
  return comparison.op === '!=' ? bits : `! ${bits}`;
}

function valueWords({ key, op, intervals }: ValueComparison): string {
  const words = intervals.map(key.word);
  const list = words.length === 1 ? words.join('') : `{ ${words.join(', ')} }`;
  return op === '!=' ? `!= ${list}` : list;
}

function bitWords(words: Readonly<Record<string, number>>, mask: number): string {
  return Object.entries(words)
    .filter(([, bit]) => (mask & bit) !== 0)
    .sort(([, a], [, b]) => a - b)
    .map(([word]) => word)
    .join(',');
}

function printStatement(family: NftFamily, statement: NftStatement): string {
  switch (statement.statement) {
    case 'counter':
    case 'accept':
    case 'drop':
    case 'return':
      return statement.statement;
    case 'jump':
    case 'goto':
      return `${statement.statement} ${statement.chain}`;
    case 'mark set':
      return `meta mark set ${markWord(statement.value)}`;
    case 'log':
      return printLog(statement);
    case 'limit':
      return printLimit(statement);
    case 'reject': {
      const { with: reject } = statement;
      if (reject === undefined) return 'reject';
      return reject.type === 'tcp reset'
        ? 'reject with tcp reset'
        : `reject with ${reject.type} ${reject.code}`;
    }
    case 'masquerade':
    case 'redirect':
      return natWords(statement.statement, portWords(statement.port), statement.flags);
    case 'snat':
    case 'dnat':
      return printNat(family, statement);
    default:
      return assertNever(statement);
  }
}

function printLog({ prefix, level, group }: Extract<NftStatement, { statement: 'log' }>): string {
  const words = ['log'];
  if (prefix !== undefined && prefix !== '') words.push(`prefix "${prefix}"`);
  if (group !== undefined) words.push(`group ${group}`);
  if (level !== undefined && level !== 'warn') words.push(`level ${level}`);
  return words.join(' ');
}

function printLimit(limit: Extract<NftStatement, { statement: 'limit' }>): string {
  const { rate, unit = 'packets', per, burst = defaultBurst[unit], over } = limit;
  const amount = (value: number): string => (unit === 'bytes' ? byteWords(value) : String(value));
  const words = `limit rate ${over ? 'over ' : ''}${amount(rate)}/${per}`;
  if (burst === defaultBurst[unit]) return words;
  return `${words} burst ${unit === 'bytes' ? byteWords(burst) : `${burst} packets`}`;
}

/** The largest unit that divides it, as nft has bytes, kbytes and mbytes. */
function byteWords(value: number): string {
  const units = ['bytes', 'kbytes', 'mbytes'];
  let rest = value;
  let unit = 0;
  while (rest > 0 && rest % 1024 === 0 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${rest} ${units[unit]}`;
}

function portWords(port: NftPort | undefined): string {
  return port === undefined ? '' : `:${keys.port.word(portInterval(port))}`;
}

function natWords(kind: string, target: string, flags: readonly string[] = []): string {
  const order = ['random', 'fully-random', 'persistent'].filter((flag) => flags.includes(flag));
  return [
    kind,
    ...(target === '' ? [] : ['to', target]),
    ...(order.length === 0 ? [] : [order.join(',')]),
  ].join(' ');
}

function printNat(
  family: NftFamily,
  statement: Extract<NftStatement, { statement: 'snat' | 'dnat' }>,
): string {
  const { statement: kind, address, port, flags } = statement;
  if (address === undefined) return natWords(kind, portWords(port), flags);
  const { from, to = from } = address;
  const v6 = from.includes(':');
  // A colon between address and port is told from those of the address by brackets.
  const word = (ip: string): string => (v6 && port !== undefined ? `[${ip}]` : ip);
  const range = from === to ? word(from) : `${word(from)}-${word(to)}`;
  const protocol = family === 'inet' ? ` ${v6 ? 'ip6' : 'ip'}` : '';
  return natWords(`${kind}${protocol}`, range + portWords(port), flags);
}
