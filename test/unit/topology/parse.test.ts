// Parsing: values, places of keys and values, limits, and that no text whatever makes it throw.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDocument, parse as yamlParse } from 'yaml';
import type { Problem } from '../../../src/base/error.ts';
import { decodeTopology, MAX_FILE_BYTES, type Parsed, parseYaml } from '../../../src/topology/parse.ts';
import type { Part, Path } from '../../../src/topology/problems.ts';
import { MAX_ALIASED_VALUES, MAX_DEPTH } from '../../../src/topology/tree.ts';

function parse(text: string): Parsed {
  return parseYaml(text, 'lab.yaml');
}

function read(text: string): unknown {
  const parsed = parse(text);
  assert.deepEqual(parsed.problems, []);
  return parsed.value;
}

function onlyProblem(text: string): Problem {
  const { problems } = parse(text);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  const [problem] = problems;
  assert.ok(problem !== undefined);
  return problem;
}

/** The piece of text that a place points at. */
function pointed(text: string, path: Path, part: Part = 'value'): string {
  const where = parse(text).locate(path, part);
  assert.equal(where.text, text.split('\n')[where.line - 1]);
  return (where.text ?? '').slice(where.col - 1, where.endCol - 1);
}

test('YAML and JSON become the same plain values', () => {
  const expected = { name: 'x', nodes: { a: { mtu: 1500, up: true, l: [1, 'b', null] } } };
  assert.deepEqual(read('name: x\nnodes:\n  a: { mtu: 1500, up: true, l: [1, b, ~] }\n'), expected);
  assert.deepEqual(read(JSON.stringify(expected)), expected);
  assert.deepEqual(read(JSON.stringify(expected, null, 2)), expected);
});

test('words that older YAML took for truth values, times or numbers stay texts', () => {
  assert.deepEqual(read('a: yes\nb: on\nc: 22:22\nd: 02:00:00:00:00:01\ne: ::1\nf: 1_000\n'), {
    a: 'yes',
    b: 'on',
    c: '22:22',
    d: '02:00:00:00:00:01',
    e: '::1',
    f: '1_000',
  });
});

test('a plain key is what is written, not the number or nothing that YAML makes of it', () => {
  assert.deepEqual(read('1e3: a\n0x10: b\nnull: c\ntrue: d\n007: e\n'), {
    '1e3': 'a',
    '0x10': 'b',
    null: 'c',
    true: 'd',
    '007': 'e',
  });
});

test('keys that objects have of themselves are ordinary names, but for __proto__', () => {
  assert.deepEqual(read('constructor: 1\ntoString: 2\n'), { constructor: 1, toString: 2 });
  assert.equal(onlyProblem('nodes: { __proto__: { polluted: 1 } }\n').code, 'NAME_RESERVED');
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});

test('a byte order mark and carriage returns change neither values nor columns', () => {
  const text = '\ufeffname: x\r\nnodes:\r\n  a: { mtu: 1 }\r\n';
  assert.deepEqual(read(text), { name: 'x', nodes: { a: { mtu: 1 } } });
  assert.deepEqual(parse(text).locate(['name']), {
    file: 'lab.yaml',
    line: 1,
    col: 7,
    endCol: 8,
    path: 'name',
    text: 'name: x',
  });
});

const sample = `name: demo
nodes:
  pc1:
    interfaces: { eth0: { addresses: [10.1.1.1/24, "2001:db8::1/64"] } }
    routes:
      - default via 10.1.1.254
    mtu:
links:
  - endpoints: [pc1:eth0, sw]
  - mtu: 9000
`;

test('a place is the key or the value, as asked', () => {
  assert.equal(pointed(sample, ['name']), 'demo');
  assert.equal(pointed(sample, ['name'], 'key'), 'name');
  assert.equal(pointed(sample, ['nodes', 'pc1', 'interfaces', 'eth0', 'addresses', 1]), '"2001:db8::1/64"');
  assert.equal(pointed(sample, ['links', 0, 'endpoints', 1]), 'sw');
  assert.equal(pointed(sample, ['links', 0, 'endpoints']), '[pc1:eth0, sw]');
});

