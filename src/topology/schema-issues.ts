// Issues of the schema in words of our own. valibot says "Expected Object but received 3"; this says what the key takes, what
// stands there, and how to mend it: a misspelt key is compared with those allowed at its place, a key of another place or of
// another tool is named with the one to use here. The schema stays the only list of keys; nothing is listed here twice.

import type { BaseIssue } from 'valibot';
import { listWords, nearest } from '../base/suggest.ts';
import { foreignKey } from './foreign-keys.ts';
import type { Path, PathProblem } from './problems.ts';
import { fileSchema } from './schema.ts';
import { interfaceSchema } from './schema-interface.ts';
import { nodeSchema } from './schema-node.ts';

type Issue = BaseIssue<unknown>;

/** The issues of one file as problems, without those that only follow from another. */
export function schemaProblems(issues: readonly Issue[]): PathProblem[] {
  const misspelt = new Set(
    issues.filter(isUnknownKey).flatMap((issue) => {
      const meant = meantKey(issue);
      return meant === undefined ? [] : [pathKey([...pathOf(issue).slice(0, -1), meant])];
    }),
  );
  return issues
    .filter((issue) => !(isMissingKey(issue) && misspelt.has(pathKey(pathOf(issue)))))
    .map(toProblem);
}

function pathOf(issue: Issue): Path {
  return (issue.path ?? []).map((item) => item.key as string | number);
}

function pathKey(path: Path): string {
  return JSON.stringify(path);
}

function isUnknownKey(issue: Issue): boolean {
  return issue.expected === 'never' && issue.path?.at(-1)?.type === 'object' && lastOrigin(issue) === 'key';
}

function isMissingKey(issue: Issue): boolean {
  return issue.type === 'strict_object' && !isUnknownKey(issue) && lastOrigin(issue) === 'key';
}

function lastOrigin(issue: Issue): string | undefined {
  const last = issue.path?.at(-1);
  return last === undefined ? undefined : last.origin;
}

function toProblem(issue: Issue): PathProblem {
  if (isUnknownKey(issue)) return unknownKey(issue);
  if (isMissingKey(issue)) return missingKey(issue);
  switch (issue.type) {
    case 'picklist':
    case 'literal':
      return notOneOf(issue);
    case 'integer':
    case 'min_value':
    case 'max_value':
      return outOfRange(issue);
    default:
      return wrongType(issue);
  }
}

function allowedKeys(issue: Issue): readonly string[] {
  return Array.isArray(issue.requirement) ? (issue.requirement as string[]) : [];
}

function unknownKey(issue: Issue): PathProblem {
  const path = pathOf(issue);
  const key = String(path.at(-1));
  const parent = path.slice(0, -1);
  const joined = /^([\w-]+):(?=\S)/.exec(key);
  if (joined !== null && allowedKeys(issue).includes(joined[1] ?? '')) {
    const hint = `write "${joined[0]} ${key.slice(joined[0].length)}"`;
    return {
      code: 'YAML_COLON',
      message: `a blank is missing after "${joined[0]}"`,
      hint,
      path,
      part: 'key',
    };
  }
  const message = `unknown key "${key}" ${placeName(parent)}`;
  return { code: 'UNKNOWN_KEY', message, hint: unknownKeyHint(issue, key, parent), path, part: 'key' };
}

function meantKey(issue: Issue): string | undefined {
  return nearest(String(pathOf(issue).at(-1)), allowedKeys(issue));
}

function unknownKeyHint(issue: Issue, key: string, parent: Path): string {
  const allowed = allowedKeys(issue);
  const foreign = foreignKey(key, placeOf(parent));
  // Only one slip is nearer than another tool's word: `ip` is no misspelt `up`.
  const meant = meantKey(issue);
  if (foreign !== undefined) return foreign;
  if (meant !== undefined) return `did you mean "${meant}"?`;
  const home = homeOf(key, parent);
  if (home !== undefined) return home;
  const keys = allowed.filter((word) => !word.startsWith('$'));
  if (keys.length === 0) return 'remove it';
  return `the keys ${placeName(parent)} are ${listWords(keys, 'and', 13)}`;
}

/** Where in the file a key stands, as far as words depend on it. */
export type PlaceKind =
  | 'top'
  | 'node'
  | 'interface'
  | 'port'
  | 'link'
  | 'endpoint'
  | 'impair'
  | 'route'
  | 'rule'
  | 'nat'
  | 'chain'
  | 'filter'
  | 'test'
  | 'defaults'
  | 'pool'
  | 'other';

