// Everything that can be said against a table before the kernel is asked: what nft(8) refuses, what the kernel refuses with
// an errno alone, and what nft's text cannot hold. Pure; the whole table is looked at, and each fault names its rule.

import { compileRule } from './compile.ts';
import { InvalidRule } from './invalid-rule.ts';
import type { NftBase, NftChain, NftHook, NftRule, NftStatement, NftTable } from './ruleset.ts';
import { printRule } from './text.ts';

/** A fault of a table. Without a chain it is the table's own, without an index the chain's. */
export type NftFault = {
  readonly chain?: string;
  /** Counts from 0. */
  readonly index?: number;
  /** The rule as nft text. */
  readonly rule?: string;
  readonly message: string;
};

/** NFT_NAME_MAXLEN is 256 with the closing NUL. */
const NAME_MAX = 255;
/** What nft's scanner takes for a name without quotes (src/scanner.l, "string"). */
const namePattern = /^[A-Za-z_.][A-Za-z0-9/\\_.-]*$/;
/** NFTNL_UDATA_COMMENT_MAXLEN of libnftnl. */
const COMMENT_MAX = 128;

/** All faults of the table, in its own order; none when it can be applied. */
export function checkTable(table: NftTable): NftFault[] {
  const faults: NftFault[] = [];
  const bad = nameFault(table.name);
  if (bad !== undefined) faults.push({ message: `the table's name ${JSON.stringify(table.name)} ${bad}` });
  const seen = new Set<string>();
  for (const chain of table.chains) {
    for (const message of chainFaults(chain, seen)) faults.push({ chain: chain.name, message });
    seen.add(chain.name);
    chain.rules.forEach((rule, index) => {
      const message = ruleFault(table, chain, rule);
      if (message === undefined) return;
      faults.push({ chain: chain.name, index, rule: printRule(table.family, rule), message });
    });
  }
  faults.push(...loopFaults(table));
  return faults;
}

function nameFault(name: string): string | undefined {
  if (!namePattern.test(name))
    return 'may have letters, digits, "_", "-", ".", and begins with a letter or "_"';
  return name.length > NAME_MAX ? `is longer than ${NAME_MAX} bytes` : undefined;
}

function chainFaults({ name, base }: NftChain, seen: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  const bad = nameFault(name);
  if (bad !== undefined) faults.push(`the chain's name ${JSON.stringify(name)} ${bad}`);
  if (seen.has(name)) faults.push('a second chain of this name');
  if (base !== undefined) faults.push(...baseFaults(base));
  return faults;
}

// nf_nat_inet_ops and nft_chain_route.c: where the types may hang.
const typeHooks: Readonly<Record<NftBase['type'], readonly NftHook[]>> = {
  filter: ['prerouting', 'input', 'forward', 'output', 'postrouting'],
  nat: ['prerouting', 'input', 'output', 'postrouting'],
  route: ['output'],
};
/** NF_IP_PRI_CONNTRACK: NAT before it would find no connection to change. */
const PRIORITY_CONNTRACK = -200;

function baseFaults({ type, hook, priority, policy }: NftBase): string[] {
  const faults: string[] = [];
  if (!typeHooks[type].includes(hook)) faults.push(`type ${type} has no hook ${hook}`);
  if (!Number.isInteger(priority) || priority !== (priority | 0)) {
    faults.push(`the priority ${priority} is no whole number of 32 bits`);
  }
  if (type === 'nat' && priority <= PRIORITY_CONNTRACK) {
    faults.push(`type nat has a priority above ${PRIORITY_CONNTRACK}, where connections are tracked`);
  }
  if (type === 'nat' && policy === 'drop') faults.push('type nat has no policy drop');
  return faults;
}

function ruleFault(table: NftTable, chain: NftChain, rule: NftRule): string | undefined {
  try {
    compileRule(table.family, rule);
  } catch (error) {
    if (error instanceof InvalidRule) return error.message;
    throw error;
  }
  if (rule.statements.length === 0) return 'a rule has at least one statement';
  const early = rule.statements.slice(0, -1).find(isFinal);
  if (early !== undefined) return `nothing can follow "${early.statement}"`;
  return commentFault(rule.comment) ?? rule.statements.map((s) => placeFault(table, chain, s)).find(Boolean);
}

const notFinal = new Set<NftStatement['statement']>(['counter', 'log', 'limit', 'mark set']);

function isFinal({ statement }: NftStatement): boolean {
  return !notFinal.has(statement);
}

function commentFault(comment: string | undefined): string | undefined {
  if (comment === undefined) return undefined;
  // The text has no escape for a quote; a backslash at the end would take the closing one.
  if (/["\\\p{Cc}]/u.test(comment)) return 'a comment has no quote, backslash or control character';
  const bytes = Buffer.byteLength(comment);
  return bytes > COMMENT_MAX ? `the comment has ${bytes} bytes, nft allows ${COMMENT_MAX}` : undefined;
}

// The validate functions of nft_masq.c, nft_nat.c, nft_redir.c and nft_reject.c.
const placesOf: Readonly<
  Partial<Record<NftStatement['statement'], { type: NftBase['type']; hooks: NftHook[] }>>
> = {
  masquerade: { type: 'nat', hooks: ['postrouting'] },
  snat: { type: 'nat', hooks: ['postrouting', 'input'] },
  dnat: { type: 'nat', hooks: ['prerouting', 'output'] },
  redirect: { type: 'nat', hooks: ['prerouting', 'output'] },
  reject: { type: 'filter', hooks: ['prerouting', 'input', 'forward', 'output'] },
};

function placeFault(table: NftTable, chain: NftChain, statement: NftStatement): string | undefined {
  if (statement.statement === 'jump' || statement.statement === 'goto')
    return targetFault(table, statement.chain);
  const place = placesOf[statement.statement];
  // Without a base, the chains that jump here decide; the kernel looks at them all.
  if (place === undefined || chain.base === undefined) return undefined;
  if (chain.base.type === place.type && place.hooks.includes(chain.base.hook)) return undefined;
  return `${statement.statement} works only in a chain of type ${place.type} at ${place.hooks.join(' or ')}`;
}

function targetFault(table: NftTable, name: string): string | undefined {
  const target = table.chains.find((chain) => chain.name === name);
  if (target === undefined) return `there is no chain ${name}`;
  return target.base === undefined ? undefined : `${name} is a base chain, which cannot be jumped to`;
}

/** Chains that reach themselves: the kernel says ELOOP of the whole transaction, with no rule. */
function loopFaults(table: NftTable): NftFault[] {
  const targets = new Map(table.chains.map((chain) => [chain.name, jumpsOf(chain)]));
  const loops = [...targets.keys()].filter((name) => reaches(targets, name));
  return loops.map((chain) => ({ chain, message: 'the chain jumps back to itself' }));
}

function jumpsOf(chain: NftChain): string[] {
  return chain.rules.flatMap(({ statements }) =>
    statements.flatMap((s) => (s.statement === 'jump' || s.statement === 'goto' ? [s.chain] : [])),
  );
}

function reaches(targets: ReadonlyMap<string, readonly string[]>, start: string): boolean {
  const queue = [...(targets.get(start) ?? [])];
  const seen = new Set(queue);
  for (const name of queue) {
    if (name === start) return true;
    for (const next of targets.get(name) ?? []) {
      if (!seen.has(next)) queue.push(next);
      seen.add(next);
    }
  }
  return false;
}
