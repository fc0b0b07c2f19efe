// A file value as YAML in the shape that a person gives it: on one line what fits into one, a node's keys below each other, a
// link or a rule a line. Comments stand above what they are about. YAML 1.2, read by plain-yaml.ts and by the yaml package.

import { scalarOf } from './vars.ts';

/** Lines above a key, `nodes.pc1`, or at the top of the file. */
export type Comments = {
  readonly top?: readonly string[];
  readonly nodes?: ReadonlyMap<string, readonly string[]>;
};

const WIDTH = 120;
const STEP = 2;

type Path = readonly (string | number)[];

/** The text of the file. The same value gives the same text. */
export function writeYaml(file: Readonly<Record<string, unknown>>, comments: Comments = {}): string {
  const writer = new Writer(comments);
  for (const line of comments.top ?? []) writer.comment(line, 0);
  writer.mapping(file, [], 0);
  return writer.text();
}

class Writer {
  private readonly lines: string[] = [];
  private readonly comments: Comments;

  constructor(comments: Comments) {
    this.comments = comments;
  }

  text(): string {
    return this.lines.map((line) => `${line}\n`).join('');
  }

  comment(text: string, indent: number): void {
    for (const line of text.split('\n')) {
      this.lines.push(`${' '.repeat(indent)}# ${printable(line)}`.trimEnd());
    }
  }

  mapping(mapping: Readonly<Record<string, unknown>>, path: Path, indent: number): void {
    for (const key of Object.keys(mapping)) {
      const inner = [...path, key];
      const head = `${' '.repeat(indent)}${scalar(key)}:`;
      const notes = path.length === 1 && path[0] === 'nodes' ? this.comments.nodes?.get(key) : undefined;
      for (const note of notes ?? []) this.comment(note, indent);
      this.value(mapping[key], { head, path: inner, indent });
    }
  }

  private value(value: unknown, at: { head: string; path: Path; indent: number }): void {
    const { head, path, indent } = at;
    const line = `${head} ${flow(value)}`;
    const text = blockText(value, indent + STEP);
    if (text !== undefined && line.length > WIDTH) this.lines.push(`${head} ${text[0]}`, ...text.slice(1));
    else if (!isBlock(value, path) && (line.length <= WIDTH || isLeaf(value))) this.lines.push(line);
    else if (Array.isArray(value)) {
      this.lines.push(head);
      this.list(value, path, indent + STEP);
    } else {
      this.lines.push(head);
      this.mapping(value as Record<string, unknown>, path, indent + STEP);
    }
  }

  private list(list: readonly unknown[], path: Path, indent: number): void {
    for (const [index, value] of list.entries()) {
      const head = `${' '.repeat(indent)}-`;
      const line = `${head} ${flow(value)}`;
      const inner = [...path, index];
      const text = blockText(value, indent + STEP);
      const isLink = path.length === 1 && path[0] === 'links';
      if (text !== undefined && line.length > WIDTH) this.lines.push(`${head} ${text[0]}`, ...text.slice(1));
      else if ((line.length <= WIDTH && !isLink) || isLeaf(value)) this.lines.push(line);
      else if (Array.isArray(value)) {
        const at = this.lines.length;
        this.list(value, inner, indent + STEP);
        this.joinFirst(at, head);
      } else {
        const at = this.lines.length;
        this.mapping(value as Record<string, unknown>, inner, indent + STEP);
        this.joinFirst(at, head);
      }
    }
  }

  /** The first line of a mapping or list inside of a list stands beside the dash. */
  private joinFirst(at: number, head: string): void {
    this.lines[at] = `${head} ${(this.lines[at] ?? '').trimStart()}`;
  }
}

function isLeaf(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Object.keys(value).length === 0;
}

/** Lists of which each member has a line of its own, however short they are. */
const tall: ReadonlySet<string> = new Set(['links', 'tests', 'nat', 'rules']);

/** True where lines say more than one line would. */
function isBlock(value: unknown, path: Path): boolean {
  if (isLeaf(value)) return false;
  const [first, , third] = path;
  const last = path.at(-1);
  if (Array.isArray(value)) return typeof last === 'string' && tall.has(last);
  if (path.length === 1) return true;
  const members = Object.keys(value as object).length;
  // A node that is more than a few words, and its interfaces if it has several.
  if (first === 'nodes' && path.length === 2) return !fitsOneLine(value);
  if (first === 'nodes' && path.length === 3 && third === 'interfaces') return members > 1;
  if (first === 'nodes' && third === 'firewall') return path.length <= 4;
  return false;
}

/** A node on one line: a few words, or one key that is no list of rules. */
function fitsOneLine(value: unknown): boolean {
  const entries = Object.entries(value as object);
  if (entries.every(([, inner]) => isLeaf(inner))) return entries.length <= 4;
  const [key, inner] = entries[0] ?? [];
  if (entries.length > 1) return false;
  if (key === 'interfaces') return Object.keys(inner as object).length <= 1;
  return key !== 'nat' && key !== 'rules' && key !== 'firewall';
}

/**
 * A long text on lines of its own: those it has, or folded where it is one line. The first member is the mark of the block.
 * Undefined where that could not be read back.
 */
function blockText(value: unknown, indent: number): [string, ...string[]] | undefined {
  if (typeof value !== 'string' || /^\s/.test(value) || value.endsWith('\n\n')) return undefined;
  const whole = value.endsWith('\n') ? value.slice(0, -1) : value;
  const lines = whole.split('\n');
  const isSafe = lines.every((line) => printable(line) === line && line !== '' && !/\s$/.test(line));
  if (!isSafe) return undefined;
  const mark = `${lines.length > 1 ? '|' : '>'}${whole === value ? '-' : ''}`;
  const shown = lines.length > 1 ? lines : folded(whole, WIDTH - indent);
  return [mark, ...shown.map((line) => `${' '.repeat(indent)}${line}`)];
}

/** Broken at single blanks, which the reader of a folded text puts back. */
function folded(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return scalar(value);
  const entries = Object.entries(value).map(([key, inner]) => `${scalar(key)}: ${flow(inner)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

/** Words that are the same inside and outside of brackets, and a MAC address. */
const plain =
  /^(?:[A-Za-z0-9_./][A-Za-z0-9_./+*%@=-]*(?: [A-Za-z0-9_./+*%@=-]+)*|[0-9a-f]{2}(?::[0-9a-f]{2}){5})$/;

function scalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value ?? null);
  if (plain.test(value) && scalarOf(value) === value && !isOldBoolean(value)) return value;
  return quoted(value);
}

/** YAML 1.1 takes these for truth values and bases of sixty, and other programs still do. */
function isOldBoolean(text: string): boolean {
  return /^(y|n|yes|no|on|off)$/i.test(text);
}

/** A double-quoted scalar: JSON's escapes are YAML's, but JSON leaves more characters as they are. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(unprintable, escaped);
}

// What YAML does not allow in a text as it is, and what a terminal would act on or turn around.
const unprintable =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]|\p{Surrogate}/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A line of a comment: nothing in it ends the comment. */
function printable(line: string): string {
  return line.replace(unprintable, escaped);
}
