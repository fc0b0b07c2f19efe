// Colours are for terminals, and not for who said NO_COLOR (https://no-color.org): every command that prints on a terminal of the test's
// own, with the variable and without.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { commands } from '../../src/cli/commands.ts';
import { definitionsOf } from '../../src/cli/definitions.ts';
import { rounds } from '../support/emulated.ts';
import { root, upLab } from '../support/nslab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'nslab-colour-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, 'lab.yaml');
writeFileSync(file, 'name: tcolour\nnodes: { pc1: {} }\n');
const wrong = join(folder, 'wrong.yaml');
writeFileSync(wrong, 'name: tcolour\nnodes: { pc1: { adresses: [] } }\n');

/** What script(1) saw on a terminal. */
function onTerminal(words: readonly string[], env: NodeJS.ProcessEnv): string {
  const line = [join(root, 'bin/nslab'), ...words].map((word) => `'${word}'`).join(' ');
  const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], {
    encoding: 'utf8',
    env: { ...process.env, TERM: 'xterm-256color', ...env },
    input: '',
    timeout: 60_000,
  });
  return stdout;
}

// Select Graphic Rendition, ECMA-48: colours and bold, not the movement of a bar.
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
const colour = /\u001b\[[0-9;]*m/;

const lines: readonly (readonly string[])[] = [
  ['validate', wrong],
  ['up', wrong],
  ['plan', file],
  ['explain', file],
  ['explain', 'LINK_MTU'],
  ['ls'],
  ['inspect', 'tcolour'],
  ['ps'],
  ['stats', '--no-stream'],
  ['image', 'ls'],
  ['doctor', '--all'],
  ['man'],
  ['schema'],
  ['exec', 'pc2', 'true'],
  ['down', 'none'],
  ['nonsense'],
  ...definitionsOf(commands).map(({ name }) => [...name.split(' '), '--help']),
];

test('NO_COLOR is honoured by every command', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  await using _lab = await upLab(file);
  // Under emulation only those that are not help alone.
  for (const words of lines.slice(0, rounds(lines.length, 16))) {
    const text = onTerminal(words, { NO_COLOR: '1' });
    assert.ok(text.length > 0, words.join(' '));
    assert.doesNotMatch(text, colour, words.join(' '));
  }
});

test('without it a terminal shows colours, and what is no terminal never does', async (t) => {
  if (skipUnlessRoot(t, 'e2e')) return;
  const env = { NO_COLOR: undefined };
  for (const words of [
    ['validate', wrong],
    ['doctor', '--all'],
  ]) {
    assert.match(onTerminal(words, env), colour, words.join(' '));
    const piped = spawnSync(join(root, 'bin/nslab'), words, {
      encoding: 'utf8',
      env: { ...process.env, FORCE_COLOR: '' },
    });
    assert.doesNotMatch(piped.stdout + piped.stderr, colour);
  }
});
