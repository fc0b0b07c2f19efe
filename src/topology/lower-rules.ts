// Policy rules of a node, ip-rule(8). A rule without a priority gets the one that the kernel would give it: one less than that
// of the second rule in the list (fib_default_rule_pref() of net/core/fib_rules.c), in the order of the file and for each
// family apart. It is written into the lab, so that a plan shows it.

import { type IpFamily, ipFamily } from '../base/ip.ts';
import { didYouMean } from '../base/suggest.ts';
import type { Rule } from '../model/route.ts';
import type { DraftNode, Lowering } from './draft.ts';
import { given } from './given.ts';
import { readDevice } from './lower-interfaces.ts';
import { type Entry, entryObject, readTable } from './lower-routes.ts';
import { pathText } from './problems.ts';
import { parseRuleText } from './route-text.ts';
import type { RuleFile } from './schema-node.ts';
import { quote, readFamily, readPortRange, readPrefix } from './values.ts';

/** The rules of the node. */
export function lowerRules(lab: Lowering, node: DraftNode): Rule[] {
  if (node.file.rules === undefined) return [];
  const lists = { 4: kernelRules(node, 4), 6: kernelRules(node, 6) };
  return node.file.rules.flatMap((value, index) => {
    const place = { lab, node, path: [...node.path, 'rules', index] };
    const { object, entry, error } = entryObject<RuleFile>(value, place, parseRuleText);
    if (error !== undefined)
      return lab.report.fail(entry.path, 'RULE_INVALID', error.message, error.hint) ?? [];
    return lowerRule(entry, object, lists) ?? [];
  });
}

/** Priorities of the rules that a namespace is born with; the first vrf adds one of 1000 (l3mdev). IPv6 has no table 253. */
function kernelRules(node: DraftNode, family: IpFamily): number[] {
  const vrf = [...node.interfaces.values()].some((draft) => draft.keys.type === 'vrf');
  return [0, ...(vrf ? [1000] : []), 32766, ...(family === 4 ? [32767] : [])];
}

/** The priority that the kernel chooses, or the one given; the list is kept in its order. */
function insertPriority(list: number[], wanted: number | undefined): number {
  const second = list[1] ?? 0;
  const priority = wanted ?? Math.max(0, second - 1);
  const at = list.findIndex((known) => known > priority);
  list.splice(at < 0 ? list.length : at, 0, priority);
  return priority;
}

function lowerRule(entry: Entry, file: RuleFile, lists: Record<IpFamily, number[]>): Rule | undefined {
  const { lab, node } = entry;
  const { report } = lab;
  const prefix = (key: 'from' | 'to') => {
    const text = file[key];
    if (text === undefined || text === 'all' || text === 'any' || text === 'default') return undefined;
    return readPrefix(text, { report, path: entry.inside(key) });
  };
  const device = (key: 'iif' | 'oif') => {
    const name = file[key];
    return name === undefined ? undefined : readDevice(lab, { node, name, path: entry.inside(key) });
  };
  const [from, to] = [prefix('from'), prefix('to')];
  if (from !== undefined && to !== undefined && ipFamily(from) !== ipFamily(to)) {
    return report.fail(entry.inside('to'), 'RULE_INVALID', '`from` and `to` are of different families');
  }
  const some = from ?? to;
  const family = readFamily(file.family) ?? (some === undefined ? 4 : ipFamily(some));
  const action = readAction(entry, file);
  if (action === undefined) return undefined;
  return {
    family,
    ...given({ not: file.not, from, to, iif: device('iif'), oif: device('oif') }),
    ...readMark(entry, file),
    ...given({
      ipproto: readProto(entry, file),
      sport: readPorts(entry, file, 'sport'),
      dport: readPorts(entry, file, 'dport'),
    }),
    priority: insertPriority(lists[family], file.priority),
    action,
    ...given({ suppress_prefixlength: file.suppress_prefixlength }),
    path: pathText(entry.path),
  };
}

function readAction(entry: Entry, file: RuleFile): Rule['action'] | undefined {
  const { report } = entry.lab;
  const words = ['lookup', 'unicast', 'blackhole', 'unreachable', 'prohibit'] as const;
  // Text may have brought any word here; the schema has looked at objects only.
  const type = words.find((word) => word === (file.type ?? 'lookup'));
  if (type === undefined) {
    const hint = didYouMean(String(file.type), words);
    return report.fail(
      entry.inside('type'),
      'RULE_INVALID',
      `${quote(String(file.type))} is not what a rule can do`,
      hint,
    );
  }
  const value = file.table ?? file.lookup;
  const path = entry.inside(file.table === undefined ? 'lookup' : 'table');
  if (type !== 'lookup' && type !== 'unicast') {
    if (value === undefined) return { kind: type };
    return report.fail(path, 'RULE_INVALID', `a rule of type ${type} looks into no table`);
  }
  if (value === undefined) {
    return report.fail(
      entry.path,
      'RULE_INVALID',
      'the rule does not say which table to look in',
      'add `table: 100`',
    );
  }
  const table = readTable(value, { report, path });
  return table === undefined ? undefined : { kind: 'lookup', table };
}

/** `0x10/0xff`, `16`. */
function readMark(entry: Entry, { fwmark }: RuleFile): { fwmark?: number; fwmask?: number } {
  if (fwmark === undefined) return {};
  const number = '(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})';
  const match = new RegExp(`^${number}(?:/${number})?$`).exec(String(fwmark));
  const [mark, mask] = [Number(match?.[1]), match?.[2] === undefined ? undefined : Number(match[2])];
  if (match === null || mark > 0xffffffff || (mask ?? 0) > 0xffffffff) {
    entry.lab.report.fail(
      entry.inside('fwmark'),
      'RULE_INVALID',
      `${quote(fwmark)} is not a mark`,
      'as 1, 0x10 or 0x10/0xff',
    );
    return {};
  }
  return mask === undefined ? { fwmark: mark } : { fwmark: mark, fwmask: mask };
}

const protos = ['tcp', 'udp', 'icmp'] as const;
/** Other names of /etc/protocols that ip-rule(8) is used with. */
const protoNumbers: Readonly<Record<string, number>> = {
  igmp: 2,
  gre: 47,
  esp: 50,
  ah: 51,
  'ipv6-icmp': 58,
  icmpv6: 58,
  ospf: 89,
  sctp: 132,
};

function readProto(entry: Entry, { ipproto }: RuleFile): Rule['ipproto'] {
  if (ipproto === undefined) return undefined;
  const word = protos.find((known) => known === ipproto);
  if (word !== undefined) return word;
  if (Object.hasOwn(protoNumbers, ipproto)) return protoNumbers[ipproto];
  const number = Number(ipproto);
  if (Number.isInteger(number) && number >= 1 && number <= 255) return number;
  const hint = didYouMean(String(ipproto), [...protos, ...Object.keys(protoNumbers)]);
  return entry.lab.report.fail(
    entry.inside('ipproto'),
    'RULE_INVALID',
    `${quote(ipproto)} is not an IP protocol`,
    hint,
  );
}

function readPorts(entry: Entry, file: RuleFile, key: 'sport' | 'dport'): Rule['sport'] {
  const value = file[key];
  if (value === undefined) return undefined;
  const range = readPortRange(value, { report: entry.lab.report, path: entry.inside(key) });
  return range === undefined ? undefined : { from: range.from, to: range.to ?? range.from };
}
