// Rules that the kernel would refuse as a second copy (rule_exists() in net/core/fib_rules.c), and rules that look into a table
// in which nothing is.

import type { Node } from '../../model/lab.ts';
import type { Rule } from '../../model/route.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, pathOf } from './lab-view.ts';

/** Tables that the kernel fills itself: default, main, local (rtnetlink(7), RT_TABLE_*). */
const KERNEL_TABLES = new Set([253, 254, 255]);

export const policyRules: LabRule = (view) =>
  view.lab.nodes
    .filter((node) => node.rules.length > 0)
    .flatMap((node) => [...duplicates(node), ...emptyTables(node)]);

function duplicates(node: Node): PathProblem[] {
  const firsts = new Map<string, Rule>();
  return node.rules.flatMap((rule): PathProblem[] => {
    const { path, ...meaning } = rule;
    const key = JSON.stringify(Object.entries(meaning).sort(([a], [b]) => (a < b ? -1 : 1)));
    const first = firsts.get(key);
    if (first === undefined) {
      firsts.set(key, rule);
      return [];
    }
    return [
      {
        code: 'RULE_DUPLICATE',
        message: `${node.name} has this rule twice`,
        hint: 'remove one of the two',
        path: pathOf(rule),
        related: { message: 'the first one', path: pathOf(first) },
      },
    ];
  });
}

function emptyTables(node: Node): PathProblem[] {
  const filled = new Set<number>([
    ...node.routes.map((route) => route.table ?? 254),
    ...node.interfaces.flatMap((iface) => (iface.type === 'vrf' ? [iface.table] : [])),
  ]);
  return node.rules.flatMap((rule): PathProblem[] => {
    if (rule.action.kind !== 'lookup') return [];
    const { table } = rule.action;
    if (KERNEL_TABLES.has(table) || filled.has(table) || node.place === null) return [];
    return [
      {
        code: 'RULE_TABLE_EMPTY',
        severity: 'warning',
        message: `the rule looks into table ${table}, and ${node.name} has no route there`,
        hint: `add a route with "table ${table}", or check the number`,
        path: pathOf(rule, 'table'),
      },
    ];
  });
}
