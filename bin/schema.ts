// Writes topologies/schema.json, for editors, from the schema that nslab itself checks files with; a test fails while the two
// differ. JSON Schema draft-07, which yaml-language-server reads. Only shapes: what a text means only nslab can say.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { toJsonSchema } from '@valibot/to-json-schema';
import { fileSchema } from '../src/topology/schema.ts';
import { endpointSchema, impairSchema, interfaceSchema } from '../src/topology/schema-interface.ts';
import { nodeSchema } from '../src/topology/schema-node.ts';

const target = fileURLToPath(new URL('../topologies/schema.json', import.meta.url));

/** The text of topologies/schema.json. */
export function schemaJson(): string {
  const generated = toJsonSchema(fileSchema, {
    target: 'draft-07',
    definitions: {
      node: nodeSchema,
      interface: interfaceSchema,
      endpoint: endpointSchema,
      impair: impairSchema,
    },
  });
  const shared = new SharedParts();
  const { $schema, $defs, ...top } = shared.replace(withVariables(generated)) as Json;
  const schema = {
    $schema,
    title: 'nslab topology',
    description: 'A network lab: nodes, the wires between them, and what each node is.',
    ...top,
    $defs: { ...($defs as Json), ...shared.definitions, variable },
  };
  return `${JSON.stringify(schema, null, 1)}\n`;
}

type Json = { readonly [key: string]: unknown };

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `mtu: ${MTU:-1500}` is a text for an editor, which does not know that it becomes a number. */
const variable = { type: 'string', pattern: '^\\$\\{[^}]*\\}$' };
const variableRef = { $ref: '#/$defs/variable' };
const ofScalar = new Set(['type', 'minimum', 'maximum', 'enum', 'const', 'default']);
/** Keys whose values are no schemas. */
const data = new Set(['examples', 'enum', 'const', 'required', 'default']);

/** A schema with every member schema replaced. A key of the file may be called `type` or `enum`, so `properties` is apart. */
function mapMembers(schema: Json, replace: (member: unknown, key?: string) => unknown): Json {
  const entries = Object.entries(schema).map(([key, value]): [string, unknown] => {
    if (data.has(key)) return [key, value];
    if ((key === 'properties' || key === '$defs') && isObject(value)) {
      const members = Object.entries(value).map(([name, member]) => [name, replace(member, name)]);
      return [key, Object.fromEntries(members)];
    }
    if (Array.isArray(value)) return [key, value.map((member) => replace(member))];
    return [key, isObject(value) ? replace(value) : value];
  });
  return Object.fromEntries(entries);
}

/** Every number, truth value and fixed word may be a variable instead. */
function withVariables(schema: unknown): unknown {
  if (!isObject(schema)) return schema;
  const { anyOf, ...rest } = schema;
  // Beside a text of any kind there is nothing to add.
  const hasText =
    Array.isArray(anyOf) && anyOf.some((one) => isObject(one) && one['type'] === 'string' && !one['enum']);
  if (hasText) return { ...rest, anyOf: anyOf.map((one) => (isScalar(one) ? one : withVariables(one))) };
  if (!isScalar(schema)) return mapMembers(schema, withVariables);
  const entries = Object.entries(schema);
  const inner = Object.fromEntries(entries.filter(([key]) => ofScalar.has(key)));
  return {
    ...Object.fromEntries(entries.filter(([key]) => !ofScalar.has(key))),
    anyOf: [inner, variableRef],
  };
}

/** The word that tells the types of interfaces apart is no such scalar, or an editor could not choose one. */
function isScalar(schema: unknown): schema is Json {
  if (!isObject(schema)) return false;
  return ['number', 'integer', 'boolean'].includes(String(schema['type'])) || schema['enum'] !== undefined;
}

/** Big values that many mappings share (the port of every type of interface) stand once, under $defs. */
class SharedParts {
  readonly definitions: Record<string, unknown> = {};
  private readonly names = new Map<string, string>();
  private readonly counts = new Map<string, number>();

  replace(schema: unknown): unknown {
    this.count(schema);
    return this.walk(schema);
  }

  private count(schema: unknown): unknown {
    if (!isObject(schema)) return schema;
    return mapMembers(schema, (member, name) => {
      if (name !== undefined && isObject(member)) {
        const text = bodyOf(member);
        this.counts.set(text, (this.counts.get(text) ?? 0) + 1);
      }
      return this.count(member);
    });
  }

  private walk(schema: unknown): unknown {
    if (!isObject(schema)) return schema;
    return mapMembers(schema, (member, name) => {
      if (name === undefined || !isObject(member)) return this.walk(member);
      const text = bodyOf(member);
      if (text.length < 250 || (this.counts.get(text) ?? 0) < 3) return this.walk(member);
      const { description } = member;
      // Draft-07 reads nothing beside a $ref.
      return {
        ...(description === undefined ? {} : { description }),
        allOf: [{ $ref: this.define(text, name) }],
      };
    });
  }

  private define(text: string, name: string): string {
    const known = this.names.get(text);
    if (known !== undefined) return `#/$defs/${known}`;
    let free = name;
    for (let turn = 2; Object.hasOwn(this.definitions, free); turn++) free = `${name}${turn}`;
    this.names.set(text, free);
    this.definitions[free] = this.walk(JSON.parse(text));
    return `#/$defs/${free}`;
  }
}

function bodyOf({ description, ...body }: Json): string {
  return JSON.stringify(body);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, schemaJson());
