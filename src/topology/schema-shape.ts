// The building blocks of the schema: valibot schemas whose `~run` is ours where valibot's own would be slow or would point at
// the wrong place. A union here looks at the shape of the value first (text, number, list, mapping) and then asks the one
// member that can take it, so that a mistake inside is reported there and the members are not all tried for every node.
// Only shapes are checked in the schema; what a text means (an address, a duration) is read by lower.ts.

import * as v from 'valibot';

type Shape = 'string' | 'number' | 'boolean' | 'list' | 'mapping' | 'null';
type Dataset = v.OutputDataset<unknown, v.BaseIssue<unknown>> | v.UnknownDataset;

/** Keeps the type of a schema whose runtime object was extended. */
function withRun<S extends v.GenericSchema>(schema: S, run: (this: S, d: Dataset, c: Config) => Dataset): S {
  return Object.assign(schema, { '~run': run });
}

type Config = v.Config<v.BaseIssue<unknown>>;

function shapeOf(value: unknown): Shape | undefined {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  const type = typeof value;
  if (type === 'object') return 'mapping';
  return type === 'string' || type === 'number' || type === 'boolean' ? type : undefined;
}

function failType(schema: v.GenericSchema, dataset: Dataset, config: Config): Dataset {
  v._addIssue(schema as never, 'type', dataset as never, config as never);
  return dataset;
}

/** Runs a schema on one member of a mapping or list and moves its issues up with the step that leads there. */
function runMember(
  schema: v.GenericSchema,
  from: { input: unknown; key: string | number; value: unknown },
  to: { dataset: Dataset; config: Config },
): unknown {
  const member = schema['~run']({ value: from.value }, to.config) as Dataset;
  if (member.issues !== undefined) {
    const step = { type: 'object', origin: 'value', ...from } as never;
    for (const issue of member.issues) {
      const path = issue.path as unknown[] | undefined;
      if (path === undefined) (issue as { path?: unknown }).path = [step];
      else path.unshift(step);
    }
    const issues = to.dataset.issues as unknown[] | undefined;
    if (issues === undefined) (to.dataset as { issues?: unknown }).issues = member.issues;
    else issues.push(...member.issues);
  }
  if (member.typed !== true) (to.dataset as { typed?: boolean }).typed = false;
  return member.value;
}

const optionalTypes = new Set(['exact_optional', 'optional']);

/**
 * A mapping with these keys and no others. Unlike valibot's strictObject it names every unknown key, refuses a list, and
 * walks the keys of the input and not those of the schema. An unknown key's issue carries the known ones as `requirement`.
 */
export function mapping<const E extends v.ObjectEntries>(entries: E): v.StrictObjectSchema<E, undefined> {
  const schema = v.strictObject(entries);
  const required = Object.keys(entries).filter((key) => !optionalTypes.has(entries[key]?.type ?? ''));
  Object.assign(schema, { requirement: Object.keys(entries) });
  return withRun(schema, function run(dataset, config) {
    const input = dataset.value;
    if (shapeOf(input) !== 'mapping') return failType(this, dataset, config);
    const given = input as Record<string, unknown>;
    const output: Record<string, unknown> = {};
    Object.assign(dataset, { typed: true, value: output });
    for (const key of Object.keys(given)) {
      const member = Object.hasOwn(entries, key) ? entries[key] : undefined;
      const value = given[key];
      if (member === undefined) unknownKey(this, { input, key, value }, { dataset, config });
      else output[key] = runMember(member as v.GenericSchema, { input, key, value }, { dataset, config });
    }
    for (const key of required) {
      if (!Object.hasOwn(given, key)) missingKey(this, { input, key, value: undefined }, { dataset, config });
    }
    return dataset;
  });
}

type Step = { input: unknown; key: string; value: unknown };
type Target = { dataset: Dataset; config: Config };

function unknownKey(schema: v.GenericSchema, step: Step, { dataset, config }: Target): void {
  const path = [{ type: 'object', origin: 'key', ...step }];
  const other = { input: step.key, expected: 'never', path };
  v._addIssue(schema as never, 'key', dataset as never, config as never, other as never);
}

function missingKey(schema: v.GenericSchema, step: Step, { dataset, config }: Target): void {
  const path = [{ type: 'object', origin: 'key', ...step }];
  const other = { input: undefined, expected: `"${step.key}"`, path };
  v._addIssue(schema as never, 'key', dataset as never, config as never, other as never);
}

/** A mapping from names that the user chooses to values of one kind. */
export function named<S extends v.GenericSchema>(
  member: S,
): v.RecordSchema<v.StringSchema<undefined>, S, undefined> {
  return withRun(v.record(v.string(), member), function run(dataset, config) {
    const input = dataset.value;
    if (shapeOf(input) !== 'mapping') return failType(this, dataset, config);
    // A null prototype, so that a node called `constructor` or `__proto__` is only a name.
    const output: Record<string, unknown> = Object.create(null);
    Object.assign(dataset, { typed: true, value: output });
    for (const [key, value] of Object.entries(input as object)) {
      output[key] = runMember(member, { input, key, value }, { dataset, config });
    }
    return dataset;
  });
}

