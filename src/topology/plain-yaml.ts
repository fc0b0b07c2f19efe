// A fast reader of the YAML that topologies are mostly written in: block mappings and lists, one-line flow collections, one-line
// texts, comments. It gives up (undefined) at the first thing outside of that, a mistake included, and then the full parser
// reads the text, which also words all mistakes. So this file must never accept what the full parser refuses, nor read it
// otherwise, nor find another place for a value: a test compares the two on random texts. A lab of 1000 nodes takes 30 ms
// instead of 500.

import type { Part, Path } from './problems.ts';
import { MAX_DEPTH } from './tree.ts';

type Range = readonly [number, number];

/** The offsets of a key or value, or of the nearest ancestor when there is none; undefined when only the full parser knows. */
export type FindRange = (path: Path, part: Part) => Range | undefined;

/** The value of a text in plain YAML, or undefined when only the full parser can tell. */
export function readPlainYaml(text: string): { readonly value: unknown } | undefined {
  if (/[\t\r\ufeff]/.test(text)) return undefined;
  try {
    return { value: new Reader(text).document() };
  } catch (error) {
    if (error === notPlain) return undefined;
    throw error;
  }
}

/** Where the values of a text stand that readPlainYaml() could read. It is read once more, because most files have no mistake. */
export function plainYamlRanges(text: string): FindRange {
  const marks: Marks = new Map();
  const reader = new Reader(text, marks);
  const root = reader.document();
  const rootMark: Mark = { key: undefined, ...reader.last };
  return (path, part) => findRange({ value: root, mark: rootMark }, path, { part, marks });
}

/** Where a value stands: all of it, or for a block, which is of several lines, its first key or dash. */
type Place = { start: number; end: number; block: boolean };
type Mark = Place & { readonly key: Range | undefined };
/** The marks of the values of each mapping and list. */
type Marks = Map<object, Map<string, Mark>>;
type Marked = { readonly value: unknown; readonly mark: Mark };

function findRange(
  root: Marked,
  path: Path,
  { part, marks }: { part: Part; marks: Marks },
): Range | undefined {
  let { value, mark } = root;
  for (const step of path) {
    const next =
      typeof value === 'object' && value !== null ? marks.get(value)?.get(String(step)) : undefined;
    if (next === undefined) return pointAt(mark, 'value');
    value = (value as Record<string, unknown>)[String(step)];
    mark = next;
  }
  return pointAt(mark, part);
}

/** As tree.ts does it. An empty value without a key is a dash alone. */
function pointAt({ key, start, end, block }: Mark, part: Part): Range | undefined {
  const isEmpty = start === end;
  if (key !== undefined && (part === 'key' || isEmpty || block)) return key;
  return isEmpty ? undefined : [start, end];
}

/** Thrown to leave the recursion; made once, because a stack is of no use here. */
const notPlain = new Error('not plain YAML');

const SPACE = 0x20;
const NEWLINE = 0x0a;
const HASH = 0x23;
const DASH = 0x2d;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_MAP = 0x7b;
const CLOSE_MAP = 0x7d;
const DOUBLE = 0x22;
const SINGLE = 0x27;

