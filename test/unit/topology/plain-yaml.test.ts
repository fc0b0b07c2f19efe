// The fast reader must read as the full parser does, or not at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseFully, parseYaml } from '../../../src/topology/parse.ts';
import { readPlainYaml } from '../../../src/topology/plain-yaml.ts';

/** What the fast reader makes of a text, once it is known to be what the full parser makes of it. */
function agreed(text: string): { readonly value: unknown } | undefined {
  const plain = readPlainYaml(text);
  if (plain === undefined) return undefined;
  const full = parseFully(text, 'f');
  assert.deepEqual(full.problems, [], JSON.stringify(text));
  assert.deepEqual(plain.value, full.value, JSON.stringify(text));
  const quick = parseYaml(text, 'f');
  for (const path of allPaths(full.value)) {
    for (const part of ['key', 'value'] as const) {
      const message = `${JSON.stringify(text)} ${JSON.stringify(path)} ${part}`;
      assert.deepEqual(quick.locate(path, part), full.locate(path, part), message);
    }
  }
  return plain;
}

/** The paths of everything in a value, and one step beyond each. */
function allPaths(value: unknown, path: readonly (string | number)[] = []): (string | number)[][] {
  const below =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) =>
          allPaths(inner, [...path, Array.isArray(value) ? Number(key) : key]),
        )
      : [];
  return [[...path], [...path, 'beyond'], ...below];
}

const usual = `# a lab
name: nat-lab   # its name
nodes:
  pc1:
    interfaces: { eth0: { addresses: [10.1.1.1/24, "2001:db8:1::1/64"], mac: 02:00:00:00:00:01 } }
    routes:
    - default via 10.1.1.254
    - { to: 10.9.0.0/16, nexthops: [ { via: 10.1.1.2, weight: 2 }, { via: 10.1.1.3 } ] }

    # a comment inside
    env: { A: b, PATH: '/bin:/usr/bin', E: "" }
  sw: {}
  empty:
links:
  - endpoints: [ "pc1:eth0", sw ]
    mtu: 1500
  - endpoints:
      - node: pc1
        interface: eth1
      - sw
  -
    endpoints: [a:b, c:d]
  - - x
    - y: z
tests: []
numbers: [0, -1, +2, 1.5, 1e3, .5, 0x1f, 0o17, 010, true, False, null, ~, 1_0, 1.2.3, Nothing, tree]
`;

test('the way topologies are usually written is read by it', () => {
  assert.ok(agreed(usual) !== undefined);
  assert.ok(agreed('a: 1') !== undefined);
  assert.ok(agreed('  a:\n  - 1\n  -\n  - b: c\n    d: e\n') !== undefined);
});

test('what it does not know it leaves to the full parser', () => {
  const others = [
    ...['', '# only\n', '- a\n', 'text\n', '{ a: 1 }\n', '---\na: 1\n', 'a: 1\n...\n', '\ufeffa: 1\n'],
    ...['a: &x 1\n', 'a: *x\n', 'a: !t 1\n', 'a: |\n  x\n', 'a: >\n  x\n', '? a\n: b\n', '<<: { a: 1 }\n'],
    ...[
      'a: b\n  c\n',
      'a: "b\n  c"\n',
      'a: [1,\n  2]\n',
      'a: "\\n"\n',
      "a: 'it''s'\n",
      'a: { b }\n',
      'a: [b: c]\n',
    ],
    ...[
      'a: 1\na: 2\n',
      'a: { b: 1, b: 2 }\n',
      '__proto__: 1\n',
      'a:\tb\n',
      'a: 1\r\n',
      'a: b: c\n',
      'a: b:\n',
    ],
    ...['a: @x\n', 'a: %x\n', 'a: ,\n', 'a: [1\n', 'a: 1]\n b: 2\n', 'a: 1\n  b: 2\n', ' a: 1\nb: 2\n'],
    ...[
      'a: "b" c\n',
      'a: [1] 2\n',
      'a: {x:1}\n',
      'a: [,]\n',
      'a: [1,,2]\n',
      'a:\n  b\n',
      'a:\n  - b\n c: d\n',
    ],
  ];
  for (const text of others) assert.equal(readPlainYaml(text), undefined, JSON.stringify(text));
});

