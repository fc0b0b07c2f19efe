// The commands as data, and what is made of them: tests of src/cli/definitions.ts, man.ts and completion.ts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { commands } from '../../../src/cli/commands.ts';
import { completionScript } from '../../../src/cli/completion.ts';
import { type CommandDefinition, definitionsOf, flatten, spellings } from '../../../src/cli/definitions.ts';
import { manPage } from '../../../src/cli/man.ts';

const definitions = definitionsOf(commands);
const all = flatten(definitions);

function named(name: string): CommandDefinition {
  return all.find((one) => one.name === name) ?? assert.fail(`no command ${name}`);
}

test('a declaration is read as it stands', () => {
  const up = named('up');
  assert.deepEqual(up.aliases, ['deploy']);
  assert.deepEqual(
    up.positionals.map(({ name, required, variadic }) => [name, required, variadic]),
    [['file', true, false]],
  );
  const pull = up.options.find(({ name }) => name === 'pull');
  assert.deepEqual([pull?.type, pull?.choices], ['string', ['always', 'missing', 'never']]);
  const verbose = up.options.find(({ name }) => name === 'verbose') ?? assert.fail();
  assert.deepEqual(spellings(verbose), ['--verbose', '-v']);
  assert.deepEqual(
    named('exec').positionals.map(({ name, variadic }) => [name, variadic]),
    [
      ['node', false],
      ['command', true],
    ],
  );
  assert.ok(named('image build-base').describe.length > 0);
  assert.ok(all.every(({ name }) => !name.startsWith('_')));
});

test('every command has examples, each of itself and with a word that says what it does', () => {
  for (const { name, examples } of all) {
    assert.ok(examples.length > 0, `nslab ${name} --help has no example`);
    for (const [line, what] of examples) {
      assert.ok(what.length > 0, line);
      assert.match(line, /\bnslab\b/, `${name}: ${line}`);
    }
    assert.ok(
      examples.some(([line]) => line.includes(`nslab ${name}`)),
      `no example of ${name} shows ${name}`,
    );
  }
});

test('every option and positional says what it is for', () => {
  for (const { name, options, positionals } of all) {
    for (const one of [...options, ...positionals]) assert.ok(one.describe.length > 0, `${name} ${one.name}`);
  }
});

test('the manual page has every command, option and exit status, and groff finds nothing wrong', (t) => {
  const page = manPage(definitions, '1.2.3');
  for (const { name, commands: below } of all) {
    if (below.length === 0)
      assert.ok(page.includes(`.SS "nslab ${name.replaceAll('-', '\\-')} [OPTIONS]`), name);
  }
  assert.ok(page.includes('\\-\\-wait\\-timeout'));
  assert.ok(page.includes('.SH EXIT STATUS') || page.includes('.SH "EXIT STATUS"'));
  // A line that begins with a dot is a request, so no text may.
  const requests = new Set(page.split('\n').flatMap((line) => /^\.(\w+)/.exec(line)?.[1] ?? []));
  assert.deepEqual(
    [...requests].sort(),
    ['B', 'BR', 'EE', 'EX', 'I', 'PP', 'SH', 'SS', 'TH', 'TP', 'in'].sort(),
  );
  const groff = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-z'], { input: page, encoding: 'utf8' });
  if (groff.error !== undefined) return t.diagnostic('groff is not installed');
  assert.equal(groff.stderr, '');
});

test('completion scripts are what their shells can read', (t) => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell, definitions);
    for (const word of ['wait-timeout', 'build-base', '_words'])
      assert.ok(script.includes(word), `${shell}: ${word}`);
    const read = spawnSync(shell, ['-n'], { input: script, encoding: 'utf8' });
    if (read.error !== undefined) t.diagnostic(`${shell} is not installed`);
    else assert.equal(read.stderr, '', shell);
  }
});
