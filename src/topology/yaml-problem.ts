// What a YAML parser's complaint means to somebody who has never read the specification. Each complaint is looked at together
// with the text around it, because the parser names the place where it stumbled and the mistake is often further up.

import type { CST, YAMLError } from 'yaml';
import type { TextProblem } from './tree.ts';

export type Token = CST.Token;

/** One complaint of the parser in plain words. Where no better words are known, the parser's own are used. */
export function explainYamlError(error: YAMLError, text: string, tokens: readonly Token[]): TextProblem {
  const [start, end] = error.pos;
  const at = { error, text, tokens, start: Math.min(start, text.length), end: Math.min(end, text.length) };
  for (const explain of explanations) {
    const problem = explain(at);
    if (problem !== undefined) return problem;
  }
  const message = `not YAML: ${lowerFirst(error.message.split('\n')[0] ?? '')}`;
  return { code: 'YAML_SYNTAX', message, start: at.start, end: at.end };
}

type At = {
  readonly error: YAMLError;
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly start: number;
  readonly end: number;
};

type Explain = (at: At) => TextProblem | undefined;

const explanations: readonly Explain[] = [
  tab,
  unclosedQuote,
  unclosedBracket,
  strayBracket,
  missingComma,
  tooManyCommas,
  specialCharacter,
  tag,
  listOnKeyLine,
  missingColon,
  deeperThanValue,
  secondColon,
  indentation,
  afterQuote,
  badEscape,
];

function tab({ error, text, start }: At): TextProblem | undefined {
  const [lineStart, lineEnd] = lineAround(text, start);
  const indent = /^[ \t]*/.exec(text.slice(lineStart, lineEnd))?.[0] ?? '';
  const index = indent.indexOf('\t');
  if (index < 0 || (error.code !== 'TAB_AS_INDENT' && start > lineStart + indent.length)) return undefined;
  return {
    code: 'YAML_TAB',
    message: 'this line is indented with a tab, and YAML allows only spaces',
    hint: 'use two spaces per level; most editors have a setting that inserts spaces for the Tab key',
    start: lineStart + index,
    end: lineStart + indent.length,
  };
}

function unclosedQuote({ error, text, tokens, start }: At): TextProblem | undefined {
  const missing = /closing ["']quote/.test(error.message);
  const quoted = collect(tokens, (token) => token.type.endsWith('-quoted-scalar'));
  // The quote that ends a forgotten one is the opening quote of the next text, some lines further down.
  const culprit = missing
    ? quoted.find((token) => token.offset <= start && token.offset + token.source.length >= start)
    : quoted.find(
        (token) => token.source.includes('\n') && sameLine(text, token.offset + token.source.length, start),
      );
  if (culprit === undefined) return undefined;
  const quote = culprit.source[0] ?? '"';
  const [, lineEnd] = lineAround(text, culprit.offset);
  return {
    code: 'YAML_UNCLOSED_QUOTE',
    message: `the text that begins with ${quote} here has no ${quote} at its end`,
    hint: `put ${quote} where the text ends`,
    start: culprit.offset,
    end: culprit.offset + text.slice(culprit.offset, lineEnd).trimEnd().length,
  };
}

function unclosedBracket({ error, text, tokens, start }: At): TextProblem | undefined {
  if (!/end with a [\]}]|^Expected flow (map|sequence)/.test(error.message)) return undefined;
  const open = collect(tokens, (token) => token.type === 'flow-collection')
    .filter((token) => token.offset < start && !isClosed(token))
    .sort((a, b) => b.offset - a.offset)[0];
  if (open === undefined) return undefined;
  const bracket = text[open.offset] ?? '[';
  const closing = bracket === '[' ? ']' : '}';
  const wrong = text[start] === ']' || text[start] === '}' ? text[start] : undefined;
  return {
    code: 'YAML_UNCLOSED_BRACKET',
    message:
      wrong === undefined
        ? `this "${bracket}" is never closed`
        : `this "${bracket}" is closed by "${wrong}", and only "${closing}" closes it`,
    hint: `put "${closing}" where the ${bracket === '[' ? 'list' : 'mapping'} ends`,
    start: open.offset,
    end: open.offset + 1,
  };
}

function isClosed(token: Token): boolean {
  if (token.type !== 'flow-collection') return true;
  const closing = token.start.source === '[' ? 'flow-seq-end' : 'flow-map-end';
  return token.end[0]?.type === closing;
}

function strayBracket({ text, start, error }: At): TextProblem | undefined {
  const bracket = text[start];
  if (error.code !== 'UNEXPECTED_TOKEN' || (bracket !== ']' && bracket !== '}')) return undefined;
  return {
    code: 'YAML_UNCLOSED_BRACKET',
    message: `this "${bracket}" closes nothing`,
    hint: `remove it, or put "${bracket === ']' ? '[' : '{'}" where the ${bracket === ']' ? 'list' : 'mapping'} begins`,
    start,
    end: start + 1,
  };
}