const places: readonly [RegExp, PlaceKind, string][] = [
  [/^$/, 'top', 'at the top of the file'],
  [/^nodes\.[^.]+$/, 'node', 'of a node'],
  [/^nodes\.[^.]+\.interfaces\.[^.]+$/, 'interface', 'of an interface'],
  [/^nodes\.[^.]+\.interfaces\.[^.]+\.port$/, 'port', 'of a bridge port'],
  [/^nodes\.[^.]+\.routes\.[^.]+$/, 'route', 'of a route'],
  [/^nodes\.[^.]+\.routes\.[^.]+\.nexthops\.[^.]+$/, 'route', 'of a nexthop'],
  [/^nodes\.[^.]+\.rules\.[^.]+$/, 'rule', 'of a rule'],
  [/^nodes\.[^.]+\.nat\.[^.]+$/, 'nat', 'of a NAT rule'],
  [/^nodes\.[^.]+\.nat\.[^.]+\.[^.]+$/, 'nat', 'of a NAT rule'],
  [/^nodes\.[^.]+\.firewall$/, 'other', 'of a firewall'],
  [/^nodes\.[^.]+\.firewall\.[^.]+$/, 'chain', 'of a firewall chain'],
  [/^nodes\.[^.]+\.firewall\.[^.]+\.rules\.[^.]+$/, 'filter', 'of a firewall rule'],
  [/^links\.[^.]+$/, 'link', 'of a link'],
  [/^links\.[^.]+\.endpoints\.[^.]+$/, 'endpoint', 'of an endpoint'],
  [/^links\..*\.port$/, 'port', 'of a bridge port'],
  [/^links\..*\.impair$/, 'impair', 'of impair'],
  [/^tests\.[^.]+$/, 'test', 'of a test'],
  [/^defaults$/, 'defaults', 'of defaults'],
  [/^addressing\.[^.]+$/, 'pool', 'of a pool'],
  [/^addressing$/, 'other', 'of addressing'],
];

function findPlace(path: Path): readonly [RegExp, PlaceKind, string] | undefined {
  const inner = path[0] === 'topology' ? path.slice(1) : path;
  const text = inner.map((step) => String(step).replaceAll('.', '_')).join('.');
  return places.find(([pattern]) => pattern.test(text));
}

function placeOf(path: Path): PlaceKind {
  return findPlace(path)?.[1] ?? 'other';
}

function placeName(path: Path): string {
  const named = findPlace(path)?.[2];
  if (named !== undefined) return named;
  const last = path.findLast((step) => typeof step === 'string');
  return last === undefined ? 'here' : `of "${last}"`;
}

/** A key that belongs to another place or to another type of interface. */
function homeOf(key: string, parent: Path): string | undefined {
  if (placeOf(parent) === 'interface') {
    const types = Object.keys(interfaceTypes).filter((type) =>
      Object.hasOwn(interfaceTypes[type] ?? {}, key),
    );
    if (types.length > 0) return `"${key}" is a key of an interface with type: ${listWords(types, 'or')}`;
  }
  const homes = [
    ...(Object.hasOwn(fileSchema.entries, key) ? ['belongs at the top of the file'] : []),
    ...(Object.hasOwn(nodeSchema.entries, key) ? ['is a key of a node'] : []),
    ...(Object.hasOwn(interfaceTypes['veth'] ?? {}, key)
      ? ['is a key of an interface (interfaces: { eth0: ... })']
      : []),
  ];
  return homes.length === 0 ? undefined : `"${key}" ${listWords(homes)}`;
}

const interfaceTypes: Readonly<Record<string, object>> = Object.fromEntries(
  interfaceSchema.options.map((option) => [typeWord(option.entries.type), option.entries]),
);

/** The word of the `type` key of one variant, under whatever the schema wraps it in. */
function typeWord(schema: object): string {
  const inner = schema as { literal?: string; wrapped?: object; pipe?: readonly object[] };
  if (inner.literal !== undefined) return inner.literal;
  const next = inner.wrapped ?? inner.pipe?.[0];
  return next === undefined || next === schema ? '' : typeWord(next);
}

function missingKey(issue: Issue): PathProblem {
  const path = pathOf(issue);
  const parent = path.slice(0, -1);
  const missing = String(path.at(-1));
  return {
    code: 'MISSING_KEY',
    message: `the key "${missing}" ${placeName(parent)} is missing`,
    hint: missingHints[`${placeOf(parent)}.${missing}`] ?? `add "${missing}: ..."`,
    path: parent,
  };
}

const missingHints: Readonly<Record<string, string>> = {
  'link.endpoints': 'write endpoints: ["pc1:eth0", "pc2:eth0"]',
  'endpoint.node': 'write { node: pc1, interface: eth0 }, or "pc1:eth0"',
  'test.from': 'name the node that the test runs in, as "from: pc1"',
  'nat.out': 'name the interface that packets leave by, as "out: uplink"',
  'nat.to': 'name the new address, as to: "10.1.1.10:80"',
};

function notOneOf(issue: Issue): PathProblem {
  const words = expectedParts(issue.expected).map(unquote);
  const path = pathOf(issue);
  const given = issue.input;
  if (given === null || typeof given === 'object') return wrongType(issue);
  const key = path.findLast((step) => typeof step === 'string');
  const meant = typeof given === 'string' ? nearest(given, words) : undefined;
  const all = listWords(words, 'or', 20);
  // A long list hides what matters; it goes where the eye comes last.
  const isShort = words.length <= 6;
  const didMean = meant === undefined ? undefined : `did you mean "${meant}"?`;
  return {
    code: 'VALUE_UNKNOWN',
    message: isShort ? `${key} is ${all}, not ${quote(given)}` : `${key} cannot be ${quote(given)}`,
    hint: isShort ? (didMean ?? 'choose one of them') : `${didMean ?? ''} ${key} is ${all}`.trim(),
    path,
  };
}

