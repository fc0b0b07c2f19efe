// The expressions of nf_tables as data, and their bytes both ways from one table of attributes. An expression here is in
// normal form: what the kernel fills in by itself is left out, so that what was sent and what is read back are equal.
// linux/netfilter/nf_tables.h, NFTA_<EXPRESSION>_*; net/netfilter/nft_*.c, the dump functions.

import {
  attributeMap,
  type MessageWriter,
  readBe16,
  readBe32,
  readBe64,
  readString,
  readU8,
} from '../rtnl/message.ts';

type Kind = 'be16' | 'be32' | 'be64' | 'u8' | 'string' | 'data';
type Field = readonly [attribute: number, kind: Kind];

/** Attributes of each expression, in the order in which libnftnl writes them. */
const layouts = {
  meta: { key: [2, 'be32'], dreg: [1, 'be32'], sreg: [3, 'be32'] },
  payload: { dreg: [1, 'be32'], base: [2, 'be32'], offset: [3, 'be32'], length: [4, 'be32'] },
  ct: { key: [2, 'be32'], dreg: [1, 'be32'] },
  fib: { flags: [3, 'be32'], result: [2, 'be32'], dreg: [1, 'be32'] },
  bitwise: {
    sreg: [1, 'be32'],
    dreg: [2, 'be32'],
    op: [6, 'be32'],
    length: [3, 'be32'],
    mask: [4, 'data'],
    xor: [5, 'data'],
  },
  cmp: { sreg: [1, 'be32'], op: [2, 'be32'], data: [3, 'data'] },
  range: { sreg: [1, 'be32'], op: [2, 'be32'], from: [3, 'data'], to: [4, 'data'] },
  counter: { bytes: [1, 'be64'], packets: [2, 'be64'] },
  limit: {
    rate: [1, 'be64'],
    unit: [2, 'be64'],
    burst: [3, 'be32'],
    type: [4, 'be32'],
    flags: [5, 'be32'],
  },
  log: {
    prefix: [2, 'string'],
    group: [1, 'be16'],
    snaplen: [3, 'be32'],
    threshold: [4, 'be16'],
    level: [5, 'be32'],
    flags: [6, 'be32'],
  },
  reject: { type: [1, 'be32'], code: [2, 'u8'] },
  nat: {
    type: [1, 'be32'],
    family: [2, 'be32'],
    addressMin: [3, 'be32'],
    addressMax: [4, 'be32'],
    portMin: [5, 'be32'],
    portMax: [6, 'be32'],
    flags: [7, 'be32'],
  },
  masq: { flags: [1, 'be32'], portMin: [2, 'be32'], portMax: [3, 'be32'] },
  redir: { portMin: [1, 'be32'], portMax: [2, 'be32'], flags: [3, 'be32'] },
} as const satisfies Record<string, Readonly<Record<string, Field>>>;

type Layouts = typeof layouts;
type ValueOf<F> = F extends readonly [number, infer K]
  ? K extends 'string' | 'data'
    ? string
    : number
  : never;
type PlainExpr = {
  [N in keyof Layouts]: { readonly expr: N } & {
    readonly [F in keyof Layouts[N]]?: ValueOf<Layouts[N][F]>;
  };
}[keyof Layouts];

/** An anonymous set, whose elements belong to the rule. Ends are in the register's bytes, as hexadecimal, and sorted so. */
export type AnonymousSet = {
  /** enum datatypes of nftables, which says how `nft list` prints the elements. */
  readonly datatype: number;
  readonly bytes: number;
  /** False for a hash of single values. */
  readonly ranges: boolean;
  readonly elements: readonly { readonly from: string; readonly to: string }[];
};

/** Data is hexadecimal text of the bytes in the register. An absent field is an absent attribute. */
export type Expr =
  | PlainExpr
  | { readonly expr: 'immediate'; readonly dreg: number; readonly data: string }
  | { readonly expr: 'verdict'; readonly code: number; readonly chain?: string }
  | {
      readonly expr: 'lookup';
      readonly sreg: number;
      readonly invert?: true;
      readonly set: AnonymousSet | string;
    }
  /** Something that nslab never writes, in a rule that somebody else made. */
  | { readonly expr: 'foreign'; readonly name: string; readonly data: string };

/** The id by which a lookup finds a set that is made in the same transaction. */
export type SetIds = (set: AnonymousSet) => number;

