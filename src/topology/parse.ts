// Text of a topology file to plain values, every mistake of YAML collected with its place; nothing is thrown for any text. It
// must not know what a lab is. Everything that could cost unbounded time or memory is bounded here, before anything reads
// the values. YAML 1.2.2 through the `yaml` package, whose tokens are composed only once their depth is known.

import { Composer, isMap, isSeq, Lexer, type Node, Parser } from 'yaml';
import type { Problem, Where } from '../base/error.ts';
import { err, ok, type Result } from '../base/result.ts';
import { type FindRange, plainYamlRanges, readPlainYaml } from './plain-yaml.ts';
import { type Locate, type Part, type Path, pathText, sortProblems } from './problems.ts';
import { MAX_DEPTH, readTree, type TextProblem, type Tree } from './tree.ts';
import { explainYamlError, type Token } from './yaml-problem.ts';

/** The size a topology file may have. A lab of 1000 nodes and 1000 links has about 150 kB. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** A file as plain values, with the way back to its lines. */
export type Parsed = {
  /** Undefined when the text is not YAML at all, or is empty; `problems` says why. */
  readonly value: unknown;
  readonly locate: Locate;
  readonly problems: readonly Problem[];
};

/** Bytes to text. Refuses what cannot be a topology before anything looks at it: too big, binary, not UTF-8. */
export function decodeTopology(bytes: Uint8Array, file: string): Result<string, Problem> {
  const start: Where = { file, line: 1, col: 1, endCol: 1, path: '' };
  if (bytes.length > MAX_FILE_BYTES) return err(tooBig(bytes.length, start));
  const binary = (message: string, hint?: string): Result<string, Problem> =>
    err({ code: 'FILE_BINARY', message, where: start, ...(hint === undefined ? {} : { hint }) });
  const utf16 = utf16Name(bytes);
  if (utf16 !== undefined)
    return binary(`the file is ${utf16}, and YAML is read as UTF-8`, `convert it: iconv -f UTF-16 -t UTF-8`);
  const format = binaryFormat(bytes);
  if (format !== undefined) return binary(`the file is ${format}, not a text`);
  const nul = bytes.indexOf(0);
  if (nul >= 0) return binary(`the file is binary: byte ${nul + 1} is NUL, which no text has`);
  try {
    return ok(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return binary('the file is not text in UTF-8', 'save it as UTF-8, or check that it is the right file');
  }
}

/** The one wording for a file that is too big; load.ts needs it too, for files that it does not even read. */
export function tooBig(bytes: number, where: Where): Problem {
  const mib = (bytes / MAX_FILE_BYTES).toFixed(1);
  return {
    code: 'FILE_TOO_BIG',
    message: `the file has ${mib} MiB, a topology may have ${MAX_FILE_BYTES / 1024 / 1024} MiB`,
    hint: 'is it the right file?',
    where,
  };
}

function utf16Name(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'UTF-16 (little endian)';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'UTF-16 (big endian)';
  return undefined;
}

/** The files that a shell's completion offers by mistake. Signatures as in magic(5). */
function binaryFormat(bytes: Uint8Array): string | undefined {
  const magic: readonly [string, string][] = [
    ['\x7fELF', 'a program'],
    ['\x89PNG', 'a picture (PNG)'],
    ['\xff\xd8\xff', 'a picture (JPEG)'],
    ['\x1f\x8b', 'compressed (gzip)'],
    ['PK\x03\x04', 'an archive (zip)'],
    ['%PDF', 'a PDF document'],
  ];
  const head = String.fromCharCode(...bytes.subarray(0, 8));
  return magic.find(([signature]) => head.startsWith(signature))?.[1];
}

/** Reads a topology's text. `file` is only how messages call it. */
export function parseYaml(text: string, file: string): Parsed {
  const control = controlCharacter(text);
  const plain = control === undefined ? readPlainYaml(text) : undefined;
  if (plain === undefined) return parseFully(text, file);
  // Places are asked for only when there is something to say about the file.
  const source = new Source(text, file);
  let ranges: FindRange | undefined;
  let full: Parsed | undefined;
  const locate: Locate = (path, part = 'value') => {
    ranges ??= plainYamlRanges(text);
    const range = ranges(path, part);
    if (range !== undefined) return source.where(range, path);
    full ??= parseFully(text, file);
    return full.locate(path, part);
  };
  return { value: plain.value, locate, problems: [] };
}

/** The same without the fast reader; tests compare the two. */
export function parseFully(text: string, file: string): Parsed {
  const source = new Source(text.startsWith('\ufeff') ? text.slice(1) : text, file);
  const control = controlCharacter(source.text);
  if (control !== undefined) return source.failed([control]);
  const read = readDocuments(source);
  if (!read.ok) return source.failed(read.error);
  const tree = readTree(read.value);
  return {
    value: tree.value,
    locate: source.locator(tree),
    problems: sortProblems(tree.problems.map((problem) => source.place(problem))),
  };
}

/** YAML allows none but tab, line feed and carriage return, and the parser uses some as marks of its own. */
function controlCharacter(text: string): TextProblem | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const match = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/.exec(text);
  if (match === null) return undefined;
  const name = `U+${match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  return {
    code: 'FILE_BINARY',
    message: `the file has the control character ${name}, which no YAML has`,
    hint: 'delete it; in a text in double quotes it can be written "\\x.."',
    start: match.index,
    end: match.index + 1,
  };
}

function readDocuments(source: Source): Result<Node, readonly TextProblem[]> {
  const tokens = tokenise(source);
  if (!tokens.ok) return err([tokens.error]);
  const second = secondDocument(tokens.value);
  const composer = new Composer({
    uniqueKeys: false,
    prettyErrors: false,
    resolveKnownTags: false,
    logLevel: 'silent',
  });
  const [document] = composer.compose(tokens.value);
  if (document !== undefined) {
    // What follows a first mistake of syntax is mostly its consequence, and misleads.
    const [first] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (first !== undefined) return err([explainYamlError(first, source.text, tokens.value)]);
  }
  if (second !== undefined) return err([second]);
  const root = document?.contents ?? null;
  if (root === null || isBlank(root, source.text)) return err([empty()]);
  const shape = topLevelProblem(root, source.text);
  return shape === undefined ? ok(root) : err([shape]);
}

/** The parser keeps a stack of its own, but what composes its tokens recurses: a deep file would end the process. */
function tokenise(source: Source): Result<readonly Token[], TextProblem> {
  const lexer = new Lexer();
  const parser = new Parser();
  const tokens: Token[] = [];
  for (const lexeme of lexer.lex(source.text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > MAX_DEPTH) {
      const start = parser.offset;
      const message = `values lie more than ${MAX_DEPTH} deep in each other`;
      return err({ code: 'YAML_TOO_DEEP', message, start: Math.max(0, start - 1), end: start });
    }
  }
  for (const token of parser.end()) tokens.push(token);
  return ok(tokens);
}

function secondDocument(tokens: readonly Token[]): TextProblem | undefined {
  for (const token of tokens) {
    if (token.type === 'directive') {
      const end = token.offset + token.source.length;
      if (/^%YAML\s+1\.2\s*$/.test(token.source)) continue;
      const message = `the directive ${JSON.stringify(token.source.trim())} is not understood`;
      return { code: 'YAML_SYNTAX', message, hint: 'remove the line', start: token.offset, end };
    }
  }
  const documents = tokens.filter((token) => token.type === 'document');
  const second = documents.slice(1).find((token) => token.value !== undefined);
  if (second === undefined) return undefined;
  return {
    code: 'YAML_SEVERAL_DOCUMENTS',
    message: 'a second document begins here, and a topology file has one',
    hint: 'remove the "---", or move what follows into a file of its own',
    start: second.offset,
    end: second.offset + 3,
  };
}

function empty(): TextProblem {
  return {
    code: 'YAML_EMPTY',
    message: 'the file is empty',
    hint: 'the least that makes a lab is "nodes: { a: {} }"',
    start: 0,
    end: 0,
  };
}

function isBlank(root: Node, text: string): boolean {
  const range = root.range;
  return range === null || range === undefined || text.slice(range[0], range[1]).trim() === '';
}

function topLevelProblem(root: Node, text: string): TextProblem | undefined {
  if (isMap(root)) return undefined;
  const start = root.range?.[0] ?? 0;
  const line = text.slice(start, root.range?.[1] ?? start).split('\n', 1)[0] ?? '';
  const at = { code: 'YAML_NOT_A_MAPPING', start, end: start + line.length } as const;
  if (/^<(!doctype|html|\?xml)/i.test(line)) {
    return { ...at, message: 'the file is a web page, not a topology', hint: 'download the raw file' };
  }
  const what = isSeq(root) ? 'a list' : 'one text';
  const hint = isSeq(root)
    ? 'put "nodes:" or "links:" above it and indent the list'
    : 'a key is followed by a colon and a blank, as in "name: my-lab"';
  return { ...at, message: `the file is ${what}, and a topology is a set of keys: name, nodes, links`, hint };
}

/** A text with its lines: turns offsets into places. */
class Source {
  readonly text: string;
  readonly file: string;
  /** Offsets at which lines begin; made when first needed, which is never for a file without mistakes. */
  private lineStarts: readonly number[] | undefined;

  constructor(text: string, file: string) {
    this.text = text;
    this.file = file;
  }

  where(range: readonly [number, number], path: Path): Where {
    const line = this.lineOf(range[0]);
    const lineStart = this.starts()[line - 1] ?? 0;
    const col = range[0] - lineStart + 1;
    const newline = this.text.indexOf('\n', lineStart);
    const text = this.text.slice(lineStart, newline < 0 ? undefined : newline).replace(/\r$/, '');
    const endCol = Math.min(Math.max(range[1] - lineStart, col - 1) + 1, text.length + 1);
    return { file: this.file, line, col, endCol: Math.max(endCol, col), path: pathText(path), text };
  }

  private starts(): readonly number[] {
    if (this.lineStarts === undefined) {
      const starts = [0];
      for (let at = this.text.indexOf('\n'); at >= 0; at = this.text.indexOf('\n', at + 1))
        starts.push(at + 1);
      this.lineStarts = starts;
    }
    return this.lineStarts;
  }

  private lineOf(offset: number): number {
    const starts = this.starts();
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  place(problem: TextProblem): Problem {
    const { code, message, hint, related } = problem;
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      where: this.where([problem.start, problem.end], []),
      ...(related === undefined
        ? {}
        : { related: { message: related.message, where: this.where([related.start, related.end], []) } }),
    };
  }

  locator(tree: Tree): Locate {
    return (path: Path, part: Part = 'value') => this.where(tree.range(path, part), path);
  }

  failed(problems: readonly TextProblem[]): Parsed {
    return {
      value: undefined,
      locate: (path) => this.where([0, 0], path),
      problems: problems.map((problem) => this.place(problem)),
    };
  }
}
