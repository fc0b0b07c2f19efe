// The YAML tree as plain values, and the way back from a key path to a place in the text. Aliases (`*a`) and merge keys (`<<`)
// are expanded here and counted, because a small file can stand for billions of values. Words: YAML 1.2.2, sections 3 and 7.

import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from 'yaml';
import type { ErrorCode } from '../base/error-catalogue.ts';
import { didYouMean } from '../base/suggest.ts';
import type { Part, Path } from './problems.ts';

/** Values that aliases may add to a file, and how deep values may lie in each other. */
export const MAX_ALIASED_VALUES = 50_000;
export const MAX_DEPTH = 64;

/** A mistake with its place as offsets into the text. */
export type TextProblem = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly start: number;
  readonly end: number;
  readonly related?: { readonly message: string; readonly start: number; readonly end: number };
};

export type Tree = {
  readonly value: unknown;
  readonly problems: readonly TextProblem[];
  /** The offsets of a key or value; those of the nearest ancestor when the path does not exist. */
  readonly range: (path: Path, part: Part) => readonly [number, number];
};

type Context = {
  readonly anchors: Map<string, Node>;
  /** What each alias stands for: an anchor may be set again further down. */
  readonly targets: Map<Alias, Node>;
  readonly open: Set<Node>;
  readonly problems: TextProblem[];
  aliased: number;
  expanding: number;
};

/** Turns the contents of a document into plain objects, arrays, texts, numbers, booleans and null. */
export function readTree(root: Node): Tree {
  const ctx: Context = {
    anchors: new Map(),
    targets: new Map(),
    open: new Set(),
    problems: [],
    aliased: 0,
    expanding: 0,
  };
  const value = toValue(root, ctx);
  return { value, problems: ctx.problems, range: (path, part) => findRange(root, path, part, ctx.targets) };
}

function toValue(node: Node | null, ctx: Context): unknown {
  if (node === null) return null;
  if (isAlias(node)) return expandAlias(node, ctx, (target) => toValue(target, ctx));
  if (ctx.expanding === 0 && node.anchor !== undefined) ctx.anchors.set(node.anchor, node);
  if (ctx.expanding > 0) ctx.aliased++;
  if (isScalar(node)) return node.value;
  ctx.open.add(node);
  let value: unknown = null;
  if (isSeq(node)) value = node.items.map((item) => toValue(item as Node | null, ctx));
  else if (isMap(node)) value = toObject(node, ctx);
  ctx.open.delete(node);
  return value;
}

function expandAlias<T>(alias: Alias, ctx: Context, read: (target: Node) => T): T | null {
  const [start, end] = rangeOf(alias);
  const target = ctx.targets.get(alias) ?? ctx.anchors.get(alias.source);
  if (target === undefined) {
    const hint =
      didYouMean(alias.source, ctx.anchors.keys()) ??
      `"*" is special in YAML; write "*${alias.source}" in quotes to have it as text`;
    const message = `"*${alias.source}" repeats a value marked "&${alias.source}", and there is none above`;
    ctx.problems.push({ code: 'YAML_ALIAS_UNKNOWN', message, hint, start, end });
    return null;
  }
  ctx.targets.set(alias, target);
  const code = 'YAML_ALIAS_BOMB';
  if (ctx.open.has(target)) {
    ctx.problems.push({
      code,
      message: `"*${alias.source}" stands for a value that contains it`,
      start,
      end,
    });
    return null;
  }
  if (ctx.aliased >= MAX_ALIASED_VALUES) {
    const message = `aliases expand to more than ${MAX_ALIASED_VALUES} values`;
    const hint = 'aliases of aliases multiply; write the values out';
    if (ctx.problems.every((problem) => problem.code !== code)) {
      ctx.problems.push({ code, message, hint, start, end });
    }
    return null;
  }
  ctx.expanding++;
  const value = read(target);
  ctx.expanding--;
  return value;
}

function toObject(map: YAMLMap, ctx: Context): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  const seen = new Map<string, Pair>();
  for (const pair of map.items) {
    const key = keyText(pair, ctx);
    if (key === undefined) continue;
    const first = seen.get(key);
    if (first !== undefined) {
      reportDuplicate(key, pair, first, ctx);
      continue;
    }
    seen.set(key, pair);
    if (isMergeKey(pair)) continue;
    object[key] = toValue(pair.value as Node | null, ctx);
  }
  const merge = seen.get('<<');
  if (merge !== undefined && isMergeKey(merge)) mergeInto(object, merge.value as Node | null, ctx);
  return object;
}

