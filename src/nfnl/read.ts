// What the kernel has, in the normal form of expr.ts, so that a table of the file and a table of the kernel can be compared
// with deepEqual, and the counters of each rule be read. It changes nothing, and reads rules that strangers wrote as well.
// nf_tables_api.c, the dump functions; a generation number (NFT_MSG_GETGEN) tells whether several dumps belong together.

import { attributeMap, eachAttribute, readBe32, readString } from '../rtnl/message.ts';
import type { Transport } from '../rtnl/transport.ts';
import { dumpNft, listTables } from './apply.ts';
import {
  familyNumbers,
  hookNumbers,
  NFGENMSG_LEN,
  NFT_MSG,
  NFTA_CHAIN,
  NFTA_HOOK,
  NFTA_RULE,
  nftRequest,
  policyNumbers,
  UDATA_RULE_COMMENT,
} from './batch.ts';
import { compileRule } from './compile.ts';
import { NfnlError } from './error.ts';
import { type AnonymousSet, type Expr, readExpr } from './expr.ts';
import type { NftBase, NftFamily, NftTable } from './ruleset.ts';
import { elementsOf, readPoints, type SetPoint } from './set.ts';

/** What a table does, whoever wrote it. */
export type TableForm = {
  readonly family: NftFamily;
  readonly name: string;
  readonly chains: readonly ChainForm[];
};
export type ChainForm = {
  readonly name: string;
  readonly base?: Required<NftBase>;
  readonly rules: readonly RuleForm[];
};
/** Counters are zero in the expressions, so that they do not count as a difference. */
export type RuleForm = { readonly exprs: readonly Expr[]; readonly comment?: string };

export type RuleCounter = { readonly packets: number; readonly bytes: number };
/** A table of the kernel, with what each rule counted; `counters[chain][rule]` has one entry for each counter of the rule. */
export type TableState = {
  readonly form: TableForm;
  readonly counters: readonly (readonly (readonly RuleCounter[])[])[];
};

/** As dumps of rtnetlink: so often is a reading begun again because the rules changed meanwhile. */
const READ_ATTEMPTS = 5;

/** What the kernel will have once the table is applied. */
export function formOf(table: NftTable): TableForm {
  return {
    family: table.family,
    name: table.name,
    chains: table.chains.map(({ name, base, rules }) => ({
      name,
      ...(base === undefined ? {} : { base: { policy: 'accept', ...base } }),
      rules: rules.map((rule) => ({
        exprs: compileRule(table.family, rule),
        ...(rule.comment === undefined ? {} : { comment: rule.comment }),
      })),
    })),
  };
}

/** The table as the kernel has it, or undefined where there is none. */
export function readTable(transport: Transport, family: NftFamily, name: string): TableState | undefined {
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt++) {
    const before = generation(transport);
    const state = readOnce(transport, family, name);
    if (generation(transport) === before) return state;
  }
  throw new NfnlError(
    `table ${family} ${name}: the rules changed while they were read, ${READ_ATTEMPTS} times`,
    {
      code: 'EINTR',
    },
  );
}

const NFTA_GEN_ID = 1;

function generation(transport: Transport): number | undefined {
  const answer = transport.get(nftRequest(NFT_MSG.getGen, { family: 0 }));
  return readBe32(attributeMap(answer, NFGENMSG_LEN).get(NFTA_GEN_ID));
}

function readOnce(transport: Transport, family: NftFamily, name: string): TableState | undefined {
  if (!listTables(transport).some((table) => table.family === family && table.name === name))
    return undefined;
  const source = { transport, family, name };
  const sets = new Map<string, AnonymousSet | undefined>();
  const rules = readRules(source, (set) => {
    if (!sets.has(set)) sets.set(set, readSet(source, set));
    return sets.get(set) ?? set;
  });
  const chains = readChains(source).map((chain) => ({ chain, rules: rules.get(chain.name) ?? [] }));
  return {
    form: {
      family,
      name,
      chains: chains.map(({ chain, rules: read }) => ({ ...chain, rules: read.map((r) => r.form) })),
    },
    counters: chains.map(({ rules: read }) => read.map((rule) => rule.counters)),
  };
}

type Source = { readonly transport: Transport; readonly family: NftFamily; readonly name: string };

function readChains({ transport, family, name }: Source): Omit<ChainForm, 'rules'>[] {
  const request = nftRequest(NFT_MSG.getChain, { family: familyNumbers[family] });
  return dumpNft(transport, request).flatMap((payload) => {
    const attributes = attributeMap(payload, NFGENMSG_LEN);
    if (readString(attributes.get(NFTA_CHAIN.table)) !== name) return [];
    const base = readBase(attributes);
    return [
      { name: readString(attributes.get(NFTA_CHAIN.name)) ?? '', ...(base === undefined ? {} : { base }) },
    ];
  });
}

