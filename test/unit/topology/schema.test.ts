// The schema of files and topologies/schema.json: test of src/topology/schema*.ts and bin/schema.ts.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as v from 'valibot';
import { parse } from 'yaml';
import { schemaJson } from '../../../bin/schema.ts';
import { checkShape } from '../../../src/topology/schema.ts';
import { either, mapping, named, orEmpty, quantity, tagged } from '../../../src/topology/schema-shape.ts';
import { schemaRefuses } from '../../support/json-schema.ts';
import { randomLab } from '../../support/random-lab.ts';

const file = new URL('../../../topologies/schema.json', import.meta.url);
const folder = new URL('../../../topologies/', import.meta.url);
const schema = JSON.parse(readFileSync(file, 'utf8'));

/** `path: type` of every issue. */
function issuesOf(value: unknown, of?: v.GenericSchema): string[] {
  const issues = of === undefined ? checkShape(value).issues : (v.safeParse(of, value).issues ?? []);
  return issues.map((issue) => `${(issue.path ?? []).map((step) => step.key).join('.')}: ${issue.type}`);
}

describe('topologies/schema.json', () => {
  it('is what the schema says (npm run schema writes it)', () => {
    assert.equal(readFileSync(file, 'utf8'), schemaJson());
  });

  it('has a description for every key of the file', () => {
    const undescribed: string[] = [];
    const walk = (part: unknown, path: string): void => {
      if (Array.isArray(part)) for (const one of part) walk(one, path);
      if (typeof part !== 'object' || part === null || Array.isArray(part)) return;
      for (const [key, value] of Object.entries(part)) {
        if (key === 'properties') {
          for (const [name, member] of Object.entries(
            value as Record<string, { description?: string; $ref?: string }>,
          )) {
            if (member.description === undefined && member.$ref === undefined)
              undescribed.push(`${path}.${name}`);
          }
        }
        walk(value, `${path}.${key}`);
      }
    };
    walk(schema, '');
    assert.deepEqual(undescribed, []);
  });

  it('accepts every topology that ships', () => {
    const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    assert.ok(names.length > 0);
    for (const name of names) {
      const tree = parse(readFileSync(new URL(name, folder), 'utf8'), { merge: true });
      assert.deepEqual(schemaRefuses(schema, tree), [], name);
    }
  });

  it('accepts what nslab accepts: random labs', () => {
    fc.assert(fc.property(randomLab('x-'), (lab) => assert.deepEqual(schemaRefuses(schema, lab.file), [])));
  });

  it('accepts a variable in the place of a number, and short forms', () => {
    const tree = parse(`
name: x
defaults: { mtu: "\${MTU:-1500}" }
nodes: { a: , b: { interfaces: { eth0: { up: "\${UP}" }, v: { type: vlan, link: eth0, id: "\${ID}" } }, dns: 10.0.0.1, kind: "\${KIND:-netns}" } }
links: [ { endpoints: [ "a:eth0", { node: b, interface: eth0 } ], impair: { delay: 20ms } } ]`);
    assert.deepEqual(schemaRefuses(schema, tree), []);
  });

  it('refuses what nslab refuses, at the same place', () => {
    const refused = (text: string) => schemaRefuses(schema, parse(text))[0];
    assert.equal(refused('nodez: {}'), '.nodez');
    assert.equal(refused('nodes: { a: { kind: srl } }'), '.nodes.a.kind');
    assert.match(
      refused('nodes: { a: { interfaces: { x: { type: vlan, link: eth0 } } } }') ?? '',
      /^\.nodes\.a\.interfaces\.x/,
    );
    assert.equal(
      refused('links: [ { endpoints: [ "a:b", "c:d" ], impair: { delay: 20 } } ]'),
      '.links[0].impair.delay',
    );
  });
});

describe('the shape of a file', () => {
  it('names every unknown key of a mapping, with those that it could be', () => {
    assert.deepEqual(issuesOf({ nodez: {}, linkz: [] }), ['nodez: strict_object', 'linkz: strict_object']);
    const [issue] = checkShape({ nodes: { a: { routez: [] } } }).issues;
    assert.ok((issue?.requirement as readonly string[] | undefined)?.includes('routes'));
  });

  it('points into the member of a union that the value is meant for', () => {
    assert.deepEqual(issuesOf({ links: [{ endpoints: ['a:b', { node: 'c', mtu: 'x' }] }] }), [
      'links.0.endpoints.1.mtu: number',
    ]);
    assert.deepEqual(issuesOf({ nodes: { a: { routes: [{ to: 'default', metric: -1 }] } } }), [
      'nodes.a.routes.0.metric: min_value',
    ]);
    assert.deepEqual(issuesOf({ nodes: { a: { routes: [5] } } }), ['nodes.a.routes.0: union']);
  });

  it('checks an interface against the keys of its type', () => {
    const x = (value: object) => issuesOf({ nodes: { a: { interfaces: { x: value } } } });
    assert.deepEqual(x({ type: 'vxlan', id: 5, vni: 5 }), ['nodes.a.interfaces.x.vni: strict_object']);
    assert.deepEqual(x({ type: 'vlann' }), ['nodes.a.interfaces.x.type: picklist']);
    assert.deepEqual(x({ type: ['vlan'] }), ['nodes.a.interfaces.x.type: picklist']);
  });

  it('takes nothing after a colon as an empty mapping where a mapping may be empty', () => {
    assert.deepEqual(checkShape({ nodes: { a: null } }).file?.nodes?.['a'], {});
    assert.deepEqual(issuesOf({ nodes: { a: { mtu: null } } }), ['nodes.a.mtu: strict_object']);
  });

  it('refuses a list where a mapping belongs, and the other way round', () => {
    assert.deepEqual(issuesOf({ nodes: [] }), ['nodes: record']);
    assert.deepEqual(issuesOf({ links: {} }), ['links: array']);
    assert.deepEqual(issuesOf([]), [': strict_object']);
  });

  it('keeps a node called constructor or toString apart from what JavaScript means by it', () => {
    const { file: read } = checkShape({ nodes: { constructor: { kind: 'router' }, toString: null } });
    assert.deepEqual(Object.keys(read?.nodes ?? {}), ['constructor', 'toString']);
    assert.deepEqual(issuesOf({ nodes: { a: { constructor: 1 } } }), ['nodes.a.constructor: strict_object']);
  });
});

describe('the building blocks', () => {
  it('either refuses two members of one shape: the programmer would not know which is asked', () => {
    assert.throws(() => either(v.string(), v.picklist(['a'])));
  });

  it('tagged takes the fallback without a tag', () => {
    const kinds = tagged(
      't',
      {
        a: mapping({ t: v.exactOptional(v.literal('a')), x: v.number() }),
        b: mapping({ t: v.literal('b') }),
      },
      'a',
    );
    assert.deepEqual(issuesOf({ x: 1 }, kinds), []);
    assert.deepEqual(issuesOf({ t: 'b', x: 1 }, kinds), ['x: strict_object']);
    assert.deepEqual(issuesOf({}, kinds), ['x: strict_object']);
  });

  it('quantity lets a bare number through for lowering to name the units', () => {
    assert.deepEqual(issuesOf(5, quantity()), []);
    assert.deepEqual(issuesOf(true, quantity()), [': string']);
  });

  it('issues of members of members carry the whole way', () => {
    const deep = named(orEmpty(mapping({ a: v.array(v.number()) })));
    assert.deepEqual(issuesOf({ x: { a: [1, 'b'] }, y: null }, deep), [
      'x.a.1: number',
      'y.a: strict_object',
    ]);
  });
});
