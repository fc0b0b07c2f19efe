// Issues of the schema in words of our own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { errorCatalogue } from '../../../src/base/error-catalogue.ts';
import { foreignKey } from '../../../src/topology/foreign-keys.ts';
import { pathText } from '../../../src/topology/problems.ts';
import { checkShape } from '../../../src/topology/schema.ts';
import { schemaProblems } from '../../../src/topology/schema-issues.ts';

function problems(file: unknown): string[] {
  return schemaProblems(checkShape(file).issues).map(
    ({ code, path, message, hint }) => `${code} ${pathText(path)}: ${message} (${hint ?? ''})`,
  );
}

function only(file: unknown): string {
  const all = problems(file);
  assert.equal(all.length, 1, all.join('\n'));
  return all[0] ?? '';
}

test('a misspelt key is compared with the keys of its place', () => {
  assert.match(
    only({ nodez: {} }),
    /^UNKNOWN_KEY nodez: .* at the top of the file \(did you mean "nodes"\?\)$/,
  );
  assert.match(only({ nodes: { a: { rotues: [] } } }), /did you mean "routes"/);
  assert.match(
    only({ nodes: { a: { interfaces: { e: { adresses: [] } } } } }),
    /of an interface \(did you mean "addresses"/,
  );
});

test('a misspelt key that was needed is not missed as well', () => {
  assert.match(only({ links: [{ endpoint: [] }] }), /UNKNOWN_KEY links\[0\]\.endpoint/);
});

test('a key of another type of interface names the types that have it', () => {
  assert.match(
    only({ nodes: { a: { interfaces: { v: { id: 5 } } } } }),
    /key of an interface with type: vlan or vxlan/,
  );
  assert.match(only({ nodes: { a: { interfaces: { v: { private_key: 'x' } } } } }), /type: wireguard/);
});

test('words of other tools are translated', () => {
  assert.match(only({ nodes: { a: { environment: {} } } }), /it is called "env" here/);
  assert.match(only({ nodes: { a: { ip: '10.0.0.1' } } }), /addresses belong to an interface/);
  assert.match(
    only({ nodes: { a: { routes: [{ to: 'default', gateway: '10.0.0.1' }] } } }),
    /it is called "via" here/,
  );
  assert.match(only({ links: [{ endpoints: ['a:b', 'c:d'], latency: '5ms' }] }), /under "impair"/);
});

test('a translation never hides a key that the place has', () => {
  const file = { nodes: { a: {} }, links: [{ endpoints: ['a:b', { node: 'a', interface: 'c' }] }] };
  assert.deepEqual(problems(file), []);
  for (const [place, keys] of Object.entries({
    node: ['ports', 'dns', 'memory'],
    interface: ['mac', 'mtu', 'type'],
    route: ['via', 'dev'],
  })) {
    for (const key of keys) assert.equal(foreignKey(key, place as 'node'), undefined, `${place}.${key}`);
  }
});

test('a blank that is missing after a colon is seen', () => {
  assert.match(only({ nodes: { a: { 'kind:router': null } } }), /^YAML_COLON .* \(write "kind: router"\)$/);
  assert.match(only({ nodes: { a: 'kind:router' } }), /^YAML_COLON .* \(write "kind: router"\)$/);
});

test('a value of the wrong type says what is needed, what stands there and what to write', () => {
  assert.match(
    only({ nodes: { a: { routes: 'default via 10.0.0.1' } } }),
    /takes a list, .*\(write routes: \["default via 10\.0\.0\.1"\]/,
  );
  assert.match(only({ nodes: ['a', 'b'] }), /takes a mapping, .*\(write nodes: \{ a: \{\}, b: \{\} \}/);
  assert.match(only({ nodes: { a: { interfaces: { e: { up: 'no' } } } } }), /write false/);
  assert.match(only({ nodes: { a: { interfaces: { e: { mtu: '1500' } } } } }), /write 1500 without quotes/);
  assert.match(only({ description: 5 }), /put it in quotes: "5"/);
  assert.match(only({ links: null }), /takes a list, and there is nothing/);
});

test('a word that is none of the possible ones is compared with them', () => {
  assert.match(only({ nodes: { a: { kind: 'ruter' } } }), /^VALUE_UNKNOWN .*did you mean "router"/);
  assert.match(only({ nodes: { a: { interfaces: { v: { type: 'vxlann' } } } } }), /did you mean "vxlan"/);
});

test('numbers out of range name the limit', () => {
  const mtu = (value: unknown) => only({ nodes: { a: { interfaces: { e: { mtu: value } } } } });
  assert.match(mtu(-1), /^VALUE_RANGE .*0 is the least/);
  assert.match(mtu(1.5), /whole number, not 1\.5/);
  assert.match(
    only({ nodes: { a: { routes: [{ to: 'default', metric: 2 ** 33 }] } } }),
    /4294967295 is the most/,
  );
});

test('whatever stands in a file, every problem has a known code, a path and words without valibot', () => {
  const key = fc.constantFrom(
    ...[
      'name',
      'nodes',
      'links',
      'endpoints',
      'interfaces',
      'eth0',
      'addresses',
      'mtu',
      'routes',
      'via',
      'type',
      'kind',
      'nat',
    ],
    ...[
      'firewall',
      'input',
      'rules',
      'tests',
      'from',
      'impair',
      'delay',
      'x',
      'ip',
      '',
      'mtu:1500',
      'constructor',
    ],
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 6 },
      fc.constantFrom(null, true, 0, -1, 1.5, 1e300, '', 'x', 'yes', 'vlan', 'a:b'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 5, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(tree, (file) => {
      const { issues } = checkShape(file);
      const found = schemaProblems(issues);
      assert.equal(found.length > 0, issues.length > 0);
      for (const problem of found) {
        assert.ok(Object.hasOwn(errorCatalogue, problem.code));
        assert.doesNotMatch(
          `${problem.message} ${problem.hint}`,
          /Expected|received|\[object|"undefined"|NaN/,
        );
        pathText(problem.path);
      }
    }),
    { numRuns: 1500 },
  );
});
