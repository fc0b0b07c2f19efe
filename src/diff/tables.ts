// NAT and firewall of a node against nf_tables. The lab's own table is compared rule by rule; where somebody made the rules by hand,
// under names of his own, chains at the same hook are taken together and only what they do counts. Pure.

import type { LabName, NodeName } from '../base/names.ts';
import type { LiveNetns } from '../live/netns.ts';
import type { Node } from '../model/lab.ts';
import { type ChainForm, formOf, type RuleForm, type TableForm } from '../nfnl/read.ts';
import type { NftTable } from '../nfnl/ruleset.ts';
import { printRule } from '../nfnl/text.ts';
import { nodeTable, publishedChainNames } from '../plan/filter.ts';
import { tableName } from '../plan/mark.ts';
import type { Difference, Mend } from './difference.ts';
import { entryKey } from './step-key.ts';

/** `ended` are containers that are there and do not run. */
export function tableDifferences(
  node: Node,
  live: LiveNetns,
  { lab, ended }: { readonly lab: LabName; readonly ended: readonly NodeName[] },
): Difference[] {
  const { place } = node;
  const own = tableName(lab, place);
  const found = live.tables.find(({ family, name }) => family === 'inet' && name === own);
  const resting = new Set(place === null ? ended.flatMap(publishedChainNames) : []);
  const isEmpty = (chain: string) => found?.chains.find(({ name }) => name === chain)?.rules.length === 0;
  const wanted = nodeTable(node, own, (chain) => resting.has(chain) && isEmpty(chain));
  const foreign = live.tables.filter((table) => table !== found && doesSomething(table));
  const mend: Mend = { make: [entryKey('table', place, [])] };
  if (wanted === undefined) {
    const rest = place === null ? [] : foreign;
    return extraTables(node, found === undefined ? rest : [found, ...rest]);
  }
  if (found !== undefined || place === null) {
    const told = chainDifferences(node, { wanted, found: found?.chains ?? [], mend });
    return [...told, ...(place === null ? [] : extraTables(node, foreign))];
  }
  // Made by hand.
  if (foreign.length === 0) return chainDifferences(node, { wanted, found: [], mend });
  const told = byHook(node, wanted, foreign);
  return told.map((difference) => ({ ...difference, mend: { ...mend, remove: removals(node, foreign) } }));
}

function removals({ place }: Node, tables: readonly TableForm[]) {
  return tables.map(({ family, name }) => ({ kind: 'delTable', place, family, name }) as const);
}

/** What programs in a container do to its own tables is their business. */
function extraTables(node: Node, tables: readonly TableForm[]): Difference[] {
  if (node.container !== undefined) return [];
  return tables.map((table) =>
    difference(node, `nft table ${table.family} ${table.name} is too much`, {
      state: 'extra',
      mend: { remove: removals(node, [table]) },
    }),
  );
}

function difference(
  node: Node,
  text: string,
  { state, mend }: Pick<Difference, 'state' | 'mend'>,
): Difference {
  return { node: node.name, place: node.place, about: 'nft', state, message: `${node.name}: ${text}`, mend };
}

/** Empty tables, which iptables leaves behind, change no packet. */
function doesSomething({ chains }: TableForm): boolean {
  return chains.some(({ base, rules }) => rules.length > 0 || base?.policy === 'drop');
}

type Compared = { readonly wanted: NftTable; readonly found: readonly ChainForm[]; readonly mend: Mend };

/** Chain by chain, by their names. */
function chainDifferences(node: Node, { wanted, found, mend }: Compared): Difference[] {
  const forms = formOf(wanted).chains;
  const told = forms.flatMap((form, i) => {
    const there = found.find(({ name }) => name === form.name);
    const words = wanted.chains[i]?.rules.map((rule) => printRule(wanted.family, rule)) ?? [];
    const policy = policyDifference(node, { form, there, mend });
    return [...policy, ...ruleDifferences(node, { form, there, words, mend, key: exactKey })];
  });
  const names = new Set(forms.map(({ name }) => name));
  const extra = found
    .filter(({ name }) => !names.has(name))
    .map(({ name }) => difference(node, `nft chain ${name} is too much`, { state: 'extra', mend }));
  return [...told, ...extra];
}

type Chain = {
  readonly form: ChainForm;
  readonly there: ChainForm | undefined;
  readonly mend: Mend;
};

function policyDifference(node: Node, { form, there, mend }: Chain): Difference[] {
  const { base, name } = form;
  if (base === undefined || there === undefined) return [];
  if (there.base === undefined || there.base.hook !== base.hook || there.base.type !== base.type) {
    return [difference(node, `nft chain ${name} hangs at another hook`, { state: 'different', mend })];
  }
  if (there.base.policy !== base.policy) {
    const text = `policy of ${name} is ${there.base.policy}, not ${base.policy}`;
    return [difference(node, text, { state: 'different', mend })];
  }
  if (there.base.priority === base.priority) return [];
  const text = `nft chain ${name} has priority ${there.base.priority}, not ${base.priority}`;
  return [difference(node, text, { state: 'different', mend })];
}