function readBase(attributes: Map<number, Buffer>): Required<NftBase> | undefined {
  const hook = attributes.get(NFTA_CHAIN.hook);
  if (hook === undefined) return undefined;
  const place = attributeMap(hook);
  const policy = readBe32(attributes.get(NFTA_CHAIN.policy));
  return {
    type: (readString(attributes.get(NFTA_CHAIN.type)) ?? '') as NftBase['type'],
    hook: nameOf(hookNumbers, readBe32(place.get(NFTA_HOOK.number))) ?? 'prerouting',
    priority: (readBe32(place.get(NFTA_HOOK.priority)) ?? 0) | 0,
    policy: nameOf(policyNumbers, policy) ?? 'accept',
  };
}

function nameOf<K extends string>(
  names: Readonly<Record<K, number>>,
  number: number | undefined,
): K | undefined {
  return (Object.keys(names) as K[]).find((name) => names[name] === number);
}

type ReadRule = { readonly form: RuleForm; readonly counters: readonly RuleCounter[] };

function readRules(
  { transport, family, name }: Source,
  setOf: (name: string) => AnonymousSet | string,
): Map<string, ReadRule[]> {
  const request = nftRequest(NFT_MSG.getRule, { family: familyNumbers[family] }, (writer) =>
    writer.attrString(NFTA_RULE.table, name),
  );
  const chains = new Map<string, ReadRule[]>();
  for (const payload of dumpNft(transport, request)) {
    const attributes = attributeMap(payload, NFGENMSG_LEN);
    const chain = readString(attributes.get(NFTA_RULE.chain)) ?? '';
    const rules = chains.get(chain) ?? [];
    chains.set(chain, rules);
    rules.push(readRule(attributes, setOf));
  }
  return chains;
}

function readRule(attributes: Map<number, Buffer>, setOf: (name: string) => AnonymousSet | string): ReadRule {
  const exprs: Expr[] = [];
  const counters: RuleCounter[] = [];
  eachAttribute(attributes.get(NFTA_RULE.expressions) ?? Buffer.alloc(0), 0, (_type, element) => {
    const expr = readExpr(element);
    if (expr === undefined) return;
    if (expr.expr === 'counter') {
      counters.push({ packets: expr.packets ?? 0, bytes: expr.bytes ?? 0 });
      exprs.push({ expr: 'counter', bytes: 0, packets: 0 });
    } else if (expr.expr === 'lookup' && typeof expr.set === 'string') {
      exprs.push({ ...expr, set: setOf(expr.set) });
    } else {
      exprs.push(expr);
    }
  });
  const comment = readComment(attributes.get(NFTA_RULE.userdata));
  return { form: { exprs, ...(comment === undefined ? {} : { comment }) }, counters };
}

/** libnftnl/udata.h: type, length, value, one after another. */
function readComment(userdata: Buffer | undefined): string | undefined {
  let at = 0;
  while (userdata !== undefined && at + 2 <= userdata.length) {
    const end = at + 2 + (userdata[at + 1] ?? 0);
    if (userdata[at] === UDATA_RULE_COMMENT) return readString(userdata.subarray(at + 2, end));
    at = end;
  }
  return undefined;
}

const NFTA_SET = { table: 1, name: 2, flags: 3, keyType: 4, keyLength: 5 } as const;
const NFT_SET_ANONYMOUS = 0x1;
const NFT_SET_INTERVAL = 0x4;
/** Maps, timeouts, concatenations: what nslab has none of. */
const NFT_SET_STRANGE = ~(NFT_SET_ANONYMOUS | 0x2 | NFT_SET_INTERVAL);

/** The set when it is anonymous and plain; a named one belongs to the table, not to the rule. */
function readSet({ transport, family, name }: Source, set: string): AnonymousSet | undefined {
  const header = { family: familyNumbers[family] };
  const answer = transport.get(
    nftRequest(NFT_MSG.getSet, header, (writer) => {
      writer.attrString(NFTA_SET.table, name);
      writer.attrString(NFTA_SET.name, set);
    }),
  );
  const attributes = attributeMap(answer, NFGENMSG_LEN);
  const flags = readBe32(attributes.get(NFTA_SET.flags)) ?? 0;
  if ((flags & NFT_SET_ANONYMOUS) === 0 || (flags & NFT_SET_STRANGE) !== 0) return undefined;
  const elements = nftRequest(NFT_MSG.getSetElem, header, (writer) => {
    writer.attrString(NFTA_SET.table, name);
    writer.attrString(NFTA_SET.name, set);
  });
  const points: SetPoint[] = dumpNft(transport, elements).flatMap((payload) =>
    readPoints(payload, NFGENMSG_LEN),
  );
  const bytes = readBe32(attributes.get(NFTA_SET.keyLength)) ?? 0;
  const ranges = (flags & NFT_SET_INTERVAL) !== 0;
  const datatype = readBe32(attributes.get(NFTA_SET.keyType)) ?? 0;
  return { datatype, bytes, ranges, elements: elementsOf(points, { bytes, ranges }) };
}