/** A key, its colon, and what shows that the colon is one. Quoted keys have no escapes. */
const keyPattern = /(?:([A-Za-z0-9_][A-Za-z0-9_./-]*)|"([^"\\\n]+)"|'([^'\n]+)'):(?=[ \n]|$)/y;
/** Texts that begin with anything else may mean something to YAML. */
const plainStart = /[A-Za-z0-9_./$+(=~]|-(?=[A-Za-z0-9.])/y;
/** Within brackets a text ends at a comma or bracket; a colon is part of it only before a letter, digit, dot or slash. */
const flowText = /(?:[^,[\]{}\n:#]|:(?=[A-Za-z0-9./]))*/y;

class Reader {
  private readonly text: string;
  private at = 0;
  /** The column of the line whose content `at` stands before; -1 at the end of the text. */
  private indent = 0;
  private depth = 0;
  /** Where the value read last stands. */
  readonly last: Place = { start: 0, end: 0, block: false };
  private readonly marks: Marks | undefined;

  constructor(text: string, marks?: Marks) {
    this.text = text;
    this.marks = marks;
  }

  private place(start: number, end: number, block = false): void {
    this.last.start = start;
    this.last.end = end;
    this.last.block = block;
  }

  /** Keeps where the value read last stands, which is in this mapping or list. */
  private mark(parent: object, step: string, key?: Range): void {
    if (this.marks === undefined) return;
    const own = this.marks.get(parent) ?? new Map<string, Mark>();
    this.marks.set(parent, own.set(step, { key, ...this.last }));
  }

  document(): unknown {
    this.toContent();
    if (this.indent < 0) throw notPlain;
    const value = this.mapping(this.indent);
    if (this.indent >= 0) throw notPlain;
    return value;
  }

  /** From the beginning of a line to the first thing in the text that is neither blank nor comment. */
  private toContent(): void {
    const { text } = this;
    for (;;) {
      const start = this.at;
      let at = start;
      while (text.charCodeAt(at) === SPACE) at++;
      const code = text.charCodeAt(at);
      if (Number.isNaN(code)) {
        this.at = at;
        this.indent = -1;
        return;
      }
      if (code !== NEWLINE && code !== HASH) {
        this.at = at;
        this.indent = at - start;
        return;
      }
      const newline = text.indexOf('\n', at);
      this.at = newline < 0 ? text.length : newline + 1;
    }
  }

  private skipSpaces(): void {
    while (this.text.charCodeAt(this.at) === SPACE) this.at++;
  }

  /** After a value: nothing more on its line but a comment, and no deeper line that would go on with it. */
  private endValue(column: number): void {
    this.endLine();
    if (this.indent > column) throw notPlain;
  }

  private endLine(): void {
    const before = this.at;
    this.skipSpaces();
    const code = this.text.charCodeAt(this.at);
    if (code === HASH && this.at > before) {
      const newline = this.text.indexOf('\n', this.at);
      this.at = newline < 0 ? this.text.length : newline + 1;
    } else if (code === NEWLINE) this.at++;
    else if (!Number.isNaN(code)) throw notPlain;
    this.toContent();
  }

  /** Spaces, and whether a line ends there (perhaps with a comment). */
  private atLineEnd(): boolean {
    const before = this.at;
    this.skipSpaces();
    const code = this.text.charCodeAt(this.at);
    return Number.isNaN(code) || code === NEWLINE || (code === HASH && this.at > before);
  }

  private key(): string | undefined {
    keyPattern.lastIndex = this.at;
    const match = keyPattern.exec(this.text);
    if (match === null) return undefined;
    this.at = keyPattern.lastIndex;
    return match[1] ?? match[2] ?? match[3];
  }

  private isDash(): boolean {
    if (this.text.charCodeAt(this.at) !== DASH) return false;
    const next = this.text.charCodeAt(this.at + 1);
    return Number.isNaN(next) || next === SPACE || next === NEWLINE;
  }

  private deeper(): void {
    if (++this.depth > MAX_DEPTH / 2) throw notPlain;
  }

  private block(column: number): unknown {
    return this.isDash() ? this.list(column) : this.mapping(column);
  }

  private mapping(column: number): Record<string, unknown> {
    this.deeper();
    const object: Record<string, unknown> = {};
    const first = this.at;
    let firstEnd = 0;
    do {
      const start = this.at;
      const key = this.key();
      if (key === undefined || key === '__proto__' || Object.hasOwn(object, key)) throw notPlain;
      const end = this.at - 1;
      if (start === first) firstEnd = end;
      object[key] = this.blockValue(column);
      this.mark(object, key, [start, end]);
    } while (this.indent === column && !this.isDash());
    this.depth--;
    this.place(first, firstEnd, true);
    return object;
  }

  private blockValue(column: number): unknown {
    this.place(this.at, this.at);
    if (!this.atLineEnd()) {
      const value = this.inline();
      this.endValue(column);
      return value;
    }
    this.endLine();
    if (this.indent > column) {
      const value = this.block(this.indent);
      if (this.indent > column) throw notPlain;
      return value;
    }
    // The dashes of a list may stand below the first letter of its key.
    return this.indent === column && this.isDash() ? this.list(column) : null;
  }

  private list(column: number): unknown[] {
    this.deeper();
    const items: unknown[] = [];
    const first = this.at;
    do {
      const lineStart = this.at - column;
      this.at++;
      const item = this.item(column, lineStart);
      this.mark(items, String(items.length));
      items.push(item);
    } while (this.indent === column && this.isDash());
    this.depth--;
    this.place(first, first + 1, true);
    return items;
  }

  private item(column: number, lineStart: number): unknown {
    this.place(this.at, this.at);
    if (this.atLineEnd()) {
      this.endLine();
      return this.indent > column ? this.nested(column, this.indent) : null;
    }
    if (this.isDash() || this.isKey()) return this.nested(column, this.at - lineStart);
    const value = this.inline();
    this.endValue(column);
    return value;
  }

  /** A block inside a list item, whose lines begin at a column of its own. */
  private nested(column: number, inner: number): unknown {
    const value = this.block(inner);
    if (this.indent > column) throw notPlain;
    return value;
  }

  private isKey(): boolean {
    keyPattern.lastIndex = this.at;
    return keyPattern.test(this.text);
  }

  private inline(): unknown {
    switch (this.text.charCodeAt(this.at)) {
      case OPEN_LIST:
        return this.flowList();
      case OPEN_MAP:
        return this.flowMapping();
      case DOUBLE:
      case SINGLE:
        return this.quoted();
      default:
        return this.lineText();
    }
  }

  private flowValue(): unknown {
    switch (this.text.charCodeAt(this.at)) {
      case OPEN_LIST:
        return this.flowList();
      case OPEN_MAP:
        return this.flowMapping();
      case DOUBLE:
      case SINGLE:
        return this.quoted();
      default:
        return this.flowPlain();
    }
  }

  private flowList(): unknown[] {
    this.deeper();
    this.at++;
    const items: unknown[] = [];
    const start = this.at - 1;
    for (;;) {
      this.skipSpaces();
      if (this.text.charCodeAt(this.at) === CLOSE_LIST) break;
      const item = this.flowValue();
      this.mark(items, String(items.length));
      items.push(item);
      if (!this.comma(CLOSE_LIST)) break;
    }
    this.at++;
    this.depth--;
    this.place(start, this.at);
    return items;
  }

  private flowMapping(): Record<string, unknown> {
    this.deeper();
    this.at++;
    const object: Record<string, unknown> = {};
    const first = this.at - 1;
    for (;;) {
      this.skipSpaces();
      if (this.text.charCodeAt(this.at) === CLOSE_MAP) break;
      const start = this.at;
      const key = this.key();
      if (key === undefined || key === '__proto__' || Object.hasOwn(object, key)) throw notPlain;
      const end = this.at - 1;
      this.skipSpaces();
      object[key] = this.flowValue();
      this.mark(object, key, [start, end]);
      if (!this.comma(CLOSE_MAP)) break;
    }
    this.at++;
    this.depth--;
    this.place(first, this.at);
    return object;
  }

  /** True after a comma, false before the closing bracket. */
  private comma(close: number): boolean {
    this.skipSpaces();
    const code = this.text.charCodeAt(this.at);
    if (code === COMMA) {
      this.at++;
      return true;
    }
    if (code !== close) throw notPlain;
    return false;
  }

  private quoted(): string {
    const quote = this.text[this.at] ?? '';
    const end = this.text.indexOf(quote, this.at + 1);
    const value = this.text.slice(this.at + 1, end);
    if (end < 0 || /[\n\\]/.test(value) || this.text[end + 1] === quote) throw notPlain;
    this.place(this.at, end + 1);
    this.at = end + 1;
    return value;
  }

  private startPlain(): void {
    plainStart.lastIndex = this.at;
    if (!plainStart.test(this.text)) throw notPlain;
  }

  private flowPlain(): unknown {
    this.startPlain();
    flowText.lastIndex = this.at;
    const found = flowText.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    const next = this.text.charCodeAt(this.at);
    if (next !== COMMA && next !== CLOSE_LIST && next !== CLOSE_MAP) throw notPlain;
    const text = trimSpaces(found);
    this.place(this.at - found.length, this.at - found.length + text.length);
    return scalar(text);
  }

  private lineText(): unknown {
    this.startPlain();
    const newline = this.text.indexOf('\n', this.at);
    const line = this.text.slice(this.at, newline < 0 ? undefined : newline);
    const comment = line.indexOf(' #');
    const found = trimSpaces(comment < 0 ? line : line.slice(0, comment));
    if (found.includes(': ') || found.endsWith(':')) throw notPlain;
    this.place(this.at, this.at + found.length);
    this.at += found.length;
    return scalar(found);
  }
}

/** Spaces only: other white space of Unicode is an ordinary character to YAML. */
function trimSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === SPACE) end--;
  return text.slice(0, end);
}

/** The core schema of YAML 1.2.2, section 10.3.2. */
function scalar(text: string): unknown {
  if (/^[A-EG-MO-SU-Za-eg-mo-su-z_/$(=]/.test(text)) return text;
  if (/^(?:~|[Nn]ull|NULL)$/.test(text)) return null;
  if (/^(?:[Tt]rue|TRUE)$/.test(text)) return true;
  if (/^(?:[Ff]alse|FALSE)$/.test(text)) return false;
  if (/^[-+]?[0-9]+$/.test(text)) return Number.parseInt(text, 10);
  if (/^0o[0-7]+$/.test(text)) return Number.parseInt(text.slice(2), 8);
  if (/^0x[0-9a-fA-F]+$/.test(text)) return Number.parseInt(text, 16);
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text))
    return Number.parseFloat(text);
  if (/^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/.test(text)) {
    if (/nan$/i.test(text)) return Number.NaN;
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  return text;
}