function outOfRange(issue: Issue): PathProblem {
  const path = pathOf(issue);
  const key = path.findLast((step) => typeof step === 'string');
  const limit = String(issue.requirement);
  const given = quote(issue.input);
  const base = { code: 'VALUE_RANGE', path } as const;
  if (issue.type === 'integer') return { ...base, message: `${key} is a whole number, not ${given}` };
  const [word, hint] =
    issue.type === 'min_value' ? ['less', `${limit} is the least`] : ['more', `${limit} is the most`];
  return { ...base, message: `${key} is ${given}, ${word} than is possible`, hint };
}

function wrongType(issue: Issue): PathProblem {
  const path = pathOf(issue);
  const given = issue.input;
  const wanted = expectedParts(issue.expected);
  const joined =
    wanted.includes('Object') && typeof given === 'string' ? /^([\w-]+):(?=\S)/.exec(given) : null;
  if (joined !== null) {
    const hint = `write "${joined[0]} ${given === undefined ? '' : String(given).slice(joined[0].length)}"`;
    return { code: 'YAML_COLON', message: `a blank is missing after "${joined[0]}"`, hint, path };
  }
  const what = listWords([...new Set(wanted.map(typeName))], 'or');
  const key = path.at(-1);
  const subject = typeof key === 'string' ? `"${key}" takes ${what}` : `${what} is needed here`;
  const message =
    given === null ? `${subject}, and there is nothing` : `${subject}, and this is ${shapeName(given)}`;
  return { code: 'WRONG_TYPE', message, hint: typeHint(given, wanted, path), path };
}

/** `("a" | "b" | Object)` of valibot to its members. */
function expectedParts(expected: string | null): string[] {
  if (expected === null) return [];
  const inner = /^\((.*)\)$/.exec(expected)?.[1] ?? expected;
  return inner.split(' | ').map((part) => part.replace(/^\(|\)$/g, ''));
}

function unquote(part: string): string {
  return part.startsWith('"') ? (JSON.parse(part) as string) : part;
}

function typeName(part: string): string {
  switch (part) {
    case 'Object':
      return 'a mapping';
    case 'Array':
      return 'a list';
    case 'string':
      return 'a text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    case 'null':
      return 'nothing';
    default:
      return unquote(part);
  }
}

function shapeName(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (typeof value === 'boolean') return `${value}`;
  return `the number ${quote(value)}`;
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 56)}..."` : text;
}

const truths = new Map([
  ['yes', true],
  ['on', true],
  ['y', true],
  ['true', true],
  ['no', false],
  ['off', false],
  ['n', false],
  ['false', false],
]);

function typeHint(given: unknown, wanted: readonly string[], path: Path): string | undefined {
  const text = typeof given === 'string' ? given : undefined;
  if (given === null) {
    const empty = wanted.includes('Array') ? '[]' : wanted.includes('Object') ? '{}' : undefined;
    return empty === undefined
      ? 'give a value, or remove the key'
      : `give a value, or write ${empty} for none`;
  }
  if (wanted.includes('boolean') && text !== undefined) {
    const truth = truths.get(text.toLowerCase());
    if (truth !== undefined) return `YAML 1.2 has only true and false (without quotes): write ${truth}`;
  }
  if (wanted.includes('number') && text !== undefined) {
    return /^-?[0-9]+$/.test(text) ? `write ${text} without quotes` : 'write a number';
  }
  if (wanted.includes('string') && (typeof given === 'number' || typeof given === 'boolean')) {
    return wanted.includes('Object') ? undefined : `put it in quotes: "${given}"`;
  }
  if (
    wanted.includes('string') &&
    Array.isArray(given) &&
    given.length === 1 &&
    typeof given[0] !== 'object'
  ) {
    return `write ${quote(given[0])}`;
  }
  return collectionHint(given, wanted, path);
}

function collectionHint(given: unknown, wanted: readonly string[], path: Path): string | undefined {
  const key = path.at(-1);
  if (wanted.includes('Array')) {
    if (Array.isArray(given)) return undefined;
    if (typeof given === 'object') return 'every member of a list begins with "- " on a line of its own';
    return `write ${typeof key === 'string' ? `${key}: ` : ''}[${quote(given)}]`;
  }
  if (!wanted.includes('Object')) return undefined;
  if (Array.isArray(given) && given.length > 0 && given.every((member) => typeof member === 'string')) {
    const shown = given.slice(0, 3).map((member) => `${member}: {}`);
    return `write ${key}: { ${shown.join(', ')}${given.length > 3 ? ', ...' : ''} }`;
  }
  if (Array.isArray(given)) return 'leave the "-" out: a mapping has "key: value" lines';
  return 'a mapping has "key: value" lines, indented, or is written { key: value }';
}
