// A table that was not applied, read or removed, said so that a user finds the rule: which chain, which place in it, its nft
// text, the errno and the kernel's words, and, where the kernel lacks an expression, the module that has it.
// net/netfilter/nft_*.c, MODULE_ALIAS_NFT_EXPR and MODULE_ALIAS_NFT_CHAIN for the modules.

import type { RtnlFailure } from '../rtnl/error.ts';
import { eachAttribute, MessageWriter, NLMSG_HDRLEN, type Request } from '../rtnl/message.ts';
import { type Batch, NFGENMSG_LEN, NFTA_RULE, type Origin } from './batch.ts';
import type { NftFault } from './check.ts';
import { compileRule } from './compile.ts';
import { type Expr, expressionName, readExpr } from './expr.ts';
import type { NftRule, NftTable } from './ruleset.ts';
import { printRule } from './text.ts';

/** The rule or chain that was refused; both absent where it is the table or the whole transaction. */
export type NfnlPlace = {
  readonly chain?: string;
  /** Counts from 0. */
  readonly index?: number;
  /** The nft text of the rule. */
  readonly rule?: string;
};

type Details = {
  readonly code: string;
  readonly failure?: RtnlFailure | undefined;
  readonly place?: NfnlPlace | undefined;
  readonly module?: string | undefined;
};

/** nf_tables said no. Nothing of the transaction is in force. */
export class NfnlError extends Error {
  override readonly name = 'NfnlError';
  /** The errno's name; EINVAL too where checkTable found the fault. */
  readonly code: string;
  /** What the kernel answered; absent where it was not asked. */
  readonly failure: RtnlFailure | undefined;
  readonly place: NfnlPlace;
  /** The kernel module that would have what is missing. */
  readonly module: string | undefined;
  /** How to mend it, where it is known. */
  readonly hint: string | undefined;

  constructor(message: string, details: Details) {
    super(message);
    this.code = details.code;
    this.failure = details.failure;
    this.place = details.place ?? {};
    this.module = details.module;
    const words = details.module?.replaceAll(' or ', ' ');
    this.hint = words === undefined ? undefined : `load it where the kernel ships it: modprobe -a ${words}`;
  }
}

/** The error of a table in which checkTable found faults. */
export function faultError(table: NftTable, faults: readonly NftFault[]): NfnlError {
  const [first = { message: '' }] = faults;
  const more = faults.length > 1 ? `, and ${faults.length - 1} more` : '';
  const place = placeOfFault(first);
  return new NfnlError(`${placeWords(table, place)}: ${first.message}${more}`, { code: 'EINVAL', place });
}

function placeOfFault({ chain, index, rule }: NftFault): NfnlPlace {
  return {
    ...(chain === undefined ? {} : { chain }),
    ...(index === undefined ? {} : { index }),
    ...(rule === undefined ? {} : { rule }),
  };
}

/** Rules are counted from 1, as a reader does. */
function placeWords({ family, name }: Pick<NftTable, 'family' | 'name'>, place: NfnlPlace): string {
  const words = [`table ${family} ${name}`];
  if (place.chain !== undefined) words.push(`chain ${place.chain}`);
  if (place.index !== undefined) words.push(`rule ${place.index + 1}: ${place.rule ?? ''}`);
  return words.join(', ');
}

/** The error of a transaction of which the kernel refused some requests. */
export function refusalError(
  table: NftTable,
  { requests, origins }: Batch,
  failures: readonly (RtnlFailure | undefined)[],
): NfnlError | undefined {
  const refused = failures.flatMap((failure, i) => (failure === undefined ? [] : [{ failure, i }]));
  // The first and the last message are the transaction's own; a rule's refusal says more.
  const worst = refused.find(({ i }) => origins[i]?.kind !== 'batch') ?? refused[0];
  if (worst === undefined) return undefined;
  const { failure, i } = worst;
  const origin = origins[i] ?? { kind: 'batch' };
  const place = placeOf(table, origin);
  const module = moduleLacking(table, { origin, request: requests[i], failure });
  const reason = reasonOf(failure, origin, module);
  const more = refused.length > 1 ? ` (and ${refused.length - 1} more refused)` : '';
  return new NfnlError(`${placeWords(table, place)}: ${reason}${more}`, {
    code: failure.code,
    failure,
    place,
    module,
  });
}

