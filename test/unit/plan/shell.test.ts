// Whatever text a lab holds, bash reads it back as that text: names, values, files, comments.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import test from 'node:test';
import fc from 'fast-check';
import { explainDown, explainUp } from '../../../src/plan/explain.ts';
import { planLab } from '../../../src/plan/order.ts';
import { commandLine, comment, hereDocument } from '../../../src/plan/shell.ts';
import { everything, lab, node, star, stockKinds } from '../../support/sample-labs.ts';

/** What bash makes of the script, with the arguments of `show` printed each with a NUL after it. */
function bash(script: string): string {
  const { stdout, stderr, status } = spawnSync(
    'bash',
    ['--norc', '-c', `show() { printf '%s\\0' "$@"; }\n${script}`],
    {
      encoding: 'utf8',
      env: { LC_ALL: 'C.UTF-8', PATH: process.env['PATH'] },
    },
  );
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout;
}

/** Texts that a shell could misread; NUL is in no argument and no lone surrogate in any UTF-8. */
const word = fc
  .oneof(
    fc.string({ unit: fc.constantFrom(...`'"\\$\`!;&|<>(){}[]*?~# \n\t=-aEOF_é`), maxLength: 12 }),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
  )
  .filter((text) => !text.includes('\0'));

test('any words come back as they were', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { minLength: 20, maxLength: 40 }),
      (lines) => {
        const script = lines.map((words) => `show ${commandLine(words)}`).join('\n');
        assert.equal(
          bash(script),
          lines
            .flat()
            .map((text) => `${text}\0`)
            .join(''),
        );
      },
    ),
    { numRuns: 40 },
  );
});

test('any text comes out of a here-document as it went in, with a line end', () => {
  const text = fc.array(fc.oneof(word, fc.constantFrom('EOF', 'EOF_', ' EOF', '')), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 10, maxLength: 30 }), (documents) => {
      const texts = documents.map((lines) => lines.join('\n'));
      const script = texts.map((body) => {
        const here = hereDocument(body);
        return `cat ${here.redirect}\n${here.body}\nprintf '\\0'`;
      });
      const expected = texts.map((body) => `${body}${body === '' || body.endsWith('\n') ? '' : '\n'}\0`);
      assert.equal(bash(script.join('\n')), expected.join(''));
    }),
    { numRuns: 40 },
  );
});

test('no comment ends before its line', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 20, maxLength: 40 }), (texts) => {
      assert.equal(bash(texts.map((text) => comment(`${text}\nshow broken`)).join('\n')), '');
    }),
    { numRuns: 20 },
  );
});

test('a command of the file is one command of the script, whatever it holds', () => {
  const argv = ['echo', "it's", '$(touch /tmp/never)', '`id`', '$$', 'a\nb', '\\', '-n', '* ?'];
  const made = lab('l', [node('a', [], { exec: [argv] })]);
  const script = explainUp(made, planLab(made));
  const command = script.slice(script.indexOf('ip netns exec a echo'));
  assert.equal(bash(command.replace('ip netns exec a', 'show')), argv.map((text) => `${text}\0`).join(''));
});

test('bash reads the scripts of the widest labs without an error', () => {
  for (const made of [everything(), stockKinds()]) {
    const ops = planLab(made);
    for (const script of [explainUp(made, ops), explainDown(made, ops)]) {
      execFileSync('bash', ['-n'], { input: script });
    }
  }
});

test('a script grows with its lab and no faster', () => {
  const size = (n: number): number => {
    const made = star(n);
    return explainUp(made, planLab(made)).length;
  };
  // Names and addresses get a few digits longer.
  assert.ok(size(1000) < 2.2 * size(500));
});