test('a block of lines or an empty value is shown at its key', () => {
  assert.equal(pointed(sample, ['nodes', 'pc1']), 'pc1');
  assert.equal(pointed(sample, ['nodes', 'pc1', 'mtu']), 'mtu');
  assert.equal(pointed(sample, ['links', 1]), 'mtu');
  assert.equal(pointed(sample, []), 'name');
});

test('a path that does not exist is shown at its nearest ancestor', () => {
  assert.equal(pointed(sample, ['nodes', 'pc1', 'routes', 0, 'via']), 'default via 10.1.1.254');
  assert.equal(pointed(sample, ['nodes', 'pc2', 'interfaces']), 'nodes');
  assert.equal(pointed(sample, ['nodes', 'pc1', 'routes', 7]), 'routes');
  assert.equal(pointed(sample, ['links', 0, 'endpoints', 'x']), '[pc1:eth0, sw]');
});

test('every scalar of a random document is found at its own text', () => {
  const key = fc.stringMatching(/^[a-z]{1,6}$/);
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.integer(),
      fc.stringMatching(/^[a-z]{1,8}$/),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(
      fc.dictionary(key, tree, { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
      fc.nat(8),
      (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.deepEqual(read(text), value);
        for (const [path, leaf] of leaves(value, [])) assert.equal(pointed(text, path), JSON.stringify(leaf));
      },
    ),
    { numRuns: 60 },
  );
});

function leaves(value: unknown, path: Path): [Path, unknown][] {
  if (Array.isArray(value)) return value.flatMap((member, index) => leaves(member, [...path, index]));
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, member]) => leaves(member, [...path, key]));
  }
  return [[path, value]];
}

test('an alias repeats its value, and its mistakes are shown where the text stands', () => {
  const text = 'a: &x { mtu: 9000 }\nb: *x\n';
  assert.deepEqual(read(text), { a: { mtu: 9000 }, b: { mtu: 9000 } });
  assert.equal(pointed(text, ['b', 'mtu']), '9000');
  assert.equal(parse(text).locate(['b', 'mtu']).line, 1);
});

test('an alias means the last value marked before it', () => {
  assert.deepEqual(read('a: &x 1\nb: *x\nc: &x 2\nd: *x\n'), { a: 1, b: 1, c: 2, d: 2 });
  assert.deepEqual(read('a: &x 1\nb: &l [*x]\nc: &x 2\nd: *l\n'), { a: 1, b: [1], c: 2, d: [1] });
});

test('copies made by aliases are not one object', () => {
  const value = read('a: &x { l: [1] }\nb: *x\n') as { a: { l: number[] }; b: { l: number[] } };
  value.a.l.push(2);
  assert.deepEqual(value.b.l, [1]);
});

test('a merge key gives defaults that the mapping itself and earlier sources override', () => {
  const text =
    'base: &b { mtu: 1, up: true }\nother: &o { mtu: 2, x: 3 }\na: { <<: *b, mtu: 9 }\nc: { <<: [*b, *o] }\n';
  const value = read(text) as Record<string, unknown>;
  assert.deepEqual(value['a'], { mtu: 9, up: true });
  assert.deepEqual(value['c'], { mtu: 1, up: true, x: 3 });
  assert.equal(parse(text).locate(['a', 'up']).line, 1);
  assert.equal(pointed(text, ['c', 'x']), '3');
  assert.deepEqual(read('a: { "<<": 1 }\n'), { a: { '<<': 1 } });
});

test('aliases and merges agree with the yaml package on random documents', () => {
  const name = fc.constantFrom('p', 'q', 'r');
  const line = fc.oneof(
    fc.tuple(name, fc.integer({ min: 0, max: 9 })).map(([anchor, n]) => `&${anchor} { v: ${n}, w${n}: 1 }`),
    name.map((anchor) => `*${anchor}`),
    name.map((anchor) => `{ <<: *${anchor}, v: 7 }`),
    fc.tuple(name, name).map(([a, b]) => `{ <<: [*${a}, *${b}] }`),
  );
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), (lines) => {
      const text = `${['&p { p0: 1 }', '&q { q0: 1 }', '&r { r0: 1 }', ...lines].map((l, i) => `k${i}: ${l}`).join('\n')}\n`;
      assert.deepEqual(read(text), yamlParse(text, { merge: true }));
    }),
    { numRuns: 200 },
  );
});