test('a deep text is left to the full parser', () => {
  assert.equal(readPlainYaml(`a: ${'['.repeat(100_000)}`), undefined);
  assert.equal(readPlainYaml(`a:\n${'- '.repeat(100_000)}`), undefined);
});

const word = fc.constantFrom(
  ...[
    'a',
    'b1',
    'x-y',
    '10.0.0.1/24',
    '::1',
    'a:b',
    '02:00:00',
    '1',
    '-1',
    '+',
    '-',
    '--',
    '1.',
    '.5',
    '.',
    '..',
    '0x',
    '1e3',
    '~',
  ],
  ...[
    'true',
    'null',
    'No',
    '.inf',
    '-.INF',
    '.nan',
    '$',
    '=',
    '(',
    'a b',
    'a  b',
    'a#b',
    'a #b',
    '#',
    '"q"',
    "'q'",
    '""',
    "''",
  ],
  ...[
    '"a:b"',
    'é',
    '\u00a0',
    'x\u00a0',
    '\u2028',
    '*',
    '&',
    '!',
    '?',
    '<<',
    '[]',
    '{}',
    '[a, b]',
    '{ a: b }',
    '[ a ,b, ]',
    '{a: 1}',
  ],
  ...[
    '{ "a": 1, \'b\': 2 }',
    '[{ a: [] }]',
    'a: b',
    'a:',
    '- a',
    '- a: b',
    '-',
    '[a',
    'a]',
    '{',
    '',
    ' ',
    '+1',
    '0o7',
    '1 2',
    'a,b',
  ],
);

const line = fc
  .tuple(
    fc.integer({ min: 0, max: 3 }),
    fc.constantFrom('', '- ', '-  ', '- - '),
    fc.constantFrom('', 'k: ', 'k', 'j: ', '"k": ', "'j': ", 'k:', 'l :', 'k:  ', '1: ', 'null: '),
    fc.array(word, { maxLength: 2 }),
    fc.constantFrom('', '', '', ' # c', '#c', ' '),
  )
  .map(([indent, dash, key, words, end]) => ' '.repeat(indent * 2) + dash + key + words.join(' ') + end);

test('lines put together at random are read as the full parser reads them', () => {
  let read = 0;
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
      if (agreed(lines.join('\n')) !== undefined) read++;
    }),
    { numRuns: 6000 },
  );
  assert.ok(read > 100, `only ${read} were read at all`);
});

test('values written at random are read as the full parser reads them', () => {
  let read = 0;
  const pieces = fc.array(
    fc.oneof(word, fc.constantFrom(', ', ',', ': ', ':', ' ', '[', ']', '{', '}', ' #')),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(
      fc.constantFrom('a: ', 'a: [', 'a: { k: ', '- ', 'a:\n- '),
      pieces,
      fc.constantFrom('', ']', '}', ' }'),
      (a, b, c) => {
        if (agreed(`${a.startsWith('-') ? 'z:\n' : ''}${a}${b.join('')}${c}\n`) !== undefined) read++;
      },
    ),
    { numRuns: 6000 },
  );
  assert.ok(read > 300, `only ${read} were read at all`);
});

test('a usual file that was damaged is read as the full parser reads it, or not at all', () => {
  const damage = fc.record({
    at: fc.nat(usual.length),
    remove: fc.nat(12),
    insert: fc.oneof(word, fc.constantFrom('\n', '\n  ', ' ', '  ', ': ', ',', '- ')),
  });
  let read = 0;
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 2 }), (changes) => {
      let text = usual;
      for (const { at, remove, insert } of changes)
        text = text.slice(0, at) + insert + text.slice(at + remove);
      if (agreed(text) !== undefined) read++;
    }),
    { numRuns: 400 },
  );
  assert.ok(read > 50, `only ${read} were read at all`);
});
