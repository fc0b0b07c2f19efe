// What a mistaken command line is answered: test of src/cli/usage.ts. That yargs refuses them is shown in test/e2e/cli.test.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usageError } from '../../../src/cli/usage.ts';

const forms = [
  { words: 'up <file>', aliases: ['deploy'] },
  { words: 'down [lab]', aliases: ['destroy'] },
];
const options = ['help', 'h', 'version', 'prefix', 'verbose', 'v', 'json'];

function answer(line: string, message = 'Not enough non-option arguments: got 0, need at least 1'): string {
  const argv = line === '' ? [] : line.split(' ');
  const error = usageError(message, { argv, forms, options });
  assert.equal(error.code, 'USAGE');
  return `${error.message} (${error.hint})`;
}

test('an option that is none is named, wherever it stands, with the nearest one', () => {
  assert.equal(answer('up --prefx x lab.yaml'), 'nslab up has no option --prefx (did you mean "--prefix"?)');
  assert.equal(answer('up --bogus=1 lab.yaml'), 'nslab up has no option --bogus (nslab up --help)');
  assert.equal(answer('deploy lab.yaml -vx'), 'nslab up has no option -x (nslab up --help)');
  assert.equal(answer('up --no-jsn lab.yaml'), 'nslab up has no option --no-jsn (nslab up --help)');
  assert.equal(answer('--versoin'), 'nslab has no option --versoin (did you mean "--version"?)');
});

test('what is missing is said only when every option is known', () => {
  const missing = 'something is missing: nslab up <file> (nslab up --help)';
  for (const line of ['up', 'up -v', 'up --no-json', 'up --prefix=a-', 'up -- --bogus', 'deploy -1']) {
    assert.equal(answer(line), missing, line);
  }
});

test('a command that is none comes before its options and arguments', () => {
  const unknown = 'Unknown arguments: dwon, lab.yaml';
  assert.equal(answer('dwon lab.yaml', unknown), 'there is no command dwon (did you mean "down"?)');
  assert.equal(answer('destory --bogus'), 'there is no command destory (did you mean "destroy"?)');
  assert.equal(answer('bogus', unknown), 'there is no command bogus (nslab --help lists the commands)');
});

test('for the rest the words of yargs are good enough', () => {
  assert.equal(answer('', 'a command is missing'), 'a command is missing (nslab --help)');
  assert.equal(answer('down a b', 'Unknown argument: b\n'), 'Unknown argument: b (nslab down --help)');
});
