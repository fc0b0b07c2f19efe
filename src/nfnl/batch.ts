// A table as one nf_tables transaction: the requests between NFNL_MSG_BATCH_BEGIN and NFNL_MSG_BATCH_END, each with what it
// stands for, so that a refusal can name it. The kernel takes all of them or none. It sends nothing.
// linux/netfilter/nfnetlink.h; net/netfilter/nfnetlink.c nfnetlink_rcv_batch(); nf_tables_api.c.

import {
  MessageWriter,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  type Request,
} from '../rtnl/message.ts';
import { compileRule } from './compile.ts';
import { type AnonymousSet, type Expr, writeExpr } from './expr.ts';
import type { NftBase, NftChain, NftFamily, NftHook, NftTable } from './ruleset.ts';
import { pointPortions, setPoints, writeElements, writeSet } from './set.ts';

/** NFPROTO_* of linux/netfilter.h. */
export const familyNumbers = { inet: 1, ip: 2, ip6: 10 } as const satisfies Record<NftFamily, number>;
/** NF_INET_* of linux/netfilter.h. */
export const hookNumbers = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
} as const satisfies Record<NftHook, number>;
/** NF_DROP and NF_ACCEPT. */
export const policyNumbers = { drop: 0, accept: 1 } as const;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
/** enum nf_tables_msg_types. */
export const NFT_MSG = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  delRule: 8,
  newSet: 9,
  getSet: 10,
  newSetElem: 12,
  getSetElem: 13,
  getGen: 16,
} as const;

// linux/netfilter/nf_tables.h, NFTA_*
export const NFTA_TABLE = { name: 1, flags: 2, use: 3 } as const;
export const NFTA_CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7 } as const;
export const NFTA_HOOK = { number: 1, priority: 2 } as const;
export const NFTA_RULE = { table: 1, chain: 2, handle: 3, expressions: 4, userdata: 7 } as const;
export const UDATA_RULE_COMMENT = 0;
const NESTED = 0x8000;

/** What a request of the batch stands for. */
export type Origin =
  | { readonly kind: 'batch' | 'table' | 'removal' }
  | { readonly kind: 'chain'; readonly chain: string }
  | { readonly kind: 'rule'; readonly chain: string; readonly index: number };

/** Requests and origins have one entry each for every message of the transaction. */
export type Batch = { readonly requests: readonly Request[]; readonly origins: readonly Origin[] };

/** sizeof(struct nfgenmsg), with which every nfnetlink payload begins. */
export const NFGENMSG_LEN = 4;

function writeNfgenmsg(writer: MessageWriter, family: number, resource = 0): void {
  writer.u8(family);
  writer.u8(0);
  writer.be16(resource);
}

/** A request of the nf_tables subsystem. */
export function nftRequest(
  message: (typeof NFT_MSG)[keyof typeof NFT_MSG],
  { family, flags = 0 }: { readonly family: number; readonly flags?: number },
  attributes: (writer: MessageWriter) => void = () => {},
): Request {
  return {
    type: (NFNL_SUBSYS_NFTABLES << 8) | message,
    flags: NLM_F_REQUEST | flags,
    payload: (writer) => {
      writeNfgenmsg(writer, family);
      attributes(writer);
    },
  };
}

/** A transaction that removes the table. */
export function removalBatch(family: NftFamily, name: string): Batch {
  const batch = new BatchBuilder(family);
  batch.add({ kind: 'removal' }, removal(family, name));
  return batch.close();
}

/** A transaction that makes the table, or with `replace` puts it in place of the one that may be there. */
export function tableBatch(table: NftTable, onExisting: 'refuse' | 'replace'): Batch {
  const batch = new BatchBuilder(table.family);
  const { name, family } = table;
  if (onExisting === 'replace') {
    // Made first where it is not there, so that the removal cannot fail: nft(8)'s own idiom, "table x; delete table x".
    batch.add({ kind: 'table' }, newTable(family, name, NLM_F_CREATE));
    batch.add({ kind: 'removal' }, removal(family, name));
  }
  batch.add({ kind: 'table' }, newTable(family, name, NLM_F_CREATE | NLM_F_EXCL));
  // All chains before any rule: a rule may jump to a chain that stands after its own.
  for (const chain of table.chains) batch.add({ kind: 'chain', chain: chain.name }, newChain(table, chain));
  for (const chain of table.chains) batch.addRules(table, chain);
  return batch.close();
}

/** A transaction that takes all rules out of the chains of the table, and with `fill` puts those of the table there. */
export function chainsBatch(table: NftTable, { fill }: { readonly fill: boolean }): Batch {
  const batch = new BatchBuilder(table.family);
  for (const { name } of table.chains) batch.add({ kind: 'chain', chain: name }, flush(table, name));
  if (fill) for (const chain of table.chains) batch.addRules(table, chain);
  return batch.close();
}

/** The bytes of a transaction, for whoever sends it later. */
export function batchBytes({ requests }: Batch): Buffer {
  const writer = new MessageWriter(1024);
  for (const [index, request] of requests.entries())
    writer.message(request, (request.flags ?? 0) | NLM_F_REQUEST, index + 1);
  return writer.take();
}