/** nft's and libnftnl's template; the kernel finds the set by its id while it does not exist yet. */
export const ANONYMOUS_NAME = '__set%d';

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;
const NFTA_LOOKUP_SET = 1;
const NFTA_LOOKUP_SREG = 2;
const NFTA_LOOKUP_DREG = 3;
const NFTA_LOOKUP_SET_ID = 4;
const NFTA_LOOKUP_FLAGS = 5;
const NFT_LOOKUP_F_INV = 1;
const NFT_REG_VERDICT = 0;
const NESTED = 0x8000;

/** The kernel's name of the expression: `immediate` for a verdict. */
export function expressionName(expr: Expr): string {
  if (expr.expr === 'verdict') return 'immediate';
  return expr.expr === 'foreign' ? expr.name : expr.expr;
}

/** Appends one NFTA_LIST_ELEM. */
export function writeExpr(writer: MessageWriter, expr: Expr, setIds: SetIds): void {
  const element = writer.nest(NFTA_LIST_ELEM | NESTED);
  writer.attrString(NFTA_EXPR_NAME, expressionName(expr));
  const data = writer.nest(NFTA_EXPR_DATA | NESTED);
  writeBody(writer, expr, setIds);
  writer.endNest(data);
  writer.endNest(element);
}

function writeBody(writer: MessageWriter, expr: Expr, setIds: SetIds): void {
  switch (expr.expr) {
    case 'immediate':
      writer.attrBe32(NFTA_IMMEDIATE_DREG, expr.dreg);
      writeData(writer, NFTA_IMMEDIATE_DATA, expr.data);
      break;
    case 'verdict':
      writer.attrBe32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      writeVerdict(writer, expr);
      break;
    case 'lookup':
      if (typeof expr.set === 'string') throw new Error('a lookup in a named set is not written');
      writer.attrBe32(NFTA_LOOKUP_SREG, expr.sreg);
      writer.attrString(NFTA_LOOKUP_SET, ANONYMOUS_NAME);
      writer.attrBe32(NFTA_LOOKUP_SET_ID, setIds(expr.set));
      if (expr.invert) writer.attrBe32(NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
      break;
    case 'foreign':
      throw new Error(`the expression "${expr.name}" is not written`);
    default:
      writePlain(writer, expr);
  }
}

function writeVerdict(writer: MessageWriter, { code, chain }: Extract<Expr, { expr: 'verdict' }>): void {
  const data = writer.nest(NFTA_IMMEDIATE_DATA | NESTED);
  const verdict = writer.nest(NFTA_DATA_VERDICT | NESTED);
  writer.attrBe32(NFTA_VERDICT_CODE, code);
  if (chain !== undefined) writer.attrString(NFTA_VERDICT_CHAIN, chain);
  writer.endNest(verdict);
  writer.endNest(data);
}

/** Appends a nft_data that holds a value, under the given attribute. */
export function writeData(writer: MessageWriter, attribute: number, hex: string): void {
  const data = writer.nest(attribute | NESTED);
  writer.attrBytes(NFTA_DATA_VALUE, Buffer.from(hex, 'hex'));
  writer.endNest(data);
}

const fields = new Map(
  Object.entries<Readonly<Record<string, Field>>>(layouts).map(([expr, layout]) => [
    expr,
    Object.entries(layout),
  ]),
);

function fieldsOf(expr: keyof Layouts): readonly (readonly [string, Field])[] {
  return fields.get(expr) ?? [];
}

function writePlain(writer: MessageWriter, expr: PlainExpr): void {
  const values: Readonly<Record<string, string | number | undefined>> = expr;
  for (const [name, [attribute, kind]] of fieldsOf(expr.expr)) {
    const value = values[name];
    if (value !== undefined) writeField(writer, attribute, { kind, value });
  }
}

type FieldValue = { readonly kind: Kind; readonly value: string | number };

function writeField(writer: MessageWriter, attribute: number, { kind, value }: FieldValue): void {
  if (kind === 'string') writer.attrString(attribute, String(value));
  else if (kind === 'data') writeData(writer, attribute, String(value));
  else if (kind === 'be64') writer.attrBe64(attribute, BigInt(value));
  else if (kind === 'be32') writer.attrBe32(attribute, Number(value));
  else if (kind === 'be16') writer.attrBe16(attribute, Number(value));
  else writer.attrU8(attribute, Number(value));
}

/** The expression of one NFTA_LIST_ELEM, in normal form; undefined where it has no name. */
export function readExpr(element: Buffer): Expr | undefined {
  const attributes = attributeMap(element);
  const name = readString(attributes.get(NFTA_EXPR_NAME));
  if (name === undefined) return undefined;
  const body = attributes.get(NFTA_EXPR_DATA) ?? Buffer.alloc(0);
  if (name === 'immediate') return readImmediate(attributeMap(body)) ?? foreign(name, body);
  if (name === 'lookup') return readLookup(attributeMap(body)) ?? foreign(name, body);
  if (!Object.hasOwn(layouts, name)) return foreign(name, body);
  return readPlain(name as keyof Layouts, attributeMap(body));
}

function foreign(name: string, body: Buffer): Expr {
  return { expr: 'foreign', name, data: body.toString('hex') };
}

/** The value of a nft_data in hexadecimal, or undefined where it holds none. */
export function readData(data: Buffer | undefined): string | undefined {
  if (data === undefined) return undefined;
  return attributeMap(data).get(NFTA_DATA_VALUE)?.toString('hex');
}

function readImmediate(attributes: Map<number, Buffer>): Expr | undefined {
  const dreg = readBe32(attributes.get(NFTA_IMMEDIATE_DREG));
  const data = attributes.get(NFTA_IMMEDIATE_DATA);
  if (dreg === undefined || data === undefined) return undefined;
  if (dreg === NFT_REG_VERDICT) return readVerdict(data);
  const value = readData(data);
  return value === undefined ? undefined : { expr: 'immediate', dreg, data: value };
}

function readVerdict(data: Buffer): Expr | undefined {
  const verdict = attributeMap(attributeMap(data).get(NFTA_DATA_VERDICT) ?? Buffer.alloc(0));
  const code = readBe32(verdict.get(NFTA_VERDICT_CODE));
  if (code === undefined) return undefined;
  const chain = readString(verdict.get(NFTA_VERDICT_CHAIN));
  return { expr: 'verdict', code, ...(chain === undefined ? {} : { chain }) };
}

function readLookup(attributes: Map<number, Buffer>): Expr | undefined {
  const sreg = readBe32(attributes.get(NFTA_LOOKUP_SREG));
  const set = readString(attributes.get(NFTA_LOOKUP_SET));
  // With a destination it is a map, which nslab has none of.
  if (sreg === undefined || set === undefined || attributes.has(NFTA_LOOKUP_DREG)) return undefined;
  const flags = readBe32(attributes.get(NFTA_LOOKUP_FLAGS)) ?? 0;
  return { expr: 'lookup', sreg, ...((flags & NFT_LOOKUP_F_INV) === 0 ? {} : { invert: true }), set };
}

function readPlain(name: keyof Layouts, attributes: Map<number, Buffer>): Expr {
  const values: Record<string, string | number> = {};
  for (const [field, [attribute, kind]] of fieldsOf(name)) {
    const value = readField(attributes.get(attribute), kind);
    if (value !== undefined) values[field] = value;
  }
  dropDefaults(name, values);
  return { expr: name, ...values } as Expr;
}

function readField(value: Buffer | undefined, kind: Kind): string | number | undefined {
  if (kind === 'string') return readString(value);
  if (kind === 'data') return readData(value);
  if (kind === 'be64') {
    const wide = readBe64(value);
    return wide === undefined ? undefined : Number(wide);
  }
  if (kind === 'be32') return readBe32(value);
  return kind === 'be16' ? readBe16(value) : readU8(value);
}

const LOGLEVEL_WARNING = 4;

/** What the kernel's dump functions add to what was sent. */
function dropDefaults(name: keyof Layouts, values: Record<string, string | number>): void {
  if (name === 'log') {
    if (values['level'] === LOGLEVEL_WARNING) delete values['level'];
    if (values['snaplen'] === 0) delete values['snaplen'];
    if (values['threshold'] === 0) delete values['threshold'];
  }
  if (name === 'bitwise' && values['op'] === 0) delete values['op'];
  if (name === 'fib') return;
  if (values['flags'] === 0) delete values['flags'];
  // A single address or port is dumped as a range whose ends are one register.
  if (values['addressMax'] === values['addressMin']) delete values['addressMax'];
  if (values['portMax'] === values['portMin']) delete values['portMax'];
}
