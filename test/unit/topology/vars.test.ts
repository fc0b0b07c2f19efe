// Variables in values: test of src/topology/vars.ts.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words of the topology file

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scalarOf, substituteVars } from '../../../src/topology/vars.ts';

type Sources = { env?: Record<string, string>; vars?: Record<string, string>; file?: object };

function value(text: string, { env = {}, vars = {}, file = {} }: Sources = {}): unknown {
  const { value: tree, problems } = substituteVars({ vars: file, x: text }, { env, vars });
  assert.deepEqual(problems, []);
  return (tree as { x: unknown }).x;
}

function problemOf(text: string, sources: Sources = {}) {
  const { problems } = substituteVars(
    { vars: sources.file, a: [{ x: text }] },
    { env: sources.env ?? {}, vars: sources.vars },
  );
  assert.equal(problems.length, 1);
  assert.deepEqual(problems[0]?.path, ['a', 0, 'x']);
  return problems[0];
}

describe('a variable', () => {
  it('comes from --var, then the environment, then vars, then the default', () => {
    const all = { vars: { X: 'v' }, env: { X: 'e' }, file: { X: 'f' } };
    assert.equal(value('${X:-d}', all), 'v');
    assert.equal(value('${X:-d}', { env: all.env, file: all.file }), 'e');
    assert.equal(value('${X:-d}', { file: all.file }), 'f');
    assert.equal(value('${X:-d}'), 'd');
  });

  it('has the default where it is empty, as in sh; `-` keeps the empty value', () => {
    assert.equal(value('${X:-d}', { env: { X: '' } }), 'd');
    assert.equal(value('${X-d}', { env: { X: '' } }), '');
    assert.equal(value('${X:-}'), '');
  });

  it('alone is of the type of its text; inside a text it is text', () => {
    assert.equal(value('${X}', { env: { X: '1500' } }), 1500);
    assert.equal(value('${X:-true}'), true);
    assert.equal(value('${X}', { file: { X: 7 } }), 7);
    assert.equal(value('mtu ${X}', { env: { X: '1500' } }), 'mtu 1500');
    assert.equal(value('10.${X}.0.1/${L:-24}', { file: { X: 7 } }), '10.7.0.1/24');
  });

  it('is not looked for in what a variable brings', () => {
    assert.equal(value('${X}', { env: { X: '${Y}', Y: 'no' } }), '${Y}');
    assert.equal(value('${X:-$$}'), '$$');
  });

  it('leaves a dollar sign without a brace alone, and $$ is one', () => {
    assert.equal(value('echo $HOME $1 $'), 'echo $HOME $1 $');
    assert.equal(value('$${X}'), '${X}');
    assert.equal(value('a$$b'), 'a$b');
  });

  it('without a value is a problem with a near name', () => {
    const problem = problemOf('${MTUU}', { file: { MTU: 1 } });
    assert.equal(problem?.code, 'VAR_UNSET');
    assert.match(problem?.hint ?? '', /MTU/);
  });

  it('that is none is a problem of its own', () => {
    for (const text of ['${', '${X', '${}', '${1X}', '${X%.*}', '${X:?message}', 'a ${X b']) {
      assert.equal(problemOf(text, { env: { X: '1' } })?.code, 'VAR_SYNTAX', text);
    }
  });

  it('named on the command line and not in the file is told', () => {
    const tree = { vars: { B: 1 }, x: '${A:-1}' };
    assert.deepEqual(substituteVars(tree, { env: {}, vars: { A: '1', B: '2', C: '3' } }).unused, ['C']);
  });
});

describe('a file without variables', () => {
  it('is not copied', () => {
    const tree = { a: [{ b: 'text' }], c: { d: 1 } };
    assert.equal(substituteVars(tree, { env: {} }).value, tree);
  });

  it('keeps its shape and its keys whatever the texts are', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false } as never), (json) => {
        const { value: result } = substituteVars({ x: json }, { env: {} });
        assert.deepEqual(Object.keys(result as object), ['x']);
      }),
    );
  });
});

describe('the type of a text', () => {
  it("is that of YAML's core schema, but for what would lose digits", () => {
    const cases: [string, unknown][] = [
      ['1', 1],
      ['-1', -1],
      ['0x10', 16],
      ['0o17', 15],
      ['1.5', 1.5],
      ['1e3', 1000],
      ['true', true],
      ['False', false],
      ['null', null],
      ['~', null],
      ['yes', 'yes'],
      ['10.0.0.1', '10.0.0.1'],
      ['1500 ', '1500 '],
      ['12345678901234567890', '12345678901234567890'],
      ['', ''],
    ];
    for (const [text, expected] of cases) assert.equal(scalarOf(text), expected, text);
  });
});
