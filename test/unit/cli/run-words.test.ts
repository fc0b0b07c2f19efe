// Where the options of `nslab run` end and the command begins.

import assert from 'node:assert/strict';
import test from 'node:test';
import { separateCommand } from '../../../src/cli/run-words.ts';

function split(line: string): string {
  return separateCommand(line.split(' ')).join(' ');
}

test('the command begins at the first word that is no option and no value of one', () => {
  const lines: readonly (readonly [string, string])[] = [
    ['run --rm ls -l', 'run --rm -- ls -l'],
    ['run --rootfs host sh -c x', 'run --rootfs host -- sh -c x'],
    ['run --rootfs=host sh --rm', 'run --rootfs=host -- sh --rm'],
    ['run -dit -m 64m -eA=b -e B=c sleep 1', 'run -dit -m 64m -eA=b -e B=c -- sleep 1'],
    ['run -itv a:b sh -i', 'run -itv a:b -- sh -i'],
    ['run --pids-limit 5 --network none - x', 'run --pids-limit 5 --network none -- - x'],
    ['run --rm -- ls -l', 'run --rm -- ls -l'],
    ['run --help', 'run --help'],
    ['run -m', 'run -m'],
    ['run', 'run'],
    ['create --name web --memory-swap 1g httpd -f', 'create --name web --memory-swap 1g -- httpd -f'],
    ['run -dlA=b --detach-keys ctrl-x sh -d', 'run -dlA=b --detach-keys ctrl-x -- sh -d'],
    ['up run ls -l', 'up run ls -l'],
  ];
  for (const [line, expected] of lines) assert.equal(split(line), expected);
});
