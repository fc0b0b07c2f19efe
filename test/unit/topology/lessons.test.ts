// The files of topologies/lessons: what each lesson must have, so that it can be taught and scored. On the kernel they are run by
// e2e/lessons.test.ts.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { explainDown, explainUp } from '../../../src/plan/explain.ts';
import { planLab } from '../../../src/plan/order.ts';
import { root } from '../../support/nslab.ts';
import { shippedLessons } from '../../support/shipped-lessons.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const lessons = shippedLessons();

test('the lessons are numbered without a gap, and the index has each in its place', () => {
  assert.deepEqual(
    lessons.map(({ name }) => name.slice(0, 2)),
    lessons.map((_, index) => String(index + 1).padStart(2, '0')),
  );
  const listed = [...read('topologies/lessons/README.md').matchAll(/\]\((\d\d-[a-z0-9-]+)\/\)/g)];
  assert.deepEqual(
    listed.map(([, name]) => name),
    lessons.map(({ name }) => name),
  );
});

for (const { name, folder, file, load } of lessons) {
  test(`${name}: start and solution differ, and are scored alike, out of ten points`, () => {
    const [start, solution] = [load('start'), load('solution')];
    assert.equal(start.name, name);
    assert.equal(solution.name, name);
    assert.deepEqual(start.tests, solution.tests);
    assert.equal(
      solution.tests.reduce((sum, { points }) => sum + points, 0),
      10,
    );
    const body = (text: string) => text.replaceAll(/^#.*\n/gm, '');
    assert.notEqual(body(read(file('start'))), body(read(file('solution'))));
    assert.match(read(file('start')), /^# .*Task:/m);
  });

  test(`${name}: the README shows commands with what they print, sets a task, asks, and folds the answers away`, () => {
    const text = read(`${folder}/README.md`);
    const number = name.slice(0, 2);
    assert.match(text, new RegExp(`^# ${number} `));
    assert.match(
      text.split('\n')[1] ?? '',
      /^\*.*\p{Script=Han}.*\*$/u,
      'key terms in Chinese, in the second line',
    );
    const blocks = [...text.matchAll(/^```console\n(.*?)^```$/gms)].map(([, block = '']) => block);
    assert.ok(blocks.length >= 2);
    for (const command of [/^# nslab up start\.yaml$/m, /^# nslab test$/m])
      assert.match(blocks.join(''), command);
    // Ordinary tools beside nslab: what it makes are ordinary objects of the kernel.
    const tools = /^# .*\b(ip|bridge|nft|lsns|nsenter|unshare|strace|ss|tcpdump|ps|mount|cat)\b/m;
    assert.match(blocks.join(''), tools);
    for (const heading of ['## Task', '## Questions']) assert.ok(text.includes(`\n${heading}\n`), heading);
    const [, questions = '', answers = ''] = /## Questions\n(.*)<details>(.*)<\/details>/s.exec(text) ?? [];
    const count = (part: string) => part.match(/^\d+\. /gm)?.length ?? 0;
    assert.ok(count(questions) >= 3);
    assert.equal(count(answers), count(questions));
  });

  test(`${name}: explain shows both as commands, and how they go`, () => {
    for (const lab of [load('start'), load('solution')]) {
      const ops = planLab(lab);
      assert.match(explainUp(lab, ops), /^#!\/bin\/bash\n/);
      assert.match(explainDown(lab, ops), /^#!\/bin\/bash\n/);
    }
  });
}
