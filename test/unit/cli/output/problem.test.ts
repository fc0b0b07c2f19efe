// How problems look, and that nothing of a file reaches the terminal as it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NslabError, type Problem, type Where } from '../../../../src/base/error.ts';
import { renderError, renderProblem, renderProblems } from '../../../../src/cli/output/problem.ts';
import { visible } from '../../../../src/cli/output/visible.ts';

const plain = { colour: false };

function where(text: string, col: number, endCol: number, line = 3): Where {
  return { file: 'ring.yaml', line, col, endCol, path: 'links[0].a', text };
}

function problem(over: Partial<Problem> = {}): Problem {
  return {
    code: 'IFNAME_LONG',
    message: 'the name is too long',
    where: where('    a: toolong', 8, 15),
    ...over,
  };
}

test('a problem is code, message, place, line, carets, second place and hint', () => {
  const related = { message: 'the first one', where: where('  b: 1', 3, 4, 120) };
  assert.equal(
    renderProblem(problem({ hint: 'IFNAMSIZ is 16', related }), plain),
    [
      'error[IFNAME_LONG] the name is too long',
      '  --> ring.yaml:3:8   links[0].a',
      '    3 |     a: toolong',
      '      |        ^^^^^^^',
      '  note: the first one',
      '  --> ring.yaml:120:3   links[0].a',
      '  120 |   b: 1',
      '      |   ^',
      '  hint: IFNAMSIZ is 16',
      '',
    ].join('\n'),
  );
});

test('a warning says so, and a problem without a place has none', () => {
  assert.equal(
    renderProblem({ code: 'FILE_NOT_FOUND', message: 'there is no file x', severity: 'warning' }, plain),
    'warning[FILE_NOT_FOUND] there is no file x\n',
  );
});

test('an error without problems is drawn from its own fields, one with problems from them', () => {
  const alone = new NslabError('FILE_NOT_FOUND', 'there is no file x', { hint: 'look' });
  assert.equal(renderError(alone, plain), 'error[FILE_NOT_FOUND] there is no file x\n  hint: look\n');
  const many = new NslabError('TOPOLOGY_INVALID', 'two', {
    problems: [problem(), problem({ message: 'other' })],
  });
  assert.match(renderError(many, plain), /too long[\s\S]*other[\s\S]*\n\n2 problems in ring\.yaml\n$/);
});

test('errors and warnings are counted apart', () => {
  const text = renderProblems([problem(), problem({ message: 'b', severity: 'warning' })], plain);
  assert.match(text, /\n1 error and 1 warning in ring\.yaml\n$/);
});

test('the same words at several places are said once, with the other places', () => {
  const at = (line: number) => problem({ where: where('x', 1, 2, line) });
  assert.match(
    renderProblems([at(3), at(5), at(9)], plain),
    /\n {2}the same at 5:1, 9:1\n\n3 problems in ring\.yaml\n$/,
  );
  const many = Array.from({ length: 50 }, (_, i) => at(i + 1));
  assert.match(renderProblems(many, plain), /the same at 2:1, 3:1, 4:1, 5:1, 6:1, 7:1 and 43 more/);
});

test('of very many problems 20 are shown, errors before warnings, in the order of the file', () => {
  const problems = Array.from({ length: 60 }, (_, i) =>
    problem({
      message: `p${i}`,
      where: where('x', 1, 2, i + 1),
      ...(i % 2 === 0 ? { severity: 'warning' as const } : {}),
    }),
  );
  const text = renderProblems(problems, plain);
  const shown = [...text.matchAll(/^(error|warning)\[.*\] p(\d+)$/gm)];
  assert.deepEqual(
    shown.map(([, kind, n]) => [kind, Number(n)]),
    Array.from({ length: 20 }, (_, i) => ['error', 2 * i + 1]),
  );
  assert.match(text, /\.\.\. and 40 more\n\n30 errors and 30 warnings in ring\.yaml\n$/);
});

test('a line that a place does not bring along is read through readSource', () => {
  const { text: _, ...bare } = where('', 8, 15);
  const text = renderProblem(problem({ where: bare }), {
    ...plain,
    readSource: () => 'a\r\nb\r\n    a: toolong\r\n',
  });
  assert.match(text, /3 \| {5}a: toolong\n/);
  assert.doesNotMatch(renderProblem(problem({ where: bare }), plain), /\|/);
});

test('carets stand under what they mean: tabs, wide letters and combining marks', () => {
  const caretColumn = (text: string, col: number) => {
    const [, , line = '', carets = ''] = renderProblem(
      problem({ where: where(text, col, col + 1) }),
      plain,
    ).split('\n');
    return [line, carets.indexOf('^')];
  };
  assert.deepEqual(caretColumn('\ta: x', 5), ['  3 | →a: x', 10]);
  assert.deepEqual(caretColumn('漢字: x', 5), ['  3 | 漢字: x', 12]);
  assert.deepEqual(caretColumn('e\u0301: x', 5), ['  3 | e\u0301: x', 9]);
});

test('a long line is cut at both sides of the mistake, never wider than asked', () => {
  const text = `${'a'.repeat(500)}WRONG${'b'.repeat(500)}`;
  for (const width of [40, 80, 100]) {
    const lines = renderProblem(problem({ where: where(text, 501, 506) }), { ...plain, width }).split('\n');
    const line = lines[2] ?? '';
    assert.ok(line.length <= width, `${line.length} > ${width}`);
    assert.match(line, /\.\.\.a+WRONGb+\.\.\.$/);
    assert.equal((lines[3] ?? '').indexOf('^'), line.indexOf('WRONG'));
  }
});

test('colour is used only when asked for', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape of a colour is what is looked for
  const colourCode = /\u001b\[/;
  assert.doesNotMatch(renderProblem(problem(), plain), colourCode);
  assert.match(renderProblem(problem(), { colour: true }), colourCode);
});

test('control characters, invisible ones and those that turn the writing are drawn', () => {
  assert.equal(visible('a\u001b[2Jb\u0007\r\n\u0000'), 'a␛[2Jb␇␍␊␀');
  assert.equal(visible('\u009b31m\u007f'), '<U+009B>31m␡');
  assert.equal(visible('a\u202eb\u200bc\ufeff\ud800'), 'a<U+202E>b<U+200B>c<U+FEFF><U+D800>');
  assert.equal(visible('Grüße 漢字 😀 e\u0301'), 'Grüße 漢字 😀 e\u0301');
});

// biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may reach a terminal
const dangerous = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

test('nothing of a file, a message, a path or a file name reaches the terminal raw', () => {
  const text = fc.string({ unit: 'binary', maxLength: 60 });
  fc.assert(
    fc.property(text, text, fc.nat(70), fc.nat(70), (dirty, line, a, b) => {
      const at = {
        file: dirty,
        line: 1,
        col: Math.min(a, b) + 1,
        endCol: Math.max(a, b) + 1,
        path: dirty,
        text: line,
      };
      const drawn = renderProblems(
        [
          {
            code: 'IFNAME_LONG',
            message: dirty,
            hint: dirty,
            where: at,
            related: { message: dirty, where: at },
          },
          { code: 'IFNAME_LONG', message: 'x', where: at },
        ],
        plain,
      );
      assert.doesNotMatch(drawn, dangerous);
      assert.doesNotMatch(drawn, /\p{Surrogate}/u);
    }),
    { numRuns: 500 },
  );
});