test('an alias bomb is refused by its own code, quickly', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  const start = performance.now();
  const problem = onlyProblem(`${bomb.join('\n')}\n`);
  assert.equal(problem.code, 'YAML_ALIAS_BOMB');
  assert.match(problem.message, new RegExp(String(MAX_ALIASED_VALUES)));
  assert.ok(performance.now() - start < 5000);
});

test('a bomb of merge keys is refused as well', () => {
  const keys = Array.from({ length: 400 }, (_, i) => `k${i}: 1`).join(', ');
  const bomb = [`a: &a { ${keys} }`, ...Array.from({ length: 400 }, (_, i) => `b${i}: { <<: *a }`)];
  assert.equal(onlyProblem(`${bomb.join('\n')}\n`).code, 'YAML_ALIAS_BOMB');
});

test('a value that contains itself is refused', () => {
  assert.equal(onlyProblem('a: &a [1, *a]\n').code, 'YAML_ALIAS_BOMB');
  assert.equal(onlyProblem('a: &a { <<: *a }\n').code, 'YAML_ALIAS_BOMB');
});

test('values as deep as the limit are read and deeper ones are refused', () => {
  const deep = (n: number) => `a: ${'['.repeat(n)}${']'.repeat(n)}\n`;
  assert.deepEqual(parse(deep(MAX_DEPTH - 10)).problems, []);
  for (const n of [MAX_DEPTH + 1, 5_000, 500_000]) assert.equal(onlyProblem(deep(n)).code, 'YAML_TOO_DEEP');
  assert.equal(onlyProblem('- '.repeat(100_000)).code, 'YAML_TOO_DEEP');
  assert.equal(onlyProblem('{a: '.repeat(100_000)).code, 'YAML_TOO_DEEP');
});

test('a key that stands twice is shown at both places', () => {
  const problem = onlyProblem('a: 1\nb:\n  c: 1\n  c: 2\n');
  assert.equal(problem.code, 'YAML_DUPLICATE_KEY');
  assert.deepEqual([problem.where?.line, problem.where?.col], [4, 3]);
  assert.deepEqual([problem.related?.where.line, problem.related?.where.col], [3, 3]);
});

test('many keys in one mapping are compared in no quadratic time', () => {
  const text = Array.from({ length: 30_000 }, (_, i) => `k${i}: 1`).join('\n');
  const start = performance.now();
  read(text);
  assert.ok(performance.now() - start < 10_000);
});

test('an empty file, a list, a text and a second document are named as what they are', () => {
  for (const text of ['', ' \n\n', '# only a comment\n', '---\n', '\ufeff']) {
    assert.equal(onlyProblem(text).code, 'YAML_EMPTY', JSON.stringify(text));
  }
  assert.equal(onlyProblem('- a\n- b\n').code, 'YAML_NOT_A_MAPPING');
  assert.equal(onlyProblem('hello\n').code, 'YAML_NOT_A_MAPPING');
  assert.match(onlyProblem('<!DOCTYPE html>\n<html>\n').message, /web page/);
  assert.equal(onlyProblem('a: 1\n---\nb: 1\n').code, 'YAML_SEVERAL_DOCUMENTS');
  assert.deepEqual(read('---\na: 1\n...\n'), { a: 1 });
});