/** nf_tables_delrule() takes all rules of a chain where it is given no handle. */
function flush({ family, name }: NftTable, chain: string): Request {
  return nftRequest(NFT_MSG.delRule, { family: familyNumbers[family] }, (writer) => {
    writer.attrString(NFTA_RULE.table, name);
    writer.attrString(NFTA_RULE.chain, chain);
  });
}

function newTable(family: NftFamily, name: string, flags: number): Request {
  return nftRequest(NFT_MSG.newTable, { family: familyNumbers[family], flags }, (writer) => {
    writer.attrString(NFTA_TABLE.name, name);
    writer.attrBe32(NFTA_TABLE.flags, 0);
  });
}

function removal(family: NftFamily, name: string): Request {
  return nftRequest(NFT_MSG.delTable, { family: familyNumbers[family] }, (writer) => {
    writer.attrString(NFTA_TABLE.name, name);
  });
}

function newChain(table: NftTable, { name, base }: NftChain): Request {
  const header = { family: familyNumbers[table.family], flags: NLM_F_CREATE };
  return nftRequest(NFT_MSG.newChain, header, (writer) => {
    writer.attrString(NFTA_CHAIN.table, table.name);
    writer.attrString(NFTA_CHAIN.name, name);
    if (base !== undefined) writeBase(writer, base);
  });
}

function writeBase(writer: MessageWriter, { type, hook, priority, policy = 'accept' }: NftBase): void {
  writer.attrString(NFTA_CHAIN.type, type);
  writer.attrBe32(NFTA_CHAIN.policy, policyNumbers[policy]);
  const nest = writer.nest(NFTA_CHAIN.hook | NESTED);
  writer.attrBe32(NFTA_HOOK.number, hookNumbers[hook]);
  writer.attrBe32(NFTA_HOOK.priority, priority);
  writer.endNest(nest);
}

class BatchBuilder {
  readonly #requests: Request[] = [];
  readonly #origins: Origin[] = [];
  readonly #family: number;
  #sets = 0;

  constructor(family: NftFamily) {
    this.#family = familyNumbers[family];
    this.add({ kind: 'batch' }, batchEdge(NFNL_MSG_BATCH_BEGIN));
  }

  add(origin: Origin, request: Request): void {
    this.#origins.push(origin);
    this.#requests.push(request);
  }

  close(): Batch {
    this.add({ kind: 'batch' }, batchEdge(NFNL_MSG_BATCH_END));
    return { requests: this.#requests, origins: this.#origins };
  }

  addRules(table: NftTable, chain: NftChain): void {
    for (const [index, rule] of chain.rules.entries()) {
      const origin = { kind: 'rule', chain: chain.name, index } as const;
      const exprs = compileRule(table.family, rule);
      const ids = new Map<AnonymousSet, number>();
      for (const expr of exprs) {
        if (expr.expr === 'lookup' && typeof expr.set !== 'string') {
          ids.set(expr.set, this.#addSet(origin, table.name, expr.set));
        }
      }
      this.add(
        origin,
        nftRequest(
          NFT_MSG.newRule,
          { family: this.#family, flags: NLM_F_CREATE | NLM_F_APPEND },
          (writer) => {
            writer.attrString(NFTA_RULE.table, table.name);
            writer.attrString(NFTA_RULE.chain, chain.name);
            writeExpressions(writer, exprs, ids);
            if (rule.comment !== undefined) writer.attrBytes(NFTA_RULE.userdata, comment(rule.comment));
          },
        ),
      );
    }
  }

  #addSet(origin: Origin, table: string, set: AnonymousSet): number {
    const id = ++this.#sets;
    const header = { family: this.#family, flags: NLM_F_CREATE };
    const all = setPoints(set);
    this.add(
      origin,
      nftRequest(NFT_MSG.newSet, header, (writer) =>
        writeSet(writer, table, { id, set, points: all.length }),
      ),
    );
    for (const points of pointPortions(all)) {
      this.add(
        origin,
        nftRequest(NFT_MSG.newSetElem, header, (writer) => writeElements(writer, table, { id, points })),
      );
    }
    return id;
  }
}

function batchEdge(type: number): Request {
  return {
    type,
    flags: NLM_F_REQUEST,
    payload: (writer) => writeNfgenmsg(writer, 0, NFNL_SUBSYS_NFTABLES),
  };
}

function writeExpressions(
  writer: MessageWriter,
  exprs: readonly Expr[],
  ids: ReadonlyMap<AnonymousSet, number>,
): void {
  const list = writer.nest(NFTA_RULE.expressions | NESTED);
  for (const expr of exprs) writeExpr(writer, expr, (set) => ids.get(set) ?? 0);
  writer.endNest(list);
}

/** libnftnl/udata.h: type, length, and the text with its NUL, which is where `nft list` finds a rule's comment. */
function comment(text: string): Buffer {
  const bytes = Buffer.from(`${text}\0`);
  return Buffer.concat([Buffer.of(UDATA_RULE_COMMENT, bytes.length), bytes]);
}