function missingComma({ error, text, start, end }: At): TextProblem | undefined {
  if (!/^Missing ,|within flow collections/.test(error.message)) return undefined;
  return {
    code: 'YAML_COMMA',
    message: 'a comma is missing between two members of this list or mapping',
    hint: 'write [a, b] and { a: 1, b: 2 }',
    start,
    end: Math.max(start + 1, Math.min(end, lineAround(text, start)[1])),
  };
}

function tooManyCommas({ error, start }: At): TextProblem | undefined {
  if (!/^Unexpected (,|empty item) in/.test(error.message)) return undefined;
  return {
    code: 'YAML_COMMA',
    message: 'there is nothing before this comma',
    hint: 'remove it',
    start,
    end: start + 1,
  };
}

function specialCharacter({ error, text, start }: At): TextProblem | undefined {
  const isStart =
    error.code === 'BAD_SCALAR_START' ||
    error.code === 'BAD_ALIAS' ||
    /^(Block scalar header|Tags and anchors must be separated)/.test(error.message);
  if (!isStart) return undefined;
  const [lineStart, lineEnd] = lineAround(text, start);
  // The parser may name the second character (`|x`); the special one begins the word.
  let from = start;
  while (from > lineStart && !/[\s,[{]/.test(text[from - 1] ?? ' ')) from--;
  const value = (/^.[^,\]}#]*/.exec(text.slice(from, lineEnd))?.[0] ?? '').trimEnd();
  return {
    code: 'YAML_SPECIAL_CHARACTER',
    message: `"${text[from]}" has a meaning of its own at the start of a value`,
    hint: `put the value in quotes: '${value.replaceAll("'", "''")}'`,
    start: from,
    end: from + Math.max(1, value.length),
  };
}

function tag({ error, text, start, end }: At): TextProblem | undefined {
  if (
    error.code !== 'TAG_RESOLVE_FAILED' &&
    error.code !== 'MULTIPLE_TAGS' &&
    error.code !== 'BAD_COLLECTION_TYPE'
  )
    return undefined;
  const word = text.slice(start, Math.max(end, start + 1));
  return {
    code: 'YAML_TAG',
    message: `"${word}" is a YAML tag, an instruction that nslab does not know`,
    hint: 'put the value in quotes if "!" is a part of it',
    start,
    end,
  };
}

function listOnKeyLine({ error, text, start }: At): TextProblem | undefined {
  if (!error.message.startsWith('Unexpected block-seq-ind on same line')) return undefined;
  return {
    code: 'YAML_INDENT',
    message: 'the first "- " of a list stands on a line of its own, below its key',
    hint: 'begin a new line before "-", or write the list as [a, b]',
    start,
    end: Math.max(start + 1, lineAround(text, start)[1]),
  };
}

/** `name:lab` or a line without any colon makes the parser take this line and the next for one long key. */
function missingColon({ error, text, start }: At): TextProblem | undefined {
  const code = error.code;
  if (
    code !== 'MULTILINE_IMPLICIT_KEY' &&
    code !== 'KEY_OVER_1024_CHARS' &&
    error.message !== keyWithoutValue
  )
    return undefined;
  const [lineStart, lineEnd] = lineAround(text, start);
  const line = text.slice(start, lineEnd).trimEnd();
  if (lineStart + line.length === 0) return undefined;
  const noBlank = /^["']?([\w.-]+)["']?:(?=\S)/.exec(line);
  if (noBlank !== null) {
    return {
      code: 'YAML_COLON',
      message: `a blank is missing after "${noBlank[0]}"`,
      hint: `write "${noBlank[0]} ${line.slice(noBlank[0].length)}"`,
      start,
      end: start + line.length,
    };
  }
  return {
    code: 'YAML_COLON',
    message: 'this line is not "key: value"',
    hint: `a key ends with a colon, as in "${line.split(/[\s=]/)[0]?.slice(0, 40)}:"`,
    start,
    end: start + Math.max(1, line.length),
  };
}

const keyWithoutValue = 'Implicit map keys need to be followed by map values';

/** `name: lab`, and below it a line that is indented deeper though `name` has its value already. */
function deeperThanValue({ error, text, start }: At): TextProblem | undefined {
  if (!error.message.startsWith('Nested mappings')) return undefined;
  const [lineStart, lineEnd] = lineAround(text, start);
  const key = /^\s*(?:- )?([^\s:]+):\s/.exec(text.slice(lineStart, lineEnd))?.[1];
  if (key === undefined || /:(\s|$)/.test(text.slice(start, lineEnd))) return undefined;
  const next = nextLine(text, lineEnd);
  if (next === undefined) return undefined;
  return {
    code: 'YAML_INDENT',
    message: `this line is indented as if it belonged to "${key}", which has its value already`,
    hint: `begin it in the same column as "${key}"`,
    start: next.start,
    end: next.end,
  };
}

function secondColon({ error, text, start }: At): TextProblem | undefined {
  if (!error.message.startsWith('Nested mappings')) return undefined;
  const [, lineEnd] = lineAround(text, start);
  const value = text.slice(start, lineEnd).trimEnd();
  return {
    code: 'YAML_COLON',
    message: 'a second "key: value" on the same line',
    hint: `put braces around a mapping: { ${value} }, or quotes around a text: "${value.replaceAll('"', '')}"`,
    start,
    end: start + value.length,
  };
}

function indentation({ error, text, start }: At): TextProblem | undefined {
  const blamed =
    error.code === 'BAD_INDENT' ||
    error.message.startsWith('A block sequence may not') ||
    error.message.startsWith('Sequence item without') ||
    (/^Unexpected (scalar|block-map|block-seq|block-seq-ind|alias) at node end/.test(error.message) &&
      atLineStart(text, start));
  if (!blamed) return undefined;
  const [lineStart, lineEnd] = lineAround(text, start);
  const line = text.slice(lineStart, lineEnd);
  const column = line.search(/\S/) + 1;
  if (column === 0) return undefined;
  const columns = columnsAbove(text.slice(0, lineStart));
  const fits = columns.includes(column);
  const what = line[column - 1] === '-' ? 'a list item' : 'a key';
  return {
    code: 'YAML_INDENT',
    message: fits
      ? `${what} cannot stand here: the lines above in column ${column} are of the other kind`
      : `this line begins in column ${column}, where no level above begins`,
    hint: fits
      ? 'a block has either "key: value" lines or "- " lines, not both'
      : `the levels above begin in column ${columns.join(', ')}`,
    start: lineStart + column - 1,
    end: lineStart + line.trimEnd().length,
  };
}

function afterQuote({ error, text, start }: At): TextProblem | undefined {
  if (!/at node end$/.test(error.message)) return undefined;
  const [lineStart, lineEnd] = lineAround(text, start);
  const before = text.slice(lineStart, start).trimEnd();
  const rest = text.slice(start, lineEnd).trimEnd();
  const closer = before.at(-1) ?? '';
  if (!`"'])}`.includes(closer) || closer === '') return undefined;
  return {
    code: 'YAML_SYNTAX',
    message: `there is more on the line after the value ended with ${closer}`,
    hint: `"'`.includes(closer)
      ? 'put the whole value between the quotes, and a quote inside it as \\" (or choose the other kind)'
      : 'begin a new line, or put the whole value in quotes',
    start,
    end: start + Math.max(1, rest.length),
  };
}

function badEscape({ error, text, start, end }: At): TextProblem | undefined {
  if (error.code !== 'BAD_DQ_ESCAPE') return undefined;
  const word = /\\.?/.exec(text.slice(start, start + 2))?.[0] ?? text.slice(start, end);
  return {
    code: 'YAML_SYNTAX',
    message: `"${word}" is not an escape that YAML knows inside double quotes`,
    hint: 'put the text in single quotes, where a backslash is only a backslash',
    start,
    end: Math.max(end, start + word.length),
  };
}

type Quoted = { readonly type: string; readonly offset: number; readonly source: string };

/** All tokens of a kind, in the order of the text. The tokens' depth is bounded by the caller. */
function collect(tokens: readonly Token[], wanted: (token: Token) => boolean): (Token & Quoted)[] {
  const found: (Token & Quoted)[] = [];
  const visit = (token: Token | null | undefined): void => {
    if (token === null || token === undefined) return;
    if (wanted(token)) found.push(token as Token & Quoted);
    if (token.type === 'document') visit(token.value);
    if (!('items' in token)) return;
    for (const item of token.items) {
      visit(item.key);
      visit(item.value);
    }
  };
  for (const token of tokens) visit(token);
  return found;
}

function lineAround(text: string, offset: number): readonly [number, number] {
  // An offset at the very end of a text stands for its last line that has anything.
  const at = offset >= text.length ? Math.max(0, text.trimEnd().length - 1) : offset;
  const start = text.lastIndexOf('\n', at - 1) + 1;
  const end = text.indexOf('\n', at);
  return [at === 0 ? 0 : start, end < 0 ? text.length : end];
}

function nextLine(text: string, from: number): { start: number; end: number } | undefined {
  const match = /\n[ \t]*([^\s#].*)/.exec(text.slice(from));
  if (match === null) return undefined;
  const line = (match[1] ?? '').trimEnd();
  const start = from + match.index + match[0].length - (match[1] ?? '').length;
  return { start, end: start + line.length };
}

function sameLine(text: string, a: number, b: number): boolean {
  const [from, to] = [Math.min(a, b), Math.max(a, b)];
  return !text.slice(from, to).includes('\n');
}

function atLineStart(text: string, offset: number): boolean {
  return text.slice(lineAround(text, offset)[0], offset).trim() === '';
}

/** The columns of the levels that are open at the end of a text, outermost first. */
function columnsAbove(text: string): number[] {
  const columns: number[] = [];
  for (const line of text.split('\n').reverse()) {
    const column = line.search(/\S/) + 1;
    if (column === 0 || line[column - 1] === '#') continue;
    if (columns.length === 0 || column < (columns[0] ?? 0)) columns.unshift(column);
    if (column === 1) break;
  }
  return columns;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