test('bytes are refused by size, by their format and by their encoding', () => {
  const decode = (bytes: Uint8Array) => {
    const result = decodeTopology(bytes, 'f');
    return result.ok ? result.value : `${result.error.code} ${result.error.message}`;
  };
  const bytes = (text: string) => Buffer.from(text, 'latin1');
  assert.equal(decode(Buffer.from('name: käse\n')), 'name: käse\n');
  assert.match(decode(new Uint8Array(10 * 1024 * 1024)), /^FILE_TOO_BIG the file has 10\.0 MiB/);
  assert.equal(decode(new Uint8Array(MAX_FILE_BYTES).fill(0x20)).length, MAX_FILE_BYTES);
  assert.match(decode(bytes('\x7fELF\x02\x01')), /^FILE_BINARY .*a program/);
  assert.match(decode(bytes('\xff\xfen\0')), /^FILE_BINARY .*UTF-16 \(little endian\)/);
  assert.match(decode(bytes('\xfe\xff\0n')), /^FILE_BINARY .*UTF-16 \(big endian\)/);
  assert.match(decode(bytes('name\0: x')), /^FILE_BINARY .*byte 5 is NUL/);
  assert.match(decode(bytes('name: k\xe4se\n')), /^FILE_BINARY .*UTF-8/);
});

test('control characters are refused with their place', () => {
  const problem = onlyProblem('name: a\nx: \u001b[2J\n');
  assert.equal(problem.code, 'FILE_BINARY');
  assert.match(problem.message, /U\+001B/);
  assert.deepEqual([problem.where?.line, problem.where?.col], [2, 4]);
});

/** Characters and pieces that mean something to YAML are tried far more often than chance would. */
const yamlish = fc
  .array(
    fc.constantFrom(
      ...[
        'a',
        'key',
        ': ',
        ':',
        '- ',
        '-',
        '\n',
        '\n  ',
        '\n    ',
        '\t',
        ' ',
        '[',
        ']',
        '{',
        '}',
        ',',
        '"',
        "'",
        '#',
        ' #',
      ],
      ...[
        '&a ',
        '*a',
        '<<: *a',
        '!t ',
        '!!str ',
        '|',
        '>',
        '|+\n',
        '%',
        '@',
        '`',
        '?',
        '? ',
        '---',
        '...',
        '\r\n',
        '\r',
        '1',
        '~',
      ],
      ...['\\', '\\x', '$', 'é', '漢', '😀', '\ufeff', '\u0085', '\u2028', '\0', '\u001b', '=', '<', '!'],
    ),
    { maxLength: 40 },
  )
  .map((pieces) => pieces.join(''));

function holdsTogether(text: string): void {
  const parsed = parse(text);
  const root = parsed.locate([]);
  assert.ok(root.line >= 1 && root.col >= 1);
  if (parsed.value === undefined) assert.notEqual(parsed.problems.length, 0);
  for (const { where, message } of parsed.problems) {
    assert.ok(where !== undefined && message !== '');
    assert.ok(where.line >= 1 && where.col >= 1 && where.endCol >= where.col, JSON.stringify(where));
    assert.ok(where.endCol <= (where.text ?? '').length + 1, JSON.stringify(where));
  }
}

test('no text made of pieces of YAML makes it throw', () => {
  fc.assert(fc.property(yamlish, holdsTogether), { numRuns: 1200 });
});

test('no text at all makes it throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), holdsTogether), { numRuns: 400 });
});

test('no damage to a good file makes it throw', () => {
  const damage = fc.array(
    fc.record({
      at: fc.nat(sample.length),
      remove: fc.nat(6),
      insert: yamlish.map((text) => text.slice(0, 4)),
    }),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(damage, (changes) => {
      let text = sample;
      for (const { at, remove, insert } of changes)
        text = text.slice(0, at) + insert + text.slice(at + remove);
      holdsTogether(text);
    }),
    { numRuns: 800 },
  );
});

test('what it reads without a problem is what the yaml package reads', () => {
  let compared = 0;
  const lines = fc.array(
    yamlish.map((text) =>
      text
        .slice(0, 12)
        .replaceAll('~', '')
        .replace(/[\r\n]/g, ''),
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(lines, (values) => {
      const text = values.map((value, index) => `k${index}: ${value}\n`).join('');
      const { value, problems } = parse(text);
      if (problems.length > 0) return;
      compared++;
      const document = parseDocument(text, { merge: true, logLevel: 'silent' });
      assert.deepEqual(document.errors, []);
      assert.deepEqual(JSON.parse(JSON.stringify(value)), JSON.parse(JSON.stringify(document.toJS())));
    }),
    { numRuns: 1000 },
  );
  assert.ok(compared > 100, `only ${compared} documents could be compared`);
});