function placeOf(table: NftTable, origin: Origin): NfnlPlace {
  if (origin.kind === 'chain') return { chain: origin.chain };
  if (origin.kind !== 'rule') return {};
  const rule = ruleAt(table, origin);
  const text = rule === undefined ? '' : printRule(table.family, rule);
  return { chain: origin.chain, index: origin.index, rule: text };
}

function ruleAt(table: NftTable, { chain, index }: { chain: string; index: number }): NftRule | undefined {
  return table.chains.find(({ name }) => name === chain)?.rules[index];
}

function reasonOf(failure: RtnlFailure, origin: Origin, module: string | undefined): string {
  const words = failure.message === '' ? failure.code : `${failure.code} (${failure.message})`;
  if (module !== undefined) return `${words}: the kernel lacks ${module}`;
  if (origin.kind === 'table' && failure.code === 'EEXIST') return `${words}: there is a table of this name`;
  if (failure.code === 'EPERM') return `${words}: changing nf_tables needs CAP_NET_ADMIN`;
  return words;
}

type Refused = {
  readonly origin: Origin;
  readonly request: Request | undefined;
  readonly failure: RtnlFailure;
};

/** What the kernel answers for an expression, a chain type or a subsystem that it does not have. */
const lacking = new Set(['ENOENT', 'EOPNOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT']);

function moduleLacking(table: NftTable, { origin, request, failure }: Refused): string | undefined {
  if (!lacking.has(failure.code)) return undefined;
  if (origin.kind === 'batch') return 'nf_tables';
  if (origin.kind === 'chain') return chainModule(table, origin.chain);
  if (origin.kind !== 'rule') return undefined;
  const rule = ruleAt(table, origin);
  if (rule === undefined) return undefined;
  const named = request === undefined ? undefined : expressionAt(request, failure.offset);
  // Without the place of the refused attribute, the one expression of the rule that is a module of its own.
  const exprs = named === undefined ? compileRule(table.family, rule) : [named];
  const modules = new Set(exprs.flatMap((expr) => expressionModule(table, expr) ?? []));
  return modules.size === 0 ? undefined : [...modules].join(' or ');
}

/** Filter chains are part of nf_tables; the other types are modules (inet: NAT since Linux 5.2, route since 5.3). */
function chainModule(table: NftTable, name: string): string | undefined {
  const base = table.chains.find((chain) => chain.name === name)?.base;
  if (base === undefined || base.type === 'filter') return undefined;
  return base.type === 'nat' ? 'nft_chain_nat' : 'nft_chain_route';
}

/** Expressions that are modules; the others are part of nf_tables itself. */
const expressionModules: Readonly<Record<string, string>> = {
  masq: 'nft_masq',
  nat: 'nft_nat',
  redir: 'nft_redir',
  ct: 'nft_ct',
  log: 'nft_log',
  limit: 'nft_limit',
};
const familyModules: Readonly<Record<string, string>> = { reject: 'nft_reject', fib: 'nft_fib' };
const familySuffix = { inet: 'inet', ip: 'ipv4', ip6: 'ipv6' } as const;

/** The module that holds the expression, or undefined where it is built into nf_tables. */
function expressionModule({ family }: NftTable, expr: Expr): string | undefined {
  const name = expressionName(expr);
  const prefix = familyModules[name];
  return prefix === undefined ? expressionModules[name] : `${prefix}_${familySuffix[family]}`;
}

/** The expression of the request inside which the refused attribute lies. */
export function expressionAt(request: Request, offset: number | undefined): Expr | undefined {
  if (offset === undefined) return undefined;
  const writer = new MessageWriter(4096);
  writer.message(request, 0, 0);
  const bytes = writer.take();
  let found: Expr | undefined;
  eachAttribute(bytes, NLMSG_HDRLEN + NFGENMSG_LEN, (type, list) => {
    if (type !== NFTA_RULE.expressions) return;
    eachAttribute(list, 0, (_type, element) => {
      // Views of one buffer, so that their places tell the offset; the attribute's header is before its value.
      const start = element.byteOffset - bytes.byteOffset - 4;
      if (offset >= start && offset < start + 4 + element.length) found = readExpr(element);
    });
  });
  return found;
}