/** A list of values of one kind. */
export function list<S extends v.GenericSchema>(member: S): v.ArraySchema<S, undefined> {
  return v.array(member);
}

function shapesOf(schema: v.GenericSchema): Shape[] {
  if ('options' in schema) {
    const options = schema.options as readonly unknown[];
    return options.flatMap((o) =>
      typeof o === 'object' ? shapesOf(o as v.GenericSchema) : [typeof o as Shape],
    );
  }
  switch (schema.type) {
    case 'array':
    case 'tuple':
    case 'strict_tuple':
      return ['list'];
    case 'record':
    case 'strict_object':
      return ['mapping'];
    case 'literal':
      return [typeof (schema as unknown as { literal: unknown }).literal as Shape];
    case 'string':
    case 'number':
    case 'boolean':
    case 'null':
      return [schema.type];
    default:
      throw new Error(`either() cannot tell the shape of a ${schema.type} schema`);
  }
}

/** One of several schemas, chosen by the shape of the value; no two members may take the same shape. */
export function either<const O extends readonly v.GenericSchema[]>(
  ...options: O
): v.UnionSchema<O, undefined> {
  const byShape = new Map<Shape, v.GenericSchema>();
  for (const option of options) {
    for (const shape of new Set(shapesOf(option))) {
      if (byShape.has(shape)) throw new Error(`two members of either() take a ${shape}`);
      byShape.set(shape, option);
    }
  }
  return withRun(v.union(options), function run(dataset, config) {
    const shape = shapeOf(dataset.value);
    const option = shape === undefined ? undefined : byShape.get(shape);
    if (option === undefined) return failType(this as v.GenericSchema, dataset, config);
    return option['~run'](dataset as v.UnknownDataset, config) as Dataset;
  });
}

/**
 * One of several mappings, told apart by the word under `tag`. A mapping without the tag is of the kind `fallback`; a word
 * that is none of the keys is reported at the tag.
 */
export function tagged<
  const T extends string,
  const K extends Record<string, v.GenericSchema>,
  F extends keyof K & string,
>(tag: T, kinds: K, fallback: F): v.UnionSchema<K[keyof K][], undefined> {
  const word = v.picklist(Object.keys(kinds));
  const options = Object.values(kinds) as K[keyof K][];
  return withRun(v.union(options), function run(dataset, config) {
    const input = dataset.value;
    if (shapeOf(input) !== 'mapping') return failType(options[0] as v.GenericSchema, dataset, config);
    const value = Object.hasOwn(input as object, tag) ? (input as Record<string, unknown>)[tag] : fallback;
    const member = typeof value === 'string' && Object.hasOwn(kinds, value) ? kinds[value] : undefined;
    if (member !== undefined) return member['~run'](dataset as v.UnknownDataset, config) as Dataset;
    runMember(word, { input, key: tag, value }, { dataset, config });
    return dataset;
  });
}

/** The same, and nothing after the colon counts as an empty mapping: `test_ns:`. */
export function orEmpty<S extends v.GenericSchema>(schema: S): S {
  const nullable = v.nullable(schema) as unknown as v.GenericSchema;
  return withRun(nullable, (dataset, config) => {
    const given = dataset.value === null ? { value: {} } : dataset;
    return schema['~run'](given as v.UnknownDataset, config) as Dataset;
  }) as unknown as S;
}

/**
 * A number with a unit, `20ms`. A bare number is let through as well so that lower.ts can say which units there are; the
 * generated schema.json asks for a text.
 */
export function quantity(): v.GenericSchema<string | number> {
  return withRun(v.string() as v.GenericSchema, function run(dataset, config) {
    const type = typeof dataset.value;
    if (type !== 'string' && type !== 'number') return failType(this, dataset, config);
    return Object.assign(dataset, { typed: true as const });
  }) as v.GenericSchema<string | number>;
}

/** Text, or what YAML takes for a number or a truth value: `A: 1`. */
export function scalar() {
  return either(v.string(), v.number(), v.boolean());
}

/** One value or a list of them. */
export function oneOrList<S extends v.GenericSchema>(member: S) {
  return either(member, list(member));
}

export function integer(min: number, max: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
}

/** Documentation of a key: it becomes `description` in schema.json. */
export function doc<S extends v.GenericSchema>(
  schema: S,
  text: string,
  examples: readonly unknown[] = [],
): S {
  const described = v.pipe(schema, v.description(text));
  if (examples.length === 0) return described as unknown as S;
  return v.pipe(described as v.GenericSchema, v.metadata({ examples: [...examples] })) as unknown as S;
}

/** A key that may be left out. */
export function key<S extends v.GenericSchema>(
  schema: S,
  text: string,
  examples: readonly unknown[] = [],
): v.ExactOptionalSchema<S, undefined> {
  return v.exactOptional(doc(schema, text, examples));
}