type Rules = Chain & { readonly words: readonly string[]; readonly key: (rule: RuleForm) => string };

function exactKey({ exprs, comment }: RuleForm): string {
  return JSON.stringify([exprs, comment ?? null]);
}

function ruleDifferences(node: Node, { form, there, words, mend, key }: Rules): Difference[] {
  const wanted = form.rules.map(key);
  const found = (there?.rules ?? []).map(key);
  if (wanted.join('\n') === found.join('\n')) {
    if (there !== undefined || form.rules.length > 0) return [];
    const text = `policy ${form.base?.policy ?? 'accept'} of ${form.name} is missing`;
    return [difference(node, text, { state: 'missing', mend })];
  }
  const left = [...found];
  const missing = wanted.flatMap((rule, i) => {
    const at = left.indexOf(rule);
    if (at >= 0) left.splice(at, 1);
    return at >= 0 ? [] : [i];
  });
  if (missing.length === 0 && left.length === 0) {
    const text = `rules of ${form.name} stand in another order`;
    return [difference(node, text, { state: 'different', mend })];
  }
  const extra = new Map<string, number>();
  for (const rule of left) extra.set(rule, found.lastIndexOf(rule) + 1);
  return [
    ...missing.map((i) =>
      difference(node, `rule ${i + 1} of ${form.name} is missing: ${words[i] ?? ''}`, {
        state: 'missing',
        mend,
      }),
    ),
    ...[...extra.values()].map((number) =>
      difference(node, `rule ${number} of ${form.name} is too much`, { state: 'extra', mend }),
    ),
  ];
}

/** By what is done at each hook, whatever the names of tables and chains. */
function byHook(node: Node, wanted: NftTable, tables: readonly TableForm[]): Difference[] {
  const left = new Map(hooksOf(tables).map((chain) => [hookOf(chain), chain]));
  const mend: Mend = {};
  const told = formOf(wanted).chains.flatMap((form, i) => {
    const words = wanted.chains[i]?.rules.map((rule) => printRule(wanted.family, rule)) ?? [];
    const there = left.get(hookOf(form));
    left.delete(hookOf(form));
    const policy = form.base === undefined || there === undefined ? [] : policyByHook(node, form, there);
    return [...policy, ...ruleDifferences(node, { form, there, words, mend, key: looseKey })];
  });
  const extra = [...left.values()].filter(({ rules, base }) => rules.length > 0 || base?.policy === 'drop');
  return [
    ...told,
    ...extra.map(({ name }) => difference(node, `nft chain ${name} is too much`, { state: 'extra', mend })),
  ];
}

function policyByHook(node: Node, form: ChainForm, there: ChainForm): Difference[] {
  const [want, have] = [form.base?.policy, there.base?.policy];
  if (want === have) return [];
  return [
    difference(node, `policy of ${form.name} is ${have}, not ${want}`, { state: 'different', mend: {} }),
  ];
}

function hookOf({ base }: ChainForm): string {
  return `${base?.type} ${base?.hook}`;
}

/** Base chains that hang at the same hook as one, in the order in which packets meet them. */
function hooksOf(tables: readonly TableForm[]): ChainForm[] {
  const chains = tables.flatMap((table) => table.chains).filter(({ base }) => base !== undefined);
  const sorted = chains.toSorted((a, b) => (a.base?.priority ?? 0) - (b.base?.priority ?? 0));
  const byHook = new Map<string, ChainForm>();
  for (const chain of sorted) {
    const before = byHook.get(hookOf(chain));
    const policy = before?.base?.policy === 'drop' ? 'drop' : (chain.base?.policy ?? 'accept');
    if (before === undefined || before.base === undefined) byHook.set(hookOf(chain), chain);
    else {
      const base = { ...before.base, policy };
      byHook.set(hookOf(chain), { ...before, base, rules: [...before.rules, ...chain.rules] });
    }
  }
  return [...byHook.values()];
}

/** linux/nf_tables.h NFT_META_NFPROTO */
const NFPROTO = 15;

/** Counters and comments do nothing, and in a table of one family nobody asks for the family. */
function looseKey({ exprs }: RuleForm): string {
  const kept = exprs.filter((expr, i) => {
    const before = exprs[i - 1];
    const asks = (one: typeof expr | undefined) => one?.expr === 'meta' && one.key === NFPROTO;
    return expr.expr !== 'counter' && !asks(expr) && !(expr.expr === 'cmp' && asks(before));
  });
  return JSON.stringify(kept);
}
