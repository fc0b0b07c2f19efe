// Arbitrary words on the helper's command line, with ASan and UBSan: it ends with one of its own statuses, one readable
// error, and no report of a sanitizer. The words can name a node that is up, but no program: PATH is empty and no word has
// a slash that leads to one.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { rounds } from '../support/emulated.ts';
import { mountsBelow, pinnedLab, sanitizedNslab } from '../support/pinned-lab.ts';
import { skipUnlessRoot } from '../support/skip.ts';

const RUNS = rounds(300, 40);

function kernelTest(title: string, body: (t: TestContext) => void): void {
  test(title, (t) => {
    if (!skipUnlessRoot(t)) body(t);
  });
}

function helper(args: readonly string[], input = ''): { status: number | null; stderr: string } {
  const program = join(sanitizedNslab(), '../../dist/nslab-helper');
  const env = {
    PATH: '/no/such/folder',
    ASAN_OPTIONS: 'detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const result = spawnSync(program, args, { encoding: 'utf8', env, cwd: '/', input });
  return { status: result.status, stderr: result.stderr };
}

function assertWellBehaved(args: readonly string[], statuses: readonly number[]): void {
  const { status, stderr } = helper(args);
  const shown = `${JSON.stringify(args)}: ${status}\n${stderr}`;
  assert.doesNotMatch(stderr, /Sanitizer|runtime error/, shown);
  assert.ok(status !== null && statuses.includes(status), shown);
  // The login shell of nobody is nologin(8), which ends with 1 and says so on stdout.
  const isNologin = status === 1 && args[0] === 'shell' && stderr === '';
  if (status !== 0 && !isNologin)
    assert.match(stderr, /^error\[[A-Z_]+\] [^\n]+\n( {2}hint: [^\n]+\n)?$/, shown);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that none of them reaches the terminal is what is tested
  assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f]/, shown);
}

kernelTest('no command line makes the helper do anything but work or refuse', () => {
  using lab = pinnedLab(['pc1', 'router'], 'f-');
  // No NUL, which no argument can hold, and no slash in a word that could become a command.
  const free = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replace(/[\0/]/g, '_'));
  const option = fc.constantFrom(
    ...[
      '--',
      '-',
      '-w',
      '--workdir',
      '-e',
      '--env',
      '-u',
      '--user',
      '--lab',
      '-h',
      '--help',
      '-x',
      '--lab=',
      '-u=',
    ],
    ...['--env=A=b', '-eA=b', '-w/', '--workdir=/', '--user=nobody', '-unobody:nogroup', '-u0:0'],
  );
  const known = fc.constantFrom(lab.lab, 'pc1', 'f-pc1', 'router', 'host', 'nobody', 'A=b', '');
  const word = fc.oneof({ weight: 3, arbitrary: option }, { weight: 4, arbitrary: known }, free);
  const line = fc.tuple(fc.constantFrom('exec', 'shell', 'exec', 'nosuch'), fc.array(word, { maxLength: 8 }));
  fc.assert(
    fc.property(line, ([verb, words]) => {
      // The shell of `shell` reads an empty stdin and ends with 0.
      assertWellBehaved([verb, ...words], [0, 1, 2, 4, 7, 126, 127]);
    }),
    { numRuns: RUNS, examples: [[['shell', ['--user=nobody', 'pc1']]]] },
  );
  assert.deepEqual(
    mountsBelow(join('/run/nslab/labs', lab.lab)).filter((point) => point.includes('pc1')).length,
    1,
  );
});

kernelTest('no user name, number or group overruns anything', () => {
  using lab = pinnedLab(['pc1']);
  const part = fc.oneof(
    fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String),
    fc.string({ unit: 'binary', maxLength: 300 }).map((text) => text.replaceAll('\0', '')),
    fc.constantFrom('root', 'nobody', '', '0', '4294967294', '4294967295'),
  );
  fc.assert(
    fc.property(part, fc.option(part), (user, group) => {
      const who = group === null ? user : `${user}:${group}`;
      assertWellBehaved(['exec', '--lab', lab.lab, '-u', who, 'pc1', 'no-such-command'], [2, 127]);
    }),
    { numRuns: RUNS / 2 },
  );
});

kernelTest('no passwd, group or prefix file overruns anything', () => {
  using lab = pinnedLab(['pc1']);
  const field = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replace(/[/]/g, '_')),
    fc.constantFrom('root', '0', '4294967296', '', 'x'),
  );
  const line = fc.array(field, { maxLength: 9 }).map((fields) => fields.join(':'));
  const file = fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(file, file, file, (passwd, group, prefix) => {
      lab.etc('pc1', { passwd, group });
      writeFileSync(join('/run/nslab/labs', lab.lab, 'prefix'), prefix);
      assertWellBehaved(['exec', '--lab', lab.lab, '-u', 'root:x', 'pc1', 'no-such-command'], [2, 7, 127]);
      writeFileSync(join('/run/nslab/labs', lab.lab, 'prefix'), '');
      assertWellBehaved(['exec', '--lab', lab.lab, '-u', 'root', 'pc1', 'no-such-command'], [2, 127]);
    }),
    { numRuns: RUNS / 2 },
  );
});

kernelTest(
  'no list of namespaces and no filter makes a capture or a listener do anything but work or refuse',
  () => {
    using lab = pinnedLab(['pc1']);
    const free = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replace(/[\0\n]/g, '_'));
    const number = fc.oneof(fc.nat(300), fc.constantFrom(-1, 65_536, 4_294_967_295, 4097)).map(String);
    const step = fc.tuple(number, number, number, number).map((numbers) => numbers.join(' '));
    const known = fc.constantFrom(
      ...[
        `netns pc1 ${lab.pin('pc1')}`,
        'netns gone /no/such/pin',
        'netns file /etc/passwd',
        'netns',
        'netns x',
      ],
      ...['only lo', 'only eth9', 'maybe eth9', 'others', 'only ', 'filter others 1', 'filter ethernet 2'],
      ...['6 0 0 0', '40 0 0 12', '21 0 1 2048', '6 0 0 65535', ''],
    );
    const line = fc.oneof({ weight: 5, arbitrary: known }, { weight: 1, arbitrary: step }, free);
    const list = fc.array(line, { maxLength: 8 });
    const look = (args: readonly string[], lines: readonly string[], statuses: readonly number[]): void => {
      const { status, stderr } = helper(args, `${lines.join('\n')}\n`);
      const shown = `${JSON.stringify([args, lines])}: ${status}\n${stderr}`;
      assert.doesNotMatch(stderr, /Sanitizer|runtime error/, shown);
      assert.ok(status !== null && statuses.includes(status), shown);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that none of them reaches the terminal is what is tested
      assert.doesNotMatch(stderr, /[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f]/, shown);
    };
    fc.assert(
      fc.property(list, (lines) => {
        look(['_capture', '--duration', '5', '--snaplen', '60'], lines, [0, 2, 4, 7]);
        // What means nothing ends a listener, which would go on for ever otherwise.
        look(['_events'], [...lines, 'no such line'], [2, 4]);
      }),
      { numRuns: RUNS / 10 },
    );
  },
);
