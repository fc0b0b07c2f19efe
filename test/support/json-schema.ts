// The part of JSON Schema draft-07 that topologies/schema.json uses, so that a test can say what an editor would say. Throws
// on a keyword it does not know, so that it cannot accept by ignorance.

type Json = { readonly [key: string]: unknown };

const annotations = new Set(['$schema', '$id', '$defs', 'title', 'description', 'examples', 'default']);

/** The paths of a value that the schema refuses; empty when it accepts. */
export function schemaRefuses(root: Json, value: unknown): string[] {
  return check(root, root, value, '');
}

function check(root: Json, schema: Json, value: unknown, path: string): string[] {
  if (typeof schema['$ref'] === 'string') return check(root, resolve(root, schema['$ref']), value, path);
  return Object.entries(schema).flatMap(([keyword, argument]) => {
    if (annotations.has(keyword)) return [];
    const keywordCheck = keywords[keyword];
    if (keywordCheck === undefined) throw new Error(`keyword ${keyword} is not known here`);
    return keywordCheck({ root, schema, argument, value, path });
  });
}

function resolve(root: Json, ref: string): Json {
  const steps = ref.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>((at, step) => (at as Json)[step], root) as Json;
}

type Call = {
  readonly root: Json;
  readonly schema: Json;
  readonly argument: unknown;
  readonly value: unknown;
  readonly path: string;
};

function isMapping(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function refuse(when: boolean, path: string): string[] {
  return when ? [path === '' ? '.' : path] : [];
}

const keywords: Readonly<Record<string, (call: Call) => string[]>> = {
  type: ({ argument, value, path }) => {
    const type = typeOf(value);
    const fits = ([argument].flat() as string[]).some(
      (word) => word === type || (word === 'integer' && Number.isInteger(value)),
    );
    return refuse(!fits, path);
  },
  const: ({ argument, value, path }) => refuse(argument !== value, path),
  enum: ({ argument, value, path }) => refuse(!(argument as unknown[]).includes(value), path),
  minimum: ({ argument, value, path }) => refuse(typeof value === 'number' && value < Number(argument), path),
  maximum: ({ argument, value, path }) => refuse(typeof value === 'number' && value > Number(argument), path),
  pattern: ({ argument, value, path }) =>
    refuse(typeof value === 'string' && !new RegExp(String(argument), 'u').test(value), path),
  required: ({ argument, value, path }) =>
    isMapping(value)
      ? (argument as string[]).filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}.${key}`)
      : [],
  properties: ({ root, argument, value, path }) =>
    isMapping(value)
      ? Object.entries(argument as Record<string, Json>).flatMap(([key, member]) =>
          Object.hasOwn(value, key) ? check(root, member, value[key], `${path}.${key}`) : [],
        )
      : [],
  additionalProperties: ({ root, schema, argument, value, path }) => {
    if (!isMapping(value)) return [];
    const known = (schema['properties'] ?? {}) as Json;
    const others = Object.keys(value).filter((key) => !Object.hasOwn(known, key));
    if (argument === false) return others.map((key) => `${path}.${key}`);
    return others.flatMap((key) => check(root, argument as Json, value[key], `${path}.${key}`));
  },
  propertyNames: ({ root, argument, value, path }) =>
    isMapping(value)
      ? Object.keys(value).flatMap((key) => check(root, argument as Json, key, `${path}.${key}`))
      : [],
  items: ({ root, argument, value, path }) =>
    Array.isArray(value)
      ? value.flatMap((member, at) => check(root, argument as Json, member, `${path}[${at}]`))
      : [],
  anyOf: ({ root, argument, value, path }) => {
    const tries = (argument as Json[]).map((one) => check(root, one, value, path));
    return tries.some((problems) => problems.length === 0)
      ? []
      : (tries.sort((a, b) => deepest(b) - deepest(a))[0] ?? []);
  },
  allOf: ({ root, argument, value, path }) =>
    (argument as Json[]).flatMap((one) => check(root, one, value, path)),
};

function deepest(problems: readonly string[]): number {
  return Math.max(0, ...problems.map((path) => path.length));
}