function keyText(pair: Pair, ctx: Context): string | undefined {
  const key = pair.key as Node | null;
  const [start, end] = rangeOf(key ?? (pair.value as Node | null));
  if (key !== null && isScalar(key)) {
    if (ctx.expanding === 0 && key.anchor !== undefined) ctx.anchors.set(key.anchor, key);
    const text = scalarText(key);
    if (text === '' && key.type === 'PLAIN') {
      ctx.problems.push({
        code: 'YAML_KEY_NOT_TEXT',
        message: 'there is no key before the colon',
        start,
        end,
      });
      return undefined;
    }
    // Setting this one would not make a key but exchange the object's prototype.
    if (text !== '__proto__') return text;
    const message = '"__proto__" cannot be a name';
    ctx.problems.push({ code: 'NAME_RESERVED', message, hint: 'choose another name', start, end });
    return undefined;
  }
  const what = key === null ? 'nothing' : isAlias(key) ? 'an alias' : isSeq(key) ? 'a list' : 'a mapping';
  const hint =
    'a value that begins with "{" or "[" is a mapping or a list in YAML; put it in quotes to have it as text';
  ctx.problems.push({
    code: 'YAML_KEY_NOT_TEXT',
    message: `a key is a text, this is ${what}`,
    hint,
    start,
    end,
  });
  return undefined;
}

/** A plain key is what was written (`1e3`, `yes`, `0x10`), not the number that YAML makes of it. */
function scalarText(key: {
  readonly value: unknown;
  readonly source?: string;
  readonly type?: string;
}): string {
  return key.type === 'PLAIN' && key.source !== undefined ? key.source : String(key.value ?? '');
}

function isMergeKey(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.type === 'PLAIN' && pair.key.source === '<<';
}

function reportDuplicate(key: string, pair: Pair, first: Pair, ctx: Context): void {
  const [start, end] = rangeOf(pair.key as Node);
  const [firstStart, firstEnd] = rangeOf(first.key as Node);
  ctx.problems.push({
    code: 'YAML_DUPLICATE_KEY',
    message: `the key "${key}" stands twice in the same mapping`,
    hint: key === '<<' ? 'write one: <<: [*first, *second]' : 'remove one, or give it another name',
    start,
    end,
    related: { message: 'it stands here first', start: firstStart, end: firstEnd },
  });
}

/** The keys of the mapping itself win over merged ones, and an earlier source wins over a later one. */
function mergeInto(object: Record<string, unknown>, node: Node | null, ctx: Context): void {
  if (node !== null && isAlias(node)) {
    expandAlias(node, ctx, (target) => mergeInto(object, target, ctx));
  } else if (isMap(node)) {
    const merged = toObject(node as YAMLMap, ctx);
    for (const key of Object.keys(merged)) if (!Object.hasOwn(object, key)) object[key] = merged[key];
  } else if (isSeq(node)) {
    for (const item of node.items) mergeInto(object, item as Node | null, ctx);
  } else {
    const [start, end] = rangeOf(node);
    const message = '"<<" takes the keys of another mapping, and this is none';
    const hint = 'mark a mapping with &name and write "<<: *name"';
    ctx.problems.push({ code: 'WRONG_TYPE', message, hint, start, end });
  }
}

function rangeOf(node: Node | null): readonly [number, number] {
  const range = node?.range;
  return range === null || range === undefined ? [0, 0] : [range[0], range[1]];
}

type Found = { readonly key: Node | null; readonly value: Node | null };

function findRange(
  root: Node,
  path: Path,
  part: Part,
  targets: ReadonlyMap<Alias, Node>,
): readonly [number, number] {
  let found: Found = { key: null, value: root };
  let whole = true;
  for (const step of path) {
    const next = findChild(followAlias(found.value, targets), step, targets);
    if (next === undefined) {
      whole = false;
      break;
    }
    found = next;
  }
  return pointAt(found, whole ? part : 'value');
}

function followAlias(node: Node | null, targets: ReadonlyMap<Alias, Node>): Node | null {
  return node !== null && isAlias(node) ? (targets.get(node) ?? node) : node;
}

function findChild(
  node: Node | null,
  step: string | number,
  targets: ReadonlyMap<Alias, Node>,
): Found | undefined {
  if (isSeq(node)) {
    const index = Number(step);
    return Number.isInteger(index) && index < node.items.length
      ? { key: null, value: node.items[index] as Node | null }
      : undefined;
  }
  if (!isMap(node)) return undefined;
  const name = String(step);
  for (const pair of node.items) {
    if (isScalar(pair.key) && scalarText(pair.key) === name && !isMergeKey(pair)) {
      return { key: pair.key, value: pair.value as Node | null };
    }
  }
  for (const pair of node.items) {
    if (!isMergeKey(pair)) continue;
    const value = pair.value as Node | null;
    for (const source of isSeq(value) ? value.items : [value]) {
      const found = findChild(followAlias(source as Node | null, targets), step, targets);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Carets belong under something short: under the key rather than under a block of lines or under nothing at all. */
function pointAt(found: Found, part: Part): readonly [number, number] {
  const { key, value } = found;
  const [start, end] = rangeOf(value);
  if (key !== null && (part === 'key' || start === end || isBlock(value))) return rangeOf(key);
  if (isBlock(value)) return firstLineOf(value);
  return [start, end];
}

function isBlock(node: Node | null): boolean {
  return (isMap(node) || isSeq(node)) && node.flow !== true;
}

function firstLineOf(node: Node | null): readonly [number, number] {
  const [start] = rangeOf(node);
  if (isMap(node)) {
    const first = node.items[0]?.key as Node | null | undefined;
    if (first !== null && first !== undefined) return rangeOf(first);
  }
  return [start, start + 1];
}
